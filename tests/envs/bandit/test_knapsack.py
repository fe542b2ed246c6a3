import itertools

import numpy as np
import pytest

from spelunk.envs.bandit.knapsack import KnapsackBandit, static_optimum
from spelunk.envs.kernel import InvalidArgumentError, KernelVectorEnv


def test_the_optimum_mixes_at_most_two_arms_of_one_resource():
    rng = np.random.default_rng(0)
    for _ in range(20):
        pays, costs = np.append(rng.random(4), 0.0), np.append(rng.random(4), 0.0)
        value, duals = static_optimum(pays, costs[:, None], 20, 100)
        best = 0.0
        for i, j in itertools.combinations(range(5), 2):
            for share in np.linspace(0, 1, 2001):
                cost = share * costs[i] + (1 - share) * costs[j]
                pulls = min(100.0, 20 / cost) if cost > 0 else 100.0
                best = max(best, pulls * (share * pays[i] + (1 - share) * pays[j]))
        assert value == pytest.approx(best, rel=1e-3)
        assert value == pytest.approx(duals @ [20, 100])


def test_regret_and_what_is_left_make_up_the_optimum():
    env = KnapsackBandit(horizon=60, budget=40)
    env.reset(seed=0)
    params, rng = env.definition.params, np.random.default_rng(0)
    which, paid = int(env.state["which"]), 0.0
    duals = params.duals[which]
    expected = np.array([40.0, 40.0, 60.0])
    for _ in range(60):
        action = int(rng.integers(6))
        *_, terminated, _, info = env.step(action)
        paid += params.means[which, action]
        expected -= np.append(params.costs[which, action], 1.0)
        assert info["regret"] >= -1e-9
        total = paid + info["pseudo_regret"] + duals @ expected
        assert total == pytest.approx(env.best_return(0))
        if terminated:
            break


@pytest.mark.parametrize("family", ["arms", "pricing"])
def test_arms_pay_and_use_what_the_instance_says(family):
    batch = KernelVectorEnv(KnapsackBandit, 8000, family=family, instances=1, budget=10_000)
    params = batch.definition.params
    batch.reset(seed=0)
    for arm in range(6):
        before = batch.states["remaining"].copy()
        rewards = np.concatenate([batch.step(np.full(8000, arm))[1] for _ in range(3)])
        used = (before - batch.states["remaining"]).mean(axis=0) / 3
        assert abs(rewards.mean() - params.means[0, arm] * params.prices[arm]) < 0.015
        assert np.abs(used - params.costs[0, arm]).max() < 0.015
    if family == "pricing":
        assert (np.diff(params.means[0]) <= 0).all()
        assert (params.prices[:5] == [0.2, 0.4, 0.6, 0.8, 1.0]).all()
        assert batch.states["totals"].sum() > 0


def test_an_episode_ends_with_the_first_resource():
    env = KnapsackBandit(budget=3, horizon=500)
    for seed in range(10):
        env.reset(seed=seed)
        terminated = False
        while not terminated:
            assert (env.state["remaining"] > 0).all()
            terminated = env.step(0)[2]
        assert env.state["remaining"].min() == 0 or env.state["step_count"] == 500


def test_the_null_arm_only_lets_time_pass():
    env = KnapsackBandit(horizon=5)
    env.reset(seed=0)
    steps = [env.step(env.parse("wait")) for _ in range(5)]
    assert [step[1] for step in steps] == [0.0] * 5
    assert [step[2] for step in steps] == [False] * 4 + [True]
    assert (env.state["remaining"] == 50).all()


@pytest.mark.parametrize(
    "arguments",
    [
        {"family": "auction"},
        {"arms": 0},
        {"budget": 0},
        {"horizon": 0},
        {"resources": 0},
        {"family": "pricing", "resources": 2},
        {"instances": 0},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError):
        KnapsackBandit(**arguments)
