"""Instances of coupled restless bandits: chances, rewards, and what couples the arms."""

import math
from typing import Any, NamedTuple

import numpy as np

from ..kernel.feasible import FeasibleSpace
from ..kernel.feasible_searches import Packing, Schedule, Tour
from ..kernel.feasible_sets import Budget

Array = np.ndarray[Any, Any]

FAMILIES = ("interventions", "path", "matching", "capacity")
LEVELS = 4
#: How many interventions act on one arm.
HITS = 3
SLOTS = 5


class Instance(NamedTuple):
    """A coupled restless bandit.

    Attributes:
        space: the feasible actions.
        rewards: (arms, LEVELS) what an arm pays at each level.
        variables: (arms, k) the variables of the action that act on each arm.
        chances: (arms, 2^k) the chance to rise, by the code of these variables: the sum of `2^i`
            over those that are 1.
    """

    space: FeasibleSpace
    rewards: Array
    variables: Array
    chances: Array


def make_instance(family: str, arms: int, budget: int, seed: int) -> Instance:
    """The instance of a seed; see `CoupledRestlessBandit`."""
    rng = np.random.default_rng([seed, arms, budget, FAMILIES.index(family)])
    rewards = np.sort(rng.uniform(0.1, 0.2, (arms, LEVELS)), axis=1)
    good = rng.permutation(arms) < budget
    rewards[:, -1] = np.where(good, rng.uniform(4, 6, arms), rng.uniform(1, 3, arms))
    idle, act = rng.uniform(0.0, 0.2, arms), rng.uniform(0.7, 0.9, arms)
    if family == "interventions":
        variables, chances = _interventions(rng, idle, act)
        return Instance(Budget(arms, budget), rewards, variables, chances)
    space = {"path": _tour, "matching": _schedule, "capacity": _packing}[family](rng, arms, budget)
    return Instance(space, rewards, np.arange(arms)[:, None], np.stack([idle, act], axis=1))


def _interventions(rng: np.random.Generator, idle: Array, act: Array) -> tuple[Array, Array]:
    """A sigmoid link: each intervention adds 40–80% of the way from idle to act, in log-odds."""
    arms = len(idle)
    hits = min(HITS, arms)
    others = [rng.permutation(np.delete(np.arange(arms), arm))[: hits - 1] for arm in range(arms)]
    variables = np.column_stack([np.arange(arms), np.array(others)])
    low = np.log(np.maximum(idle, 0.01) / (1 - np.maximum(idle, 0.01)))
    weights = (np.log(act / (1 - act)) - low)[:, None] * rng.uniform(0.4, 0.8, (arms, hits))
    codes = (np.arange(2**hits)[:, None] >> np.arange(hits)) & 1
    odds = low[:, None] + weights @ codes.T
    return variables, np.vectorize(lambda x: 1 / (1 + math.exp(-x)))(odds)


def _tour(rng: np.random.Generator, arms: int, budget: int) -> Tour:
    """A connected graph of points in the plane and their nearest neighbours."""
    places = rng.random((arms, 2))
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    adjacent = np.zeros((arms, arms), bool)
    near = np.argsort(apart, axis=1)[:, 1:3]
    adjacent[np.arange(arms)[:, None], near] = True
    adjacent |= adjacent.T
    reached = _reached(adjacent)
    while not reached.all():
        gaps = np.where(reached[:, None] & ~reached[None], apart, np.inf)
        i, j = np.unravel_index(gaps.argmin(), gaps.shape)
        adjacent[i, j] = adjacent[j, i] = True
        reached = _reached(adjacent)
    source = int(np.linalg.norm(places - 0.5, axis=1).argmin())
    return Tour(adjacent, source, 2 * budget, budget)


def _reached(adjacent: Array) -> Array:
    """Which nodes there is a way to from node 0."""
    reached = np.arange(len(adjacent)) == 0
    for _ in range(len(adjacent)):
        reached |= adjacent[reached].any(axis=0)
    return reached


def _schedule(rng: np.random.Generator, arms: int, budget: int) -> Schedule:
    """Arms with two slots each, and twice as many workers as the budget, free in three each."""
    order = rng.permuted(np.tile(np.arange(SLOTS), (arms + 2 * budget, 1)), axis=1)
    return Schedule(order[:arms] < 2, order[arms:] < 3)


def _packing(rng: np.random.Generator, arms: int, budget: int) -> Packing:
    """Arms that cost 2–6, and workers with capacities 2–7."""
    return Packing(rng.integers(2, 7, arms), rng.integers(2, 8, budget))
