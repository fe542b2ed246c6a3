import dataclasses

import numpy as np
import pytest
import torch

from spelunk.agents.core.agent import Agent
from spelunk.agents.core.evaluation import EVALUATION_SEEDS, evaluate
from spelunk.agents.core.run import RunConfig, RunError, load_agent, train
from spelunk.agents.core.trainer import Task
from spelunk.agents.policy import behaviour_cloning
from spelunk.agents.policy.behaviour_cloning import BehaviourCloning, Config
from spelunk.agents.value import tabular
from spelunk.envs.kernel import InvalidArgumentError, UnsupportedFaceError
from spelunk.envs.search.sliding_tile import SlidingTile

from ..probes import register, rows

register()


class Teacher(Agent):
    """Takes action 1 where the first number of the observation is positive, and errs at times."""

    def __init__(self, errors=0.0):
        self.errors = errors

    def act(self, observations, infos):
        wrong = self.rng.random(len(observations)) < self.errors
        return (observations[:, 0] > 0) ^ wrong | 0


def learn(monkeypatch, teacher, updates, env_id="probe/Probe-v0", **env_kwargs):
    monkeypatch.setattr(behaviour_cloning, "demonstrator", lambda name: teacher)
    task = Task(env_id, 10**6, 64, env_kwargs)
    trainer = BehaviourCloning(task, Config(demonstrator="random", hidden=(32,)))
    for _ in range(updates):
        metrics = trainer.step()
    return trainer, metrics


@torch.no_grad()
def probabilities(trainer, sign, mask=None):
    outputs, _ = trainer.network(rows(sign, 0))
    return trainer.network.head(outputs, mask).log_probabilities[0].exp().tolist()


def test_the_observation_decides(monkeypatch):
    trainer, metrics = learn(monkeypatch, Teacher(), 60, kind="both")
    assert probabilities(trainer, 1)[1] > 0.95
    assert probabilities(trainer, -1)[0] > 0.95
    assert metrics["validation_accuracy"] == 1
    assert metrics["return_mean"] == 1
    observations, infos = trainer.env.reset(seed=5)
    agent = trainer.agent()
    agent.start(trainer.env, seed=0)
    assert (agent.act(observations, infos) == (observations[:, 0] > 0)).all()


def test_chance_is_imitated_too(monkeypatch):
    """The least loss that there can be is the entropy of the demonstrator's choice."""
    trainer, metrics = learn(monkeypatch, Teacher(errors=0.2), 80, kind="both")
    assert probabilities(trainer, 1)[1] == pytest.approx(0.8, abs=0.06)
    entropy = -0.2 * np.log(0.2) - 0.8 * np.log(0.8)
    assert metrics["loss"] == pytest.approx(entropy, abs=0.06)
    assert metrics["validation_loss"] == pytest.approx(entropy, abs=0.1)
    assert metrics["validation_accuracy"] == pytest.approx(0.8, abs=0.07)


def test_illegal_actions_have_no_probability(monkeypatch):
    class Second(Agent):
        def act(self, observations, infos):
            return np.ones(len(observations), int)

    trainer, metrics = learn(monkeypatch, Second(), 2, kind="masked")
    assert (trainer.training["masks"] == [0, 1]).all()
    assert metrics["loss"] == 0
    assert probabilities(trainer, 1, torch.tensor([[0, 1]])) == [0, 1]


def test_continuous_actions(monkeypatch):
    class East(Agent):
        def act(self, observations, infos):
            return np.full((len(observations), 2), (0.6, -0.3), np.float32)

    trainer, metrics = learn(
        monkeypatch, East(), 3, "spelunk/PointMaze-v0", maze="open", max_episode_steps=20
    )
    assert "validation_accuracy" not in metrics
    observations, infos = trainer.env.reset(seed=5)
    agent = trainer.agent()
    agent.start(trainer.env, seed=0)
    chosen = agent.act(observations, infos)
    assert abs(chosen - np.array([0.6, -0.3])).max() < 0.1


