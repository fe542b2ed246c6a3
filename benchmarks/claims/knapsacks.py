"""Bandits with knapsacks: what is earned, as a share of the oracle's linear programme.

With m arms, budgets B, T pulls and a programme of value OPT the regret of `primal-dual-bwk` is at
most of the order √(m OPT) + OPT √(m / B) (Badanidiyuru et al. 2013), that of `lagrange-bwk`
(T / B) √(m T) (Immorlica et al. 2019), up to logarithms: as B grows along with T, shares tend to 1.
"""

from typing import Any

import numpy as np
from rich.progress import track

from spelunk.agents.core.agent import RandomAgent
from spelunk.agents.core.evaluation import EVALUATION_SEEDS, evaluate, mean_interval
from spelunk.agents.registry import entry
from spelunk.envs.bandit.knapsack import KnapsackBandit

Array = np.ndarray[Any, Any]

ID = "spelunk/KnapsackBandit-v0"
HORIZON, RUNS = 10_000, 200
FAMILIES, BUDGETS = ("arms", "pricing"), (2_500, 5_000)
ALGORITHMS = ("random", "lagrange-bwk", "primal-dual-bwk")
#: The share that is expected with the larger budget.
GOAL = 0.8


def measure() -> list[dict[str, Any]]:
    """A row for each algorithm, problem and budget; all play the same instances."""
    rows = []
    for family in FAMILIES:
        for budget in BUDGETS:
            found = {
                name: shares(name, family=family, budget=budget, horizon=HORIZON)
                for name in track(ALGORITHMS, f"{family}, budget {budget:,}")
            }
            rows += [
                {"problem": family, "budget": budget, "algorithm": name,
                 **judge(name, budget, found[name], found["random"])}
                for name in ALGORITHMS
            ]  # fmt: skip
    return rows


def shares(name: str, **kwargs: Any) -> Array:
    """What each run earned, as a share of what the programme of its instance is worth, (runs,)."""
    agent = RandomAgent() if name == "random" else entry(name).load()()
    env = KnapsackBandit(**kwargs)
    best = np.array([env.best_return(EVALUATION_SEEDS + run) for run in range(RUNS)])
    return evaluate(agent, ID, episodes=RUNS, **kwargs).returns / best


def judge(name: str, budget: int, found: Array, random: Array) -> dict[str, Any]:
    """The share, and whether its interval is above the goal and above the random policy's."""
    low, high = mean_interval(found)
    expected, passed = None, None
    if name != "random" and budget == max(BUDGETS):
        expected = f"above {GOAL} and above the random policy"
        passed = bool(low > max(GOAL, mean_interval(random)[1]))
    return {
        "share": float(found.mean()),
        "interval": (low, high),
        "expected": expected,
        "passed": passed,
    }
