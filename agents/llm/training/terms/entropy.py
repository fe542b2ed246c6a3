"""Entropy control: what keeps a policy diverse, or near another, added to its losses.

A regulariser takes losses (n, T) and the `Minibatch` they are of, and gives (n, T). Terms over a
whole minibatch are added to each of its generated tokens, so that the mean over tokens grows by
just the term; what is not generated is left as it is.
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import relu

from .....envs.kernel.errors import InvalidArgumentError
from ..minibatch import Minibatch
from .entropy_selected import clip_cov, kl_cov, lp_reg, steer, tea
from .selection import mean_over
from .specification import needs

Regulariser = Callable[..., Tensor]


def entropy_bonus(losses: Tensor, batch: Minibatch, *, coefficient: float) -> Tensor:
    """Add −coefficient · Hₜ (Williams & Peng 1991, "Function optimization using connectionist
    reinforcement learning algorithms"; Mnih et al. 2016).
    """
    return losses - coefficient * batch.entropies * batch.generated


def entropy_target(
    losses: Tensor, batch: Minibatch, *, target: float, coefficient: float
) -> Tensor:
    """Add coefficient · (mean H − target)², the mean over the minibatch (nats)."""
    distance = mean_over(batch.entropies, batch.generated) - target
    return losses + coefficient * distance.square() * batch.generated


@needs("reference")
def kl(
    losses: Tensor,
    batch: Minibatch,
    *,
    coefficient: float,
    estimator: Literal["k1", "k3"] = "k3",
) -> Tensor:
    """Add coefficient · an estimate of KL(π ‖ reference) from the drawn token.

    With d = log π − log π_ref, k1 = d and k3 = exp(−d) − 1 + d (Schulman 2020, "Approximating KL
    divergence"). The derivative of k1 itself has expectation 0; here k1 has the value d and the
    derivative of d²/2, which is d ∇log π and has the expectation ∇KL. k3 is GRPO's (Shao et al.
    2024), and its derivative (1 − exp(−d)) ∇log π follows KL(π_ref ‖ π) instead.

    Raises:
        InvalidArgumentError: there is no such estimator.
    """
    assert batch.reference is not None
    log_ratio = (batch.log_probs - batch.reference) * batch.generated
    if estimator == "k1":
        half_square = log_ratio.square() / 2
        divergence = log_ratio.detach() + half_square - half_square.detach()
    elif estimator == "k3":
        divergence = (-log_ratio).exp() - 1 + log_ratio
    else:
        raise InvalidArgumentError(f"estimator must be 'k1' or 'k3'; got {estimator!r}")
    return losses + coefficient * divergence


def siren(
    losses: Tensor,
    batch: Minibatch,
    *,
    memory: dict[str, Any],
    p: float = 0.9,
    tau: float = 0.8,
    coefficient: float = 5e-3,
) -> Tensor:
    """Add coefficient · (mean H' − anchor)² over the tokens of high entropy only.

    H' is the entropy of the nucleus, the likeliest tokens with a probability of p together,
    renormalised; the mean is over positions whose H' reaches the tau-quantile of the minibatch;
    the anchor is the same mean when it was first seen, of the policy that training began with, and
    is remembered (Jiang et al. 2025, "Rethinking entropy regularization in large reasoning
    models"). In the authors' code the quantile is one of each response, the nucleus leaves out the
    token that reaches p, and p is 0.8.
    """
    rows = batch.log_policy[batch.generated[:, 1:]]
    if not len(rows):
        return losses
    entropies = _nucleus_entropies(rows, p)
    peaks = entropies >= entropies.detach().quantile(tau)
    mean = mean_over(entropies, peaks)
    distance = mean - memory.setdefault("anchor", mean.item())
    return losses + coefficient * distance.square() * batch.generated


def _nucleus_entropies(log_policy: Tensor, p: float) -> Tensor:
    """The entropies of distributions (m, vocabulary) cut to their nuclei, (m,)."""
    probabilities, order = log_policy.detach().exp().sort(descending=True)
    inside = probabilities.cumsum(-1) - probabilities < p
    outside = ~torch.zeros_like(inside).scatter(-1, order, inside)
    cut = log_policy.masked_fill(outside, -1e9).log_softmax(-1)
    return -(cut.exp() * cut).sum(-1)


def epo(
    losses: Tensor,
    batch: Minibatch,
    *,
    memory: dict[str, Any],
    coefficient: float = 1e-3,
    low: float = 0.0,
    high: float = 2.0,
    alpha: float = 0.1,
    window: int | None = None,
    rate: float = 0.0,
) -> Tensor:
    """Add −coefficient · (Hₜ − β · alpha · Dₜ), Dₜ how far Hₜ is outside [low · H̄, high · H̄].

    H̄ is the mean of the minibatches' mean entropies so far, which are remembered, and β =
    exp(rate · minibatches so far) (Xu et al. 2025, "EPO: Entropy-regularized policy optimization
    for LLM agents reinforcement learning"). The paper's penalty is alpha for every token outside,
    a constant without a gradient; the distance gives it one. The authors' code compares with H̄ of
    the same turn, penalises from the middle of the horizon on only, and has β fall to 0.8 in the
    first half of training and by exp(−3) in the second.

    Args:
        losses, batch, memory: see the module.
        coefficient: of the entropy and the penalty together.
        low, high: the corridor, in parts of the running mean.
        alpha: the penalty of a nat.
        window: minibatches that the mean looks back; None for all.
        rate: of the penalty's growth, or decay if negative, a minibatch.
    """
    if not batch.generated.any():
        return losses
    history, done = memory.setdefault("history", []), memory.get("minibatches", 0)
    memory["minibatches"] = done + 1
    history.append(mean_over(batch.entropies.detach(), batch.generated).item())
    if window is not None:
        del history[:-window]
    mean, entropies = sum(history) / len(history), batch.entropies
    outside = relu(low * mean - entropies) + relu(entropies - high * mean)
    penalty = alpha * math.exp(rate * done) * outside
    return losses - coefficient * (entropies - penalty) * batch.generated


REGULARISERS: dict[str, Regulariser] = {
    "entropy_bonus": entropy_bonus,
    "entropy_target": entropy_target,
    "kl": kl,
    "clip_cov": clip_cov,
    "kl_cov": kl_cov,
    "lp_reg": lp_reg,
    "siren": siren,
    "epo": epo,
    "steer": steer,
    "tea": tea,
}
