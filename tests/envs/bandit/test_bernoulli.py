import gymnasium
import numpy as np
import pytest

from spelunk.envs.bandit.bernoulli import BernoulliBandit
from spelunk.envs.kernel import InvalidArgumentError, UnparseableActionError

ID = "spelunk/BernoulliBandit-v0"


def test_arms_win_as_often_as_their_means_say():
    means = [0.0, 0.15, 0.5, 0.9, 1.0]
    env = gymnasium.make_vec(ID, num_envs=4096, means=means, horizon=50)
    env.reset(seed=0)
    for arm, mean in enumerate(means):
        rewards = np.concatenate([env.step(np.full(4096, arm))[1] for _ in range(8)])
        assert set(np.unique(rewards)) <= {0.0, 1.0}
        deviation = np.sqrt(mean * (1 - mean) / len(rewards))
        assert abs(rewards.mean() - mean) <= 4 * deviation


def test_drawn_means_are_uniform_and_differ_between_episodes():
    env = BernoulliBandit(arms=10)
    means = env.model.reset(range(2000))["means"]
    assert abs(means.mean() - 0.5) < 0.01
    assert abs(means.var() - 1 / 12) < 0.003
    env.reset(seed=1)
    first = env.state["means"].copy()
    env.reset()
    assert (env.state["means"] != first).all()


def test_regret_is_the_gap_of_the_arm_pulled_whatever_it_paid():
    env = BernoulliBandit(means=[0.2, 0.7, 0.4])
    env.reset(seed=0)
    total = 0.0
    for action, gap in [(0, 0.5), (2, 0.3), (1, 0.0), (0, 0.5)]:
        info = env.step(action)[4]
        total += gap
        assert info["regret"] == pytest.approx(gap)
        assert info["pseudo_regret"] == pytest.approx(total)
    assert env.reset()[1]["pseudo_regret"] == 0.0


def test_observation_is_recounted_from_the_rewards():
    env = BernoulliBandit(arms=3, horizon=40)
    env.reset(seed=3)
    rng = np.random.default_rng(0)
    pulls, wins = np.zeros(3), np.zeros(3)
    for t in range(40):
        action = int(rng.integers(3))
        observation, reward, terminated, truncated, _ = env.step(action)
        pulls[action] += 1
        wins[action] += reward
        np.testing.assert_allclose(observation[:, 0], pulls / 40, rtol=1e-6)
        shares = np.divide(wins, pulls, out=np.full(3, 0.5), where=pulls > 0)
        np.testing.assert_allclose(observation[:, 1], shares, rtol=1e-6)
        assert terminated == (t == 39)
        assert not truncated


def test_one_round_bandits_terminate():
    env = BernoulliBandit(horizon=1)
    env.reset(seed=0)
    assert env.step(0)[2:4] == (True, False)


def test_words():
    env = BernoulliBandit(means=[0.0, 1.0], horizon=4)
    env.reset(seed=0)
    assert env.describe() == "There are 2 arms. You have pulled nothing yet. 4 pulls left."
    for text in ("pull 2", "Pull  2", "pull 1"):
        env.step(env.parse(text))
    assert env.describe() == (
        "There are 2 arms. You have pulled: arm 1 1 time with 0 wins; arm 2 2 times with 2 wins. "
        "1 pull left."
    )
    with pytest.raises(UnparseableActionError, match="pull 3"):
        env.parse("pull 3")


def test_best_return_is_the_oracles():
    assert BernoulliBandit(means=[0.2, 0.8], horizon=20).best_return(0) == pytest.approx(16.0)
    env = BernoulliBandit(horizon=10)
    env.reset(seed=7)
    assert env.best_return(7) == pytest.approx(10 * env.state["means"].max())


@pytest.mark.parametrize(
    "arguments",
    [
        {"arms": 1},
        {"arms": 2.5},
        {"arms": 3, "means": [0.1, 0.2]},
        {"means": [0.5]},
        {"means": [0.5, 1.5]},
        {"means": [0.5, float("nan")]},
        {"means": "high"},
        {"horizon": 0},
        {"horizon": True},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match=r"arms|means|horizon"):
        BernoulliBandit(**arguments)
