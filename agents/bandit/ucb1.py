"""UCB1: optimism in the face of uncertainty (Auer, Cesa-Bianchi & Fischer 2002)."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...envs.kernel import kernel
from .agent import BanditKernels, Field, Problem
from .arms import ArmsAgent, forget, note, untried


class Settings(NamedTuple):
    """See `UCB1`.

    Attributes:
        exploration: the factor under the root.
        bonuses: sqrt(exploration · ln t) for each time t that is foreseen: taking logarithms would
            be half of the work.
    """

    exploration: float
    bonuses: np.ndarray[Any, np.dtype[np.float64]]


@kernel
def start(memory, params):
    """Nothing has been pulled."""
    forget(memory)
    for arm in range(memory.widths.shape[0]):
        memory.widths[arm] = 0.0


@kernel
def choose(memory, obs, params):
    """The arm with the largest bound, once each has been pulled."""
    if untried(memory) >= 0:
        return untried(memory)
    time = int(memory.time)
    if time < len(params.bonuses):
        bonus = params.bonuses[time]
    else:
        bonus = math.sqrt(params.exploration * math.log(time))
    best, largest = 0, -math.inf
    for arm in range(memory.pulls.shape[0]):
        bound = float(memory.averages[arm]) + bonus * float(memory.widths[arm])
        # Without a branch, which would be mispredicted in most rounds.
        above = bound > largest
        best = arm if above else best
        largest = bound if above else largest
    return best


@kernel
def learn(memory, action, reward, obs, params):
    """A pull narrows the arm's bound."""
    note(memory, action, reward)
    memory.widths[action] = 1.0 / math.sqrt(int(memory.pulls[action]))


class UCB1(ArmsAgent):
    """Pulls the arm with the highest upper confidence bound on its mean.

    Each arm is pulled once; from then on, at time t (pulls so far), the arm that maximises
    `mean + sqrt(exploration · ln t / pulls)`. From Auer, Cesa-Bianchi & Fischer, "Finite-time
    analysis of the multiarmed bandit problem", Machine Learning 47 (2002), for rewards in [0, 1].

    Args:
        exploration: the factor under the root; 2 in the paper.
    """

    kernels = BanditKernels(start, choose, learn)

    def __init__(self, exploration: float = 2.0):
        self.exploration = exploration

    def further_fields(self, problem: Problem) -> Sequence[Field]:
        return [("widths", np.float64, (problem.arms,))]  # 1 / sqrt(pulls)

    def params(self, problem: Problem) -> Settings:
        logs = np.log(np.arange(1, problem.horizon + 1))
        bonuses = np.concatenate([[0.0], np.sqrt(self.exploration * logs)])
        return Settings(float(self.exploration), bonuses)
