import sys

import numpy as np
import pytest

from spelunk.envs.bandit.contextual import ContextualBandit
from spelunk.envs.kernel import InvalidArgumentError

X = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [2, 2]], float)
Y = np.array(["low", "high", "high", "low", "mid"])


def play(env, seed, actions):
    """Observations before, rewards and regrets of actions."""
    obs, _ = env.reset(seed=seed)
    seen, rewards, regrets = [], [], []
    for action in actions:
        seen.append(obs)
        obs, reward, terminated, _, info = env.step(action)
        rewards.append(reward)
        regrets.append(info["regret"])
    assert terminated == (len(actions) == env.horizon)
    assert info["pseudo_regret"] == pytest.approx(sum(regrets))
    return np.array(seen), np.array(rewards), np.array(regrets)


@pytest.mark.parametrize("model", ["shared", "disjoint"])
def test_means_and_regrets_are_products_with_the_parameters(model):
    env = ContextualBandit(arms=4, dimension=3, model=model, noise=0.0, horizon=50)
    actions = np.random.default_rng(0).integers(4, size=50)
    seen, rewards, regrets = play(env, 5, actions)
    theta = env.state["theta"]
    means = seen @ theta.T if model == "disjoint" else seen @ theta[0]
    taken = means[np.arange(50), actions]
    np.testing.assert_allclose(rewards, taken, atol=1e-6)
    np.testing.assert_allclose(regrets, means.max(axis=1) - taken, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(theta, axis=1), 1)
    assert (np.linalg.norm(seen, axis=-1) <= 1).all()


def test_features_are_uniform_and_new_in_each_round():
    env = ContextualBandit(arms=2, dimension=4, noise=0.0, horizon=2000)
    seen, _, _ = play(env, 1, np.zeros(2000, int))
    assert abs(seen.mean()) < 0.02
    assert abs(seen.var() - 1 / 12) < 0.005  # uniform from −1/2 to 1/2
    assert len(np.unique(seen)) > 15_000


def test_noise_has_its_deviation():
    env = ContextualBandit(theta=[0.0, 0.0], noise=0.7, horizon=4000)
    _, rewards, regrets = play(env, 2, np.zeros(4000, int))
    assert abs(rewards.mean()) < 0.05
    assert abs(rewards.std() - 0.7) < 0.03
    assert not regrets.any()


@pytest.mark.parametrize("model", ["shared", "disjoint"])
def test_best_return_is_what_the_oracle_gets(model):
    env = ContextualBandit(arms=3, dimension=2, model=model, noise=0.0, horizon=30)
    obs, _ = env.reset(seed=9)
    total = 0.0
    for _ in range(30):
        theta = env.state["theta"]
        means = theta @ obs if model == "disjoint" else obs @ theta[0]
        obs, reward, _, _, info = env.step(int(means.argmax()))
        total += reward
        assert info["regret"] == 0
    assert env.best_return(9) == pytest.approx(total, abs=1e-4)


def test_rows_of_a_table_pay_for_their_class(tmp_path):
    np.savez(tmp_path / "table.npz", X=X, y=Y)
    rights = {tuple(row): sorted(set(Y)).index(label) for row, label in zip(X, Y, strict=True)}
    for data in ((X, Y), str(tmp_path / "table.npz")):
        env = ContextualBandit(data=data, horizon=200)
        assert env.table.names == ["high", "low", "mid"]
        actions = np.random.default_rng(1).integers(3, size=200)
        seen, rewards, regrets = play(env, 3, actions)
        right = [rights[tuple(row.tolist())] for row in seen]
        np.testing.assert_array_equal(rewards, right == actions)
        np.testing.assert_array_equal(regrets, 1 - rewards)
        assert len(np.unique(seen, axis=0)) == 5
        assert env.best_return(0) == 200
    assert env.parse("class mid") == 2


def test_digits():
    pytest.importorskip("sklearn")
    env = ContextualBandit(data="digits", horizon=5)
    assert env.table.rows.shape == (1797, 64)
    assert (env.table.rows.min(), env.table.rows.max()) == (0, 1)
    assert env.arms == 10
    obs, _ = env.reset(seed=0)
    right = int(env.table.labels[env.state["row"]])
    assert env.step(right)[1] == 1
    assert env.observation_space.contains(obs)


def test_digits_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(InvalidArgumentError, match="pip install"):
        ContextualBandit(data="digits")


def test_words():
    env = ContextualBandit(theta=[[1.0], [-1.0]], model="disjoint", noise=0.0, horizon=2)
    obs, _ = env.reset(seed=0)
    assert env.describe() == f"There are 2 arms. The context now: ({obs[0]:.2f}). 2 rounds left."
    env.step(env.parse("pull 2"))
    last = f"Your last answer, pull 2, paid {-obs[0]:.2f}."
    assert last in env.describe()


@pytest.mark.parametrize(
    "arguments",
    [
        {"arms": 1},
        {"dimension": 0},
        {"model": "other"},
        {"theta": [[1.0, 2.0]]},
        {"theta": [1.0, 2.0], "dimension": 3},
        {"theta": [float("nan")]},
        {"theta": [[1.0], [2.0]], "model": "disjoint", "arms": 3},
        {"noise": -1},
        {"horizon": 0},
        {"data": "letters"},
        {"data": 3},
        {"data": (X, Y[:-1])},
        {"data": (X, ["one"] * 5)},
        {"data": (np.full_like(X, np.inf), Y)},
        {"data": (X, Y), "arms": 3},
        {"data": (X, Y), "model": "disjoint"},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match="|".join(arguments)):
        ContextualBandit(**arguments)


def test_pickled_tables_are_refused(tmp_path):
    np.savez(tmp_path / "table.npz", X=X, y=Y.astype(object))
    with pytest.raises(InvalidArgumentError, match="could not be read"):
        ContextualBandit(data=str(tmp_path / "table.npz"))
