"""Explore-then-commit: first every arm equally often, then the best for good (Robbins 1952)."""

import math
from typing import NamedTuple

from ...envs.kernel import InvalidArgumentError, kernel
from .agent import BanditKernels, Problem
from .arms import ArmsAgent, best_average, note, start


class Settings(NamedTuple):
    """See `ExploreThenCommit`."""

    pulls: int


@kernel
def choose(memory, obs, params):
    """Arms in turn while exploring, then the one with the highest mean reward."""
    time, arms = int(memory.time), memory.pulls.shape[0]
    return time % arms if time < params.pulls * arms else best_average(memory)


@kernel
def learn(memory, action, reward, obs, params):
    """What is paid after exploring changes nothing."""
    if int(memory.time) < params.pulls * memory.pulls.shape[0]:
        note(memory, action, reward)
    else:
        memory.time += 1


class ExploreThenCommit(ArmsAgent):
    """Pulls every arm so many times in turn, and then the one that paid best for ever.

    With `(T/K)^(2/3) · (ln T)^(1/3)` pulls of each of K arms regret is of the order
    `T^(2/3) (K ln T)^(1/3)` (Slivkins 2019, theorem 1.5).

    Args:
        pulls: of each arm, ≥ 1; None for the number above, from the horizon.

    Raises:
        InvalidArgumentError: `pulls` is not positive.
    """

    kernels = BanditKernels(start, choose, learn)

    def __init__(self, pulls: int | None = None):
        if pulls is not None and pulls < 1:
            raise InvalidArgumentError(f"pulls must be at least 1; got {pulls!r}")
        self.pulls = pulls

    def params(self, problem: Problem) -> Settings:
        if self.pulls is not None:
            return Settings(int(self.pulls))
        horizon = problem.horizon
        wanted = (horizon / problem.arms) ** (2 / 3) * math.log(max(horizon, 2)) ** (1 / 3)
        return Settings(max(1, min(round(wanted), horizon // problem.arms)))
