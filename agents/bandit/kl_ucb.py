"""KL-UCB: confidence bounds from large deviations (Garivier & Cappé 2011)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...envs.kernel import kernel
from .agent import BanditKernels, Field, Problem
from .arms import ArmsAgent, forget, note, untried

_STEPS, _CLOSE = 40, 1e-9


class Settings(NamedTuple):
    """See `KLUCB`."""

    c: float


@kernel
def divergence(p, q):
    """The Kullback–Leibler divergence between Bernoulli laws of the means p and q, 0 < q < 1."""
    first = p * math.log(p / q) if p > 0.0 else 0.0
    second = (1.0 - p) * math.log((1.0 - p) / (1.0 - q)) if p < 1.0 else 0.0
    return first + second


@kernel
def upper_bound(average, allowed):
    """The largest q with a divergence of `average` from q of at most `allowed`.

    Newton's method from above, where the divergence is convex in q, within a bracket that is
    halved where a step leaves it.
    """
    low, high = average, 1.0
    # Pinsker's inequality bounds q from above.
    q = min(average + math.sqrt(allowed / 2.0), 1.0 - 1e-12)
    for _ in range(_STEPS):
        excess = divergence(average, q) - allowed
        if excess > 0.0:
            high = q
        else:
            low = q
        slope = (q - average) / (q * (1.0 - q))
        following = q - excess / slope if slope > 0.0 else low
        if not low <= following <= high:
            following = (low + high) / 2.0
        if abs(following - q) < _CLOSE:
            return following
        q = following
    return q


@kernel
def start(memory, params):
    """Nothing has been pulled."""
    forget(memory)
    memory.favourite = 0


@kernel
def choose(memory, obs, params):
    """The arm with the largest bound, once each has been pulled.

    Whether a bound lies above another takes one divergence, and solving for it ten: so the arm
    pulled last sets the mark, and only arms that lie above it are solved for.
    """
    if untried(memory) >= 0:
        return untried(memory)
    log_time = math.log(int(memory.time))
    allowed = log_time + params.c * math.log(max(log_time, 1.0))
    best = int(memory.favourite)
    mark = upper_bound(float(memory.averages[best]), allowed / int(memory.pulls[best]))
    for arm in range(memory.pulls.shape[0]):
        average, pulls = float(memory.averages[arm]), int(memory.pulls[arm])
        if arm != best and (mark <= average or pulls * divergence(average, mark) < allowed):
            bound = upper_bound(average, allowed / pulls)
            if bound > mark:
                best, mark = arm, bound
    return best


@kernel
def learn(memory, action, reward, obs, params):
    """Note the reward."""
    note(memory, action, reward)
    memory.favourite = action


class KLUCB(ArmsAgent):
    """Pulls the arm with the largest `q` such that `n · kl(mean, q) ≤ ln t + c ln ln t`.

    kl is the Kullback–Leibler divergence of Bernoulli laws, n the pulls of the arm. For Bernoulli
    arms its regret has the constant of the lower bound of Lai & Robbins (1985). From Garivier &
    Cappé, "The KL-UCB algorithm for bounded stochastic bandits and beyond", COLT 2011, for rewards
    in [0, 1].

    Args:
        c: 3 for the paper's theorem, 0 as its authors recommend.
    """

    kernels = BanditKernels(start, choose, learn)

    def __init__(self, c: float = 0.0):
        self.c = c

    def further_fields(self, problem: Problem) -> Sequence[Field]:
        return [("favourite", np.int64)]

    def params(self, problem: Problem) -> Settings:
        return Settings(float(self.c))
