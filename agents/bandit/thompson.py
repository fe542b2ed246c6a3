"""Thompson sampling: pull an arm as often as it is likely to be the best (Thompson 1933)."""

from typing import Any

import numpy as np

from .arms import ArmStatistics


class ThompsonSampling(ArmStatistics):
    """Draws a mean for each arm from its posterior and pulls the arm with the largest.

    For rewards of 0 and 1: with a Beta(successes, failures) prior the posterior after w wins in n
    pulls is Beta(successes + w, failures + n − w). From Thompson, "On the likelihood that one
    unknown probability exceeds another in view of the evidence of two samples", Biometrika 25
    (1933).

    Args:
        successes, failures: of the prior, positive; the default (1, 1) is uniform.
    """

    def __init__(self, successes: float = 1.0, failures: float = 1.0):
        self.successes = successes
        self.failures = failures

    def act(self, observations: Any, infos: dict[str, Any]) -> np.ndarray:
        losses = self.pulls - self.sums
        draws = self.rng.beta(self.successes + self.sums, self.failures + losses)
        return draws.argmax(axis=1)
