"""Sparse linear arms whose means are wrong by up to ε: who finds a good one? (Dong & Yang 2023)."""

from typing import Any

import numpy as np
from rich.progress import track

from spelunk.agents.bandit.sparse import (
    Choice,
    HardThresholdLS,
    PhasedElimination,
    Queries,
    SparseNet,
    hard_instance,
)
from spelunk.agents.core.evaluation import mean_interval
from spelunk.envs.bandit.linear import LinearBandit

EPSILON, SEEDS = 0.15, 20
#: How errors come about, and dimensions. Those that conspire cost dense models ε√dimension.
ERRORS = (("conspiring", 25), ("conspiring", 50), ("conspiring", 100), ("random", 100))
SEARCHERS = {
    "SparseNet": SparseNet(2, EPSILON),
    "HardThresholdLS": HardThresholdLS(2),
    "PhasedElimination, one design": PhasedElimination(0.125, 0.125),
    "PhasedElimination, 4 phases": PhasedElimination(0.5, 0.0625),
}


def measure() -> list[dict[str, Any]]:
    """How far short the named arm is, and how many rewards were asked for."""
    rows = []
    for errors, dimension in ERRORS:
        seeds = track(range(SEEDS), f"{errors} errors, {dimension} dimensions")
        named = [name_arms(errors, dimension, seed) for seed in seeds]
        rows += [judge(errors, dimension, name, [arms[name] for arms in named])
                 for name in named[0]]  # fmt: skip
    return rows


def name_arms(errors: str, dimension: int, seed: int) -> dict[str, tuple[float, int]]:
    """The gap and the queries of every algorithm on one instance."""
    env = hard_instance(dimension, EPSILON, seed=seed)
    given = env.definition.params
    if errors == "random":
        env = LinearBandit(features=given.features, theta=given.theta, misspecification=EPSILON)
    queries = Queries.of(env, seed)
    chance = np.random.default_rng(seed).integers(env.arms)
    unaware = (queries.features @ given.theta).argmax()
    choices = {
        "a random arm": Choice(int(chance), 0),
        "the best arm but for errors": Choice(int(unaware), 0),
        **{name: searcher.identify(queries) for name, searcher in SEARCHERS.items()},
    }
    return {name: (queries.gap(choice.arm), choice.queries) for name, choice in choices.items()}


def judge(errors: str, dimension: int, name: str, found: list[tuple[float, int]]) -> dict[str, Any]:
    """The row of an algorithm on one kind of instance.

    In 100 dimensions phased elimination was expected to be misled, however it is scheduled.
    """
    gaps, asked = np.array(found).T
    within, expected, passed = int((gaps <= 2 * EPSILON).sum()), None, None
    if name in SEARCHERS and (errors == "random" or not name.startswith("Phased")):
        expected, passed = "at most 2ε in 19 of 20", within >= 0.95 * len(gaps)
    elif name in SEARCHERS and dimension == 100:
        expected, passed = "misled: 0.5 or more", bool(gaps.mean() >= 0.5)
    return {
        "errors": errors,
        "dimension": dimension,
        "algorithm": name,
        "gap": float(gaps.mean()),
        "interval": mean_interval(gaps),
        "within_two_epsilon": within,
        "queries": float(asked.mean()),
        "expected": expected,
        "passed": passed,
    }
