import pytest
import torch
from torch.distributions import Categorical as Reference
from torch.distributions import Independent, Normal

from spelunk.agents.core.distributions import Categorical, Gaussian


def test_categorical_against_torch():
    torch.manual_seed(0)
    logits = torch.randn(50, 6)
    mask = (torch.rand(50, 6) < 0.6).int()
    mask[:, 2] = 1
    ours = Categorical(logits, mask)
    theirs = Reference(logits=logits.masked_fill(mask == 0, -1e9))
    actions = ours.sample(torch.Generator().manual_seed(1))
    assert mask.gather(1, actions[:, None]).all()
    assert torch.allclose(ours.log_prob(actions), theirs.log_prob(actions), atol=1e-5)
    assert torch.allclose(ours.entropy(), theirs.entropy(), atol=1e-5)


def test_categorical_samples_have_the_right_frequencies():
    probabilities = torch.tensor([0.5, 0.3, 0.2])
    head = Categorical(probabilities.log().expand(20_000, 3))
    counts = torch.bincount(head.sample(torch.Generator().manual_seed(0)), minlength=3) / 20_000
    assert torch.allclose(counts, probabilities, atol=0.02)


def test_entropy_of_a_masked_policy_has_a_gradient_without_nan():
    logits = torch.zeros(1, 3, requires_grad=True)
    Categorical(logits, torch.tensor([[1, 0, 1]])).entropy().sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_gaussian_against_torch():
    torch.manual_seed(0)
    mean, log_std = torch.randn(50, 3), torch.randn(3)
    ours, theirs = Gaussian(mean, log_std), Independent(Normal(mean, log_std.exp()), 1)
    actions = ours.sample()
    assert torch.allclose(ours.log_prob(actions), theirs.log_prob(actions), atol=1e-4)
    assert ours.entropy()[0].item() == pytest.approx(theirs.entropy()[0].item(), rel=1e-5)
