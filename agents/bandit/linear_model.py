"""What algorithms for linear rewards share: ridge regression that learns one round at a time."""

from abc import abstractmethod
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from ...envs.kernel import UnsupportedFaceError, kernel
from ...envs.kernel.definition import KernelDefinition
from .agent import BanditAgent, BanditKernels, Field, Problem


class LinearAgent(BanditAgent):
    """Learns parameters of which mean rewards are a linear function, by ridge regression.

    Where each arm has features of its own (the observation has a row for each arm) all share one
    vector of parameters; where there is one context for all, each arm has its own vector.

    Attributes:
        shared, disjoint: the kernels for the two cases.
        rooted: whether a square root of the inverse is kept, rather than the inverse itself.
    """

    observes = True
    shared: BanditKernels
    disjoint: BanditKernels
    rooted: bool = False

    def module(self, definition: KernelDefinition) -> ModuleType:
        rows = len(definition.observation_space.shape or ()) == 2
        self.kernels = self.shared if rows else self.disjoint
        return super().module(definition)

    def check(self, problem: Problem) -> None:
        if len(problem.observation) not in (1, 2) or not hasattr(problem.env, "dimension"):
            raise UnsupportedFaceError(
                f"{type(self).__name__} needs an environment that shows feature vectors, such as "
                "LinearBandit or ContextualBandit"
            )

    def fields(self, problem: Problem) -> Sequence[Field]:
        d, groups = problem.env.dimension, 1 if len(problem.observation) == 2 else problem.arms
        return [
            *self.further_fields(problem, d),
            ("root" if self.rooted else "inverse", np.float64, (groups, d, d)),
            ("theta", np.float64, (groups, d)),
            ("chosen", np.float64, (d,)),  # the features of the last action
            ("along", np.float64, (d,)),
        ]

    def further_fields(self, problem: Problem, dimension: int) -> Sequence[Field]:
        """What is remembered besides."""
        return []

    @abstractmethod
    def params(self, problem: Problem) -> Any:
        """See `BanditAgent.params`; `ridge` is one of them."""


@kernel
def forget(theta, matrix, diagonal):
    """No parameters, and a diagonal matrix for each group."""
    for group in range(matrix.shape[0]):
        for i in range(matrix.shape[1]):
            theta[group, i] = 0.0
            for j in range(matrix.shape[1]):
                matrix[group, i, j] = diagonal if i == j else 0.0


@kernel
def start(memory, params):
    """Nothing is known but the prior: for algorithms that keep the inverse."""
    forget(memory.theta, memory.inverse, 1.0 / params.ridge)


@kernel
def learn_shared(memory, action, reward, obs, params):
    """All arms share what is learned."""
    regress(memory, 0, float(reward))


@kernel
def learn_disjoint(memory, action, reward, obs, params):
    """Only the arm taken learns."""
    regress(memory, action, float(reward))


@kernel
def dot(theta, x):
    """An inner product over the length of `theta`; `x` may be longer."""
    total = 0.0
    for i in range(len(theta)):
        total += theta[i] * x[i]
    return total


@kernel
def quadratic_form(matrix, x):
    """X' M x for a symmetric M."""
    total = 0.0
    for i in range(matrix.shape[0]):
        half = 0.0
        for j in range(i):
            half += matrix[i, j] * x[j]
        total += x[i] * (2.0 * half + matrix[i, i] * x[i])
    return total


@kernel
def keep(memory, x):
    """Remember the features of the action that is about to be taken."""
    for i in range(memory.chosen.shape[0]):
        memory.chosen[i] = x[i]


@kernel
def regress(memory, group, reward):
    """Learn what the chosen features paid (recursive least squares, by Sherman & Morrison)."""
    inverse, theta, x, along = (
        memory.inverse[group],
        memory.theta[group],
        memory.chosen,
        memory.along,
    )
    scale = 1.0
    for i in range(len(x)):
        along[i] = dot(inverse[i], x)
        scale += along[i] * x[i]
    error = (reward - dot(theta, x)) / scale
    for i in range(len(x)):
        theta[i] += along[i] * error
        factor = along[i] / scale
        for j in range(len(x)):
            inverse[i, j] -= factor * along[j]
