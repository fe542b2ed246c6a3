"""Discounted UCB: bounds that forget, for arms that change (Garivier & Moulines 2011)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...envs.kernel import InvalidArgumentError, kernel
from .agent import BanditKernels, Field, Problem
from .arms import ArmsAgent, forget, note, untried


class Settings(NamedTuple):
    """See `DiscountedUCB`."""

    discount: float
    exploration: float


@kernel
def start(memory, params):
    """Nothing has been pulled."""
    forget(memory)
    for arm in range(memory.weights.shape[0]):
        memory.weights[arm] = 0.0
        memory.gains[arm] = 0.0


@kernel
def choose(memory, obs, params):
    """The arm with the largest bound, once each has been pulled."""
    if untried(memory) >= 0:
        return untried(memory)
    total = 0.0
    for arm in range(memory.weights.shape[0]):
        total += float(memory.weights[arm])
    best, largest = 0, -math.inf
    explored = params.exploration * math.log(max(total, 1.0))
    for arm in range(memory.weights.shape[0]):
        weight = float(memory.weights[arm])
        bound = math.inf
        if weight > 1e-12:
            bound = float(memory.gains[arm]) / weight + 2.0 * math.sqrt(explored / weight)
        if bound > largest:
            best, largest = arm, bound
    return best


@kernel
def learn(memory, action, reward, obs, params):
    """All that was seen before counts for less."""
    note(memory, action, reward)
    for arm in range(memory.weights.shape[0]):
        memory.weights[arm] *= params.discount
        memory.gains[arm] *= params.discount
    memory.weights[action] += 1.0
    memory.gains[action] += float(reward)


class DiscountedUCB(ArmsAgent):
    """Pulls the arm that maximises `mean + 2 sqrt(exploration · ln N / n)`, all discounted.

    Rewards and pulls n of an arm count for less by the factor `discount` a round, N being the sum
    of n over arms. From Garivier & Moulines, "On upper-confidence bound policies for switching
    bandit problems", ALT 2011, for rewards in [0, 1].

    Args:
        discount: in (0, 1); None for `1 − 1 / (4 sqrt(T))`, for about one change in the horizon T.
        exploration: ξ; above 1/2 for the paper's theorem.

    Raises:
        InvalidArgumentError: the discount is out of range.
    """

    kernels = BanditKernels(start, choose, learn)

    def __init__(self, discount: float | None = None, exploration: float = 0.6):
        if discount is not None and not 0 < discount < 1:
            raise InvalidArgumentError(f"discount must lie between 0 and 1; got {discount!r}")
        self.discount, self.exploration = discount, exploration

    def further_fields(self, problem: Problem) -> Sequence[Field]:
        arms = (problem.arms,)
        return [("weights", np.float64, arms), ("gains", np.float64, arms)]

    def params(self, problem: Problem) -> Settings:
        discount = self.discount
        if discount is None:
            discount = 1.0 - 1.0 / (4.0 * math.sqrt(max(problem.horizon, 1)))
        return Settings(float(discount), float(self.exploration))
