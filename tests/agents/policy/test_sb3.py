import dataclasses
import random

import numpy as np
import pytest
import torch

from spelunk.agents.core.evaluation import evaluate
from spelunk.agents.core.run import RunConfig, load_agent, train
from spelunk.agents.core.trainer import Task
from spelunk.agents.policy.sb3 import SAC, TD3, Config
from spelunk.envs.kernel import InvalidArgumentError, UnsupportedFaceError

MAZE = {"maze": "umaze", "max_episode_steps": 50}
TASK = Task("spelunk/PointMaze-v0", 512, 4, MAZE)
CONFIG = Config(
    num_steps=16, updates_per_step=1, batch_size=32, learning_starts=64, hidden=(32, 32)
)


def parameters(trainer):
    return list(trainer.model.policy.parameters())


def stir(number):
    """Leave the global generators in another state."""
    np.random.seed(number % 100)
    torch.manual_seed(number % 100)


@pytest.mark.parametrize("name", ["sac", "td3"])
def test_a_run_is_trained_and_loaded(tmp_path, name):
    run = RunConfig(name, TASK, dataclasses.asdict(CONFIG))
    summary = train(run, tmp_path / "run", progress=False, evaluation_episodes=16)
    assert summary["env_steps"] == 512
    agent, _ = load_agent(tmp_path / "run")
    again = evaluate(agent, TASK.env_id, episodes=16, **MAZE)
    assert again.return_mean == summary["return_mean"]


@pytest.mark.parametrize("algorithm", [SAC, TD3])
@pytest.mark.parametrize("done", [0, 1, 3, 18])
def test_resume_is_exact(algorithm, done):
    """At the start, among random actions, on the way, and when the replay is overwritten.

    After an odd number of gradient steps, of which TD3's actor has learned from every second.
    """
    config = dataclasses.replace(CONFIG, replay_size=1000, num_steps=15)
    straight, split = algorithm(TASK, config), algorithm(TASK, config)
    for _ in range(done):
        straight.step()
        split.step()
    resumed = algorithm(TASK, config)
    resumed.load_state(*split.state())
    for number in range(3):
        stir(number)
        expected = straight.step()
        stir(-number - 1)
        assert resumed.step() == expected
    assert all(
        torch.equal(a, b) for a, b in zip(*map(parameters, (straight, resumed)), strict=True)
    )


def test_the_metrics_are_means_of_an_update():
    trainer = SAC(TASK, CONFIG)
    first = trainer.step()
    assert "critic_loss" not in first
    assert trainer.env_steps == 64
    found = {**trainer.step(), **trainer.step(), **trainer.step()}
    assert found.keys() == {"return_mean", "length_mean", "actor_loss", "critic_loss", "ent_coef"}
    assert all(np.isfinite(value) for value in found.values())
    assert trainer.model._n_updates == 48


def test_the_global_generators_are_left_alone():
    trainer = TD3(TASK, CONFIG)
    np.random.seed(7)
    random.seed(7)
    torch.manual_seed(7)
    expected = np.random.RandomState(7).rand(3), torch.rand(3)
    torch.manual_seed(7)
    trainer.step()
    TD3(TASK, CONFIG)
    assert (np.random.rand(3) == expected[0]).all()
    assert torch.equal(torch.rand(3), expected[1])
    assert random.random() == random.Random(7).random()


def test_seeds_matter():
    one = SAC(TASK, CONFIG)
    other = SAC(dataclasses.replace(TASK, seed=1), CONFIG)
    assert not torch.equal(parameters(one)[0], parameters(other)[0])


@pytest.mark.parametrize("algorithm", [SAC, TD3])
def test_finds_the_end_of_a_corridor(algorithm):
    """Four cells in twenty steps, which random actions do not get through."""
    maze = {"maze": "#######\n#S...G#\n#######", "max_episode_steps": 20}
    task = Task("spelunk/PointMaze-v0", 1000, 4, maze)
    config = dataclasses.replace(
        CONFIG, updates_per_step=2, learning_starts=200, learning_rate=2e-3, gamma=0.9
    )
    trainer = algorithm(task, config)
    while trainer.env_steps < task.total_steps:
        trainer.step()
    assert evaluate(trainer.agent(), task.env_id, episodes=4, **maze).return_mean > 0.99


def test_what_does_not_fit_is_said():
    with pytest.raises(UnsupportedFaceError, match="Box actions"):
        SAC(Task("spelunk/DoorKey-v0", 100, 2), CONFIG)
    with pytest.raises(InvalidArgumentError, match="tau"):
        TD3(TASK, Config(tau=0))
    with pytest.raises(InvalidArgumentError, match="batch_size must be positive"):
        TD3(TASK, Config(batch_size=0))