def test_whole_episodes_are_demonstrated_and_held_out(monkeypatch):
    trainer, _ = learn(monkeypatch, Teacher(), 3, kind="delayed")
    assert len(trainer.validation["rows"]) == 3 * 2 * 6
    assert len(trainer.training["rows"]) == 3 * 2 * 58
    assert trainer.env_steps == 3 * 2 * 64


def test_an_episode_a_lane_is_demonstrated():
    trainer = BehaviourCloning(Task("spelunk/SlidingTile-v0", 4000, 64, {"size": 2}), Config())
    metrics = trainer.step()
    assert trainer.env_steps == round(64 * metrics["length_mean"])
    assert metrics["return_mean"] == -metrics["length_mean"]
    assert trainer.env_steps == sum(
        len(part["rows"]) for part in (trainer.training, trainer.validation)
    )


def test_astar_is_cloned():
    task = Task("spelunk/SlidingTile-v0", 4000, 64, {"size": 2})
    trainer = BehaviourCloning(task, Config())
    while trainer.env_steps < task.total_steps:
        metrics = trainer.step()
    assert metrics["validation_accuracy"] >= 0.95
    result = evaluate(trainer.agent(), task.env_id, episodes=100, **task.env_kwargs)
    tiles = SlidingTile(size=2)
    best = np.mean(np.array([tiles.best_return(EVALUATION_SEEDS + i) for i in range(100)]))
    assert result.return_mean == pytest.approx(best, abs=0.5)


def test_resume_is_exact():
    task = Task("spelunk/SlidingTile-v0", 10**4, 8, {"size": 2})
    straight, split = BehaviourCloning(task, Config()), BehaviourCloning(task, Config())
    for _ in range(2):
        straight.step()
        split.step()
    resumed = BehaviourCloning(task, Config())
    resumed.load_state(*split.state())
    for _ in range(2):
        assert straight.step() == resumed.step()
    for a, b in zip(straight.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_run_is_cloned(tmp_path):
    task = Task("spelunk/SlidingTile-v0", 20_000, 32, {"size": 2})
    teacher = RunConfig("q_learning", task, dataclasses.asdict(tabular.Config()))
    train(teacher, tmp_path / "teacher", progress=False, evaluation_episodes=4)
    config = Config(demonstrator=str(tmp_path / "teacher"))
    pupil = RunConfig("bc", dataclasses.replace(task, total_steps=4000), dataclasses.asdict(config))
    summary = train(pupil, tmp_path / "pupil", progress=False, evaluation_episodes=64)
    assert summary["return_mean"] > -5
    (tmp_path / "teacher").rename(tmp_path / "elsewhere")
    agent, _ = load_agent(tmp_path / "pupil")
    again = evaluate(agent, task.env_id, episodes=64, **task.env_kwargs)
    assert again.return_mean == summary["return_mean"]


def test_what_does_not_fit_is_said():
    task = Task("spelunk/SlidingTile-v0", 100, 4, {"size": 2})
    with pytest.raises(InvalidArgumentError, match="unknown agent 'astr'"):
        BehaviourCloning(task, Config(demonstrator="astr"))
    with pytest.raises(InvalidArgumentError, match="trained first"):
        BehaviourCloning(task, Config(demonstrator="dqn"))
    with pytest.raises(InvalidArgumentError, match="num_envs"):
        BehaviourCloning(dataclasses.replace(task, num_envs=1), Config())
    with pytest.raises(InvalidArgumentError, match="validation"):
        BehaviourCloning(task, Config(validation=0.9))
    with pytest.raises(RunError, match="no run folder"):
        BehaviourCloning(task, Config(demonstrator="./nowhere")).step()
    with pytest.raises(UnsupportedFaceError, match="one agent"):
        BehaviourCloning(Task("spelunk/TicTacToe-v0", 100, 4), Config(demonstrator="random"))
