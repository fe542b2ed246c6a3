import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch.distributions import Categorical as Reference
from torch.distributions import Independent, Normal

from spelunk.agents.core.distributions import (
    ActionHead,
    Categorical,
    Gaussian,
    MultiCategorical,
)
from spelunk.envs.kernel import UnsupportedFaceError


def noise(shape, n, seed):
    return ActionHead(spaces.Discrete(n)).noise(shape, torch.Generator().manual_seed(seed))


def test_categorical_against_torch():
    torch.manual_seed(0)
    logits = torch.randn(50, 6)
    mask = (torch.rand(50, 6) < 0.6).int()
    mask[:, 2] = 1
    ours = Categorical(logits, mask)
    theirs = Reference(logits=logits.masked_fill(mask == 0, -1e9))
    actions = ours.sample(noise((50,), 6, 1))
    assert mask.gather(1, actions[:, None]).all()
    assert torch.allclose(ours.log_prob(actions), theirs.log_prob(actions), atol=1e-5)
    assert torch.allclose(ours.entropy(), theirs.entropy(), atol=1e-5)


def test_categorical_samples_have_the_right_frequencies():
    probabilities = torch.tensor([0.5, 0.3, 0.2])
    head = Categorical(probabilities.log().expand(20_000, 3))
    counts = torch.bincount(head.sample(noise((20_000,), 3, 0)), minlength=3) / 20_000
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
    actions = ours.sample(torch.randn(50, 3))
    assert torch.allclose(ours.log_prob(actions), theirs.log_prob(actions), atol=1e-4)
    assert ours.entropy()[0].item() == pytest.approx(theirs.entropy()[0].item(), rel=1e-5)
    assert (ours.mode() == mean).all()


def test_several_choices_are_independent():
    torch.manual_seed(0)
    logits, sizes = torch.randn(40, 5), (2, 3)
    flat = (torch.rand(40, 5) < 0.6).int()
    flat[:, [1, 4]] = 1
    padded = torch.zeros(40, 2, 3, dtype=torch.int)
    padded[:, 0, :2], padded[:, 1] = flat[:, :2], flat[:, 2:]
    head = ActionHead(spaces.MultiDiscrete([2, 3]))
    for mask in (flat, padded):
        ours = MultiCategorical(logits, sizes, mask)
        actions = ours.sample(head.noise((40,), torch.Generator().manual_seed(1)))
        assert flat[:, :2].gather(1, actions[:, :1]).all()
        assert flat[:, 2:].gather(1, actions[:, 1:]).all()
        parts = [
            Reference(logits=part.masked_fill(m == 0, -1e9))
            for part, m in zip(logits.split(sizes, 1), flat.split(sizes, 1), strict=True)
        ]
        both = [p.log_prob(a) for p, a in zip(parts, actions.T, strict=True)]
        expected = torch.stack(both).sum(0)
        assert torch.allclose(ours.log_prob(actions), expected, atol=1e-5)
        assert torch.allclose(
            ours.entropy(), torch.stack([p.entropy() for p in parts]).sum(0), atol=1e-5
        )
        assert (ours.log_prob(ours.mode()) >= ours.log_prob(actions) - 1e-6).all()


def test_spaces():
    assert ActionHead(spaces.MultiBinary(3)).inputs == 6
    assert ActionHead(spaces.Box(-1, 1, (3,))).dtype == torch.float32
    for space in (spaces.Box(-1, 1, (2, 2)), spaces.Text(3), spaces.Discrete(3, start=1)):
        with pytest.raises(UnsupportedFaceError):
            ActionHead(space)
    assert np.prod(ActionHead(spaces.MultiDiscrete([4, 5])).shape) == 2
