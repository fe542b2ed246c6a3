import numpy as np
import pytest

from spelunk.agents.combinatorial.optimal_policy import OptimalPolicy, maximal
from spelunk.agents.combinatorial.restless_policies import MyopicPolicy, WhittlePolicy
from spelunk.envs.bandit.coupled import CoupledRestlessBandit
from spelunk.envs.bandit.coupled_instances import FAMILIES
from spelunk.envs.kernel import KernelVectorEnv, UnsupportedFaceError

from ...envs.bandit.test_coupled import optimum


def solved(**arguments):
    env = KernelVectorEnv(CoupledRestlessBandit, 1, **arguments)
    policy = OptimalPolicy()
    policy.start(env, 0)
    return policy


@pytest.mark.parametrize("family", FAMILIES)
def test_its_value_is_that_of_all_actions_at_all_joint_levels(family):
    policy = solved(family=family, arms=4, budget=2, horizon=6, instance=1)
    _, values = optimum(policy.problem)
    assert policy.value == pytest.approx(values.mean(), rel=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_it_earns_its_value(family):
    arguments = {"family": family, "arms": 5, "budget": 2, "horizon": 12}
    earned = {}
    for policy in (OptimalPolicy(), WhittlePolicy(), MyopicPolicy()):
        env = KernelVectorEnv(CoupledRestlessBandit, 1500, autoreset_mode="SAME_STEP", **arguments)
        observations, infos = env.reset(seed=7)
        policy.start(env, 0)
        returns = np.zeros(len(observations))
        for _ in range(12):
            observations, rewards, *_, infos = env.step(policy.act(observations, infos))
            returns += rewards
        earned[type(policy)] = returns
    returns, value = earned[OptimalPolicy], solved(**arguments).value
    assert abs(returns.mean() - value) < 4 * returns.std() / np.sqrt(len(returns))
    for other in (WhittlePolicy, MyopicPolicy):
        assert earned[other].mean() < returns.mean() + 1.0


def test_rows_that_can_be_added_to_are_left_out():
    rows = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 1]], np.int8)
    assert maximal(rows).tolist() == [[1, 1, 0], [0, 0, 1]]


def test_many_arms_are_refused():
    with pytest.raises(UnsupportedFaceError, match="at most 10 arms; got 11"):
        solved(arms=11)
