"""Start samplers: where the episodes of an update begin.

A sampler takes starts that were never used before, one for each group, and the returns of the
groups that have come in since it was last asked, by start; it gives as many different starts.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from .....envs.kernel.errors import InvalidArgumentError

Starts = Callable[..., list[int]]
Outcomes = Mapping[int, Sequence[float]]


def fresh(starts: Sequence[int], outcomes: Outcomes) -> list[int]:
    """The new ones."""
    return list(starts)


def learnability(
    starts: Sequence[int],
    outcomes: Outcomes,
    *,
    memory: dict[str, Any],
    share: float = 0.5,
    size: int = 1024,
    success: float = 1.0,
) -> list[int]:
    """Some starts again that succeed sometimes, drawn in proportion to p (1 − p).

    p is the share of a start's group that succeeded when it was last played; p (1 − p) is the
    variance of success, and what always fails or always succeeds teaches nothing (Rutherford et al.
    2024, "No regrets: Investigating and improving regret approximations for curriculum discovery";
    Foster et al. 2025, "Learning to reason at the frontier of learnability"). The papers try out
    many starts first and keep the best for some updates, equally likely; here every start that is
    played is a candidate.

    Args:
        starts, outcomes: see the module.
        memory: the candidates with their p, and how often starts were drawn.
        share: of the starts, rounded down, that are not new, if there are so many candidates.
        size: how many candidates are kept, the latest.
        success: the least return that is one.

    Raises:
        InvalidArgumentError: share is not in [0, 1].
    """
    if not 0 <= share <= 1:
        raise InvalidArgumentError(f"share must be in [0, 1]; got {share!r}")
    rates = {int(start): rate for start, rate in memory.get("rates", [])}
    for start, returns in outcomes.items():
        rates.pop(start, None)
        rates[start] = sum(r >= success for r in returns) / len(returns)
    kept = [(start, rate) for start, rate in rates.items() if 0 < rate < 1][-size:]
    done = memory.get("draws", 0)
    memory.update(rates=[list(pair) for pair in kept], draws=done + 1)
    count = min(len(kept), int(share * len(starts)))
    if not count:
        return list(starts)
    weights = torch.tensor([rate * (1 - rate) for _, rate in kept], dtype=torch.float64)
    generator = torch.Generator().manual_seed(done)
    again = weights.multinomial(count, generator=generator).tolist()
    return [*starts[count:], *(kept[i][0] for i in again)]


STARTS: dict[str, Starts] = {"fresh": fresh, "learnability": learnability}
