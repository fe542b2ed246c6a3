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
    """Collects the returns and lengths of the episodes that end during an update."""

    def __init__(self) -> None:
        self._returns: list[np.ndarray] = []
        self._lengths: list[np.ndarray] = []

    def add(self, infos: dict[str, Any]) -> None:
        """Take note of the episodes that ended with a step, from its infos."""
        if "episode" in infos:
            ended = infos["_episode"]
            self._returns.append(infos["episode"]["r"][ended])
            self._lengths.append(infos["episode"]["l"][ended])

    def means(self) -> dict[str, float]:
        """`return_mean`, `length_mean` and `episodes`; empty where no episode ended."""
        if not self._returns:
            return {}
        returns, lengths = np.concatenate(self._returns), np.concatenate(self._lengths)
        return {
            "return_mean": float(returns.mean()),
            "length_mean": float(lengths.mean()),
            "episodes": float(len(returns)),
        }
