"""Index policies for restless arms, known and learned."""

import gymnasium
import numpy as np
import pytest

from spelunk.agents.bandit.whittle_index import IndexPolicy, WhittleIndexPolicy, places_of
from spelunk.agents.bandit.whittle_q_learning import Config, WhittleQLearning
from spelunk.agents.core.agent import RandomAgent
from spelunk.agents.core.evaluation import EVALUATION_SEEDS, evaluate
from spelunk.agents.core.trainer import Task
from spelunk.envs.bandit.restless import RestlessBandit
from spelunk.envs.kernel import InvalidArgumentError, UnsupportedFaceError

ID = "spelunk/RestlessBandit-v0"
WEAR = np.array([0.3, 0.2, 0.15, 0.1, 0.08, 0.05])
#: Machines that wear out, each at its own pace, and pay less and less, until they are repaired,
#: which takes a step without pay: who looks one step ahead never repairs.
MACHINES = {
    "transitions": [
        [
            [[1 - wear, wear, 0], [0, 1 - wear, wear], [0, 0, 1]],
            [[1, 0, 0]] * 3,
        ]
        for wear in WEAR
    ],
    "rewards": [[[1, 0.6, 0.1], [0, 0, 0]]] * len(WEAR),
    "k": 1,
}


def returns(agent, **kwargs):
    return evaluate(agent, ID, episodes=200, **kwargs).return_mean


def test_the_indices_come_near_the_bound_where_looking_ahead_pays():
    env = RestlessBandit(**MACHINES)
    bound = np.mean([env.best_return(EVALUATION_SEEDS + i) for i in range(200)])
    whittle = returns(WhittleIndexPolicy(), **MACHINES)
    assert 0.93 * bound < whittle <= bound
    myopic = returns(IndexPolicy(env.rewards[:, 1] - env.rewards[:, 0]), **MACHINES)
    assert whittle > 1.3 * max(myopic, returns(RandomAgent(), **MACHINES))


def test_the_arms_of_the_largest_indices_are_activated_unless_these_are_negative():
    env = gymnasium.make_vec(ID, num_envs=40, autoreset_mode="SAME_STEP", **MACHINES)
    seen, infos = env.reset(seed=0)
    places = places_of(seen)
    assert (places == env.states["places"]).all()
    agent = WhittleIndexPolicy()
    agent.start(env, 0)
    actions = agent.act(seen, infos)
    assert (agent.indices[:, 0] < 0).all()
    for row, action in zip(places, actions, strict=True):
        values = agent.indices[np.arange(6), row]
        assert action.sum() == (values.max() > 0)
        assert not action.any() or action[values.argmax()] == 1


def train(steps, config=None, seed=0, **kwargs):
    trainer = WhittleQLearning(Task(ID, steps, 32, kwargs, seed=seed), config or Config())
    while trainer.env_steps < steps:
        metrics = trainer.step()
    return trainer, metrics


@pytest.mark.parametrize("gamma", [0.9, 1.0])
def test_learned_indices_come_near_the_exact_ones(gamma):
    trainer, metrics = train(64_000, Config(gamma=gamma), horizon=2)  # Episodes end; arms do not.
    exact = RestlessBandit().whittle(min(gamma, 0.9999))
    assert np.corrcoef(trainer.indices.ravel(), exact.ravel())[0, 1] > 0.998
    assert np.abs(trainer.indices - exact).mean() < 0.015
    assert metrics["index_gap"] < 0.02
    assert {"return_mean", "epsilon"} <= set(metrics)


def test_learned_indices_are_worth_nearly_as_much_as_the_exact_ones():
    trainer, _ = train(96_000, **MACHINES)
    exact = RestlessBandit(**MACHINES).whittle()
    assert ((trainer.indices > 0) == (exact > 0)).mean() > 0.9
    learned = returns(trainer.agent(), **MACHINES)
    assert learned > 0.97 * returns(WhittleIndexPolicy(), **MACHINES)


def test_what_single_arms_pay_is_found_from_sums():
    """But for what an arm pays whatever it does."""
    trainer, _ = train(6400, Config(epsilon_end=1.0), **MACHINES)
    empty = np.zeros((0, 6), np.int64)
    pays = trainer._pays(empty, empty, np.zeros(0))
    exact = np.array(MACHINES["rewards"]).swapaxes(1, 2)
    shift = (pays - exact).mean(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(pays - shift, exact, atol=1e-3)


def test_resume_is_exact():
    task = Task(ID, 10**4, 8, {"arms": 4, "horizon": 7})
    straight, split, resumed = (WhittleQLearning(task, Config(num_steps=10)) for _ in range(3))
    for _ in range(3):
        straight.step()
        split.step()
    resumed.load_state(*split.state())
    for _ in range(3):
        assert straight.step() == resumed.step()
    assert (straight.indices == resumed.indices).all()
    assert (straight.indices != 0).all()


def test_what_does_not_fit_is_said():
    with pytest.raises(UnsupportedFaceError, match="RestlessBandit"):
        WhittleQLearning(Task("spelunk/BernoulliBandit-v0", 100, 2), Config())
    with pytest.raises(UnsupportedFaceError, match="RestlessBandit"):
        evaluate(WhittleIndexPolicy(), "spelunk/BernoulliBandit-v0", episodes=2)
    for wrong in ({"gamma": 2}, {"value_exponent": 1.0}, {"epsilon_end": -1}):
        with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
            WhittleQLearning(Task(ID, 100, 2), Config(**wrong))
