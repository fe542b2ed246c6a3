"""Filters: which episodes are learned from.

A filter takes a `Rollout` and the episodes' returns (E,), and gives the episodes to keep, (E,)
`bool`.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .....envs.kernel.errors import InvalidArgumentError
from ...rollout import Rollout

Filter = Callable[..., Tensor]


def zero_variance(rollout: Rollout, returns: Tensor, *, eps: float = 1e-6) -> Tensor:
    """Groups whose returns differ by more than eps: others have no advantages.

    Yu et al. 2025, "DAPO: an open-source LLM reinforcement learning system at scale", dynamic
    sampling; other starts are not drawn in their place.
    """
    return _of_groups(rollout, [float(r.max() - r.min()) > eps for r in _groups(rollout, returns)])


def overlong(rollout: Rollout, returns: Tensor) -> Tensor:
    """Episodes that were not cut: what is wrong with the others may only be their length.

    Yu et al. 2025, "DAPO: an open-source LLM reinforcement learning system at scale".
    """
    return ~rollout.truncated


def pass_rate(
    rollout: Rollout,
    returns: Tensor,
    *,
    low: float = 0.0,
    high: float = 1.0,
    success: float = 1.0,
) -> Tensor:
    """Groups of which more than a share low, and less than a share high, succeeded.

    Args:
        rollout, returns: see the module.
        low, high: shares, themselves outside.
        success: the least return that is one.

    Raises:
        InvalidArgumentError: no share is above low and below high.
    """
    if low >= high:
        raise InvalidArgumentError(f"low must be below high; got {low!r} and {high!r}")
    rates = [float((r >= success).float().mean()) for r in _groups(rollout, returns)]
    return _of_groups(rollout, [low < rate < high for rate in rates])


def widest(rollout: Rollout, returns: Tensor, *, share: float = 0.75) -> Tensor:
    """The groups whose returns have the greatest standard deviations, at least one.

    Qin et al. 2025, "SPEAR: Learn the ropes, then trust the wins".

    Args:
        rollout, returns: see the module.
        share: of all groups, rounded down.
    """
    spreads = torch.stack([r.std(correction=0) for r in _groups(rollout, returns)])
    kept = torch.zeros_like(spreads, dtype=torch.bool)
    kept[spreads.topk(max(1, int(share * len(spreads)))).indices] = True
    return _of_groups(rollout, kept.tolist())


def _groups(rollout: Rollout, returns: Tensor) -> list[Tensor]:
    """The returns of each group's episodes, in the order of the groups' numbers."""
    return [returns[rollout.groups == group] for group in rollout.groups.unique()]


def _of_groups(rollout: Rollout, keep: list[bool]) -> Tensor:
    """What is said of groups, in the order of their numbers, for each episode."""
    return torch.tensor(keep)[rollout.groups.unique(return_inverse=True)[1]]


FILTERS: dict[str, Filter] = {
    "zero_variance": zero_variance,
    "overlong": overlong,
    "pass_rate": pass_rate,
    "widest": widest,
}
