"""Aggregations: one loss out of a value for each token.

An aggregation takes losses (n, T) and which tokens count (same shape, `bool`).
"""

from collections.abc import Callable

from torch import Tensor

Aggregation = Callable[..., Tensor]


def token_mean(losses: Tensor, generated: Tensor) -> Tensor:
    """The mean over all tokens: long sequences weigh more (Yu et al. 2025, "DAPO")."""
    return (losses * generated).sum() / generated.sum().clamp(min=1)


def sequence_mean(losses: Tensor, generated: Tensor) -> Tensor:
    """The mean over sequences of their means (Shao et al. 2024, "DeepSeekMath")."""
    lengths = generated.sum(1)
    means = (losses * generated).sum(1) / lengths.clamp(min=1)
    return means.sum() / (lengths > 0).sum().clamp(min=1)


def sequence_sum(losses: Tensor, generated: Tensor) -> Tensor:
    """The mean over sequences of their sums."""
    return (losses * generated).sum() / (generated.any(1)).sum().clamp(min=1)


def constant(losses: Tensor, generated: Tensor, *, length: int) -> Tensor:
    """Sums over a constant length, so that no length is favoured (Liu et al. 2025, "Dr. GRPO").

    Args:
        losses, generated: see the module.
        length: the longest that answers can be, in tokens.
    """
    return (losses * generated).sum() / (generated.any(1).sum().clamp(min=1) * length)


AGGREGATIONS: dict[str, Aggregation] = {
    "token_mean": token_mean,
    "sequence_mean": sequence_mean,
    "sequence_sum": sequence_sum,
    "constant": constant,
}
