import dataclasses
import itertools

import numpy as np
import pytest
import torch

from spelunk.agents.core.evaluation import evaluate
from spelunk.agents.core.trainer import Task
from spelunk.agents.policy.ppo import PPO, Config
from spelunk.envs.kernel import InvalidArgumentError, UnsupportedFaceError

from ..probes import register, rows

register()
PROBE = Config(
    num_steps=16, num_minibatches=2, learning_rate=3e-3, gamma=0.5, anneal_learning_rate=False,
    entropy_coef=0.0, hidden=(32,),
)  # fmt: skip
MODES = ("SAME_STEP", "NEXT_STEP", "DISABLED")


def make(kind, mode="SAME_STEP", max_episode_steps=-1, **changes):
    kwargs = {"kind": kind, "max_episode_steps": max_episode_steps}
    task = Task("probe/Probe-v0", 10**6, 32, env_kwargs=kwargs, autoreset_mode=mode)
    return PPO(task, dataclasses.replace(PROBE, **changes))


def learn(kind, updates, **arguments):
    trainer = make(kind, **arguments)
    for _ in range(updates):
        trainer.step()
    return trainer


@torch.no_grad()
def value(trainer, sign, place=0):
    state = trainer.network.initial_state(1)
    return trainer.network.value(rows(sign, place), state).item()


@torch.no_grad()
def probability(trainer, sign, action):
    network = trainer.network
    mask = None if trainer.rollout.masks is None else torch.tensor([[0, 1]])
    outputs, _, _ = network.act(rows(sign, 0), network.initial_state(1), torch.ones(1).bool())
    return network.head(outputs, mask).log_probabilities[0, action].exp().item()


#: Every switch that changes what is learned from, and some together.
SWITCHES = [
    {"clip_value": 0.5},
    {"target_kl": 0.05},
    {"anneal_clip": True, "entropy_coef": 0.01, "entropy_coef_end": 0.0},
    {"shared": False},
    {"activation": "relu", "optimizer": "rmsprop", "learning_rate": 1e-3},
    {"normalize_observations": True, "shared": False},
    {"normalize_observations": True, "memory": "gru", "memory_size": 16},
    {"mixed_precision": True},
    {"memory": "gru", "memory_size": 16},
    {"memory": "lstm", "memory_size": 16},
    {"memory": "transformer", "memory_size": 16, "memory_window": 4},
    {"normalize_advantages": False, "epochs": 8},
]


def name(switches):
    return "-".join(f"{k}={v}" for k, v in switches.items())


@pytest.mark.parametrize("shared", [True, False])
def test_a_constant_reward(shared):
    assert value(learn("constant", 60, shared=shared), 1) == pytest.approx(1, abs=0.1)


def test_a_reward_that_the_observation_tells():
    trainer = learn("observed", 60)
    assert value(trainer, 1) == pytest.approx(1, abs=0.1)
    assert value(trainer, -1) == pytest.approx(-1, abs=0.1)


def test_a_reward_that_comes_later():
    trainer = learn("delayed", 80)
    assert value(trainer, 1, 0) == pytest.approx(0.5, abs=0.1)
    assert value(trainer, 1, 1) == pytest.approx(1, abs=0.1)


def test_a_reward_that_the_action_earns():
    trainer = learn("acted", 60)
    assert probability(trainer, 1, 1) > 0.9
    assert value(trainer, 1) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("switches", [{}, *SWITCHES], ids=name)
def test_a_reward_that_both_decide(switches):
    trainer = learn("both", 50, **switches)
    assert probability(trainer, 1, 1) > 0.9
    assert probability(trainer, -1, 0) > 0.9


@pytest.mark.parametrize(
    ("mode", "memory"),
    [*itertools.product(MODES, ("none", "gru")), ("NEXT_STEP", "transformer")],
)
def test_an_episode_cut_off_is_not_an_end(mode, memory):
    """Reward 1 for ever, cut after each third step: the value is 1 / (1 − γ) = 2, not 1 to 1.75."""
    trainer = learn("forever", 60, mode=mode, max_episode_steps=3, memory=memory, memory_size=16)
    assert value(trainer, 1) == pytest.approx(2, abs=0.15)


@pytest.mark.parametrize("mode", MODES)
def test_every_autoreset_mode_learns_what_a_later_reward_is_worth(mode):
    trainer = learn("delayed", 100, mode=mode)
    assert value(trainer, 1, 0) == pytest.approx(0.5, abs=0.1)
    assert value(trainer, 1, 1) == pytest.approx(1, abs=0.1)


def test_the_step_that_only_resets_is_no_experience():
    """An episode of two steps and the reset after it: every third step of a lane weighs nothing."""
    trainer = make("delayed", mode="NEXT_STEP")
    trainer.step()
    weights, starts = trainer.rollout.weights, trainer.rollout.starts
    assert (weights[:, 0] == torch.tensor([1.0, 1, 0] * 5 + [1])).all()
    assert starts[:16, 0].tolist() == [True, False, False] * 5 + [True]
    trainer.step()
    assert (trainer.rollout.weights[:, 0] == torch.tensor(([1.0, 1, 0] * 11)[16:32])).all()


