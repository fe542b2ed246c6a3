import numpy as np
import pytest

from spelunk.envs.bandit.linear import LinearBandit
from spelunk.envs.kernel import InvalidArgumentError


def linear_parts(states, features):
    return np.einsum("nad,nd->na", features.astype(float), states["theta"])


def test_arms_and_parameters_are_on_the_sphere_and_means_linear():
    env = LinearBandit(arms=6, dimension=4)
    states = env.model.reset(range(500))
    np.testing.assert_allclose(np.linalg.norm(states["features"], axis=2), 1, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(states["theta"], axis=1), 1)
    assert abs(states["features"].mean()) < 0.02
    np.testing.assert_allclose(states["means"], linear_parts(states, states["features"]))
    np.testing.assert_allclose(states["best_mean"], states["means"].max(axis=1))


def test_sparse_parameters_have_every_support_alike():
    states = LinearBandit(dimension=6, sparsity=2).model.reset(range(3000))
    assert ((states["theta"] != 0).sum(axis=1) == 2).all()
    np.testing.assert_allclose((states["theta"] != 0).mean(axis=0), 1 / 3, atol=0.03)
    np.testing.assert_allclose(np.linalg.norm(states["theta"], axis=1), 1)


@pytest.mark.parametrize("error", ["random", "truncate", "adversarial"])
def test_errors_of_the_model(error):
    env = LinearBandit(arms=20, dimension=5, misspecification=0.2, error=error)
    states = env.model.reset(range(200))
    linear = linear_parts(states, states["features"])
    errors = states["means"] - linear
    assert abs(errors).max() <= 0.2 + 1e-12
    if error == "random":
        assert abs(errors.mean()) < 0.01
        assert abs(errors.var() - 0.4**2 / 12) < 0.001
    elif error == "truncate":
        np.testing.assert_allclose(
            states["means"], np.sign(linear) * np.maximum(abs(linear) - 0.2, 0), atol=1e-12
        )
    else:
        assert set(np.unique(states["signs"])) == {-1, 1}
        aligned = np.einsum("nad,nd->na", states["features"].astype(float), states["signs"])
        np.testing.assert_allclose(errors, np.clip(0.2 * aligned, -0.2, 0.2), atol=1e-12)


def test_adversarial_errors_look_like_other_parameters_to_sparse_arms():
    """Least squares over the axes recovers θ + εσ, which overrates an arm along σ by ε(√d − 1)."""
    dimension, epsilon = 16, 0.1
    axes = np.vstack([np.eye(dimension), -np.eye(dimension)])
    env = LinearBandit(features=axes, misspecification=epsilon, error="adversarial")
    state = env.model.reset([4])[0]
    believed = np.linalg.lstsq(axes, state["means"], rcond=None)[0]
    np.testing.assert_allclose(believed, state["theta"] + epsilon * state["signs"])


def test_rewards_regret_and_observation():
    features = [[1, 0], [0, 1], [0.6, 0.8]]
    env = LinearBandit(
        features=features,
        theta=[0.5, -0.5],
        misspecification=0.1,
        error=[0.0, 0.1, -0.05],
        noise=0.0,
        horizon=4,
    )
    means = np.array([0.5, -0.4, -0.15])
    obs, _ = env.reset(seed=0)
    np.testing.assert_allclose(obs[:, :2], features)
    assert not obs[:, 2:].any()
    for t, action in enumerate([2, 0, 2, 1]):
        obs, reward, terminated, _, info = env.step(action)
        assert reward == pytest.approx(means[action], abs=1e-6)
        assert info["regret"] == pytest.approx(0.5 - means[action], abs=1e-6)
        assert terminated == (t == 3)
    np.testing.assert_allclose(obs[:, 2], [0.25, 0.25, 0.5])
    np.testing.assert_allclose(obs[:, 3], means, atol=1e-6)
    assert env.best_return(0) == pytest.approx(2.0)


def test_noise_has_its_deviation():
    env = LinearBandit(features=[[0.0], [1.0]], noise=0.5, horizon=4000)
    env.reset(seed=0)
    rewards = [env.step(0)[1] for _ in range(4000)]
    assert abs(np.mean(rewards)) < 0.03
    assert abs(np.std(rewards) - 0.5) < 0.02


def test_words():
    env = LinearBandit(features=[[1, 0], [0, 1]], theta=[1, 0], noise=0.0, horizon=3)
    env.reset(seed=0)
    env.step(env.parse("pull 1"))
    assert env.describe() == (
        "There are 2 arms: arm 1 (1.00, 0.00), 1 pull, mean reward 1.00; "
        "arm 2 (0.00, 1.00), 0 pulls. 2 pulls left."
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"arms": 1},
        {"dimension": 0},
        {"features": [1.0, 2.0]},
        {"features": [[1.0], [2.0]], "dimension": 2},
        {"features": [[1.0]]},
        {"theta": [[1.0]]},
        {"theta": [1.0], "dimension": 2},
        {"sparsity": 6},
        {"sparsity": 1, "theta": [1.0, 0.0]},
        {"misspecification": -0.1},
        {"error": "other"},
        {"error": [0.2] * 10, "misspecification": 0.1},
        {"error": [0.1], "misspecification": 0.1},
        {"noise": -1},
        {"horizon": 0},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match="|".join([*arguments, "arms"])):
        LinearBandit(**arguments)
