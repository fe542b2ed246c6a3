"""`ArmStatistics`: what a bandit algorithm remembers of each arm, for a batch of episodes."""

from typing import Any

import numpy as np

from ..core.agent import Agent


class ArmStatistics(Agent):
    """Counts the pulls and sums the rewards of each arm, afresh in every episode.

    Attributes:
        pulls: (n, arms) `int64`, how often each lane has pulled each arm.
        sums: (n, arms) `float64`, the rewards it got from it.
    """

    def start(self, env: Any, seed: int) -> None:
        super().start(env, seed)
        shape = (env.num_envs, int(env.single_action_space.n))
        self.pulls = np.zeros(shape, np.int64)
        self.sums = np.zeros(shape)
        self._lanes = np.arange(env.num_envs)

    def update(self, actions: Any, rewards: np.ndarray, ended: np.ndarray) -> None:
        self.pulls[self._lanes, actions] += 1
        self.sums[self._lanes, actions] += rewards
        self.pulls[ended] = 0
        self.sums[ended] = 0.0
