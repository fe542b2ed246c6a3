import numpy as np
import pytest
import torch

from spelunk.agents.value.q_network import (
    CategoricalReturn,
    ExpectedReturn,
    NoisyLinear,
    QNetwork,
    QuantileReturn,
)

from ..probes import Probe


def project(support, probs, reward, discount):
    """Bellemare et al. 2017, algorithm 1, atom by atom."""
    step, found = support[1] - support[0], np.zeros(len(support))
    for z, p in zip(support, probs, strict=True):
        b = (np.clip(reward + discount * z, support[0], support[-1]) - support[0]) / step
        lower, upper = int(np.floor(b + 1e-9)), int(np.ceil(b - 1e-9))
        if lower == upper:
            found[lower] += p
        else:
            found[lower] += p * (upper - b)
            found[upper] += p * (b - lower)
    return found


@pytest.mark.parametrize(
    ("reward", "discount"),
    [(0.3, 0.9), (0.0, 1.0), (0.5, 1.0), (50.0, 0.9), (-50.0, 0.9), (1.0, 0.0), (1.24, 0.0)],
)
def test_projections_agree_with_the_algorithm(reward, discount):
    """Between atoms, on atoms, beyond both ends, and after an episode's end."""
    head = CategoricalReturn(9, -2.0, 2.0)
    probs = torch.rand(4, 9, generator=torch.Generator().manual_seed(1))
    probs /= probs.sum(1, keepdim=True)
    found = head.project(torch.full((4,), reward), torch.full((4,), discount), probs)
    for i in range(4):
        expected = project(head.support.numpy(), probs[i].numpy(), reward, discount)
        assert found[i].numpy() == pytest.approx(expected, abs=1e-5)
    if (reward, discount) == (0.0, 1.0):
        assert torch.allclose(found, probs, atol=1e-6)


def test_the_categorical_loss_is_the_divergence_from_the_target():
    head = CategoricalReturn(5, 0.0, 4.0)
    outputs = torch.tensor([[0.0, 1, 2, 1, 0]], requires_grad=True)
    target = torch.tensor([0, 0.5, 0.5, 0, 0])
    losses, errors = head.losses(
        outputs, torch.tensor([1.5]), torch.tensor([0.0]), torch.zeros(1, 5)
    )
    probs = outputs.softmax(-1)[0]
    assert losses.item() == pytest.approx((0.5 * (0.5 / probs[1:3]).log()).sum().item(), abs=1e-6)
    assert errors.item() == pytest.approx(losses.item())
    losses.sum().backward()
    assert outputs.grad is not None
    assert outputs.grad[0].tolist() == pytest.approx((probs - target).tolist(), abs=1e-6)


def test_the_quantile_loss_agrees_with_a_double_loop():
    head = QuantileReturn(4)
    rng = np.random.default_rng(0)
    outputs, following = rng.normal(size=(2, 3, 4)) * 2
    returns, discounts = rng.normal(size=3), rng.random(3)
    losses, _ = head.losses(
        *(torch.from_numpy(x).float() for x in (outputs, returns, discounts, following))
    )
    for b in range(3):
        expected = 0.0
        for i in range(4):
            for j in range(4):
                u = returns[b] + discounts[b] * following[b, j] - outputs[b, i]
                huber = 0.5 * u**2 if abs(u) <= 1 else abs(u) - 0.5
                expected += abs((2 * i + 1) / 8 - (u < 0)) * huber / 4
        assert losses[b].item() == pytest.approx(expected, abs=1e-5)


def test_a_dueling_head_takes_the_mean_off_the_advantages():
    space = Probe("both").observation_space
    network = QNetwork(space, 3, ExpectedReturn(), hidden=(16,), dueling=True)
    seen = torch.randn(5, 2)
    value = network.value(network.torso(seen))
    assert torch.allclose(network(seen).mean(1, keepdim=True), value, atol=1e-6)
    assert network(seen).std(1).min() > 0


def test_noise_is_factorised_and_of_the_right_size():
    layer, generator = NoisyLinear(64, 48), torch.Generator().manual_seed(0)
    with torch.no_grad():
        layer.mean.weight.zero_()
        layer.mean.bias.zero_()
        layer.deviation.bias.zero_()
        assert (layer.deviation.weight == 0.5 / 8).all()
        layer.draw(1, generator)
        noise = layer(torch.eye(64))
        assert torch.linalg.matrix_rank(noise) == 1
        many = []
        for _ in range(200):
            layer.draw(1, generator)
            many.append(layer(torch.eye(64)))
        # E f(ε)² = E |ε| = √(2/π), once for the input and once for the output.
        assert torch.stack(many).var().item() == pytest.approx((0.5 / 8) ** 2 * 2 / np.pi, rel=0.1)
        layer.draw(5, generator)
        apart = layer(torch.ones(5, 64))
        assert (apart[0] != apart[1]).any()
