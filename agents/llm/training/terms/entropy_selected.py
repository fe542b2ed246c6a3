"""Entropy control by what is done to some of the tokens, or to each by its own weight.

See `entropy`, where these regularisers are registered. Selections are over the generated tokens of
a minibatch, not of a sequence.
"""

import math
from typing import Any, Literal

import torch
from torch import Tensor

from .....envs.kernel.errors import InvalidArgumentError
from ..minibatch import Minibatch
from .selection import at_random, covariances, highest


def clip_cov(
    losses: Tensor,
    batch: Minibatch,
    *,
    memory: dict[str, Any],
    share: float = 2e-4,
    low: float = 1.0,
    high: float = 5.0,
    minimum: int = 8,
    clip: float = 1.0,
    seed: int = 0,
) -> Tensor:
    """Set losses to 0 for tokens drawn from those whose covariance is between low and high.

    For the covariance see `selection.covariances` (Cui et al. 2025, "The entropy mechanism of
    reinforcement learning for reasoning language models", Clip-Cov, whose least number is 1). All
    of a token's loss goes, so terms that are to stay come after this one.

    Args:
        losses, batch, memory: see `entropy`; remembered is how many draws were made.
        share: of the generated tokens.
        low, high: they depend on the scale of the advantages; SPEAR has 2 and 60 for replays.
        minimum: the least number of tokens drawn, as far as there are so many.
        clip: the range of the policy loss; tokens whose ratio it has clipped are left out. The
            authors open it to 1.
        seed: of the draws.
    """
    draws = memory.get("draws", 0)
    memory["draws"] = draws + 1
    generator = torch.Generator().manual_seed(seed * 2**20 + draws)
    found, ratio = covariances(batch), batch.ratio.detach()
    clipped = torch.where(batch.advantages > 0, ratio > 1 + clip, ratio < 1 - clip)
    candidates = batch.generated & (found > low) & (found < high) & ~clipped
    chosen = at_random(batch.generated, candidates, share, minimum, generator)
    return losses.masked_fill(chosen, 0.0)


def kl_cov(
    losses: Tensor,
    batch: Minibatch,
    *,
    share: float = 2e-3,
    coefficient: float = 1.0,
    minimum: int = 8,
) -> Tensor:
    """Add coefficient · |log π − log π_old| for the tokens of highest covariance.

    For the covariance see `selection.covariances` (Cui et al. 2025, "The entropy mechanism of
    reinforcement learning for reasoning language models", KL-Cov). The authors clip no ratio: use
    `ppo_clip` with a wide range. In the first minibatch of a rollout the term has no gradient.

    Args:
        losses, batch: see `entropy`.
        share: of the generated tokens; 2e-4 to 2e-3 in the paper, 2e-3 in its code.
        coefficient: 1 in the authors' code.
        minimum: the least number of tokens.
    """
    chosen = highest(covariances(batch), batch.generated, share, minimum)
    return losses + coefficient * (batch.log_probs - batch.old).abs() * chosen


def lp_reg(
    losses: Tensor,
    batch: Minibatch,
    *,
    kappa: float = 0.02,
    share: float = 0.01,
    coefficient: float = 1.0,
    minimum: int = 16,
) -> Tensor:
    """Add coefficient · (exp(d) − 1 − d), d = log π̂ − log π, for unlikely tokens of bad episodes.

    The proxy π̂ is the policy without the tokens below κ maxᵥ π(v), renormalised, a constant of the
    gradient. Of the tokens with A < 0 the term is for the least likely, and of them only for those
    that the filter keeps: noise stays unprotected (Huang et al. 2025, "Low-probability tokens
    sustain exploration in reinforcement learning with verifiable reward"). The authors' code takes
    the proxy from the policy of the rollout, which is the same in its first minibatch, and opens
    the clipping range to [0, 10].

    Args:
        losses, batch: see `entropy`.
        kappa: of the filter.
        share: of the tokens with A < 0.
        coefficient: of the term.
        minimum: the least number of tokens looked at.
    """
    log_probs = batch.log_probs.detach()
    chosen = highest(-log_probs, batch.generated & (batch.advantages < 0), share, minimum)
    rows = batch.log_policy.detach()[chosen[:, 1:]]
    floor = rows.amax(-1, keepdim=True) + math.log(kappa)
    mass = rows.masked_fill(rows < floor, -torch.inf).logsumexp(-1)
    own = log_probs[chosen]
    gap = own - mass - batch.log_probs[chosen]
    penalties = (gap.exp() - 1 - gap) * (own >= floor.squeeze(-1))
    return losses + coefficient * torch.zeros_like(losses).masked_scatter(chosen, penalties)


