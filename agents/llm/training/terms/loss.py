"""Policy losses, a value for each token.

A loss takes a `Minibatch` and gives (n, T), 0 for tokens that are not generated. Every token's loss
is multiplied by its importance weight.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..minibatch import Minibatch

Loss = Callable[..., Tensor]


def reinforce(batch: Minibatch, *, cap: float | None = None) -> Tensor:
    """−A log π (Williams 1992, "Simple statistical gradient-following algorithms for
    connectionist reinforcement learning"); no clipping.

    Args:
        batch: see the module.
        cap: tokens are weighed by min(ρ, cap), a constant of the gradient, as suits episodes that
            an older policy has played (Espeholt et al. 2018, "IMPALA: Scalable distributed deep-RL
            with importance weighted actor-learner architectures"); None for no ratio.
    """
    losses = -batch.log_probs * batch.advantages * batch.weights
    return losses if cap is None else losses * batch.ratio.detach().clamp(max=cap)


def ppo_clip(
    batch: Minibatch, *, low: float = 0.2, high: float = 0.2, dual: float | None = None
) -> Tensor:
    """−min(ρ A, clip(ρ, 1 − low, 1 + high) A), ρ the ratio of probabilities.

    Schulman et al. 2017, "Proximal policy optimization algorithms"; unequal sides are DAPO's (Yu et
    al. 2025, "DAPO: an open-source LLM reinforcement learning system at scale").

    Args:
        batch: see the module.
        low, high: how far the ratio may fall below and rise above 1 before the gradient ends.
        dual: above 1; where A < 0 the loss is at most −dual · A, so that a ratio that has exploded
            has no gradient (Ye et al. 2020, "Mastering complex control in MOBA games with deep
            reinforcement learning"); None for no such bound.
    """
    return _clipped(batch, batch.ratio, low, high, dual)


def sequence_ratio(batch: Minibatch, *, low: float = 3e-4, high: float = 4e-4) -> Tensor:
    """`ppo_clip` with one ratio for a sequence, the geometric mean of its tokens' ratios.

    sᵢ = exp(meanₜ log ρᵢₜ). A token has the value of sᵢ and the gradient of its own
    log-probability, sᵢₜ = sg(sᵢ) πₜ / sg(πₜ), so that under `sequence_mean` the gradient is that of
    −min(sᵢ Aᵢ, clip(sᵢ) Aᵢ) (Zheng et al. 2025, "Group sequence policy optimization", the token
    form of section 4.3).

    Args:
        batch: see the module.
        low, high: as in `ppo_clip`; a mean of many tokens moves much less than one of them.
    """
    log_ratio = (batch.log_probs - batch.old).detach() * batch.generated
    mean = log_ratio.sum(1, keepdim=True) / batch.generated.sum(1, keepdim=True).clamp(min=1)
    ratio = mean.exp() * (batch.log_probs - batch.log_probs.detach()).exp()
    return _clipped(batch, ratio, low, high, None)


def _clipped(
    batch: Minibatch, ratio: Tensor, low: float, high: float, dual: float | None
) -> Tensor:
    advantages = batch.advantages
    gain = torch.minimum(ratio * advantages, ratio.clamp(1 - low, 1 + high) * advantages)
    if dual is not None:
        gain = torch.where(advantages < 0, torch.maximum(gain, dual * advantages), gain)
    return -gain * batch.weights


LOSSES: dict[str, Loss] = {
    "reinforce": reinforce,
    "ppo_clip": ppo_clip,
    "sequence_ratio": sequence_ratio,
}
