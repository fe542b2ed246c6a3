"""Bayes-UCB: upper quantiles of the posterior (Kaufmann, Cappé & Garivier 2012)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...envs.kernel import InvalidArgumentError, kernel
from .agent import BanditKernels, Field, Problem
from .arms import ArmsAgent
from .draws import beta_cdf, beta_quantile
from .kl_ucb import learn, start


class Settings(NamedTuple):
    """See `BayesUCB`."""

    successes: float
    failures: float
    scale: float


@kernel
def choose(memory, obs, params):
    """The arm with the largest quantile.

    Whether a quantile lies above another takes one value of the distribution function: the arm
    pulled last sets the mark, and only arms that lie above it are solved for.
    """
    probability = 1.0 - 1.0 / ((int(memory.time) + 1.0) * params.scale)
    best, mark = int(memory.favourite), -1.0
    for turn in range(memory.pulls.shape[0] + 1):
        arm = turn - 1 if turn > 0 else best
        wins = int(memory.pulls[arm]) * float(memory.averages[arm])
        a = params.successes + wins
        b = params.failures + max(int(memory.pulls[arm]) - wins, 0.0)
        if turn == 0 or (arm != int(memory.favourite) and beta_cdf(a, b, mark) < probability):
            quantile = beta_quantile(a, b, probability)
            if quantile > mark:
                best, mark = arm, quantile
    return best


class BayesUCB(ArmsAgent):
    """Pulls the arm whose posterior has the largest quantile at `1 − 1 / (t (ln T)^c)`.

    The posterior is Beta(successes + wins, failures + losses). From Kaufmann, Cappé & Garivier, "On
    Bayesian upper confidence bounds for bandit problems", AISTATS 2012, for rewards of 0 and 1.

    Args:
        c: 5 for the paper's theorem, 0 as its authors recommend.
        successes, failures: of the prior, positive; (1, 1) is uniform.

    Raises:
        InvalidArgumentError: the prior is not positive.
    """

    kernels = BanditKernels(start, choose, learn)

    def __init__(self, c: float = 0.0, successes: float = 1.0, failures: float = 1.0):
        if not (successes > 0 and failures > 0):
            raise InvalidArgumentError(
                f"successes and failures must be positive; got {successes!r} and {failures!r}"
            )
        self.c, self.successes, self.failures = c, successes, failures

    def further_fields(self, problem: Problem) -> Sequence[Field]:
        return [("favourite", np.int64)]

    def params(self, problem: Problem) -> Settings:
        scale = math.log(max(problem.horizon, 3)) ** self.c
        return Settings(float(self.successes), float(self.failures), scale)
