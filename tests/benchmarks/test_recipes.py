"""Stored results of recipes are of the recipes and beds as they are."""

import json
from pathlib import Path

import pytest

from spelunk.agents.recipes.registry import recipe
from spelunk.agents.recipes.run import arm_run, folder_name

STORED = Path(__file__).parents[2] / "benchmarks" / "results" / "recipes.json"
KEPT = json.loads(STORED.read_text())["recipes"]


@pytest.mark.parametrize("name", KEPT)
def test_results_are_of_the_trainings_of_today(name):
    """Whoever changes an arm or a bed runs its recipes again, or takes their results out."""
    kept = KEPT[name]
    assert kept["trainings"]
    for arm, names in kept["trainings"].items():
        runs = [arm_run(recipe(name), arm, seed, kept["scale"]) for seed in range(kept["seeds"])]
        assert names == [folder_name(run) for run in runs], arm
        for run, figures in zip(runs, kept["table"][arm], strict=True):
            assert figures.get("env_steps", run.task.total_steps) >= run.task.total_steps
