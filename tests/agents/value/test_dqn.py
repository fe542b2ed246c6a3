import pytest
import torch

from spelunk.agents.core.trainer import Task
from spelunk.agents.value.dqn import DQN, Config
from spelunk.agents.value.replay import Replay
from spelunk.envs.kernel import UnsupportedFaceError

from ..probes import register, rows

register()


def learn(updates, **env_kwargs):
    task = Task("probe/Probe-v0", total_steps=updates * 64, num_envs=16, env_kwargs=env_kwargs)
    config = Config(
        num_steps=4, updates_per_step=4, batch_size=64, replay_size=2000, learning_starts=64,
        learning_rate=3e-3, gamma=0.5, target_interval=20, hidden=(32,),
    )  # fmt: skip
    trainer = DQN(task, config)
    for _ in range(updates):
        trainer.step()
    return trainer


@torch.no_grad()
def values(trainer, sign, place=0):
    return trainer.network(rows(sign, place))[0].tolist()


def test_a_constant_reward():
    assert values(learn(30, kind="constant"), 1) == pytest.approx([1, 1], abs=0.1)


def test_a_reward_that_the_observation_tells():
    trainer = learn(40, kind="observed")
    assert values(trainer, 1) == pytest.approx([1, 1], abs=0.1)
    assert values(trainer, -1) == pytest.approx([-1, -1], abs=0.1)


def test_a_reward_that_comes_later():
    trainer = learn(60, kind="delayed")
    assert values(trainer, 1, 0) == pytest.approx([0.5, 0.5], abs=0.1)
    assert values(trainer, 1, 1) == pytest.approx([1, 1], abs=0.1)


def test_a_reward_that_both_decide():
    trainer = learn(60, kind="both")
    assert values(trainer, 1) == pytest.approx([0, 1], abs=0.1)
    assert values(trainer, -1) == pytest.approx([1, 0], abs=0.1)


def test_an_episode_cut_off_is_not_an_end():
    trainer = learn(100, kind="forever", max_episode_steps=3)
    assert values(trainer, 1) == pytest.approx([2, 2], abs=0.15)


def test_illegal_actions_are_neither_taken_nor_bootstrapped_from():
    trainer = learn(3, kind="masked")
    held = trainer.replay.actions[: trainer.replay.size]
    assert (held == 1).all()
    assert (trainer.replay.next_mask[: trainer.replay.size] == torch.tensor([False, True])).all()


def test_continuous_actions_are_refused():
    with pytest.raises(UnsupportedFaceError, match="Discrete"):
        DQN(Task("spelunk/PointMaze-v0", 100, 4), Config())


def test_the_replay_keeps_the_latest():
    replay = Replay(5, torch.zeros(1), 2, "cpu")
    for start in (0, 3, 6):
        batch = torch.arange(start, start + 3)
        replay.add(
            rows=batch[:, None].float(), next_rows=batch[:, None].float(), actions=batch,
            rewards=batch.float(), terminated=batch > 100, next_mask=torch.ones(3, 2) > 0,
        )  # fmt: skip
    assert sorted(replay.actions.tolist()) == [4, 5, 6, 7, 8]
    drawn = replay.sample(500, torch.Generator().manual_seed(0))
    assert set(drawn["actions"].tolist()) == {4, 5, 6, 7, 8}
    assert (drawn["rows"][:, 0] == drawn["actions"]).all()


def test_resume_is_exact():
    task = Task("spelunk/SlidingTile-v0", 10**5, 8, {"size": 2})
    config = Config(learning_starts=64, num_steps=8, replay_size=500, batch_size=32)
    straight, split = DQN(task, config), DQN(task, config)
    for _ in range(3):
        straight.step()
        split.step()
    resumed = DQN(task, config)
    resumed.load_state(*split.state())
    for _ in range(3):
        assert straight.step() == resumed.step()
    for a, b in zip(straight.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.slow
def test_learns_the_2_by_2_sliding_tile():
    task = Task("spelunk/SlidingTile-v0", 30_000, 32, {"size": 2})
    trainer = DQN(task, Config(learning_starts=1000, target_interval=100))
    while trainer.env_steps < task.total_steps:
        metrics = trainer.step()
    assert metrics["return_mean"] > -6, metrics
