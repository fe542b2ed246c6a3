import gymnasium
import numpy as np
import pytest

from spelunk.envs.bandit.gaussian import GaussianBandit
from spelunk.envs.kernel import InvalidArgumentError

ID = "spelunk/GaussianBandit-v0"


@pytest.mark.parametrize("noise", ["gaussian", "student", "pareto"])
def test_arms_pay_their_means_with_noise_of_the_scale(noise):
    means = [-3.0, 0.0, 100.0]
    env = GaussianBandit(means=means, noise=noise, scale=0.5, tail=5.0, horizon=20_000)
    for arm, mean in enumerate(means):
        env.reset(seed=arm)
        rewards = np.array([env.step(arm)[1] for _ in range(20_000)])
        deviation = {"gaussian": 0.5, "student": 0.5 * np.sqrt(5 / 3), "pareto": 0.5 * 0.3227}
        assert abs(rewards.mean() - mean) <= 4 * deviation[noise] / np.sqrt(20_000)
        assert rewards.std() == pytest.approx(deviation[noise], rel=0.15)


def test_drawn_means_have_the_spread():
    means = GaussianBandit(arms=10, spread=3.0).model.reset(range(2000))["means"]
    assert abs(means.mean()) < 0.1
    assert means.std() == pytest.approx(3.0, rel=0.03)


def test_regret_and_best_return_where_all_means_are_negative():
    env = GaussianBandit(means=[-2.0, -1.0, -5.0], horizon=8)
    env.reset(seed=0)
    total = 0.0
    for action, gap in [(0, 1.0), (1, 0.0), (2, 4.0)]:
        info = env.step(action)[4]
        total += gap
        assert (info["regret"], info["pseudo_regret"]) == (gap, total)
    assert env.best_return(0) == -8.0


def test_observation_is_recounted_from_the_rewards():
    env = GaussianBandit(arms=3, horizon=40)
    observation, _ = env.reset(seed=3)
    assert (observation == 0).all()
    rng = np.random.default_rng(0)
    pulls, sums = np.zeros(3), np.zeros(3)
    for t in range(40):
        action = int(rng.integers(3))
        observation, reward, terminated, _, _ = env.step(action)
        pulls[action] += 1
        sums[action] += reward
        np.testing.assert_allclose(observation[:, 0], pulls / 40, rtol=1e-6)
        np.testing.assert_allclose(observation[:, 1], sums / np.maximum(pulls, 1), rtol=1e-5)
        assert terminated == (t == 39)


def test_one_pull():
    env = GaussianBandit(horizon=1)
    env.reset(seed=0)
    assert env.step(0)[2:4] == (True, False)


def test_heavy_tails_stay_in_the_space_and_in_the_picture():
    env = GaussianBandit(noise="pareto", tail=1.01, scale=1e6, horizon=300)
    env.reset(seed=0)
    for _ in range(300):
        observation, reward, *_ = env.step(0)
        assert np.isfinite(reward)
        assert observation in env.observation_space
    assert env.draw_state(env.state).shape == (288, 392, 3)


def test_words():
    env = GaussianBandit(means=[0.5, 1.0], scale=0.0, horizon=3)
    env.reset(seed=0)
    for _ in range(2):
        env.step(env.parse("pull 2"))
    assert env.describe() == (
        "There are 2 arms. You have pulled: arm 2 2 times for 1.00 on average. 1 pull left."
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"arms": 1},
        {"arms": 3, "means": [0, 1]},
        {"means": [0, float("inf")]},
        {"noise": "cauchy"},
        {"tail": 1.0},
        {"scale": -1},
        {"spread": float("nan")},
        {"horizon": 0},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match="|".join(arguments)):
        GaussianBandit(**arguments)


def test_thousands_at_once():
    env = gymnasium.make_vec(ID, num_envs=4096, means=[0.0, 2.0])
    env.reset(seed=0)
    rewards = env.step(np.ones(4096, int))[1]
    assert rewards.mean() == pytest.approx(2.0, abs=0.07)
    assert rewards.std() == pytest.approx(1.0, abs=0.05)
