"""Advantages: how much better each turn went than could be expected.

An estimator takes returns (episodes, turns), which of them were played (same shape, `bool`) and
groups (episodes,) `int64`, and gives advantages (episodes, turns), constants of the gradient.
Returns are 0 at turns after the end of an episode, or the episode's own where all turns share it.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Estimator = Callable[[Tensor, Tensor, Tensor], Tensor]


def _group_sum(values: Tensor, groups: Tensor) -> Tensor:
    """Sums over each episode's group, itself included, in the shape of the values."""
    sums = values.new_zeros(int(groups.max()) + 1, *values.shape[1:])
    return sums.index_add_(0, groups, values)[groups]


def _group_size(groups: Tensor) -> Tensor:
    return _group_sum(torch.ones(len(groups), 1, device=groups.device), groups)


def reinforce(returns: Tensor, played: Tensor, groups: Tensor) -> Tensor:
    """Returns minus their mean over the whole batch (Williams 1992, with a constant baseline)."""
    return returns - (returns * played).sum() / played.sum()


def group_mean(returns: Tensor, played: Tensor, groups: Tensor) -> Tensor:
    """Returns minus the group's mean at the same turn (Liu et al. 2025, "Dr. GRPO")."""
    return returns - _group_sum(returns, groups) / _group_size(groups)


def grpo(returns: Tensor, played: Tensor, groups: Tensor) -> Tensor:
    """`group_mean` over the group's standard deviation (Shao et al. 2024, "DeepSeekMath")."""
    centred = group_mean(returns, played, groups) * played
    squares = _group_sum(centred.square().sum(1, keepdim=True), groups)
    turns = _group_sum(played.sum(1, keepdim=True).to(centred.dtype), groups)
    return centred / ((squares / turns).sqrt() + 1e-6)


def rloo(returns: Tensor, played: Tensor, groups: Tensor) -> Tensor:
    """Returns minus the mean of the group's others (Kool et al. 2019; Ahmadian et al. 2024)."""
    size = _group_size(groups)
    return (returns - _group_sum(returns, groups) / size) * size / (size - 1).clamp(min=1)


ADVANTAGES: dict[str, Estimator] = {
    "reinforce": reinforce,
    "group_mean": group_mean,
    "grpo": grpo,
    "rloo": rloo,
}
