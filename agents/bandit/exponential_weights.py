"""EXP3 and EXP3.P: exponential weights, for adversaries (Auer, Cesa-Bianchi, Freund & Schapire)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...envs.kernel import kernel, rng
from .agent import BanditAgent, BanditKernels, Field, Problem
from .arms import check_arms


class Settings(NamedTuple):
    """See `EXP3` and `EXP3P`."""

    rate: float  # of learning, η
    mixing: float  # the share of uniform draws, γ
    bias: float  # β


@kernel
def start(memory, params):
    """All weights are equal."""
    for arm in range(memory.gains.shape[0]):
        memory.gains[arm] = 0.0
        memory.shares[arm] = 0.0


@kernel
def draw_mixed(memory, total, mixing):
    """Turn weights of this total into probabilities, mixed with uniform ones, and draw an arm."""
    arms = memory.shares.shape[0]
    left, chosen = rng.uniform(memory), -1
    for arm in range(arms):
        share = (1.0 - mixing) * float(memory.shares[arm]) / total + mixing / arms
        memory.shares[arm] = share
        left -= share
        if left < 0.0 and chosen < 0:
            chosen = arm
    return chosen if chosen >= 0 else arms - 1


@kernel
def choose(memory, obs, params):
    """Draw an arm with a probability exponential in its estimated gain."""
    arms = memory.gains.shape[0]
    most = float(memory.gains[0])
    for arm in range(1, arms):
        most = max(most, float(memory.gains[arm]))
    total = 0.0
    for arm in range(arms):
        weight = math.exp(params.rate * (float(memory.gains[arm]) - most))
        memory.shares[arm] = weight
        total += weight
    return draw_mixed(memory, total, params.mixing)


@kernel
def learn(memory, action, reward, obs, params):
    """The reward by its probability estimates the gain without bias; β makes it optimistic."""
    if params.bias > 0.0:
        for arm in range(memory.gains.shape[0]):
            memory.gains[arm] += params.bias / float(memory.shares[arm])
    memory.gains[action] += float(reward) / float(memory.shares[action])


class ExponentialWeights(BanditAgent):
    """What EXP3 and EXP3.P have in common: they differ in three numbers."""

    kernels = BanditKernels(start, choose, learn)

    def check(self, problem: Problem) -> None:
        check_arms(self, problem)

    def fields(self, problem: Problem) -> Sequence[Field]:
        arms = (problem.arms,)
        return [("gains", np.float64, arms), ("shares", np.float64, arms)]


class EXP3(ExponentialWeights):
    """Exponential weights with estimated gains, for rewards in [0, 1] that an adversary picks.

    Its expected regret is at most `2.63 sqrt(T K ln K)` with the default mixing (Auer,
    Cesa-Bianchi, Freund & Schapire, "The nonstochastic multiarmed bandit problem", SIAM Journal on
    Computing 32 (2002), corollary 3.2).

    Args:
        mixing: γ, the share of uniform draws, in (0, 1]; None for
            `min(1, sqrt(K ln K / ((e − 1) T)))`, from the horizon T.
    """

    def __init__(self, mixing: float | None = None):
        self.mixing = mixing

    def params(self, problem: Problem) -> Settings:
        arms, mixing = problem.arms, self.mixing
        if mixing is None:
            mixing = math.sqrt(arms * math.log(arms) / ((math.e - 1) * problem.horizon))
        return Settings(min(mixing, 1.0) / arms, min(mixing, 1.0), 0.0)


class EXP3P(ExponentialWeights):
    """EXP3 with optimistic gains, whose regret is small with high probability.

    With probability `1 − delta` it is at most `5.15 sqrt(T K ln(K / delta))` (Bubeck &
    Cesa-Bianchi, "Regret analysis of stochastic and nonstochastic multi-armed bandit problems"
    (2012), theorem 3.2, whose η, γ and β these are; the algorithm is of Auer et al. 2002).

    Args:
        delta: the probability with which the bound may fail, in (0, 1).
    """

    def __init__(self, delta: float = 0.05):
        self.delta = delta

    def params(self, problem: Problem) -> Settings:
        arms, horizon = problem.arms, problem.horizon
        rate = 0.95 * math.sqrt(math.log(arms) / (horizon * arms))
        mixing = min(1.05 * math.sqrt(arms * math.log(arms) / horizon), 1.0)
        return Settings(rate, mixing, math.sqrt(math.log(arms / self.delta) / (horizon * arms)))
