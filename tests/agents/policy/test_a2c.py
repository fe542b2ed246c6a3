import pytest
import torch

from spelunk.agents.core.trainer import Task
from spelunk.agents.policy.a2c import A2C, Config

from ..probes import register, rows

register()


def make(kind):
    config = Config(gamma=0.5, learning_rate=3e-3, anneal_learning_rate=False, entropy_coef=0.0)
    return A2C(Task("probe/Probe-v0", 10**6, 64, env_kwargs={"kind": kind}), config)


def test_the_ratio_is_one():
    trainer = make("both")
    for _ in range(3):
        metrics = trainer.step()
        assert metrics["approx_kl"] == pytest.approx(0, abs=1e-6)
        assert metrics["clip_fraction"] == 0


def test_the_gradient_is_that_of_the_policy():
    """Of −Σ log π(a|s) A / n, where the ratio's gradient at 1 is that of the log-probability."""
    trainer = make("both")
    trainer._follow_schedules()
    experience = trainer._experience = trainer._gather()
    network, before = trainer.network, trainer.optimizer._flat.grad
    outputs, _ = network(experience["rows"])
    log_probs = torch.log_softmax(outputs, 1).gather(1, experience["actions"][:, None])[:, 0]
    (expected,) = torch.autograd.grad(
        -(log_probs * experience["advantages"]).mean(), network.policy.weight
    )
    trainer._index, trainer._size = torch.arange(len(log_probs)), len(log_probs)
    trainer.optimizer._max_norm = torch.inf
    trainer._update_once()
    assert torch.allclose(network.policy.weight.grad, expected, atol=1e-6)
    assert before is trainer.optimizer._flat.grad


def test_it_learns():
    trainer = make("both")
    for _ in range(250):
        trainer.step()
    for sign, action in ((1, 1), (-1, 0)):
        with torch.no_grad():
            outputs, _ = trainer.network(rows(sign, 0))
        assert torch.softmax(outputs, 1)[0, action] > 0.9
