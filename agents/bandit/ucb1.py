"""UCB1: optimism in the face of uncertainty (Auer, Cesa-Bianchi & Fischer 2002)."""

from typing import Any

import numpy as np

from .arms import ArmStatistics


class UCB1(ArmStatistics):
    """Pulls the arm with the highest upper confidence bound on its mean.

    Each arm is pulled once; from then on, at time t (pulls so far), the arm that maximises
    `mean + sqrt(exploration · ln t / pulls)`. From Auer, Cesa-Bianchi & Fischer, "Finite-time
    analysis of the multiarmed bandit problem", Machine Learning 47 (2002), for rewards in [0, 1].

    Args:
        exploration: the factor under the root; 2 in the paper.
    """

    def __init__(self, exploration: float = 2.0):
        self.exploration = exploration

    def act(self, observations: Any, infos: dict[str, Any]) -> np.ndarray:
        untried = self.pulls == 0
        pulls = np.maximum(self.pulls, 1)
        log_time = np.log(pulls.sum(axis=1, keepdims=True))
        bounds = self.sums / pulls + np.sqrt(self.exploration * log_time / pulls)
        bounds[untried] = np.inf
        return bounds.argmax(axis=1)
