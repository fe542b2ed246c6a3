"""Policy losses, a value for each token.

A loss takes the tokens' log-probabilities now and when they were drawn, their advantages, and how
far the ratio of probabilities may fall below and rise above 1; all arrays have the same shape.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Loss = Callable[[Tensor, Tensor, Tensor, float, float], Tensor]


def reinforce(
    log_probs: Tensor, drawn: Tensor, advantages: Tensor, clip_low: float, clip_high: float
) -> Tensor:
    """The score function times the advantage (Williams 1992); no ratio, no clipping."""
    return -log_probs * advantages


def ppo_clip(
    log_probs: Tensor, drawn: Tensor, advantages: Tensor, clip_low: float, clip_high: float
) -> Tensor:
    """The clipped surrogate (Schulman et al. 2017); unequal sides are DAPO's (Yu et al. 2025)."""
    ratio = (log_probs - drawn).exp()
    clipped = ratio.clamp(1 - clip_low, 1 + clip_high)
    return -torch.minimum(ratio * advantages, clipped * advantages)


LOSSES: dict[str, Loss] = {"reinforce": reinforce, "ppo_clip": ppo_clip}
