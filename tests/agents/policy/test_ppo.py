import numpy as np
import pytest
import torch

from spelunk.agents.core.trainer import Task
from spelunk.agents.policy.ppo import PPO, Config

from ..probes import register, rows

register()


def learn(updates, gamma=0.5, **env_kwargs):
    task = Task("probe/Probe-v0", total_steps=10**6, num_envs=32, env_kwargs=env_kwargs)
    config = Config(
        num_steps=16, num_minibatches=2, learning_rate=3e-3, gamma=gamma, anneal=False,
        entropy_coef=0.0, hidden=(32,),
    )  # fmt: skip
    trainer = PPO(task, config)
    for _ in range(updates):
        trainer.step()
    return trainer


@torch.no_grad()
def value(trainer, sign, place=0):
    return trainer.network(rows(sign, place), None)[1].item()


@torch.no_grad()
def probability(trainer, sign, action):
    mask = None if trainer.masks is None else torch.tensor([[0, 1]])
    distribution, _ = trainer.network(rows(sign, 0), mask)
    return distribution.log_probabilities[0, action].exp().item()


def test_a_constant_reward():
    trainer = learn(60, kind="constant")
    assert value(trainer, 1) == pytest.approx(1, abs=0.1)


def test_a_reward_that_the_observation_tells():
    trainer = learn(60, kind="observed")
    assert value(trainer, 1) == pytest.approx(1, abs=0.1)
    assert value(trainer, -1) == pytest.approx(-1, abs=0.1)


def test_a_reward_that_comes_later():
    trainer = learn(80, kind="delayed")
    assert value(trainer, 1, 0) == pytest.approx(0.5, abs=0.1)
    assert value(trainer, 1, 1) == pytest.approx(1, abs=0.1)


def test_a_reward_that_the_action_earns():
    trainer = learn(60, kind="acted")
    assert probability(trainer, 1, 1) > 0.9
    assert value(trainer, 1) == pytest.approx(1, abs=0.15)


def test_a_reward_that_both_decide():
    trainer = learn(80, kind="both")
    assert probability(trainer, 1, 1) > 0.9
    assert probability(trainer, -1, 0) > 0.9


def test_an_episode_cut_off_is_not_an_end():
    """Reward 1 for ever, cut after each third step: the value is 1 / (1 − γ) = 2, not 1 to 1.75."""
    trainer = learn(120, kind="forever", max_episode_steps=3)
    assert value(trainer, 1) == pytest.approx(2, abs=0.15)


def test_illegal_actions_are_never_taken():
    trainer = learn(3, kind="masked")
    assert (trainer.actions == 1).all()
    assert probability(trainer, 1, 0) == 0


def test_continuous_actions():
    """A point maze is entered with a Gaussian policy, and actions are learned from unclipped."""
    task = Task("spelunk/PointMaze-v0", total_steps=4096, num_envs=8)
    trainer = PPO(task, Config(num_steps=16))
    metrics = trainer.step()
    assert all(np.isfinite(v) for v in metrics.values())
    assert trainer.actions.shape == (16, 8, 2)


def test_resume_is_exact():
    task = Task("spelunk/DoorKey-v0", total_steps=10**5, num_envs=16, env_kwargs={"size": 5})
    config = Config(num_steps=16)
    straight, split = PPO(task, config), PPO(task, config)
    for _ in range(3):
        straight.step()
        split.step()
    resumed = PPO(task, config)
    resumed.load_state(*split.state())
    for _ in range(3):
        assert straight.step() == resumed.step()
    for a, b in zip(straight.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(a, b)
