import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from spelunk.agents.core.evaluation import evaluate
from spelunk.agents.core.trainer import Task
from spelunk.agents.value.dqn import DQN, Config
from spelunk.envs.kernel import InvalidArgumentError, UnsupportedFaceError

from ..probes import register, rows

register()
PROBE = Config(
    num_steps=4, updates_per_step=4, batch_size=32, replay_size=2000, learning_starts=64,
    learning_rate=5e-3, gamma=0.5, target_interval=20, hidden=(32,), atoms=21, v_min=-3.0,
    v_max=3.0,
)  # fmt: skip
RAINBOW = {
    "double": True, "dueling": True, "n_step": 3, "prioritized": True,
    "distribution": "categorical", "noisy": True,
}  # fmt: skip
#: Every switch, and some together.
SWITCHES = [
    {"double": False},
    {"dueling": True},
    {"n_step": 3},
    {"prioritized": True},
    {"distribution": "categorical"},
    {"distribution": "quantile"},
    {"noisy": True},
    {"munchausen": True},
    {"munchausen": True, "distribution": "quantile", "prioritized": True},
    {"optimizer": "rmsprop", "learning_rate": 1e-3, "activation": "tanh"},
    RAINBOW,
]


def name(switches):
    return "rainbow" if switches is RAINBOW else "-".join(f"{k}={v}" for k, v in switches.items())


every_switch = pytest.mark.parametrize("switches", SWITCHES, ids=name)


def make(kind, updates=10**4, max_episode_steps=-1, **switches):
    kwargs = {"kind": kind, "max_episode_steps": max_episode_steps}
    task = Task("probe/Probe-v0", updates * 64, 16, env_kwargs=kwargs)
    return DQN(task, dataclasses.replace(PROBE, **switches))


def learn(kind, updates, **arguments):
    trainer = make(kind, updates, **arguments)
    for _ in range(updates):
        trainer.step()
    return trainer


@torch.no_grad()
def values(trainer, sign, place=0):
    return trainer.network.eval()(rows(sign, place))[0].tolist()


def test_a_constant_reward():
    assert values(learn("constant", 30), 1) == pytest.approx([1, 1], abs=0.1)


def test_a_reward_that_the_observation_tells():
    trainer = learn("observed", 40)
    assert values(trainer, 1) == pytest.approx([1, 1], abs=0.1)
    assert values(trainer, -1) == pytest.approx([-1, -1], abs=0.1)


@every_switch
def test_a_reward_that_comes_later(switches):
    trainer = learn("delayed", 30, **switches)
    # A Munchausen agent that does not care doubts its own choice: 0.9 · 0.03 · ln ½ ≈ −0.02.
    assert values(trainer, 1, 0) == pytest.approx([0.5, 0.5], abs=0.12)
    assert values(trainer, 1, 1) == pytest.approx([1, 1], abs=0.12)


@every_switch
def test_a_reward_that_both_decide(switches):
    trainer = learn("both", 40, **switches)
    # Munchausen takes up to 0.9 from the action that its policy avoids.
    worse = pytest.approx(-0.9 if "munchausen" in switches else 0, abs=0.2)
    for sign, right in ((1, 1), (-1, 0)):
        found = values(trainer, sign)
        assert found[right] == pytest.approx(1, abs=0.12)
        assert found[1 - right] == worse


@every_switch
def test_an_episode_cut_off_is_not_an_end(switches):
    """Reward 1 for ever, cut after each third step: the value is 1 / (1 − γ) = 2, not 1 to 1.75."""
    trainer = learn("forever", 50, max_episode_steps=3, **switches)
    assert values(trainer, 1) == pytest.approx([2, 2], abs=0.15)


@every_switch
def test_illegal_actions_are_neither_taken_nor_bootstrapped_from(switches):
    trainer = learn("masked", 4, **switches)
    replay = trainer.replay
    assert (replay.actions[: replay.time] == 1).all()
    assert (replay.masks[: replay.time] == torch.tensor([False, True])).all()
    assert trainer.agent().act(rows(1, 0).numpy(), {"action_mask": np.array([[0, 1]])}) == [1]


@pytest.mark.parametrize("double", [False, True])
def test_targets_take_the_best_legal_action(double):
    trainer = make("masked", double=double)
    trainer.step()
    batch = trainer.replay.sample(64, trainer.generator)
    returns, following = trainer._target(batch)
    assert torch.equal(following[:, 0], trainer.target(batch.next_rows)[:, 1])
    assert torch.equal(returns, batch.returns)


