"""The loss of PPO, with autograd for any distribution, and compiled for the common case.

On a CPU the forty small tensor operations of the loss, and as many of its gradient, take as long as
the network itself where minibatches are small. For one choice among n actions they are one loop.
"""

import math
from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from torch import Tensor

from ..core.distributions import Categorical, Distribution

METRICS = ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction")


class Targets(NamedTuple):
    """What a minibatch's policy and values are compared with; each (batch,) or (time, lanes).

    Attributes:
        actions: those taken, (…) or (…, choices).
        log_probs: their log-probabilities when they were taken.
        advantages: as the policy is to see them.
        values: those predicted when the actions were taken.
        returns: what they should have been.
        weights: how much each transition counts; None for equally.
    """

    actions: Tensor
    log_probs: Tensor
    advantages: Tensor
    values: Tensor
    returns: Tensor
    weights: Tensor | None


class Terms(NamedTuple):
    """How the parts of the loss are put together.

    Attributes:
        weights: (3,), of policy loss, value loss and entropy.
        clip: (), how far probability ratios may leave 1.
        clip_value: how far values may move; None for any distance.
        count: what sums over the minibatch are divided by, a number or a tensor ().
    """

    weights: Tensor
    clip: Tensor
    clip_value: float | None
    count: Any


def ppo_loss(
    distribution: Distribution, values: Tensor, targets: Targets, terms: Terms
) -> tuple[Tensor, Tensor]:
    """The loss of a minibatch (Schulman et al. 2017, equation 9), and its `METRICS` (5,).

    Args:
        distribution: the policy's.
        values: those predicted.
        targets: what both are compared with.
        terms: how the parts are put together.
    """
    if type(distribution) is Categorical and values.device.type == "cpu":
        return _CompiledLoss.apply(distribution, distribution.logits, values, targets, terms)  # pyright: ignore
    log_ratio = distribution.log_prob(targets.actions) - targets.log_probs
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1 - terms.clip, 1 + terms.clip)
    policy_loss = -torch.minimum(ratio * targets.advantages, clipped * targets.advantages)
    value_loss = 0.5 * (values - targets.returns).square()
    if terms.clip_value is not None:
        moved = (values - targets.values).clamp(-terms.clip_value, terms.clip_value)
        bounded = 0.5 * (targets.values + moved - targets.returns).square()
        value_loss = torch.maximum(value_loss, bounded)
    with torch.no_grad():
        divergence = ratio - 1 - log_ratio
        outside = ((ratio - 1).abs() > terms.clip).float()
    parts = (policy_loss, value_loss, distribution.entropy(), divergence, outside)
    if targets.weights is not None:
        parts = tuple(part * targets.weights for part in parts)
    metrics = torch.stack([part.sum() for part in parts]) / terms.count
    return metrics[:3] @ terms.weights, metrics.detach()


class _CompiledLoss(torch.autograd.Function):
    """The same for one choice among n actions, with its gradient worked out by hand."""

    @staticmethod
    def forward(
        ctx: Any, distribution: Any, logits: Tensor, values: Tensor, targets: Targets, terms: Terms
    ) -> tuple[Tensor, Tensor]:
        """Loss and metrics; the gradients are kept for `backward`."""
        of_logits, of_values = torch.empty_like(logits), torch.empty_like(values)
        metrics = np.zeros(len(METRICS))
        weights = torch.ones(()) if targets.weights is None else targets.weights
        clip_value = math.inf if terms.clip_value is None else terms.clip_value
        _loss(
            logits.numpy().reshape(-1, logits.shape[-1]),
            values.numpy().reshape(-1),
            targets.actions.numpy().reshape(-1),
            targets.log_probs.numpy().reshape(-1),
            targets.advantages.numpy().reshape(-1),
            targets.values.numpy().reshape(-1),
            targets.returns.numpy().reshape(-1),
            weights.expand_as(values).numpy().reshape(-1) if weights.ndim else _ONE,
            terms.weights.numpy(),
            float(terms.clip),
            clip_value,
            float(terms.count),
            of_logits.numpy().reshape(-1, logits.shape[-1]),
            of_values.numpy().reshape(-1),
            metrics,
        )
        ctx.save_for_backward(of_logits, of_values)
        found = torch.from_numpy(metrics).float()
        ctx.mark_non_differentiable(found)
        return found[:3] @ terms.weights, found

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        of_logits, of_values = ctx.saved_tensors
        return None, of_logits * gradients[0], of_values * gradients[0], None, None


_ONE = np.ones(1, np.float32)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _loss(  # pragma: no cover
    logits, values, actions, log_probs, advantages, old_values, returns, weights, of_terms, clip,
    clip_value, count, of_logits, of_values, metrics,
):  # fmt: skip
    for i in range(len(values)):
        row, weight = logits[i], weights[i % len(weights)]
        highest = np.float32(-np.inf)
        for logit in row:
            highest = max(highest, logit)
        total = np.float32(0)
        for k in range(len(row)):
            of_logits[i, k] = math.exp(row[k] - highest)
            total += of_logits[i, k]
        shift, entropy = highest + math.log(total), np.float32(0)
        for k in range(len(row)):
            of_logits[i, k] /= total
            if of_logits[i, k] > 0:
                entropy -= of_logits[i, k] * (row[k] - shift)
        log_ratio = row[actions[i]] - shift - log_probs[i]
        ratio = math.exp(log_ratio)
        outside = abs(ratio - 1) > clip
        gain = bounded_gain = ratio * advantages[i]
        if outside:
            bounded_gain = (1 + math.copysign(clip, ratio - 1)) * advantages[i]
        error = values[i] - returns[i]
        moved = values[i] - old_values[i]
        bounded_error = slope = error
        if abs(moved) > clip_value:
            bounded_error = old_values[i] + math.copysign(clip_value, moved) - returns[i]
            if bounded_error * bounded_error > error * error:
                slope = np.float32(0)
        metrics[0] -= weight * min(gain, bounded_gain)
        metrics[1] += weight * 0.5 * max(error * error, bounded_error * bounded_error)
        metrics[2] += weight * entropy
        metrics[3] += weight * (ratio - 1 - log_ratio)
        metrics[4] += weight * outside
        weight /= count
        pull = -of_terms[0] * weight * gain if gain <= bounded_gain else np.float32(0)
        of_values[i] = of_terms[1] * weight * slope
        for k in range(len(row)):
            p = of_logits[i, k]
            gradient = -pull * p
            if p > 0:
                gradient -= of_terms[2] * weight * p * (row[k] - shift + entropy)
            of_logits[i, k] = gradient
        of_logits[i, actions[i]] += pull
    for k in range(len(metrics)):
        metrics[k] /= count
