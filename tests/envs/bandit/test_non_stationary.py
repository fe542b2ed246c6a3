import numpy as np
import pytest

from spelunk.envs.bandit.non_stationary import NonStationaryBandit
from spelunk.envs.kernel import InvalidArgumentError


def path(env, seed, actions):
    """The means before each pull, and the regrets of the pulls."""
    env.reset(seed=seed)
    means, regrets = [], []
    for action in actions:
        means.append(env.state["means"].copy())
        regrets.append(env.step(action)[4]["regret"])
    return np.array(means), np.array(regrets)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"change": "abrupt", "rate": 0.2}, {"change": "abrupt", "breakpoints": [7, 20]}],
)
def test_the_path_depends_on_the_seed_only(arguments):
    env = NonStationaryBandit(arms=4, horizon=50, **arguments)
    actions = np.random.default_rng(0).integers(4, size=50)
    means, regrets = path(env, 3, actions)
    others, _ = path(env, 3, np.zeros(50, int))
    assert (means == others).all()
    assert (means >= 0).all()
    assert (means <= 1).all()
    np.testing.assert_allclose(regrets, means.max(axis=1) - means[range(50), actions])
    assert env.best_return(3) == pytest.approx(means.max(axis=1).sum())


def test_drift_is_a_reflected_walk():
    env = NonStationaryBandit(means=[0.03, 0.5, 0.98], rate=0.05, horizon=400)
    means, _ = path(env, 0, np.zeros(400, int))
    steps = np.diff(means, axis=0)
    inside = (means[:-1] >= 0.05) & (means[:-1] <= 0.95)
    np.testing.assert_allclose(abs(steps[inside]), 0.05)
    low, high = means[:-1] < 0.05, means[:-1] > 0.95
    assert low.any()
    assert high.any()
    reflected = np.where(low, 0.05 - means[:-1], 1.95 - means[:-1])
    away = np.where(low, means[:-1] + 0.05, means[:-1] - 0.05)
    edge = low | high
    near = np.minimum(abs(means[1:] - reflected), abs(means[1:] - away))
    np.testing.assert_allclose(near[edge], 0, atol=1e-12)
    assert abs((steps[inside] > 0).mean() - 0.5) < 0.06


def test_breakpoints_are_kept_and_chance_has_its_rate():
    env = NonStationaryBandit(change="abrupt", breakpoints=[3, 8], horizon=12)
    means, _ = path(env, 1, np.zeros(12, int))
    changed = (np.diff(means, axis=0) != 0).all(axis=1)
    assert np.flatnonzero(changed).tolist() == [2, 7]
    env = NonStationaryBandit(change="abrupt", rate=0.1, horizon=4000)
    means, _ = path(env, 1, np.zeros(4000, int))
    assert abs((np.diff(means, axis=0) != 0).all(axis=1).mean() - 0.1) < 0.02


def test_arms_win_by_their_present_means():
    env = NonStationaryBandit(means=[0.0, 1.0], rate=0.0)
    env.reset(seed=0)
    assert [env.step(arm)[1] for arm in (0, 1, 1, 0)] == [0, 1, 1, 0]


def test_one_pull():
    env = NonStationaryBandit(horizon=1)
    env.reset(seed=0)
    assert env.step(0)[2]


@pytest.mark.parametrize(
    "arguments",
    [
        {"change": "sudden"},
        {"rate": 1.5},
        {"change": "abrupt", "breakpoints": [5, 5]},
        {"change": "abrupt", "breakpoints": [0]},
        {"breakpoints": [5]},
        {"means": [0.5, 1.5]},
        {"horizon": 2.5},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match="|".join(arguments)):
        NonStationaryBandit(**arguments)
