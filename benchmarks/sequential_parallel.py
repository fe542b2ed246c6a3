"""Sequential search against parallel sampling on Countdown and Sudoku, at equal budgets.

The claim of "To backtrack or not to backtrack: when sequential search limits model reasoning"
(2025), for language models, is that one long search that backtracks loses against many independent
tries on Countdown and wins on Sudoku, the more the deeper the trees are. Here one noisy policy over
a simple heuristic stands for the model (`agents/planning/sampling.py`), and simulated steps are the
budget. Each side has the temperature that is best for it on other instances. The score is the area
under the curve of success over the logarithm of the budget.
"""

from typing import Any

import numpy as np
from common import write_result
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from spelunk.agents.planning.sampling import guide_of, sample_plans
from spelunk.envs import registry
from spelunk.envs.kernel import KernelEnv
from spelunk.envs.reference import random_returns
from spelunk.envs.search.arithmetic import plans_for
from spelunk.envs.search.sudoku import Sudoku
from spelunk.envs.search.sudoku_solver import solve

BUDGETS = [10, 32, 100, 316, 1000, 3162, 10_000, 31_623]
TEMPERATURES = [4.0, 2.0, 1.0, 0.5, 0.25]
METHODS = ("sequential", "parallel")
SEEDS = 5
INSTANCES = 100  # for each seed
RESAMPLES = 2000

COUNTDOWN, SUDOKU = "spelunk/Countdown-v0", "spelunk/Sudoku-v0"
#: By a label: id and arguments; the deeper the later.
PROBLEMS: dict[str, tuple[str, dict[str, Any]]] = {
    **{
        f"Countdown, {n} numbers": (COUNTDOWN, {"numbers": n, "use_all": True})
        for n in (3, 4, 5, 6)
    },
    **{
        f"Sudoku 4×4, {n} empty": (SUDOKU, {"box": 2, "empties": n, "difficulty": None})
        for n in (6, 8, 10)
    },
    **{
        f"Sudoku 9×9, {n} empty": (SUDOKU, {"empties": n, "difficulty": None}) for n in (30, 40, 50)
    },
    "Sudoku 9×9, hard": (SUDOKU, {"difficulty": "hard"}),
}


def successes(env: KernelEnv, method: Any, temperature: float, seed: int) -> np.ndarray:
    """Which instances are solved within which budget, (instances, budgets) `bool`."""
    seeds = range(1000 * seed, 1000 * seed + INSTANCES)
    found = sample_plans(
        env.model,
        env.model.reset(seeds),
        seeds,
        method=method,
        budget=BUDGETS[-1],
        temperature=temperature,
        guide=guide_of(env),
    )
    return found.solved[:, None] & (found.spent[:, None] <= BUDGETS)


def is_solvable(env: KernelEnv, state: Any) -> bool:
    """What an exhaustive search of its own says."""
    if isinstance(env, Sudoku):
        return solve(state["board"]) is not None
    numbers, target = state["numbers"].tolist(), int(state["target"])
    return len(plans_for(numbers, target, fractions=False)) > 0


def measure(label: str) -> dict[str, Any]:
    """Everything about one problem."""
    id, arguments = PROBLEMS[label]
    env, runs, chosen = registry.entry(id).load()(**arguments), {}, {}
    for method in METHODS:
        # Seeds from SEEDS on are of other instances than the test's.
        scores = [successes(env, method, t, SEEDS).mean() for t in TEMPERATURES]
        chosen[method] = TEMPERATURES[int(np.argmax(scores))]
        runs[method] = np.concatenate(
            [successes(env, method, chosen[method], seed) for seed in range(SEEDS)]
        )
    uniform = {
        method: np.concatenate([successes(env, method, np.inf, seed) for seed in range(SEEDS)])
        for method in METHODS
    }
    roots = env.model.reset([1000 * s + i for s in range(SEEDS) for i in range(INSTANCES)])
    areas = {method: run.mean(axis=1) for method, run in runs.items()}
    difference = areas["sequential"] - areas["parallel"]
    drawn = np.random.default_rng(0).integers(0, len(difference), (RESAMPLES, len(difference)))
    low, high = np.percentile(difference[drawn].mean(axis=1), [2.5, 97.5])
    return {
        "problem": label,
        "instances": len(difference),
        "temperature": chosen,
        "success": {method: run.mean(axis=0).tolist() for method, run in runs.items()},
        "success_uniform": {method: run.mean(axis=0).tolist() for method, run in uniform.items()},
        "area": {method: float(area.mean()) for method, area in areas.items()},
        "difference": {"mean": float(difference.mean()), "low": low, "high": high},
        "random_episode": float(random_returns(id, **arguments).mean()),
        "exhaustive": float(np.mean([is_solvable(env, root) for root in roots])),
    }


def show(rows: list[dict[str, Any]]) -> None:
    """Print a line for each problem and method, the differences, and what a random episode does."""
    table = Table(box=box.SIMPLE)
    headings = (
        "problem",
        "method",
        "T",
        *(f"{b:,}" for b in BUDGETS),
        "area",
        "sequential −",
        "random",
    )
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    for row in rows:
        gap = row["difference"]
        said = f"{gap['mean']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}]"
        for method in METHODS:
            figures = [f"{rate:.2f}" for rate in row["success"][method]]
            first = method == METHODS[0]
            table.add_row(
                row["problem"] if first else "",
                method,
                f"{row['temperature'][method]:g}",
                *figures,
                f"{row['area'][method]:.3f}",
                said if first else "",
                f"{row['random_episode']:.3f}" if first else "",
            )
    Console(width=160).print(table)


def main():
    """Measure and write `results/sequential_parallel.json`."""
    labels = track(list(PROBLEMS), "measuring", console=Console(stderr=True))
    rows = [measure(label) for label in labels]
    write_result(
        "sequential_parallel", {"budgets": BUDGETS, "temperatures": TEMPERATURES, "problems": rows}
    )
    show(rows)


if __name__ == "__main__":
    main()
