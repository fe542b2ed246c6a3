"""UCB-V: confidence bounds that know the variance (Audibert, Munos & Szepesvári 2009)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...envs.kernel import kernel
from .agent import BanditKernels, Field, Problem
from .arms import ArmsAgent, forget, note, untried


class Settings(NamedTuple):
    """See `UCBV`."""

    exploration: float
    bound: float


@kernel
def start(memory, params):
    """Nothing has been pulled."""
    forget(memory)
    for arm in range(memory.squares.shape[0]):
        memory.squares[arm] = 0.0


@kernel
def choose(memory, obs, params):
    """The arm with the largest bound, once each has been pulled."""
    if untried(memory) >= 0:
        return untried(memory)
    best, largest = 0, -math.inf
    explored = params.exploration * math.log(int(memory.time))
    for arm in range(memory.pulls.shape[0]):
        share = explored / int(memory.pulls[arm])
        variance = float(memory.squares[arm]) / int(memory.pulls[arm])
        bound = float(memory.averages[arm]) + math.sqrt(2.0 * variance * share)
        bound += 3.0 * params.bound * share
        if bound > largest:
            best, largest = arm, bound
    return best


@kernel
def learn(memory, action, reward, obs, params):
    """Note the reward, and its square about the mean (Welford 1962)."""
    before = float(memory.averages[action])
    note(memory, action, reward)
    memory.squares[action] += (float(reward) - before) * (
        float(reward) - float(memory.averages[action])
    )


class UCBV(ArmsAgent):
    """Pulls the arm that maximises `mean + sqrt(2 V ζ ln t / n) + 3 b ζ ln t / n`.

    V is the empirical variance of the arm's n rewards and b their range. From Audibert, Munos &
    Szepesvári, "Exploration-exploitation tradeoff using variance estimates in multi-armed
    bandits", Theoretical Computer Science 410 (2009), equation 4 with E_t = ζ ln t and c = 1.

    Args:
        exploration: ζ; more than 1 for the paper's regret bound.
        bound: b, of rewards from 0 to b.
    """

    kernels = BanditKernels(start, choose, learn)

    def __init__(self, exploration: float = 1.2, bound: float = 1.0):
        self.exploration, self.bound = exploration, bound

    def further_fields(self, problem: Problem) -> Sequence[Field]:
        return [("squares", np.float64, (problem.arms,))]

    def params(self, problem: Problem) -> Settings:
        return Settings(float(self.exploration), float(self.bound))
