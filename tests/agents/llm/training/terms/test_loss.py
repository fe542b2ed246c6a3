"""Policy losses against sums token by token, and on cases worked out by hand."""

import math

import pytest
import torch

from spelunk.agents.llm.training.minibatch import Minibatch
from spelunk.agents.llm.training.terms.aggregation import sequence_mean
from spelunk.agents.llm.training.terms.loss import LOSSES, ppo_clip, reinforce, sequence_ratio

from .batches import check, minibatch, places, tokens


def clipped(ratio, advantage, low, high, dual=None):
    limited = min(max(ratio.item(), 1 - low), 1 + high)
    inside = 1 - low < ratio.item() < 1 + high
    held = ratio if inside else limited
    gain = min(ratio * advantage, held * advantage)
    if dual is not None and advantage < 0 and gain < dual * advantage:
        return torch.tensor(dual * advantage).double()
    return gain


@pytest.mark.parametrize("seed", range(3))
def test_reinforce(seed):
    batch = minibatch(seed)
    expected = {s: -x.log_p * x.advantage * x.weight for s, x in tokens(batch).items()}
    check(reinforce(batch), expected, batch)


@pytest.mark.parametrize("seed", range(3))
def test_reinforce_with_episodes_of_an_older_policy(seed):
    batch = minibatch(seed)
    expected = {
        s: -x.log_p * x.advantage * x.weight * min(1.2, x.ratio.item())
        for s, x in tokens(batch).items()
    }
    check(reinforce(batch, cap=1.2), expected, batch)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "settings", [{}, {"low": 0.1, "high": 0.4}, {"low": 0.3, "high": 0.2, "dual": 1.5}]
)
def test_ppo_clip(seed, settings):
    batch, bounds = minibatch(seed), {"low": 0.2, "high": 0.2, **settings}
    expected = {
        s: -clipped(x.ratio, x.advantage, **bounds) * x.weight for s, x in tokens(batch).items()
    }
    check(ppo_clip(batch, **settings), expected, batch)


@pytest.mark.parametrize("seed", range(3))
def test_sequence_ratio_follows_the_clipped_ratio_of_each_sequence(seed):
    batch = minibatch(seed, spread=0.1)
    low, high = 0.02, 0.05
    advantages = torch.randn(4, 1, generator=torch.Generator().manual_seed(seed))
    batch = minibatch(seed, spread=0.1, advantages=advantages * batch.generated)
    batch.weights.fill_(1.0)
    seen, total, grown = tokens(batch), torch.tensor(0.0), {}
    for i in range(4):
        own = [x for s, x in seen.items() if s[0] == i]
        ratio = torch.exp(sum((x.log_p - x.old for x in own), torch.tensor(0.0)) / len(own))
        grown[i] = torch.as_tensor(-clipped(ratio, advantages[i].item(), low, high))
        total = total + grown[i] / 4
    found = sequence_ratio(batch, low=low, high=high)
    for i, t in places(batch):
        assert found[i, t].item() == pytest.approx(grown[i].item(), abs=1e-5)
    assert (found[~batch.generated] == 0).all()
    (gradient,) = torch.autograd.grad(sequence_mean(found, batch.generated), batch.logits)
    (wanted,) = torch.autograd.grad(total, batch.logits)
    torch.testing.assert_close(gradient, wanted, atol=1e-6, rtol=1e-4)
    assert (gradient[~batch.generated[:, 1:]] == 0).all()
    assert gradient.abs().max() > 1e-3


def two_choices(ratios, advantages):
    """A sequence of one given token, then one of even chances each, which had another before."""
    width = len(ratios) + 1
    old = torch.tensor([[0.0, *(math.log(0.5 / r) for r in ratios)]])
    return Minibatch(
        tokens=torch.zeros(1, width, dtype=torch.int64),
        generated=torch.arange(width)[None] > 0,
        old=old,
        advantages=torch.tensor([[0.0, *advantages]]),
        weights=torch.ones(1, width),
        reference=None,
        logits=torch.zeros(1, width - 1, 2, requires_grad=True),
    )


def test_ppo_clip_by_hand():
    batch = two_choices([1.0, 1.5, 1.5, 0.5, 0.5], [2.0, 2.0, -2.0, 2.0, -2.0])
    losses = ppo_clip(batch, low=0.2, high=0.3)
    torch.testing.assert_close(losses, torch.tensor([[0.0, -2.0, -2.6, 3.0, -1.0, 1.6]]))
    losses.sum().backward()
    # dρ/dlogit = ρ (1 − p), and p is a half.
    slopes = torch.tensor([-1.0, 0.0, 1.5, -0.5, 0.0])
    torch.testing.assert_close(batch.logits.grad[0, :, 0], slopes)


def test_dual_clip_by_hand():
    batch = two_choices([5.0, 5.0, 2.0], [-2.0, 2.0, -2.0])
    losses = ppo_clip(batch, dual=3.0)
    torch.testing.assert_close(losses, torch.tensor([[0.0, 6.0, -2.4, 4.0]]))
    losses.sum().backward()
    torch.testing.assert_close(batch.logits.grad[0, :, 0], torch.tensor([0.0, 0.0, 2.0]))


def test_sequence_ratio_by_hand():
    batch = two_choices([4.0, 0.25, 8.0], [1.0, 1.0, 1.0])
    torch.testing.assert_close(
        sequence_ratio(batch, low=0.5, high=2.0), torch.tensor([[0.0, -2.0, -2.0, -2.0]])
    )
    assert (sequence_ratio(batch, low=0.5, high=0.5)[0, 1:] == -1.5).all()


def test_gradients_agree_where_nothing_has_changed_yet():
    batch = minibatch(spread=0.0)
    gradients = [
        torch.autograd.grad(loss(batch).sum(), batch.logits, retain_graph=True)[0]
        for loss in LOSSES.values()
    ]
    for gradient in gradients[1:]:
        torch.testing.assert_close(gradient, gradients[0], atol=1e-5, rtol=1e-5)
