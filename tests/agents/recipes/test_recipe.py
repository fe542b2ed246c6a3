"""Gates: what they ask for, and what becomes of them."""

import dataclasses
import math

import pytest

from spelunk.agents.recipes import beds
from spelunk.agents.recipes.recipe import (
    Recipe,
    above,
    at_least,
    at_most,
    grown,
    some,
    times,
    within,
)
from spelunk.agents.recipes.registry import MODULES, recipe
from spelunk.envs.kernel import InvalidArgumentError

TABLE = {
    "new": [
        {"score": 0.5, "start_score": 0.2, "entropy": 0.4},
        {"score": 0.6, "start_score": 0.1, "entropy": 0.5},
    ],
    "old": [{"score": 0.4, "entropy": 0.2}, {"score": 0.5, "entropy": 0.2}],
}


def looked(condition):
    return condition.check(TABLE)


def test_above_compares_pairs():
    check = looked(above("score", "new", "old", 0.05))
    assert (check.measured, check.baseline) == pytest.approx((0.55, 0.45))
    assert check.interval == pytest.approx((0.1, 0.1)), "both pairs differ by the same"
    assert check.passed
    assert check.words == "score: new − old > 0.05"
    assert not looked(above("score", "new", "old", 0.11)).passed
    assert looked(above("score", "old", "new", -0.11)).passed
    assert not looked(above("score", "old", "new", -0.09)).passed


def test_bounds_are_of_the_interval():
    check = looked(at_least("score", "new", 0.5))
    assert check.passed
    assert check.interval == pytest.approx((0.5, 0.6))
    assert math.isnan(check.baseline)
    assert not looked(at_least("score", "new", 0.51)).passed
    assert looked(at_most("score", "new", 0.6)).passed
    assert not looked(at_most("score", "new", 0.59)).passed, "the mean is 0.55"


def test_times_and_within_ask_every_seed():
    check = looked(times("entropy", "new", "old", 2.0))
    assert check.passed
    assert check.interval == pytest.approx((2.0, 2.5))
    assert not looked(times("entropy", "new", "old", 2.1)).passed
    assert looked(within("entropy", "new", 0.4, 0.5)).passed
    assert not looked(within("entropy", "new", 0.4, 0.45)).passed
    assert looked(grown("score", "new", 0.29)).passed
    assert not looked(grown("score", "new", 0.31)).passed
    right, wrong = above("score", "new", "old"), above("score", "old", "new")
    assert looked(some(1, wrong, right)).passed
    assert not looked(some(2, wrong, right)).passed
    assert looked(some(1, right)).interval == looked(right).interval


def test_what_was_not_measured_is_named():
    with pytest.raises(InvalidArgumentError, match="no figure 'speed'"):
        looked(above("speed", "new", "old"))


@pytest.mark.parametrize("name", MODULES)
def test_every_recipe_is_whole(name):
    """Its name, bed, arms and terms exist, and its gate speaks of arms that there are."""
    from spelunk.agents.llm.training.terms.slots import Terms
    from spelunk.agents.llm.training.trainer import Config

    found = recipe(name)
    assert found.name == name
    bed = beds.bed(found.bed)
    for changes in found.arms.values():
        Terms.read(Config(**{**bed.config, **changes}))
    figures = dict.fromkeys(
        ("pass_1", "pass_4", "pass_16", "maj_16", "answer_entropy", "entropy_start",
         "entropy_end", "entropy_kept", "entropy_variance", "tokens", "seconds",
         "start_pass_1", "hard_pass_1", "law_error", "law_r_squared"), 0.5,
    )  # fmt: skip
    checks = found.judge({arm: [figures, figures] for arm in found.arms})
    assert checks
    assert [check.words for check in checks] == [condition.words for condition in found.gate]


def test_wrong_names_are_explained():
    with pytest.raises(InvalidArgumentError, match="recipe must be one of"):
        recipe("alchemy")
    with pytest.raises(InvalidArgumentError, match="bed must be one of"):
        beds.bed("sofa")
    with pytest.raises(InvalidArgumentError, match="baseline must be one of"):
        dataclasses.replace(recipe("lite-ppo"), baseline="nothing")
    assert isinstance(recipe("lite-ppo"), Recipe)
