"""Which tokens a term touches, and sums over them: what several terms share.

Values are (n, T) with a `bool` of the same shape for the tokens they are looked for among, so that
padding and given tokens are never chosen.
"""

import torch
from torch import Tensor

from ...rollout import Rollout
from ..minibatch import Minibatch


def mean_over(values: Tensor, among: Tensor) -> Tensor:
    """The mean over some of the tokens, () ; 0 where there are none."""
    return (values * among).sum() / among.sum().clamp(min=1)


def highest(values: Tensor, among: Tensor, share: float, minimum: int = 1) -> Tensor:
    """A share of the tokens, those with the highest values.

    Args:
        values: (n, T).
        among: (n, T) `bool`.
        share: of the tokens among which they are, rounded down.
        minimum: at least so many, if there are so many: of a tiny batch a small share is nothing.

    Returns:
        (n, T) `bool`.
    """
    count = _count(among, share, minimum)
    found = values.detach().masked_fill(~among, -torch.inf).flatten().topk(count).indices
    chosen = torch.zeros_like(among)
    chosen.view(-1)[found] = True
    return chosen


def at_random(
    among: Tensor, of: Tensor, share: float, minimum: int, generator: torch.Generator
) -> Tensor:
    """A share of the tokens, drawn from some of them.

    Args:
        among: (n, T) `bool`, the tokens that the share is of.
        of: (n, T) `bool`, those that are drawn from; all of them where they are fewer.
        share, minimum: as in `highest`.
        generator: of random numbers, on the CPU.

    Returns:
        (n, T) `bool`.
    """
    candidates = of.flatten().nonzero().squeeze(1)
    order = torch.randperm(len(candidates), generator=generator).to(of.device)
    chosen = torch.zeros_like(among)
    chosen.view(-1)[candidates[order[: _count(among, share, minimum)]]] = True
    return chosen


def _count(among: Tensor, share: float, minimum: int) -> int:
    total = int(among.sum())
    return min(total, max(minimum, int(share * total)))


def covariances(batch: Minibatch) -> Tensor:
    """(A − mean A)(log π − mean log π) of each token, over the generated tokens of a minibatch.

    Entropy falls at a step by about the mean of this (Cui et al. 2025, "The entropy mechanism of
    reinforcement learning for reasoning language models"). A constant of the gradient, as in the
    authors' code, with the log-probabilities of now.

    Returns:
        (n, T), 0 for tokens that are not generated.
    """
    among, log_probs = batch.generated, batch.log_probs.detach()
    advantages = batch.advantages - mean_over(batch.advantages, among)
    return advantages * (log_probs - mean_over(log_probs, among)) * among


def turn_sums(values: Tensor, rollout: Rollout) -> Tensor:
    """Sums of values (n, T) over the generated tokens of each turn, (episodes, turns)."""
    generated, width = rollout.generated, rollout.rewards.shape[1]
    turns = (rollout.episodes[:, None] * width + rollout.turns)[generated]
    sums = values.new_zeros(rollout.rewards.numel()).index_add_(0, turns, values[generated])
    return sums.view_as(rollout.rewards)
