import numpy as np
import pytest

from spelunk.agents.bandit import lin_ts, lin_ucb, square_cb
from spelunk.agents.bandit.lin_ts import LinTS
from spelunk.agents.bandit.lin_ucb import LinUCB
from spelunk.agents.bandit.simulation import simulate
from spelunk.agents.bandit.square_cb import SquareCB
from spelunk.envs.bandit.bernoulli import BernoulliBandit
from spelunk.envs.bandit.contextual import ContextualBandit
from spelunk.envs.kernel import UnsupportedFaceError

ID = "spelunk/ContextualBandit-v0"
RIDGE = 2.0


def begin(agent, model="shared", seed=0):
    """A fresh memory and the parameters, for 4 arms of dimension 3."""
    problem = agent.problem(ContextualBandit(arms=4, dimension=3, model=model), 100)
    memory, params = agent.remember(problem, [seed])[0], agent.params(problem)
    (agent.shared if model == "shared" else agent.disjoint).start(memory, params)
    return memory, params


def contexts(n, *shape):
    return np.random.default_rng(1).normal(size=(n, *shape)).astype(np.float32)


def ridge_regression(features, rewards):
    inverse = np.linalg.inv(RIDGE * np.eye(3) + features.T @ features)
    return inverse @ features.T @ rewards, inverse


def test_lin_ucb_follows_the_bounds_of_ridge_regression():
    memory, params = begin(LinUCB(exploration=0.7, ridge=RIDGE))
    seen, rewards = np.empty((0, 3)), np.empty(0)
    for obs in contexts(40, 4, 3):
        theta, inverse = ridge_regression(seen, rewards)
        widths = np.sqrt(np.einsum("ai,ij,aj->a", obs, inverse, obs))
        action = lin_ucb.choose_shared(memory, obs, params)
        assert action == (obs @ theta + 0.7 * widths).argmax()
        reward = float(np.sin(obs[action].sum()))
        seen, rewards = np.vstack([seen, obs[action]]), np.append(rewards, reward)
        lin_ucb.learn_shared(memory, action, reward, obs, params)
    theta, inverse = ridge_regression(seen, rewards)
    np.testing.assert_allclose(memory["theta"][0], theta, atol=1e-9)
    np.testing.assert_allclose(memory["inverse"][0], inverse, atol=1e-9)


def test_disjoint_arms_learn_alone():
    memory, params = begin(LinUCB(ridge=RIDGE), "disjoint")
    seen, rewards = [[] for _ in range(4)], [[] for _ in range(4)]
    for t, obs in enumerate(contexts(60, 3)):
        action = lin_ucb.choose_disjoint(memory, obs, params)
        seen[action].append(obs)
        rewards[action].append(t % 5)
        lin_ucb.learn_disjoint(memory, action, t % 5, obs, params)
    for arm in range(4):
        theta, inverse = ridge_regression(np.array(seen[arm], float), np.array(rewards[arm]))
        np.testing.assert_allclose(memory["theta"][arm], theta, atol=1e-9)
        np.testing.assert_allclose(memory["inverse"][arm], inverse, atol=1e-9)


def test_lin_ts_draws_from_the_posterior():
    memory, params = begin(LinTS(spread=0.3, ridge=RIDGE))
    seen, rewards = [], []
    for obs in contexts(25, 4, 3):
        action = lin_ts.choose_shared(memory, obs, params)
        seen.append(obs[action])
        rewards.append(float(obs[action, 0]))
        lin_ts.learn_shared(memory, action, rewards[-1], obs, params)
    theta, inverse = ridge_regression(np.array(seen, float), np.array(rewards))
    root = memory["root"][0]
    np.testing.assert_allclose(memory["theta"][0], theta, atol=1e-9)
    np.testing.assert_allclose(root @ root.T, inverse, atol=1e-9)
    draws = np.empty((20_000, 3))
    for row in draws:
        lin_ts.draw(memory, 0, params)
        row[:] = memory["drawn"]
    np.testing.assert_allclose(draws.mean(axis=0), theta, atol=0.005)
    np.testing.assert_allclose(np.cov(draws.T), 0.09 * inverse, atol=3e-4)


def test_square_cb_weighs_by_the_inverse_gap():
    memory, params = begin(SquareCB(scale=2.0))
    memory["predicted"] = [0.1, 0.5, 0.4, -0.2]
    counts = np.zeros(4)
    for _ in range(20_000):
        memory["time"] = 24
        counts[square_cb.weigh(memory, params)] += 1
    gamma = 2.0 * np.sqrt(4 * 25 / 3)
    expected = 1 / (4 + gamma * (0.5 - memory["predicted"]))
    expected[1] = 0
    expected[1] = 1 - expected.sum()
    np.testing.assert_allclose(counts / 20_000, expected, atol=0.012)


@pytest.mark.parametrize("model", ["shared", "disjoint"])
@pytest.mark.parametrize("agent", [LinUCB(0.5), LinTS(0.1), SquareCB(20.0)], ids=lambda a: type(a))
def test_regret_levels_off(agent, model):
    found = simulate(agent, ID, horizon=2000, runs=16, points=12, model=model, arms=5, dimension=5)
    curve = found.regret.mean(axis=0)
    half = np.searchsorted(found.times, 1000)
    random = 2000 * 0.28  # the mean gap of a uniformly random arm
    assert curve[-1] < 0.25 * random
    assert (curve[-1] - curve[half]) / (2000 - found.times[half]) < curve[half] / found.times[half]


def test_environments_without_features_are_refused():
    agent = LinUCB()
    with pytest.raises(UnsupportedFaceError, match="feature vectors"):
        agent.check(agent.problem(BernoulliBandit(), 10))
