import pytest
import torch

from spelunk.agents.core.distributions import Categorical
from spelunk.agents.policy.ppo_loss import METRICS, Targets, Terms, ppo_loss


class ByAutograd(Categorical):
    """The compiled loss is for `Categorical` itself."""


@pytest.mark.parametrize("shape", [(64,), (8, 16)])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("clip_value", [None, 0.3])
def test_the_compiled_loss_is_that_of_autograd(shape, masked, weighed, clip_value):
    torch.manual_seed(1)
    mask = (torch.rand(*shape, 5) < 0.6).int() if masked else None
    if mask is not None:
        mask[..., 2] = 1
    logits = torch.randn(*shape, 5)
    noise = torch.rand(*shape, 5).log().neg().log().neg()
    actions = Categorical(logits, mask).sample(noise)
    targets = Targets(
        actions=actions,
        log_probs=Categorical(logits + torch.randn(*shape, 5) * 0.3, mask).log_prob(actions),
        advantages=torch.randn(shape),
        values=torch.randn(shape),
        returns=torch.randn(shape),
        weights=(torch.rand(shape) < 0.7).float() if weighed else None,
    )
    terms = Terms(torch.tensor([1.0, 0.5, -0.02]), torch.tensor(0.2), clip_value, 50)
    found = []
    for kind in (Categorical, ByAutograd):
        rows, values = logits.clone().requires_grad_(), torch.zeros(shape, requires_grad=True)
        loss, metrics = ppo_loss(kind(rows, mask), values, targets, terms)
        (3 * loss).backward()
        found.append((loss, metrics, rows.grad, values.grad))
    for ours, reference in zip(*found, strict=True):
        assert torch.allclose(ours, reference, atol=1e-5)
    assert len(found[0][1]) == len(METRICS)
    assert found[0][1][4] > 0, "no ratio was out of its bounds: nothing was tested"


def test_an_unlikely_action_has_a_finite_gradient():
    logits = torch.tensor([[0.0, -200.0]], requires_grad=True)
    one = torch.ones(1)
    targets = Targets(torch.tensor([0]), 0 * one, one, one, one, None)
    terms = Terms(torch.tensor([1.0, 0.5, -0.01]), torch.tensor(0.2), None, 1)
    ppo_loss(Categorical(logits), one, targets, terms)[0].backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