def test_double_targets_are_chosen_by_one_network_and_valued_by_the_other():
    trainer = make("both", double=True)
    trainer.step()
    trainer.target.advantages.weight.data.neg_()
    batch = trainer.replay.sample(64, trainer.generator)
    chosen = trainer.network(batch.next_rows).argmax(1, keepdim=True)
    expected = trainer.target(batch.next_rows).gather(1, chosen)
    assert torch.equal(trainer._target(batch)[1], expected)
    assert (expected[:, 0] != trainer.target(batch.next_rows).amax(1)).any()


@pytest.mark.parametrize("kind", ["both", "masked"])
@pytest.mark.parametrize("distribution", ["none", "quantile"])
def test_munchausen_targets_agree_with_a_direct_computation(distribution, kind):
    """Vieillard et al. 2020, row by row."""
    trainer = make(kind, munchausen=True, distribution=distribution, temperature=0.5)
    trainer.step()
    batch = trainer.replay.sample(64, trainer.generator)
    returns, following = trainer._soft_target(batch)
    assert (returns < batch.returns).any() == (kind == "both")
    legal = [0, 1] if kind == "both" else [1]
    with torch.no_grad():
        now, then = (trainer.target.outputs(r).numpy() for r in (batch.rows, batch.next_rows))
    for i in range(64):
        weights = np.exp(now[i, legal].mean(-1) / 0.5)
        log_policy = np.log(weights / weights.sum())[legal.index(int(batch.actions[i]))]
        bonus = 0.9 * np.clip(0.5 * log_policy, -1, 0)
        assert returns[i].item() == pytest.approx(batch.returns[i].item() + bonus, abs=1e-5)
        weights = np.exp(then[i, legal].mean(-1) / 0.5)
        policy = weights / weights.sum()
        soft = (policy[:, None] * (then[i, legal] - 0.5 * np.log(policy)[:, None])).sum(0)
        assert following[i].numpy() == pytest.approx(soft, abs=1e-5)


def test_the_policy_counts_down_to_the_clip():
    trainer = make("both", munchausen=True, munchausen_clip=-0.001, munchausen_scale=0.5)
    trainer.step()
    batch = trainer.replay.sample(64, trainer.generator)
    bonus = trainer._soft_target(batch)[0] - batch.returns
    assert bonus.min().item() == pytest.approx(-0.0005, abs=1e-6)


def test_noise_explores_and_leaves_evaluation_alone():
    trainer = make("both", noisy=True)
    trainer.step()
    assert trainer.epsilon == 0
    network, seen = trainer.network, rows(1, 0).repeat(4, 1)
    drawn = []
    for n in (1, 1, 4):
        network.draw_noise(n, trainer.generator)
        drawn.append(network(seen))
    assert (drawn[0] != drawn[1]).any()
    assert (drawn[0][0] == drawn[0][1]).all()
    assert (drawn[2][0] != drawn[2][1]).any()
    trainer.agent().act(seen.numpy(), {})
    quiet = network(seen)
    network.draw_noise(1, trainer.generator)
    assert torch.equal(network(seen), quiet)
    trainer.step()
    assert network.training


def test_importance_weights_count_and_errors_become_priorities(monkeypatch):
    trainer = make("both", 20, prioritized=True)
    replay, sample = trainer.replay, trainer.replay.sample
    for _ in range(10):
        trainer.step()
    assert replay.importance_exponent == pytest.approx(0.7, abs=0.02)
    batch = sample(32, torch.Generator().manual_seed(0))
    outputs = trainer.network.outputs(batch.rows)[torch.arange(32), batch.actions, 0]
    expected = ((batch.returns - outputs).abs() + 1e-6) ** 0.6  # Episodes of one step.
    before = [p.clone() for p in trainer.network.parameters()]
    idle = batch._replace(weights=torch.zeros(32))
    monkeypatch.setattr(replay, "sample", lambda *_: idle)
    trainer.optimizer.inner.state.clear()
    assert trainer._update() == 0
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.network.parameters(), strict=True))
    assert replay._tree.values[batch.places] == pytest.approx(expected.detach().numpy(), rel=1e-4)


def test_random_actions_become_fewer():
    trainer = make("both", 10, epsilon_start=0.9, epsilon_end=0.1, exploration_fraction=0.5)
    assert trainer.epsilon == 0.9
    trainer.step()
    assert trainer.epsilon == pytest.approx(0.9 - 0.8 / 5)
    for _ in range(9):
        trainer.step()
    assert trainer.epsilon == pytest.approx(0.1)


def test_the_target_network_follows_at_intervals():
    trainer = make("both", num_steps=1, updates_per_step=1, learning_starts=0, target_interval=3)
    for update in range(1, 8):
        before = [p.clone() for p in trainer.target.parameters()]
        trainer.step()
        theirs, ours = trainer.target.parameters(), trainer.network.parameters()
        same = [torch.equal(a, b) for a, b in zip(before, trainer.target.parameters(), strict=True)]
        assert all(same) == (update % 3 != 0)
        if update % 3 == 0:
            assert all(torch.equal(a, b) for a, b in zip(theirs, ours, strict=True))


