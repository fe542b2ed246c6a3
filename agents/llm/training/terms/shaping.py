"""Advantage transforms: credit that differs from token to token, or from turn to turn.

A transform takes advantages (n, T) of the tokens of a `Rollout`, 0 for tokens that were not
generated, and the rollout, and gives advantages of the same kind. No gradient passes through it.
"""

import math
import statistics
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import pad, relu

from .....envs.kernel.errors import InvalidArgumentError
from ...measuring.effective_rank import rank_dynamics
from ...rollout import Rollout
from .selection import highest, mean_over, turn_sums
from .specification import needs

Transform = Callable[..., Tensor]


def advantage_clip(advantages: Tensor, rollout: Rollout, *, bound: float = 2.0) -> Tensor:
    """Advantages within [−bound, bound] (Liu et al. 2025, "ETTRL", the variant without entropy)."""
    return advantages.clamp(-bound, bound)


def whiten(advantages: Tensor, rollout: Rollout, *, eps: float = 1e-8) -> Tensor:
    """Advantages with mean 0 and deviation 1 over all generated tokens, as usual with a critic.

    Huang et al. 2022, "The 37 implementation details of proximal policy optimization". A critic
    that expects too little would otherwise have everything reinforced.
    """
    among = rollout.generated
    centred = advantages - mean_over(advantages, among)
    return centred / (mean_over(centred.square(), among).sqrt() + eps) * among


def hicra(
    advantages: Tensor,
    rollout: Rollout,
    *,
    alpha: float = 0.2,
    mask: Literal["tags", "entropy_top"] = "tags",
    plan: tuple[int, int] | None = None,
    share: float = 0.3,
) -> Tensor:
    """A + alpha · |A| for planning tokens: good plans gain more, bad ones lose less.

    Wang et al. 2025, "Emergent hierarchical reasoning in LLMs through reinforcement learning"; the
    paper finds planning tokens as n-grams that are frequent in correct solutions.

    Args:
        advantages, rollout: see the module.
        alpha: in [0, 1].
        mask: which tokens are planning: `"tags"`, those between an opening and a closing token,
            themselves left out, or `"entropy_top"`, those of highest entropy in the rollout.
        plan: the opening and the closing token of `"tags"`. What is not closed ends with the turn.
        share: of all generated tokens, in `"entropy_top"`.

    Raises:
        InvalidArgumentError: there is no such mask, or it has no tokens.
    """
    if mask == "entropy_top":
        planning = highest(rollout.entropies, rollout.generated, share)
    elif mask == "tags" and plan is not None:
        planning = _between(rollout, *plan)
    else:
        raise InvalidArgumentError(
            f"mask must be 'entropy_top', or 'tags' with plan=(opening, closing); got {mask!r} "
            f"and plan={plan!r}"
        )
    return advantages + alpha * advantages.abs() * planning


def _between(rollout: Rollout, opening: int, closing: int) -> Tensor:
    """The generated tokens between two tags, (n, T) `bool`."""
    tokens, generated = rollout.tokens, rollout.generated
    opens = tokens == opening
    turn_over = pad(generated[:, :-1] & ~generated[:, 1:], (1, 0))
    event = opens | (tokens == closing) | turn_over
    latest = torch.where(event, torch.arange(tokens.shape[1]), -1).cummax(1).values
    inside = opens.gather(1, latest.clamp(min=0)) & (latest >= 0)
    return inside & ~event & generated


def empg(
    advantages: Tensor,
    rollout: Rollout,
    *,
    k: float = 1.0,
    k_next: float = 1.0,
    zeta: float = 0.1,
    minimum: int = 32,
) -> Tensor:
    """A · g(h) + zeta · f(h of the next turn), minus the mean of that over all turns.

    h is the mean entropy of a turn's tokens, scaled to [0, 1] over the rollout; g = exp(−k h) over
    its mean: confident turns count more; f = exp(−k_next h), 0 after the last turn: turns that lead
    to clarity gain (Wang et al. 2025, "Harnessing uncertainty: entropy-modulated policy gradients
    for long-horizon LLM agents"; zeta is 0.1 on the project's page).

    Args:
        advantages, rollout: see the module.
        k, k_next, zeta: as above.
        minimum: rollouts of fewer turns are left as they are: a range of so few says nothing.
    """
    counts = turn_sums(torch.ones_like(advantages), rollout)
    present, counts = counts > 0, counts.clamp(min=1)
    if present.sum() < minimum:
        return advantages
    means = turn_sums(rollout.entropies, rollout) / counts
    low, high = means[present].min(), means[present].max()
    scaled = (means - low) / (high - low + 1e-8)
    confidence = (-k * scaled).exp()
    confidence = confidence / confidence[present].mean()
    clarity = pad(((-k_next * scaled).exp() * present)[:, 1:], (0, 1))
    shaped = advantages * rollout.per_token(confidence) + zeta * rollout.per_token(clarity)
    mean = mean_over(turn_sums(shaped, rollout) / counts, present)
    return (shaped - mean) * rollout.generated


def ear(advantages: Tensor, rollout: Rollout) -> Tensor:
    """A · (1 + (m − H̄ᵢ) / m), H̄ᵢ an episode's mean entropy and m the mean of that in its group.

    Uncertain answers count less (Liu et al. 2025, "ETTRL: Balancing exploration and exploitation in
    LLM test-time reinforcement learning via entropy mechanism").
    """
    groups = rollout.groups
    counts = turn_sums(torch.ones_like(advantages), rollout).sum(1).clamp(min=1)
    own = turn_sums(rollout.entropies, rollout).sum(1) / counts
    mean = (groups.bincount(own) / groups.bincount().clamp(min=1))[groups].float()
    factors = torch.where(mean > 0, 1 + (mean - own) / mean, 1.0)
    return advantages * factors[rollout.episodes, None]


