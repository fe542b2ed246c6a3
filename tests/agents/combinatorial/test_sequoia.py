import gymnasium
import numpy as np
import pytest

from spelunk.agents.combinatorial.q_argmax import evaluate, read_layers
from spelunk.agents.combinatorial.restless_policies import (
    GreedyPolicy,
    MyopicPolicy,
    NullPolicy,
    SamplingPolicy,
    WhittlePolicy,
)
from spelunk.agents.combinatorial.sequoia import Config, Sequoia
from spelunk.agents.core.trainer import Task
from spelunk.envs.bandit.coupled import CoupledRestlessBandit
from spelunk.envs.bandit.coupled_instances import FAMILIES, LEVELS
from spelunk.envs.kernel import KernelVectorEnv, UnsupportedFaceError

ID = "spelunk/CoupledRestlessBandit-v0"


def batch(n=64, **arguments):
    env = KernelVectorEnv(CoupledRestlessBandit, n, autoreset_mode="SAME_STEP", **arguments)
    return env, env.reset(seed=5000)


def play(agent, **arguments):
    env, (observations, infos) = batch(200, **arguments)
    agent.start(env, 0)
    total = 0.0
    for _ in range(env.prototype.horizon):
        observations, rewards, *_, infos = env.step(agent.act(observations, infos))
        total += rewards.mean()
    return total


@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_myopic_policy_is_the_best_of_all_actions(family, few):
    env, seen = batch(8, family=family, arms=8)
    problem = env.prototype
    rows = problem.action_space.enumerate()
    if not few:
        vars(problem.instance.space)["listed"] = None  # As of a larger set.
    levels = problem.levels(seen[0])
    agents = {"myopic": MyopicPolicy(), "greedy": GreedyPolicy(), "sampling": SamplingPolicy()}
    values = {}
    for name, agent in agents.items():
        agent.start(env, 0)
        actions = agent.act(*seen)
        assert actions in env.action_space
        values[name] = problem.expected_rewards(levels, actions)
    best = [problem.expected_rewards(row[None], rows).max() for row in levels]
    np.testing.assert_allclose(values["myopic"], best, atol=1e-6)
    assert (values["greedy"] <= np.array(best) + 1e-9).all()
    assert values["sampling"].mean() > 0.9 * np.mean(best)


@pytest.mark.parametrize("family", FAMILIES)
def test_policies_that_look_ahead_earn_more(family):
    null, myopic, whittle = (
        play(agent, family=family) for agent in (NullPolicy(), GreedyPolicy(), WhittlePolicy())
    )
    assert null < 0.5 * myopic
    assert whittle > (0.9 if family == "interventions" else 1.1) * myopic


def test_other_environments_are_refused():
    env = gymnasium.make_vec("spelunk/BernoulliBandit-v0", num_envs=2)
    env.reset(seed=0)
    with pytest.raises(UnsupportedFaceError, match="CoupledRestlessBandit"):
        NullPolicy().start(env, 0)


PROBLEM = {"family": "capacity", "arms": 5, "budget": 2, "horizon": 10}


def make(argmax="enumerate", **config):
    return Sequoia(Task(ID, 800, 2, PROBLEM, seed=1), Config(argmax=argmax, **config))


def test_pretraining_fits_expected_next_rewards():
    trainer = make(pretraining_epochs=600)
    problem, rng = trainer.problem, np.random.default_rng(0)
    levels = rng.integers(LEVELS, size=(200, problem.arms))
    rows = np.array([problem.action_space.draw(rng) for _ in levels])
    inputs = np.concatenate([rows, levels / (LEVELS - 1), rng.random((200, 1))], axis=1)
    found = evaluate(read_layers(trainer.network), inputs)
    wanted = problem.expected_rewards(levels, rows)
    assert np.corrcoef(found, wanted)[0, 1] > 0.9


def test_it_learns_more_than_to_look_one_step_ahead():
    trainer = make()
    while trainer.env_steps < 800:
        metrics = trainer.step()
    assert {"return_mean", "loss", "epsilon"} <= set(metrics)
    agent = trainer.agent()
    assert play(agent, **PROBLEM) > 0.9 * play(GreedyPolicy(), **PROBLEM)


def test_it_goes_on_where_it_stopped():
    first, second = make(argmax="swap"), make(argmax="swap")
    for _ in range(3):
        first.step()
    arrays, meta = first.state()
    second.load_state({k: np.array(v) for k, v in arrays.items()}, meta)
    for _ in range(6):
        assert first.step() == second.step()
    for a, b in zip(first.network.parameters(), second.network.parameters(), strict=True):
        assert (a == b).all()


def test_the_programme_trains_like_enumeration():
    one, other = (
        make(argmax, hidden=(4, 4), pretraining_epochs=50) for argmax in ("milp", "enumerate")
    )
    for trainer in (one, other):
        trainer.step()
    for a, b in zip(one.network.parameters(), other.network.parameters(), strict=True):
        np.testing.assert_allclose(a.detach(), b.detach(), atol=1e-4)
