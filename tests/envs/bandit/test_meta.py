import numpy as np
import pytest

from spelunk.envs.bandit.meta import MetaBandit
from spelunk.envs.kernel import InvalidArgumentError


def test_the_observation_is_the_last_pull():
    env = MetaBandit(arms=3, family="gaussian", horizon=10)
    observation, _ = env.reset(seed=0)
    assert observation.tolist() == [0] * 5
    for t, action in enumerate([2, 0, 0, 1], start=1):
        observation, reward, _, _, info = env.step(action)
        expected = [*np.eye(3)[action], np.float32(reward), t / 10]
        np.testing.assert_allclose(observation, expected, rtol=1e-6)
        means = env.state["means"]
        assert info["regret"] == means.max() - means[action]


@pytest.mark.parametrize("family", ["bernoulli", "gaussian"])
def test_a_gap_lifts_one_arm_drawn_uniformly(family):
    env = MetaBandit(arms=4, family=family, gap=0.2, horizon=10)
    means = env.model.reset(range(2000))["means"]
    np.testing.assert_allclose(np.sort(means, axis=1), [[0.4, 0.4, 0.4, 0.6]] * 2000)
    counts = np.bincount(means.argmax(axis=1), minlength=4)
    assert abs(counts / 2000 - 0.25).max() < 0.05
    assert env.best_return(0) == pytest.approx(6.0)


def test_every_episode_is_another_bandit():
    env = MetaBandit(family="gaussian", spread=2.0)
    means = env.model.reset(range(2000))["means"]
    assert means.std() == pytest.approx(2.0, rel=0.05)
    env.reset(seed=0)
    first = env.state["means"].copy()
    env.reset()
    assert (env.state["means"] != first).all()


def test_rewards_follow_the_means():
    env = MetaBandit(arms=2, gap=1.0, horizon=50)
    env.reset(seed=0)
    best = int(env.state["means"].argmax())
    assert {env.step(best)[1] for _ in range(20)} == {1.0}
    assert {env.step(1 - best)[1] for _ in range(20)} == {0.0}


def test_one_pull():
    env = MetaBandit(horizon=1)
    env.reset(seed=0)
    assert env.step(0)[2:4] == (True, False)


@pytest.mark.parametrize(
    "arguments",
    [
        {"arms": 1},
        {"family": "poisson"},
        {"gap": -0.1},
        {"gap": 1.1},
        {"spread": -1},
        {"scale": -1},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match="|".join(arguments)):
        MetaBandit(**arguments)