def steer(
    losses: Tensor,
    batch: Minibatch,
    *,
    mode: Literal["linear", "exponential"] = "linear",
    w_min: float = 0.8,
    w_max: float = 1.2,
    quantile: float = 1.0,
) -> Tensor:
    """Multiply losses by w(|Ω|): the more a token changes the entropy, the less it weighs.

    Ω = A / π_old · p (1 − p) (ln p + H), p the token's probability now, estimates the change of
    entropy (Hao et al. 2025, "Rethinking entropy interventions in RLVR: an entropy change
    perspective"). `"linear"` maps |Ω| from its least and greatest value in the minibatch to w_max
    and w_min; `"exponential"` is exp(ln w_min · |Ω| / max(greatest, 0.02)).

    Args:
        losses, batch: see `entropy`.
        mode: the shape of w.
        w_min: the least weight.
        w_max: the greatest, in `"linear"`.
        quantile: of |Ω| that counts as its greatest value; below 1, one outlier no longer flattens
            the weights of all others.

    Raises:
        InvalidArgumentError: there is no such mode.
    """
    if mode not in ("linear", "exponential"):
        raise InvalidArgumentError(f"mode must be 'linear' or 'exponential'; got {mode!r}")
    if not batch.generated.any():
        return losses
    log_probs, entropies = batch.log_probs.detach(), batch.entropies.detach()
    p = log_probs.exp()
    change = batch.advantages / batch.old.exp().clamp(min=1e-8) * p * (1 - p)
    size = (change * (log_probs + entropies)).abs()
    seen = size[batch.generated]
    least, greatest = seen.min(), seen.quantile(quantile)
    if mode == "linear":
        place = ((size - least) / (greatest - least).clamp(min=1e-12)).clamp(0, 1)
        weights = w_max - (w_max - w_min) * place
    else:
        weights = (math.log(w_min) * size / greatest.clamp(min=0.02)).exp().clamp(w_min, 1)
    return torch.where(batch.generated, weights * losses, losses)


def tea(
    losses: Tensor,
    batch: Minibatch,
    *,
    coefficient: float = 0.05,
    tau: float = 1.0,
    cap: float = 100.0,
) -> Tensor:
    """Add −coefficient · N wₜ Hₜ, w = min(softmax(covariances / tau), cap / N) over N tokens.

    An entropy bonus where entropy is being lost: its mean over tokens is Σ wₜ Hₜ. For the
    covariances see `selection.covariances` (Wang et al. 2025, "Light-IF: Endowing LLMs with
    generalizable reasoning via preview and self-checking for complex instruction following"; the
    constants are those of an independent implementation, and N Σ wₜ Hₜ as written there would dwarf
    the policy loss).

    Args:
        losses, batch: see `entropy`.
        coefficient: of the bonus.
        tau: temperature of the softmax.
        cap: the greatest weight, relative to the mean.
    """
    scores = (covariances(batch) / tau).masked_fill(~batch.generated, -torch.inf)
    weights = scores.flatten().softmax(0).view_as(scores) * batch.generated.sum()
    weights = torch.where(batch.generated, weights.clamp(max=cap), 0.0)
    return losses - coefficient * weights * batch.entropies