@pytest.mark.parametrize("env_id", ["DoorKey", "TSP", "SlidingTile", "BernoulliBandit"])
def test_environments_of_all_kinds(env_id):
    task = Task(f"spelunk/{env_id}-v0", total_steps=4096, num_envs=8)
    trainer = DQN(task, Config(num_steps=8, learning_starts=16, batch_size=16, **RAINBOW))
    assert np.isfinite(trainer.step()["loss"])
    agent = trainer.agent()
    scores = [evaluate(agent, task.env_id, episodes=4).returns for _ in range(2)]
    assert (scores[0] == scores[1]).all()


@pytest.mark.parametrize("network", ["mlp", "cnn", "set", "graph"])
def test_networks_by_name(network):
    task = Task("spelunk/DoorKey-v0", total_steps=4096, num_envs=8, env_kwargs={"size": 5})
    trainer = DQN(task, Config(num_steps=2, learning_starts=8, network=network, batch_size=16))
    before = [p.clone() for p in trainer.network.parameters()]
    trainer.step()
    assert all((a != b).any() for a, b in zip(before, trainer.network.parameters(), strict=True))


def test_what_cannot_be(monkeypatch):
    with pytest.raises(UnsupportedFaceError, match="Discrete"):
        DQN(Task("spelunk/PointMaze-v0", 100, 4), Config())
    with pytest.raises(UnsupportedFaceError, match="take turns"):
        DQN(Task("spelunk/TicTacToe-v0", 100, 4), Config())
    for mode in ("NEXT_STEP", "DISABLED"):
        with pytest.raises(InvalidArgumentError, match=f"SAME_STEP mode only; got '{mode}'"):
            DQN(Task("spelunk/DoorKey-v0", 100, 4, autoreset_mode=mode), Config())
    wrongs: list[tuple[dict[str, Any], str]] = [
        ({"distribution": "normal"}, "none, categorical or quantile; got 'normal'"),
        ({"distribution": "categorical", "v_min": 3.0}, "v_min=3.0, v_max=3.0"),
        ({"distribution": "quantile", "atoms": 0}, "at least one quantile"),
        ({"munchausen": True, "n_step": 2}, "goes with n_step=1"),
        ({"munchausen": True, "distribution": "categorical"}, "none and quantile"),
        ({"munchausen": True, "temperature": 0.0}, "temperature must be positive"),
        ({"n_step": 200}, "a replay of 3200 transitions; got 2000"),
        ({"n_step": 0}, "n_step must be at least 1"),
        ({"gamma": 1.5}, "gamma must be from 0 to 1"),
        ({"priority_exponent": -1.0}, "priority_exponent must be"),
        ({"network": "resnet"}, "network must be one"),
    ]
    for wrong, message in wrongs:
        with pytest.raises(InvalidArgumentError, match=message):
            make("both", **wrong)


# --- resuming ---

TASK = Task("spelunk/DoorKey-v0", 10**5, 16, env_kwargs={"size": 5, "max_episode_steps": 9})
SMALL = Config(learning_starts=64, num_steps=8, replay_size=320, batch_size=16, hidden=(16,))
RESUMED = [{}, {"prioritized": True, "n_step": 3}, {"noisy": True, "munchausen": True}, RAINBOW]


def same(ours, theirs):
    parameters = zip(ours.network.parameters(), theirs.network.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in parameters)


@pytest.mark.parametrize("before", [1, 5])
@pytest.mark.parametrize("switches", RESUMED, ids=name)
def test_resume_is_exact(switches, before):
    config = dataclasses.replace(SMALL, **switches)
    straight, split = DQN(TASK, config), DQN(TASK, config)
    for _ in range(before):
        straight.step()
        split.step()
    arrays, meta = split.state()
    arrays |= {f"replay.{k}": v for k, v in split.added(0).arrays.items()}
    resumed = DQN(TASK, config)
    resumed.load_state(arrays, meta)
    for _ in range(5):
        assert straight.step() == resumed.step()
    assert same(straight, resumed)


@pytest.mark.slow
def test_learns_the_2_by_2_sliding_tile():
    task = Task("spelunk/SlidingTile-v0", 30_000, 32, {"size": 2})
    trainer = DQN(task, Config(learning_starts=1000, target_interval=100))
    while trainer.env_steps < task.total_steps:
        metrics = trainer.step()
    assert metrics["return_mean"] > -6, metrics
