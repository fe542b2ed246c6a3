"""Advantages: how much better each turn went than could be expected.

An estimator takes returns (episodes, turns), which of them were played (same shape, `bool`) and
groups (episodes,) `int64`, and gives advantages (episodes, turns), constants of the gradient.
Returns are 0 at turns after the end of an episode, or the episode's own where all turns share it.
What is given for turns that were not played means nothing.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ...core.rollout import generalized_advantages

Estimator = Callable[..., Tensor]

_STEEPEST = 1e6
"""Where the search of `entropic` for b ends, times the range of the returns."""


def _group_sum(values: Tensor, groups: Tensor) -> Tensor:
    """Sums over each episode's group, itself included, in the shape of the values."""
    sums = values.new_zeros(int(groups.max()) + 1, *values.shape[1:])
    return sums.index_add_(0, groups, values)[groups]


def _group_size(groups: Tensor) -> Tensor:
    return _group_sum(torch.ones(len(groups), 1, device=groups.device), groups)


def reinforce(returns: Tensor, played: Tensor, groups: Tensor) -> Tensor:
    """Returns minus their mean over the whole batch (Williams 1992, with a constant baseline)."""
    return returns - (returns * played).sum() / played.sum().clamp(min=1)


def group_mean(returns: Tensor, played: Tensor, groups: Tensor) -> Tensor:
    """Returns minus the group's mean at the same turn (Liu et al. 2025, "Dr. GRPO")."""
    return returns - _group_sum(returns, groups) / _group_size(groups)


def grpo(returns: Tensor, played: Tensor, groups: Tensor, *, eps: float = 1e-6) -> Tensor:
    """`group_mean` over the group's standard deviation + eps (Shao et al. 2024, "DeepSeekMath")."""
    centred = group_mean(returns, played, groups) * played
    squares = _group_sum(centred.square().sum(1, keepdim=True), groups)
    turns = _group_sum(played.sum(1, keepdim=True).to(centred.dtype), groups)
    return centred / ((squares / turns.clamp(min=1)).sqrt() + eps)


def lite(returns: Tensor, played: Tensor, groups: Tensor, *, eps: float = 1e-6) -> Tensor:
    """`group_mean` over the standard deviation of all played turns + eps.

    A group whose returns hardly differ is not blown up (Liu et al. 2025, "Part I: Tricks or traps?
    A deep dive into RL for LLM reasoning", "Lite PPO").
    """
    turns = played.sum().clamp(min=1)
    deviations = (returns - (returns * played).sum() / turns) * played
    spread = (deviations.square().sum() / turns).sqrt()
    return group_mean(returns, played, groups) / (spread + eps)


def rloo(returns: Tensor, played: Tensor, groups: Tensor) -> Tensor:
    """Returns minus the mean of the group's others (Kool et al. 2019; Ahmadian et al. 2024)."""
    size = _group_size(groups)
    return (returns - _group_sum(returns, groups) / size) * size / (size - 1).clamp(min=1)


def entropic(returns: Tensor, played: Tensor, groups: Tensor, *, b: float | None = None) -> Tensor:
    """wᵢ − 1, wᵢ = exp(b rᵢ) / mean over the group's others of exp(b rⱼ), at the same turn.

    The larger b, the more the best episode counts alone. Without a setting b is solved for each
    group so that KL(softmax(b r) ‖ uniform) = ln 2, by bisection; it is as good as infinite where
    half of a group or more is best, and groups of fewer than three, where no b has that
    divergence, get 0 (Yuksekgonul et al. 2026, "Learning to discover at test time").

    Args:
        returns, played, groups: see the module.
        b: the same for all groups.
    """
    low, high = (_group_extreme(returns, groups, kind) for kind in ("amin", "amax"))
    size = _group_size(groups).double()
    if b is None:
        scaled = (returns - high).double() / (high - low).clamp(min=1e-12)
        logits = scaled * _entropic_slope(scaled, groups, size)
        weighed = size > 2
    else:
        logits = (returns - high).double() * b
        weighed = size > 1
    weights = logits.exp()
    others = (_group_sum(weights, groups) - weights) / (size - 1).clamp(min=1)
    return torch.where(weighed, weights / others.clamp(min=1e-12) - 1, 0.0).to(returns.dtype)


def _group_extreme(values: Tensor, groups: Tensor, kind: str) -> Tensor:
    """The highest (`"amax"`) or lowest (`"amin"`) value of each episode's group."""
    index = groups[:, None].expand_as(values)
    found = values.new_zeros(int(groups.max()) + 1, values.shape[1])
    return found.scatter_reduce(0, index, values, kind, include_self=False)[groups]


def _entropic_slope(values: Tensor, groups: Tensor, size: Tensor) -> Tensor:
    """The b with which softmax(b · values) in each group is ln 2 from uniform."""
    low, high = torch.zeros_like(values), torch.full_like(values, _STEEPEST)
    for _ in range(60):
        b = (low + high) / 2
        share = (b * values).exp()
        share = share / _group_sum(share, groups)
        divergence = _group_sum(torch.xlogy(share, share), groups) + size.log()
        below = divergence < math.log(2)
        low, high = torch.where(below, b, low), torch.where(below, high, b)
    return high


def gae(
    rewards: Tensor,
    values: Tensor,
    played: Tensor,
    beyond: Tensor,
    *,
    gamma: float = 1.0,
    lam: float = 0.95,
) -> Tensor:
    """Generalized advantage estimates over turns, for use with a critic.

    No entry of `ADVANTAGES`, since it looks at rewards and values instead of returns.

    Args:
        rewards: (episodes, turns) `float32`.
        values: (episodes, turns) `float32`, before each turn.
        played: (episodes, turns) `bool`, the first turns of each episode.
        beyond: (episodes,) `float32`, values after the last turn of episodes that were truncated,
            0 for others.
        gamma, lam: see `agents.core.rollout.generalized_advantages`.

    Returns:
        (episodes, turns), 0 at turns that were not played; adding `values` gives the targets of
        the critic.
    """
    ended = torch.cat((played[:, :-1] & ~played[:, 1:], played[:, -1:]), 1)
    rewards = rewards + gamma * ended * beyond[:, None]
    after = torch.cat((values, torch.zeros_like(values[:, :1])), 1)
    rewards, after, ended = (part.T.contiguous() for part in (rewards, after, ended))
    return generalized_advantages(rewards, after, ended, gamma, lam).T * played


ADVANTAGES: dict[str, Estimator] = {
    "reinforce": reinforce,
    "group_mean": group_mean,
    "grpo": grpo,
    "lite": lite,
    "rloo": rloo,
    "entropic": entropic,
}
