"""Q* search against A*, on Rubik's cubes with 9 to 819 actions.

Agostinelli et al. 2021, "A* search without expansions": the larger the set of actions, the more
Q* saves, since it makes one child where A* makes all. On the 2×2×2 actions are the compositions of
up to one, two and three turns (9, 90 and 819 of them), and cost their length. One network gives the
costs of all; the smaller sets are its first 9 and 90. A* has as its heuristic the least of these
costs at each child, Q* uses them as they are. Cubes are drawn uniformly, hence scrambled to full
depth. The 3×3×3 is scrambled by seven turns.

Both searches have the same weight and the same batch, the nodes (or edges) taken from the open list
together; the paper's batches are of thousands. Rows are for several, since the ratio of nodes
depends on it: A* makes A children of each node of a batch, of which Q* makes one.

Per size A of the action set: A* must make at least A/4 times as many nodes as Q*, and the plans of
Q* may cost 5% more on average.
"""

import argparse
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import write_result
from rich.progress import track

from spelunk.agents.core.evaluation import mean_interval
from spelunk.agents.core.run import RunConfig, load_agent, train
from spelunk.agents.core.trainer import Task
from spelunk.agents.planning.best_first import best_first
from spelunk.agents.planning.learned import LearnedCosts
from spelunk.agents.planning.problem import ModelProblem
from spelunk.agents.planning.q_star import q_star
from spelunk.agents.planning.search import Limits
from spelunk.envs.kernel.solve import distance_table
from spelunk.envs.search.rubiks_cube import RubiksCube

INSTANCES = 200
FIRST_SEED = 10_000  # training draws no cubes by seed
WEIGHT, BATCHES = 0.8, (1, 10, 100, 1000)
LIMITS = Limits(max_expanded=100_000)


@dataclass(frozen=True)
class Case:
    """A cube, how the network is trained for it, and which action sets are searched.

    Attributes:
        name: of the run folder.
        cube: what the cubes searched and learned have in common.
        scramble: of the cubes searched; None for uniform ones.
        depths: the most turns of an action, for each action set; the last is learned.
        config: of the training.
        steps: of the training.
    """

    name: str
    cube: dict[str, Any]
    scramble: int | None
    depths: tuple[int, ...]
    config: dict[str, Any]
    steps: int


SHARED = {
    "form": "action",
    "actions_per_state": 8,
    "target_interval": 100,
    "target_loss": 1.0,
    "max_expanded": 2000,
}
CASES = (
    Case(
        "2x2x2",
        {"size": 2},
        None,
        (1, 2, 3),
        {**SHARED, "scramble": 11, "primitive_actions": 9, "hidden": 512},
        40_000_000,
    ),
    Case(
        "3x3x3",
        {"size": 3, "metric": "quarter_turn"},
        7,
        (1,),
        {**SHARED, "scramble": 8},
        8_000_000,
    ),
)


def network(case, folder):
    """The network of a run, trained first where there is none."""
    if not (folder / "summary.json").exists():
        kwargs = {**case.cube, "meta_actions": case.depths[-1], "scramble": case.scramble}
        task = Task("spelunk/RubiksCube-v0", case.steps, 1000, kwargs)
        train(RunConfig("davi", task, case.config), folder)
    return load_agent(folder)[0].network


def optimal_costs(env, roots):
    """The fewest turns, where all states can be listed."""
    if not env.n_ranks:
        return np.full(len(roots), np.nan)
    table, rank = distance_table(RubiksCube(size=2)), env.definition.kernels.rank
    return np.array([float(table[rank(root, env.definition.params)]) for root in roots])


def figures(results, optimal):
    """What searches took, summed up."""
    solved = np.array([r.plan is not None for r in results])
    costs = np.array([r.cost for r in results])
    excess = (costs - optimal)[solved]
    return {
        "solved": float(solved.mean()),
        "cost": float(costs[solved].mean()),
        "cost_interval": mean_interval(costs[solved]),
        "excess": None if np.isnan(excess).any() else float(excess.mean()),
        **{
            name: float(np.mean([getattr(r, name) for r in results]))
            for name in ("generated", "expanded", "calls", "seconds")
        },
    }


def compare(case, depth, batch_size, learned):
    """Both searches on the same cubes with the actions of up to so many turns."""
    env = RubiksCube(**case.cube, meta_actions=depth, scramble=case.scramble)
    model, size = env.model, env.definition.n_actions
    roots = model.reset(range(FIRST_SEED, FIRST_SEED + INSTANCES))
    costs = LearnedCosts(model, learned, n_actions=size)
    found = {"astar": [], "q_star": []}
    options = {"weight": WEIGHT, "batch_size": batch_size, "limits": LIMITS}
    for i in track(range(INSTANCES), f"{case.name}, {size} actions, batch {batch_size}"):
        problem = ModelProblem(model, roots[i : i + 1], costs)
        found["astar"].append(best_first(problem, **options))
        found["q_star"].append(q_star(problem, costs.of_actions, **options))
    optimal = optimal_costs(env, roots)
    a, q = (figures(results, optimal) for results in found.values())
    return {
        "case": case.name,
        "actions": size,
        "batch_size": batch_size,
        "astar": a,
        "q_star": q,
        "nodes_ratio": a["generated"] / q["generated"],
        "nodes_target": size / 4,
        "cost_ratio": q["cost"] / a["cost"],
        "cost_target": 1.05,
        "time_ratio": a["seconds"] / q["seconds"],
    }


def main():
    """Train, measure, and write `results/q_star.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs/q_star"), help="trained networks")
    runs = parser.parse_args().runs
    rows = []
    for case in CASES:
        learned = network(case, runs / case.name)
        for depth, batch_size in itertools.product(case.depths, BATCHES):
            rows.append(compare(case, depth, batch_size, learned))
            print(rows[-1], flush=True)
    training = {case.name: {"config": case.config, "steps": case.steps} for case in CASES}
    write_result(
        "q_star",
        {"training": training, "instances": INSTANCES, "weight": WEIGHT, "rows": rows},
    )  # fmt: skip


if __name__ == "__main__":
    main()
