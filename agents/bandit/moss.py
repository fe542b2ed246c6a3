"""MOSS: the minimax optimal strategy in the stochastic case (Audibert & Bubeck 2009)."""

import math
from typing import NamedTuple

from ...envs.kernel import kernel
from .agent import BanditKernels, Problem
from .arms import ArmsAgent, learn, start, untried


class Settings(NamedTuple):
    """See `MOSS`."""

    share: float  # rounds an arm


@kernel
def choose(memory, obs, params):
    """The arm with the largest bound, once each has been pulled."""
    if untried(memory) >= 0:
        return untried(memory)
    best, largest = 0, -math.inf
    for arm in range(memory.pulls.shape[0]):
        pulls = int(memory.pulls[arm])
        width = max(math.log(params.share / pulls), 0.0) / pulls
        bound = float(memory.averages[arm]) + math.sqrt(width)
        if bound > largest:
            best, largest = arm, bound
    return best


class MOSS(ArmsAgent):
    """Pulls the arm that maximises `mean + sqrt(max(ln(T / (K n)), 0) / n)`.

    T is the horizon, K the number of arms, n the pulls of the arm. Its regret is at most
    `49 sqrt(T K)` for rewards in [0, 1] (Audibert & Bubeck, "Minimax policies for adversarial and
    stochastic bandits", COLT 2009, theorem 5).
    """

    kernels = BanditKernels(start, choose, learn)

    def params(self, problem: Problem) -> Settings:
        return Settings(problem.horizon / problem.arms)
