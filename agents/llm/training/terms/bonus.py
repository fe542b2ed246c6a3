"""Bonuses: what is added to the environment's rewards.

A bonus takes a `Rollout` and gives (E, turns), 0 for turns that were not played.
"""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .....envs.kernel.errors import InvalidArgumentError
from ...rollout import Rollout
from .selection import turn_sums
from .specification import needs

Bonus = Callable[..., Tensor]


def length_penalty(
    rollout: Rollout, *, limit: int, buffer: int, coefficient: float = 1.0
) -> Tensor:
    """−coefficient · min(max(L − (limit − buffer), 0) / buffer, 1), L the tokens of a turn.

    The soft overlong punishment (Yu et al. 2025, "DAPO: an open-source LLM reinforcement learning
    system at scale"), paid at the turn.

    Args:
        rollout: see the module.
        limit: the length in tokens from which all of it is paid.
        buffer: how many tokens before that it begins.
        coefficient: the greatest penalty.

    Raises:
        InvalidArgumentError: the buffer is not positive, or longer than the limit.
    """
    if not 0 < buffer <= limit:
        raise InvalidArgumentError(
            f"buffer must be at least 1 and at most limit; got {buffer!r} and {limit!r}"
        )
    lengths = turn_sums(torch.ones_like(rollout.log_probs), rollout)
    return -coefficient * ((lengths - (limit - buffer)) / buffer).clamp(0, 1)


@needs("reference")
def kl_in_reward(rollout: Rollout, *, coefficient: float) -> Tensor:
    """−coefficient · Σ (log π − log π_ref) over each turn's tokens (Ziegler et al. 2019,
    "Fine-tuning language models from human preferences").
    """
    assert rollout.reference is not None
    return -coefficient * turn_sums(rollout.log_probs - rollout.reference, rollout)


@needs("reference")
def adaptive_kl_in_reward(
    rollout: Rollout,
    *,
    memory: dict[str, Any],
    target: float,
    initial: float = 0.2,
    rate: float = 0.1,
    most: float = 0.2,
) -> Tensor:
    """`kl_in_reward` with a coefficient β that holds the divergence at a target.

    After each rollout β grows by rate · clip((KL − target) / target, −most, most) of itself, KL the
    mean over episodes of Σ (log π − log π_ref) (Ziegler et al. 2019, "Fine-tuning language models
    from human preferences", section 2.2).

    Args:
        rollout: see the module.
        memory: the coefficient.
        target: of the divergence, nats an episode.
        initial: the first coefficient.
        rate, most: as above, with the paper's defaults.

    Raises:
        InvalidArgumentError: the target is not positive.
    """
    if target <= 0:
        raise InvalidArgumentError(f"target must be positive; got {target!r}")
    beta = memory.get("coefficient", initial)
    penalties = kl_in_reward(rollout, coefficient=beta)
    assert rollout.reference is not None
    divergence = turn_sums(rollout.log_probs - rollout.reference, rollout).sum(1).mean().item()
    error = min(most, max(-most, divergence / target - 1))
    memory["coefficient"] = beta * (1 + rate * error)
    return penalties


def majority_vote(rollout: Rollout, *, tag: str | None = None) -> Tensor:
    """1 at the last turn of episodes whose answer is the most frequent of their group.

    A pseudo-label that needs no verifier (Zuo et al. 2025, "TTRL: Test-time reinforcement
    learning"): use it where the environment's rewards do not count. White space in answers does not
    matter; of answers equally frequent the first given wins; episodes without an answer have no
    vote and get 0.

    Args:
        rollout: see the module.
        tag: the answer is what follows the last `<tag>` of a message up to `</tag>`, or its end;
            None for the whole message.
    """
    answers = [_answer(message, tag) for message in rollout.answers]
    groups = rollout.groups.tolist()
    votes: dict[int, Counter[str]] = {group: Counter() for group in groups}
    for group, answer in zip(groups, answers, strict=True):
        if answer:
            votes[group][answer] += 1
    agree = [
        bool(answer) and answer == votes[group].most_common(1)[0][0]
        for group, answer in zip(groups, answers, strict=True)
    ]
    return _at_the_end(torch.tensor(agree).float(), rollout)


def _answer(message: str, tag: str | None) -> str:
    if tag is not None:
        _, opened, rest = message.rpartition(f"<{tag}>")
        message = rest.partition(f"</{tag}>")[0] if opened else ""
    return " ".join(message.split())


#: Per bucket of `difficulty` (ARES): the target as a part of the span of counts, the margin as a
#: part of the target, the scale of the penalty, that of the saturating bonus, and the part of it
#: that wrong answers get.
_ARES = {
    "easy": (0.35, 0.15, 2.0, 2.0, 0.6),
    "medium": (0.5, 0.25, 3.0, 2.5, 0.8),
    "hard": (0.65, 0.35, 4.0, 3.0, 1.0),
}


def difficulty(rollout: Rollout, success: float) -> list[str]:
    """How hard each episode's task is, by the share of its group that succeeded.

    Args:
        rollout: see the module.
        success: the least return that is a success.

    Returns:
        For each episode `"easy"` (two thirds or more), `"medium"` (one third or more) or `"hard"`.
    """
    passed = (rollout.rewards.sum(1) >= success).double()
    counts = rollout.groups.bincount()[rollout.groups]
    wins = rollout.groups.bincount(passed)[rollout.groups]
    return [
        "easy" if 3 * w >= 2 * n else "medium" if 3 * w >= n else "hard"
        for w, n in zip(wins.round().tolist(), counts.tolist(), strict=True)
    ]