def test_rewards_scaled_to_their_deviation():
    """Rewards of ±1 at the end of each episode have deviation 1: nothing changes but the clip."""
    trainer = learn("observed", 60, normalize_rewards=True)
    assert value(trainer, 1) == pytest.approx(1, abs=0.1)
    trainer = make("forever", normalize_rewards=True)
    for _ in range(20):
        trainer.step()
    # Discounted returns settle at 2, reached from 0 once in a run: their deviation is small.
    assert trainer.reward_scale.moments.mean.item() == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("memory", ["gru", "lstm", "transformer"])
def test_a_sign_that_must_be_remembered(memory):
    trainer = learn("remembered", 30, gamma=0.9, memory=memory, memory_size=16, entropy_coef=0.05)
    assert trainer.statistics.means()["return_mean"] > 0.9


def test_no_memory_no_sign():
    trainer = learn("remembered", 30, gamma=0.9, entropy_coef=0.05)
    assert trainer.statistics.means()["return_mean"] < 0.9


def test_two_choices_at_once():
    trainer = learn("pair", 60)
    assert trainer.statistics.means()["return_mean"] > 0.9


def test_an_action_that_is_a_number():
    trainer = learn("reached", 150, learning_rate=1e-2)
    assert trainer.statistics.means()["return_mean"] > 0.8


def test_illegal_actions_are_never_taken():
    trainer = learn("masked", 3)
    assert (trainer.rollout.actions == 1).all()
    assert probability(trainer, 1, 0) == 0


def test_a_minibatch_of_one():
    task = Task("probe/Probe-v0", 10**6, 1, env_kwargs={"kind": "both"})
    trainer = PPO(task, dataclasses.replace(PROBE, num_steps=4, num_minibatches=4))
    assert all(np.isfinite(v) for v in trainer.step().values())


def test_an_update_ends_where_the_policy_has_moved_far():
    far = make("both", target_kl=1e-9, learning_rate=1e-2)
    assert far.step()["epochs"] == 1
    assert make("both").step()["epochs"] == 4


@pytest.mark.parametrize(
    "env_id", ["PointMaze", "TSP", "SlidingTile", "KnowledgeSearch", "PressurePlates"]
)
def test_environments_of_all_kinds(env_id):
    task = Task(f"spelunk/{env_id}-v0", total_steps=4096, num_envs=8)
    trainer = PPO(task, Config(num_steps=16))
    metrics = trainer.step()
    assert all(np.isfinite(v) for v in metrics.values())
    for deterministic in (False, True):
        agent = trainer.agent()
        agent.deterministic = deterministic
        scores = [evaluate(agent, task.env_id, episodes=4).returns for _ in range(2)]
        assert (scores[0] == scores[1]).all()


@pytest.mark.parametrize("network", ["mlp", "flat", "cnn", "set", "graph"])
def test_networks_by_name(network):
    task = Task("spelunk/DoorKey-v0", total_steps=4096, num_envs=8, env_kwargs={"size": 5})
    trainer = PPO(task, Config(num_steps=8, network=network))
    before = [p.clone() for p in trainer.network.parameters()]
    trainer.step()
    assert all((a != b).any() for a, b in zip(before, trainer.network.parameters(), strict=True))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's compiler, by itself
def test_a_compiled_network_learns_the_same():
    task = Task("spelunk/BernoulliBandit-v0", total_steps=4096, num_envs=8)
    metrics = []
    for compiled in (False, True):
        trainer = PPO(task, Config(num_steps=8, hidden=(8,), compile=compiled))
        metrics.append([trainer.step() for _ in range(2)][-1])
    assert metrics[0] == pytest.approx(metrics[1], abs=1e-5)


def test_what_cannot_be():
    with pytest.raises(UnsupportedFaceError, match="take turns"):
        PPO(Task("spelunk/TicTacToe-v0", 1000, 8), Config())
    with pytest.raises(InvalidArgumentError, match="num_minibatches is 64"):
        make("both", memory="gru", num_minibatches=64)
    with pytest.raises(InvalidArgumentError, match="set shared"):
        make("both", memory="gru", shared=False)
    with pytest.raises(InvalidArgumentError, match="network must be one"):
        make("both", network="resnet")


RESUMED = [
    {},
    {"memory": "gru"},
    {"memory": "transformer", "memory_window": 4},
    {"normalize_rewards": True, "normalize_observations": True, "optimizer": "rmsprop"},
]


@pytest.mark.parametrize("mode", ["SAME_STEP", "NEXT_STEP"])
@pytest.mark.parametrize("switches", RESUMED, ids=name)
def test_resume_is_exact(switches, mode):
    task = Task(
        "spelunk/DoorKey-v0", 10**5, 16, env_kwargs={"size": 5, "max_episode_steps": 37},
        autoreset_mode=mode,
    )  # fmt: skip
    config = Config(num_steps=16, **switches)
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
