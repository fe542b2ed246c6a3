"""Thompson sampling: pull an arm as often as it is likely to be the best (Thompson 1933)."""

import math
from typing import NamedTuple

from ...envs.kernel import InvalidArgumentError, kernel, rng
from .agent import BanditKernels, Problem
from .arms import ArmsAgent, learn, start
from .draws import beta


class Settings(NamedTuple):
    """See `ThompsonSampling` and `GaussianThompsonSampling`."""

    first: float
    second: float


@kernel
def choose_beta(memory, obs, params):
    """The arm with the largest draw from its beta posterior."""
    best, largest = 0, -math.inf
    for arm in range(memory.pulls.shape[0]):
        pulls = int(memory.pulls[arm])
        wins = pulls * float(memory.averages[arm])
        # Means are rounded, and a law needs positive shapes.
        losses = max(pulls - wins, 0.0)
        draw = beta(memory, params.first + wins, params.second + losses)
        if draw > largest:
            best, largest = arm, draw
    return best


@kernel
def choose_normal(memory, obs, params):
    """The arm with the largest draw from its normal posterior."""
    best, largest = 0, -math.inf
    precision = 1.0 / (params.first * params.first)
    for arm in range(memory.pulls.shape[0]):
        pulls = int(memory.pulls[arm]) / (params.second * params.second)
        mean = pulls * float(memory.averages[arm]) / (precision + pulls)
        draw = mean + rng.normal(memory) / math.sqrt(precision + pulls)
        if draw > largest:
            best, largest = arm, draw
    return best


class ThompsonSampling(ArmsAgent):
    """Draws a mean for each arm from its posterior and pulls the arm with the largest.

    For rewards of 0 and 1: with a Beta(successes, failures) prior the posterior after w wins in n
    pulls is Beta(successes + w, failures + n − w). From Thompson, "On the likelihood that one
    unknown probability exceeds another in view of the evidence of two samples", Biometrika 25
    (1933).

    Args:
        successes, failures: of the prior, positive; the default (1, 1) is uniform.

    Raises:
        InvalidArgumentError: one of them is not positive.
    """

    kernels = BanditKernels(start, choose_beta, learn)

    def __init__(self, successes: float = 1.0, failures: float = 1.0):
        if not (successes > 0 and failures > 0):
            raise InvalidArgumentError(
                f"successes and failures must be positive; got {successes!r} and {failures!r}"
            )
        self.successes, self.failures = successes, failures

    def params(self, problem: Problem) -> Settings:
        return Settings(float(self.successes), float(self.failures))


class GaussianThompsonSampling(ArmsAgent):
    """The same for normal rewards of known spread, with a normal prior of mean 0.

    Args:
        spread: standard deviation of the prior, positive.
        noise: standard deviation of the rewards, positive.

    Raises:
        InvalidArgumentError: one of them is not positive.
    """

    kernels = BanditKernels(start, choose_normal, learn)

    def __init__(self, spread: float = 1.0, noise: float = 1.0):
        if not (spread > 0 and noise > 0):
            raise InvalidArgumentError(
                f"spread and noise must be positive; got {spread!r} and {noise!r}"
            )
        self.spread, self.noise = spread, noise

    def params(self, problem: Problem) -> Settings:
        return Settings(float(self.spread), float(self.noise))
