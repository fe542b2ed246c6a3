"""Linear Thompson sampling: act on parameters drawn from their posterior (Agrawal & Goyal 2013)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...envs.kernel import kernel, rng
from .agent import BanditKernels, Field, Problem
from .linear_model import LinearAgent, dot, forget, keep


class Settings(NamedTuple):
    """See `LinTS`."""

    spread: float
    ridge: float


@kernel
def start(memory, params):
    """Nothing is known but the prior."""
    forget(memory.theta, memory.root, 1.0 / math.sqrt(params.ridge))


@kernel
def draw(memory, group, params):
    """Draw parameters from the posterior of a group: θ + spread · S z, with S S' = A⁻¹."""
    theta, root, drawn = memory.theta[group], memory.root[group], memory.drawn
    for i in range(len(theta)):
        memory.along[i] = rng.normal(memory)
    for i in range(len(theta)):
        drawn[i] = theta[i] + params.spread * dot(memory.along, root[i])


@kernel
def choose_shared(memory, obs, params):
    """The arm that is best under the drawn parameters."""
    draw(memory, 0, params)
    best, largest = 0, -math.inf
    for arm in range(obs.shape[0]):
        value = dot(memory.drawn, obs[arm])
        if value > largest:
            best, largest = arm, value
    keep(memory, obs[best])
    return best


@kernel
def choose_disjoint(memory, obs, params):
    """The arm that is best when each has drawn its own parameters."""
    best, largest = 0, -math.inf
    for arm in range(memory.theta.shape[0]):
        draw(memory, arm, params)
        value = dot(memory.drawn, obs)
        if value > largest:
            best, largest = arm, value
    keep(memory, obs)
    return best


@kernel
def revise(memory, group, reward):
    """Learn what the chosen features paid; the root is revised in place (Potter's update)."""
    root, theta, x = memory.root[group], memory.theta[group], memory.chosen
    d = len(x)
    for j in range(d):
        memory.along[j] = 0.0
    for i in range(d):
        for j in range(d):
            memory.along[j] += root[i, j] * x[i]
    scale = 1.0 + dot(memory.along, memory.along)
    error = (reward - dot(theta, x)) / scale
    factor = 1.0 / (scale + math.sqrt(scale))
    for i in range(d):
        gain = dot(memory.along, root[i])
        theta[i] += gain * error
        for j in range(d):
            root[i, j] -= factor * gain * memory.along[j]


@kernel
def learn_shared(memory, action, reward, obs, params):
    """All arms share what is learned."""
    revise(memory, 0, float(reward))


@kernel
def learn_disjoint(memory, action, reward, obs, params):
    """Only the arm taken learns."""
    revise(memory, action, float(reward))


class LinTS(LinearAgent):
    """Draws parameters from their posterior and pulls the arm that is best under them.

    The posterior is normal around the ridge regression's parameters θ, with covariance
    `spread² A⁻¹` (see `LinUCB`): exact for a normal prior and noise of deviation `spread`, with
    `ridge = spread²` over the prior's variance. Instead of A⁻¹ a square root S of it is kept, by
    Potter's update of square-root Kalman filters (Bierman, "Factorization methods for discrete
    sequential estimation", 1977), so that a draw costs one product and no factorisation. From
    Agrawal & Goyal, "Thompson sampling for contextual bandits with linear payoffs", ICML (2013).

    Args:
        spread: the deviation of the draws; v in the paper.
        ridge: the regularisation; 1 in the paper.
    """

    shared = BanditKernels(start, choose_shared, learn_shared)
    disjoint = BanditKernels(start, choose_disjoint, learn_disjoint)
    rooted = True

    def __init__(self, spread: float = 0.5, ridge: float = 1.0):
        self.spread = spread
        self.ridge = ridge

    def further_fields(self, problem: Problem, dimension: int) -> Sequence[Field]:
        return [("drawn", np.float64, (dimension,))]

    def params(self, problem: Problem) -> Settings:
        return Settings(float(self.spread), float(self.ridge))
