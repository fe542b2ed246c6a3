"""Learning curves: every environment that one learner can be trained on, several seeds each.

    python benchmarks/curves.py [words that the task must contain]

TicTacToe is left out: its players take turns, which needs self-play. What was measured before of
other tasks stays in `results/curves.json`; the picture is `docs/images/curves.png`.
"""

import dataclasses
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from common import RESULTS, write_result

import spelunk
from spelunk.agents import registry
from spelunk.agents.core.run import RunConfig, train
from spelunk.agents.core.trainer import Task

SEEDS = range(3)
POINTS = 60
#: A tour is short and its reward never discounted.
ROUTES = {
    "num_steps": 20, "num_minibatches": 4, "gamma": 1.0, "lam": 0.95, "entropy_coef": 0.0,
    "hidden": (128, 128),
}  # fmt: skip
#: Environment, arguments, agent, hyperparameters, environment steps.
TASKS = (
    ("DoorKey", {"size": 5}, "ppo", {}, 500_000),
    ("DoorKey", {}, "ppo", {}, 3_000_000),
    ("BernoulliBandit", {}, "ppo", {"num_steps": 32}, 1_000_000),
    ("BernoulliBandit", {}, "dqn", {}, 100_000),
    ("KnowledgeSearch", {}, "ppo", {"learning_rate": 2e-3, "entropy_coef": 0.003}, 2_000_000),
    ("PointMaze", {}, "ppo", {}, 500_000),
    ("PointMaze", {}, "sac", {}, 4_000),
    ("SlidingTile", {"size": 2}, "ppo", {"num_steps": 16}, 500_000),
    ("SlidingTile", {"size": 2}, "q_learning", {}, 200_000),
    ("SlidingTile", {"scramble": 12}, "ppo", {"num_steps": 32}, 3_000_000),
    ("SlidingTile", {}, "ppo", {"num_steps": 32}, 3_000_000),
    ("SlidingTile", {}, "q_learning", {}, 5_000_000),
    ("TSP", {"cities": 10}, "ppo", ROUTES, 4_000_000),
    ("TSP", {}, "ppo", ROUTES, 4_000_000),
    ("PressurePlates", {"size": 5}, "ppo", {}, 1_000_000),
)


def name_of(env, kwargs, agent):
    """What a task is called."""
    words = ", ".join(f"{k}={v}" for k, v in kwargs.items())
    return f"{env}{f' ({words})' if words else ''}: {agent}"


def run(env, kwargs, agent, changes, steps, seed):
    """One training: its curve and its summary."""
    row = registry.entry(agent)
    config = dataclasses.replace(row.config_class()(), **changes)
    task = Task(f"spelunk/{env}-v0", steps, row.load().default_num_envs, kwargs, seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        summary = train(RunConfig(agent, task, dataclasses.asdict(config)), folder)
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    known = [(line["env_steps"], line["return_mean"]) for line in lines if "return_mean" in line]
    chosen = np.unique(np.linspace(0, len(known) - 1, POINTS).astype(int)) if known else []
    kept = ("return_mean", "normalized_score", "env_steps", "steps_per_second", "wall_seconds")
    return {
        "seed": seed,
        "curve": [known[i] for i in chosen],
        **{key: summary[key] for key in kept},
    }


def draw(tasks):
    """Small multiples: each seed a line, the random policy and the best known beside them."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    columns = 4
    rows = -(-len(tasks) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.3 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(tasks) :]:
        axes.axis("off")
    for axes, (name, found) in zip(grid, tasks.items(), strict=False):
        reference = spelunk.reference(found["env_id"], **found["env_kwargs"])
        for one in found["runs"]:
            if one["curve"]:
                axes.plot(*zip(*one["curve"], strict=True), color="#4e84e0", lw=1)
        axes.axhline(reference.random, color="#7a808c", ls=":", lw=1)
        if reference.best is not None:
            axes.axhline(reference.best, color="#5cb86c", ls="--", lw=1)
        axes.set_title(name, fontsize=8)
        axes.tick_params(labelsize=7)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_formatter(
            lambda x, _: f"{x / 1e6:g} M" if x >= 1e6 else f"{x / 1e3:g} k"
        )
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(Path(__file__).parent.parent / "docs" / "images" / "curves.png", dpi=90)


def main():
    """Train, and write `results/curves.json` after each task."""
    torch.set_num_threads(1)
    path = RESULTS / "curves.json"
    found = json.loads(path.read_text())["tasks"] if path.exists() else {}
    for env, kwargs, agent, changes, steps in TASKS:
        name = name_of(env, kwargs, agent)
        if not all(word in name for word in sys.argv[1:]):
            continue
        found[name] = {
            "env_id": f"spelunk/{env}-v0",
            "env_kwargs": kwargs,
            "agent": agent,
            "hyperparameters": changes,
            "runs": [run(env, kwargs, agent, changes, steps, seed) for seed in SEEDS],
        }
        order = [name_of(*task[:3]) for task in TASKS]
        found = {name: found[name] for name in order if name in found}
        print(name, [one["normalized_score"] for one in found[name]["runs"]], flush=True)
        write_result("curves", {"tasks": found})
        draw(found)


if __name__ == "__main__":
    main()
