import numpy as np
import pytest

from spelunk.envs.bandit.lipschitz import LipschitzBandit
from spelunk.envs.kernel import InvalidArgumentError, UnparseableActionError


def expected_means(state, places, slope):
    """The highest cone above each place, written plainly."""
    means = []
    for place in places:
        heights = [
            height - slope * np.sqrt(((place - np.array(at)) ** 2).sum())
            for *at, height in state["peaks"].tolist()
        ]
        means.append(max(0.0, *heights))
    return np.array(means)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_means_regret_and_optimum(dimension):
    env = LipschitzBandit(dimension, lipschitz=1.5, noise="gaussian", deviation=0.0)
    env.reset(seed=dimension)
    rng = np.random.default_rng(0)
    places = rng.random((99, dimension)).astype(np.float32)
    means = expected_means(env.state, places.astype(float), 1.5)
    best = env.state["peaks"][:, -1].max()
    for place, mean in zip(places, means, strict=True):
        _, reward, _, _, info = env.step(place)
        assert reward == pytest.approx(mean, abs=1e-6)
        assert info["regret"] == pytest.approx(best - mean, abs=1e-6)
        assert info["regret"] >= 0
    top = env.state["peaks"][env.state["peaks"][:, -1].argmax(), :-1]
    assert env.step(top.astype(np.float32))[4]["regret"] == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(env.means(env.state, places), means, atol=1e-6)
    gaps = np.linalg.norm(places[:, None] - places, axis=2)
    assert (abs(means[:, None] - means) <= 1.5 * gaps + 1e-6).all()
    assert env.best_return(dimension) == pytest.approx(100 * best)


def test_bernoulli_rewards_win_as_often_as_the_mean():
    env = LipschitzBandit(peaks=[[0.25, 0.8], [1.0, 0.5]], lipschitz=1.0, horizon=4000)
    env.reset(seed=1)
    rewards = [env.step(np.array([0.45], np.float32))[1] for _ in range(4000)]
    assert set(rewards) == {0.0, 1.0}
    assert np.mean(rewards) == pytest.approx(0.6, abs=0.03)


def test_peaks_are_drawn_anew():
    peaks = LipschitzBandit(2, peaks=5).model.reset(range(1000))["peaks"]
    assert abs(peaks[..., :2].mean() - 0.5) < 0.02
    assert peaks[..., 2].min() >= 0.4
    assert peaks[..., 2].max() <= 0.9
    assert len(np.unique(peaks)) == peaks.size


def test_observation_is_recounted_in_cells():
    env = LipschitzBandit(2, cells=4, horizon=60)
    env.reset(seed=3)
    rng = np.random.default_rng(0)
    pulls, sums = np.zeros((4, 4)), np.zeros((4, 4))
    corners = [np.zeros(2, np.float32), np.ones(2, np.float32)]
    for t in range(60):
        place = corners[t] if t < 2 else rng.random(2).astype(np.float32)
        obs, reward, terminated, _, _ = env.step(place)
        cell = tuple(np.minimum((place * 4).astype(int), 3))
        pulls[cell] += 1
        sums[cell] += reward
        np.testing.assert_allclose(obs[:, 0], pulls.ravel() / 60, rtol=1e-6)
        np.testing.assert_allclose(obs[:, 1], (sums / np.maximum(pulls, 1)).ravel(), rtol=1e-6)
        assert terminated == (t == 59)


def test_words():
    env = LipschitzBandit(2, horizon=3)
    env.reset(seed=0)
    np.testing.assert_array_equal(env.parse("Try .25, 1.5"), np.array([0.25, 1], np.float32))
    with pytest.raises(UnparseableActionError, match=r"try 0\.50 0\.50"):
        env.parse("try 0.5")
    env.step(env.parse("try 0.11 0.99"))
    assert "around 0.15 0.95 1 time" in env.describe()


@pytest.mark.parametrize(
    "arguments",
    [
        {"dimension": 0},
        {"dimension": 4},
        {"dimension": 2, "peaks": [[0.5, 0.5]]},
        {"peaks": 0},
        {"peaks": []},
        {"peaks": [[0.5, 0.0]]},
        {"peaks": [[1.5, 0.5]]},
        {"peaks": [[0.5, float("nan")]]},
        {"peaks": "high"},
        {"lipschitz": 0},
        {"noise": "uniform"},
        {"deviation": -1},
        {"cells": 65},
        {"horizon": 0},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match="|".join(arguments)):
        LipschitzBandit(**arguments)
