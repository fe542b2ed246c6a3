"""LinUCB: optimism with linear rewards (Li, Chu, Langford & Schapire 2010)."""

import math
from typing import NamedTuple

from ...envs.kernel import kernel
from .agent import BanditKernels, Problem
from .linear_model import (
    LinearAgent,
    dot,
    keep,
    learn_disjoint,
    learn_shared,
    quadratic_form,
    start,
)


class Settings(NamedTuple):
    """See `LinUCB`."""

    exploration: float
    ridge: float


@kernel
def bound(theta, inverse, x, exploration):
    """The upper confidence bound on the mean reward of features."""
    return dot(theta, x) + exploration * math.sqrt(max(quadratic_form(inverse, x), 0.0))


@kernel
def choose_shared(memory, obs, params):
    """The arm whose features have the largest bound."""
    theta, inverse = memory.theta[0], memory.inverse[0]
    best, largest = 0, -math.inf
    for arm in range(obs.shape[0]):
        value = bound(theta, inverse, obs[arm], params.exploration)
        if value > largest:
            best, largest = arm, value
    keep(memory, obs[best])
    return best


@kernel
def choose_disjoint(memory, obs, params):
    """The arm with the largest bound in this context."""
    best, largest = 0, -math.inf
    for arm in range(memory.theta.shape[0]):
        value = bound(memory.theta[arm], memory.inverse[arm], obs, params.exploration)
        if value > largest:
            best, largest = arm, value
    keep(memory, obs)
    return best


class LinUCB(LinearAgent):
    """Pulls the arm with the highest upper confidence bound on its mean reward.

    With the ridge regression's parameters θ and matrix A (`ridge` times the identity plus the outer
    products of the features seen) the bound of an arm with features x is
    `⟨θ, x⟩ + exploration · sqrt(x' A⁻¹ x)`. The inverse is kept and revised by rank-one updates.
    From Li, Chu, Langford & Schapire, "A contextual-bandit approach to personalized news article
    recommendation", WWW (2010), algorithm 1 where each arm has its own parameters and its shared
    form otherwise; also Abbasi-Yadkori, Pál & Szepesvári, "Improved algorithms for linear
    stochastic bandits", NeurIPS (2011), where `exploration` follows from the noise.

    Args:
        exploration: the factor of the width; α in the paper.
        ridge: the regularisation; 1 in the paper.
    """

    shared = BanditKernels(start, choose_shared, learn_shared)
    disjoint = BanditKernels(start, choose_disjoint, learn_disjoint)

    def __init__(self, exploration: float = 1.0, ridge: float = 1.0):
        self.exploration = exploration
        self.ridge = ridge

    def params(self, problem: Problem) -> Settings:
        return Settings(float(self.exploration), float(self.ridge))
