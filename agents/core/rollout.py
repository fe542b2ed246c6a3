"""Experience of many environments side by side: collection, and advantages from it."""

from typing import Any

import numpy as np
import torch
from torch import Tensor


def generalized_advantages(
    rewards: Tensor, values: Tensor, ended: Tensor, last_values: Tensor, gamma: float, lam: float
) -> Tensor:
    """Generalized advantage estimates (Schulman et al. 2016, "High-dimensional continuous control
    using generalized advantage estimation", equation 16).

    Args:
        rewards: (time, n). Where an episode was truncated, its last reward must already include
            the discounted value of the final observation.
        values: (time, n), of the observations acted on.
        ended: (time, n) `bool`, whether the episode ended with this step.
        last_values: (n,), of the observations after the last step.
        gamma: the discount.
        lam: λ; 0 gives temporal-difference errors, 1 Monte Carlo returns.

    Returns:
        (time, n) advantages; adding `values` gives the targets of the value function.
    """
    advantages = torch.empty_like(rewards)
    running = torch.zeros_like(last_values)
    following = last_values
    for t in range(len(rewards) - 1, -1, -1):
        goes_on = (~ended[t]).float()
        error = rewards[t] + gamma * following * goes_on - values[t]
        running = error + gamma * lam * goes_on * running
        advantages[t] = running
        following = values[t]
    return advantages


class EpisodeStatistics:
    """The return and length of every lane's latest finished episode.

    A mean over the episodes that happen to end in an update would favour short ones: early in
    training, the few lucky ones. So nothing is told before every lane has finished an episode.

    Args:
        num_envs: the number of lanes.
    """

    def __init__(self, num_envs: int) -> None:
        self.latest = np.full((2, num_envs), np.nan)

    def add(self, infos: dict[str, Any]) -> None:
        """Take note of the episodes that ended with a step, from its infos."""
        if "episode" in infos:
            ended = infos["_episode"]
            self.latest[0, ended] = infos["episode"]["r"][ended]
            self.latest[1, ended] = infos["episode"]["l"][ended]

    def means(self) -> dict[str, float]:
        """`return_mean` and `length_mean`; empty before every lane has finished an episode."""
        if np.isnan(self.latest).any():
            return {}
        returns, lengths = self.latest.mean(axis=1).tolist()
        return {"return_mean": returns, "length_mean": lengths}
