"""SquareCB: inverse-gap weighting over regression (Foster & Rakhlin 2020)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...envs.kernel import kernel, rng
from .agent import BanditKernels, Field, Problem
from .linear_model import LinearAgent, dot, keep, learn_disjoint, learn_shared, start


class Settings(NamedTuple):
    """See `SquareCB`."""

    scale: float
    ridge: float


@kernel
def begin(memory, params):
    """Nothing is known but the prior."""
    start(memory, params)
    memory.time = 0


@kernel
def weigh(memory, params):
    """Draw an arm: the larger the gap to the best prediction, the less likely."""
    arms = memory.predicted.shape[0]
    best = 0
    for arm in range(1, arms):
        if memory.predicted[arm] > memory.predicted[best]:
            best = arm
    memory.time += 1
    gamma = params.scale * math.sqrt(arms * int(memory.time) / memory.theta.size)
    top, left = float(memory.predicted[best]), rng.uniform(memory)
    for arm in range(arms):
        if arm != best:
            left -= 1.0 / (arms + gamma * (top - float(memory.predicted[arm])))
            if left < 0.0:
                return arm
    return best


@kernel
def choose_shared(memory, obs, params):
    """Predict with the shared parameters, and draw."""
    for arm in range(obs.shape[0]):
        memory.predicted[arm] = dot(memory.theta[0], obs[arm])
    arm = weigh(memory, params)
    keep(memory, obs[arm])
    return arm


@kernel
def choose_disjoint(memory, obs, params):
    """Predict with each arm's own parameters, and draw."""
    for arm in range(memory.theta.shape[0]):
        memory.predicted[arm] = dot(memory.theta[arm], obs)
    keep(memory, obs)
    return weigh(memory, params)


class SquareCB(LinearAgent):
    """Draws arms by how far their predicted rewards lie behind the best prediction.

    An arm whose prediction is short of the best by a gap is drawn with probability
    `1 / (K + γ · gap)`, the best with what is left, so that exploration costs about as much as it
    teaches. Predictions come from online ridge regression. With as many parameters p in all, in
    round t, `γ = scale · sqrt(K t / p)`, the paper's rate but for logarithms. From Foster &
    Rakhlin, "Beyond UCB: optimal and efficient contextual bandits with regression oracles", ICML
    (2020), for rewards in [0, 1].

    Args:
        scale: the factor of γ; the larger, the greedier.
        ridge: the regularisation.
    """

    shared = BanditKernels(begin, choose_shared, learn_shared)
    disjoint = BanditKernels(begin, choose_disjoint, learn_disjoint)

    def __init__(self, scale: float = 4.0, ridge: float = 1.0):
        self.scale = scale
        self.ridge = ridge

    def further_fields(self, problem: Problem, dimension: int) -> Sequence[Field]:
        return [("predicted", np.float64, (problem.arms,)), ("time", np.int64)]

    def params(self, problem: Problem) -> Settings:
        return Settings(float(self.scale), float(self.ridge))
