"""Successive elimination: pull in turn, and drop what is surely worse (Even-Dar et al. 2006)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...envs.kernel import kernel
from .agent import BanditKernels, Field, Problem
from .arms import ArmsAgent, forget, note


class Settings(NamedTuple):
    """See `SuccessiveElimination`."""

    width: float


@kernel
def start(memory, params):
    """All arms are in."""
    forget(memory)
    for arm in range(memory.dropped.shape[0]):
        memory.dropped[arm] = 0


@kernel
def choose(memory, obs, params):
    """The arm that has been pulled least often, of those that are in."""
    best = -1
    for arm in range(memory.pulls.shape[0]):
        if memory.dropped[arm] == 0 and (
            best < 0 or int(memory.pulls[arm]) < int(memory.pulls[best])
        ):
            best = arm
    return best


@kernel
def learn(memory, action, reward, obs, params):
    """Note the reward; at the end of a turn drop the arms that lie below another's bound."""
    note(memory, action, reward)
    pulls, arms = int(memory.pulls[action]), memory.pulls.shape[0]
    largest = -math.inf
    for arm in range(arms):
        if memory.dropped[arm] == 0:
            if int(memory.pulls[arm]) < pulls:
                return
            largest = max(largest, float(memory.averages[arm]))
    width = params.width / math.sqrt(pulls)
    for arm in range(arms):
        if float(memory.averages[arm]) + width < largest - width:
            memory.dropped[arm] = 1


class SuccessiveElimination(ArmsAgent):
    """Pulls arms in turn, and drops those whose upper bound is below another's lower bound.

    The bounds are `mean ± sqrt(exploration · ln T / n)` for the horizon T and n pulls. From
    Even-Dar, Mannor & Mansour, "Action elimination and stopping conditions for the multi-armed
    bandit and reinforcement learning problems", Journal of Machine Learning Research 7 (2006), as
    Slivkins (2019), section 1.3, has it for regret.

    Args:
        exploration: the factor under the root; 2 in the book.
    """

    kernels = BanditKernels(start, choose, learn)

    def __init__(self, exploration: float = 2.0):
        self.exploration = exploration

    def further_fields(self, problem: Problem) -> Sequence[Field]:
        return [("dropped", np.int8, (problem.arms,))]

    def params(self, problem: Problem) -> Settings:
        return Settings(math.sqrt(self.exploration * math.log(max(problem.horizon, 2))))
