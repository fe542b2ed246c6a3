"""Sequential halving: the best arm with a fixed budget (Karnin, Koren & Somekh 2013)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...envs.kernel import UnsupportedFaceError, kernel
from .agent import BanditAgent, BanditKernels, Field, Problem


class Settings(NamedTuple):
    """See `SequentialHalving`."""

    budget: int
    rounds: int


@kernel
def start(memory, params):
    """All arms are in."""
    memory.left = memory.pulls.shape[0]
    for arm in range(memory.pulls.shape[0]):
        memory.pulls[arm] = 0
        memory.wins[arm] = 0.0
        memory.dropped[arm] = 0
    memory.share = max(params.budget // (int(memory.left) * params.rounds), 1)
    memory.spent = 0


@kernel
def choose(memory, obs, params):
    """An arm that has not had its pulls of this round; the last one left is declared the best."""
    arms, best = memory.pulls.shape[0], -1
    for arm in range(arms):
        if memory.dropped[arm] == 0:
            due = int(memory.pulls[arm]) < memory.share and memory.left > 1
            if due and memory.spent < params.budget:
                return arm
            if best < 0 or float(memory.wins[arm]) > float(memory.wins[best]):
                best = arm
    return arms + best


@kernel
def learn(memory, action, reward, obs, params):
    """Note the pull; at the end of a round drop the worse half."""
    arms = memory.pulls.shape[0]
    if action >= arms:
        return
    # What a pull pays is its price: the outcome shows in the arm's share of wins.
    memory.pulls[action] += 1
    memory.wins[action] = float(obs[action, 1])
    memory.spent += 1
    for arm in range(arms):
        if memory.dropped[arm] == 0 and int(memory.pulls[arm]) < memory.share:
            return
    drop = int(memory.left) // 2
    for _ in range(drop):
        worst = -1
        for arm in range(arms):
            if memory.dropped[arm] == 0 and (
                worst < 0 or float(memory.wins[arm]) <= float(memory.wins[worst])
            ):
                worst = arm
        memory.dropped[worst] = 1
    memory.left -= drop
    memory.share += max(params.budget // (int(memory.left) * params.rounds), 1)


class SequentialHalving(BanditAgent):
    """Spends the budget in ⌈log₂ K⌉ equal rounds, and drops the worse half of the arms after each.

    In a round the arms that are left are pulled equally often; the last one is declared the best.
    Rewards of earlier rounds are kept. From Karnin, Koren & Somekh, "Almost optimal exploration in
    multi-armed bandits", ICML 2013, algorithm 1.
    """

    observes = True
    masked = True
    kernels = BanditKernels(start, choose, learn)

    def check(self, problem: Problem) -> None:
        if not hasattr(problem.env, "budget") or 2 * problem.observation[0] != problem.arms:
            raise UnsupportedFaceError(f"SequentialHalving plays BestArm; got {problem.env!r}")

    def fields(self, problem: Problem) -> Sequence[Field]:
        arms = (problem.observation[0],)
        return [
            ("left", np.int64), ("share", np.int64), ("spent", np.int64),
            ("pulls", np.int64, arms), ("wins", np.float64, arms), ("dropped", np.int8, arms),
        ]  # fmt: skip

    def params(self, problem: Problem) -> Settings:
        arms = problem.observation[0]
        return Settings(problem.env.budget, math.ceil(math.log2(arms)))
