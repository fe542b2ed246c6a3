"""Novelty search and fitness search in the deceptive maze, with equal budgets.

Both are the same evolution of small networks; one selects for novelty of the final position, the
other for closeness of it to the goal. A search succeeds when one of its individuals reaches the
goal, and stops there.

    python benchmarks/novelty_maze.py --seeds 10
"""

import argparse
import math
import statistics
import time
from dataclasses import asdict
from typing import Any

from common import write_result
from scipy import stats

from spelunk.agents.core.trainer import Task
from spelunk.agents.evolution.novelty import Config, NoveltySearch

ID = "spelunk/PointMaze-v0"
ENV = {"maze": "deceptive", "max_episode_steps": 400}
POPULATION = 128
FIRST_SEED = 100  # lower ones were played while the maze was designed
SOLVED = 0.99  # the return is 1 at the goal, and at most 1 − 0.5 / 12 elsewhere


def search(objective: Any, seed: int, generations: int) -> dict[str, Any]:
    """One search; how it went."""
    trainer = NoveltySearch(Task(ID, 0, POPULATION, ENV, seed), Config(objective=objective))
    begin, done = time.perf_counter(), 0
    while done < generations and trainer.champion_return < SOLVED:
        trainer.step()
        done += 1
    success = trainer.champion_return >= SOLVED
    return {
        "seed": seed,
        "success": success,
        "evaluations": done * POPULATION,
        "evaluations_to_success": done * POPULATION if success else None,
        "env_steps": trainer.env_steps,
        "best_return": trainer.champion_return,
        "seconds": round(time.perf_counter() - begin, 2),
    }


def summarize(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Successes with their exact 95% interval, and medians, beside the runs."""
    successes = sum(run["success"] for run in runs)
    interval = stats.binomtest(successes, len(runs)).proportion_ci(method="exact")
    # Searches without success count as longer than any other.
    median = statistics.median(run["evaluations_to_success"] or math.inf for run in runs)
    return {
        "successes": successes,
        "success_rate_interval": [interval.low, interval.high],
        "median_evaluations_to_success": median if math.isfinite(median) else None,
        "median_best_return": statistics.median(run["best_return"] for run in runs),
        "per_seed": runs,
    }


def main() -> None:
    """Measure, print and write `results/novelty_maze.json`."""
    parser = argparse.ArgumentParser(description="Novelty against fitness in a maze.")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--generations", type=int, default=250)
    arguments = parser.parse_args()
    results = {}
    for objective in ("novelty", "fitness"):
        runs = []
        for seed in range(FIRST_SEED, FIRST_SEED + arguments.seeds):
            runs.append(run := search(objective, seed, arguments.generations))
            outcome = "reached the goal" if run["success"] else "did not reach the goal"
            print(
                f"{objective:>8}, seed {seed}: {outcome} in {run['evaluations']:,} evaluations, "
                f"best return {run['best_return']:.3f} ({run['seconds']:.0f} s)",
                flush=True,
            )
        results[objective] = summarize(runs)
    solved = [results[objective]["successes"] for objective in ("novelty", "fitness")]
    test = stats.fisher_exact([[n, arguments.seeds - n] for n in solved])
    p_value = float(test.pvalue)  # pyright: ignore[reportAttributeAccessIssue]
    print(
        f"successes of {arguments.seeds}: novelty {solved[0]}, fitness {solved[1]}; "
        f"Fisher's exact test p = {p_value:.2g}"
    )
    write_result(
        "novelty_maze",
        {
            "id": ID,
            "env_kwargs": ENV,
            "seeds": arguments.seeds,
            "population": POPULATION,
            "generations": arguments.generations,
            "config": asdict(Config()),
            **results,
            "fisher_exact_p": p_value,
        },
    )


if __name__ == "__main__":
    main()