@needs("hidden")
def verl(
    advantages: Tensor,
    rollout: Rollout,
    *,
    memory: dict[str, Any],
    stride: int = 40,
    ema: float = 0.3,
    kappa: float = 2.0,
    gain: float = 2.0,
) -> Tensor:
    """A + min(max(Φ, 0), |A| / kappa), Φ = b tanh(δ of rank) + (1 − b) tanh(δ of velocity).

    Of the hidden states of a sequence's generated tokens: effective rank, and its velocity and
    acceleration along the sequence; see `effective_rank.rank_dynamics`. δ is the deviation from the
    running mean of earlier rollouts over that mean's size, within [−5, 5], and b = sigmoid(gain · δ
    of acceleration): where rank grows ever faster, rank counts more than its growth (Huang et al.
    2025, "Beyond the exploration-exploitation trade-off: a hidden state approach for LLM reasoning
    in RLVR"). The first rollout only starts the running means, which the authors' code starts at 0;
    it can also scale Φ by how far the mean score is from its maximum.

    Args:
        advantages, rollout: see the module.
        memory: the running means.
        stride: in tokens; the paper's for answers of thousands of tokens.
        ema: how much of the running means is replaced at each rollout.
        kappa: the bonus is at most this part of the advantage's size.
        gain: 2 in the authors' script, 1.5 in their configuration.
    """
    assert rollout.hidden is not None
    rows = zip(rollout.hidden, rollout.generated, strict=True)
    figures = torch.tensor([rank_dynamics(hidden[own], stride) for hidden, own in rows])
    means = figures.mean(0).tolist()
    running = memory.get("means")
    memory["means"] = means
    if running is None:
        return advantages
    memory["means"] = [(1 - ema) * r + ema * m for r, m in zip(running, means, strict=True)]
    centre = torch.tensor(running)
    rank, velocity, acceleration = (
        ((figures - centre) / (centre.abs() + 1e-8)).clamp(-5, 5).unbind(1)
    )
    b = (gain * acceleration).sigmoid()
    bonus = relu(b * rank.tanh() + (1 - b) * velocity.tanh())[:, None]
    return advantages + torch.minimum(bonus, advantages.abs() / kappa)


def recalibrate(
    advantages: Tensor,
    rollout: Rollout,
    *,
    memory: dict[str, Any],
    size: int = 10_240,
    warmup: int = 200,
) -> Tensor:
    """For replayed sequences w · max(R − median of recent group means, 0), R the episode's return.

    w = (1 − cos(π min(1, rollouts / warmup))) / 2.

    What was lucky once may be ordinary by now: replays are judged by how the policy does lately,
    and only those that are still better are imitated (Qin et al. 2025, "SPEAR: Learn the ropes,
    then trust the wins").

    Args:
        advantages, rollout: see the module; `rollout.replayed` says which sequences are replays.
        memory: the mean returns of recent groups of new episodes.
        size: how many groups that is.
        warmup: rollouts until replays count in full.
    """
    done = memory.get("rollouts", 0)
    memory["rollouts"] = done + 1
    weight = (1 - math.cos(math.pi * min(1.0, done / warmup))) / 2
    replayed = rollout.replayed
    if replayed is None:
        replayed = torch.zeros(len(advantages), dtype=torch.bool)
    returns = rollout.rewards.sum(1)
    new = torch.ones_like(rollout.truncated)
    new[rollout.episodes[replayed]] = False
    means = memory.setdefault("means", [])
    means += [
        returns[new & (rollout.groups == g)].mean().item() for g in rollout.groups[new].unique()
    ]
    del means[:-size]
    baseline = statistics.median(means) if means else math.inf
    fresh = weight * relu(returns - baseline)[rollout.episodes, None] * rollout.generated
    return torch.where(replayed[:, None], fresh, advantages)


def critique_shape(advantages: Tensor, rollout: Rollout, *, gamma: float = 0.1) -> Tensor:
    """A · gamma p / (p + gamma)² for the tokens of refined answers, p their probability.

    The gradient of A · p / (p + gamma), by which refinements are learned without ratio and clipping
    (Zhang et al. 2025, "Critique-GRPO: Advancing LLM reasoning with natural language and numerical
    feedback"), is this times ∇log π. With p as it was at the rollout, of the prompt without the
    critique, the two are equal at its first minibatch. The factor is greatest, 1/4, at p = gamma:
    unlikely tokens are learned faster than sure ones.

    Args:
        advantages, rollout: see the module; `rollout.refined` says which sequences are refinements.
        gamma: of the shaping.
    """
    if rollout.refined is None:
        return advantages
    p = rollout.log_probs.exp()
    factors = torch.where(rollout.refined[:, None], gamma * p / (p + gamma).square(), 1.0)
    return advantages * factors


TRANSFORMS: dict[str, Transform] = {
    "advantage_clip": advantage_clip,
    "whiten": whiten,
    "hicra": hicra,
    "empg": empg,
    "ear": ear,
    "verl": verl,
    "recalibrate": recalibrate,
    "critique_shape": critique_shape,
}