def window_entropy(
    rollout: Rollout,
    *,
    memory: dict[str, Any],
    window: int = 4,
    quantile: float = 0.95,
    success: float = 1.0,
    limit: float = 0.5,
    rate: float = 0.05,
    ema: float = 0.99,
    frozen: int = 10,
) -> Tensor:
    """Pay, at the last turn, for as many uncertain stretches as the task's difficulty asks for.

    A token counts whose next `window` tokens of the same turn have a mean entropy at or above a
    threshold. With δ = count − target and m = max(1, margin · max(target, 1)), a correct answer
    loses α · min(1, h(δ − m)) if easy and α · min(1, h(|δ| − m)) if medium, h the Huber penalty
    over m + κ, and gains α tanh((δ + m) / 2τ) if hard; a wrong one gains a part of α tanh((δ − m) /
    2τ); all arguments at least 0. Targets are parts of the span of counts in the first rollout; α
    starts at its limit, and moves with the distance of a bucket's mean count from its target (Chen
    et al. 2025, "ARES: Multimodal adaptive reasoning via difficulty-aware token-level entropy
    shaping"). The authors' code counts listed words only, takes targets from the rollout itself,
    pays sigmoids, which give half of α for nothing, and punishes hard tasks for counts below.

    Args:
        rollout: see the module.
        memory: the threshold, the targets, each bucket's α, and the number of rollouts.
        window: in tokens; 4 or 8 in the authors' code.
        quantile: of the windows' mean entropies, which the threshold follows.
        success: the least return of a correct answer.
        limit: the greatest α.
        rate: how fast α moves.
        ema: how much of the threshold stays at each rollout.
        frozen: rollouts until the threshold moves.
    """
    means, full = _windows(rollout, window)
    if not full.any():
        return torch.zeros_like(rollout.rewards)
    threshold = _threshold(means[full].quantile(quantile).item(), memory, ema, frozen)
    counts = turn_sums((full & (means >= threshold)).float(), rollout).sum(1).tolist()
    if "targets" not in memory:
        low, high = min(counts), max(counts)
        memory["targets"] = {name: low + row[0] * (high - low) for name, row in _ARES.items()}
        memory["alpha"] = dict.fromkeys(_ARES, limit)
    buckets = difficulty(rollout, success)
    correct = (rollout.rewards.sum(1) >= success).tolist()
    extra = [
        memory["alpha"][b] * _ares(b, count - memory["targets"][b], memory["targets"][b], right)
        for b, count, right in zip(buckets, counts, correct, strict=True)
    ]
    for bucket in set(buckets):
        own = [c for c, b in zip(counts, buckets, strict=True) if b == bucket]
        excess = sum(own) / len(own) - memory["targets"][bucket]
        alpha = memory["alpha"][bucket] + rate * (-excess if bucket == "hard" else excess)
        memory["alpha"][bucket] = min(limit, max(0.0, alpha))
    return _at_the_end(torch.tensor(extra), rollout)


def _ares(bucket: str, excess: float, target: float, correct: bool) -> float:
    """The reward of a count in parts of α, in [−1, 1]."""
    _, margin, kappa, softness, share = _ARES[bucket]
    margin = max(1.0, margin * max(target, 1.0))
    if not correct:
        return share * math.tanh(max(excess - margin, 0.0) / (2 * softness))
    if bucket == "hard":
        return math.tanh(max(excess + margin, 0.0) / (2 * softness))
    beyond = max((excess if bucket == "easy" else abs(excess)) - margin, 0.0)
    huber = beyond**2 / (2 * kappa) if beyond <= kappa else beyond - kappa / 2
    return -min(1.0, huber / (margin + kappa))


def _windows(rollout: Rollout, window: int) -> tuple[Tensor, Tensor]:
    """Mean entropies of the windows after each token, and whether they are full, both (n, T)."""
    n, width = rollout.tokens.shape
    means, full = torch.zeros(n, width), torch.zeros(n, width, dtype=torch.bool)
    if width > window:
        ahead = rollout.entropies[:, 1:].unfold(1, window, 1)
        turns = rollout.turns[:, 1:].unfold(1, window, 1)
        own = rollout.turns[:, : width - window]
        means[:, : width - window] = ahead.mean(-1)
        full[:, : width - window] = (turns == own[..., None]).all(-1) & (own >= 0)
    return means, full


def _threshold(now: float, memory: dict[str, Any], ema: float, frozen: int) -> float:
    """The threshold that counts, having followed the rollouts' quantiles."""
    done = memory.get("rollouts", 0)
    memory["rollouts"] = done + 1
    known = memory.setdefault("threshold", now)
    if done >= frozen:
        memory["threshold"] = ema * known + (1 - ema) * now
    return memory["threshold"]


def _at_the_end(values: Tensor, rollout: Rollout) -> Tensor:
    """Values (E,) at the last turn of each episode, (E, turns)."""
    last = rollout.lengths[:, None] - 1 == torch.arange(rollout.rewards.shape[1])
    return values[:, None] * last


BONUSES: dict[str, Bonus] = {
    "length_penalty": length_penalty,
    "kl_in_reward": kl_in_reward,
    "adaptive_kl_in_reward": adaptive_kl_in_reward,
    "majority_vote": majority_vote,
    "window_entropy": window_entropy,
}
