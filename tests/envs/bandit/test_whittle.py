import numpy as np
import pytest

from spelunk.envs.bandit.restless import RestlessBandit
from spelunk.envs.bandit.whittle import whittle_indices
from spelunk.envs.kernel import InvalidActionError, InvalidArgumentError, KernelVectorEnv


def by_bisection(transitions, rewards, gamma):
    """The subsidies at which value iteration is indifferent."""
    n = rewards.shape[1]
    found = np.zeros(n)
    for state in range(n):
        low, high = -20.0, 20.0
        for _ in range(50):
            subsidy, value = (low + high) / 2, np.zeros(n)
            for _ in range(400):
                worth = rewards + gamma * transitions @ value + np.array([[subsidy], [0.0]])
                value = worth.max(axis=0)
            if worth[0, state] > worth[1, state]:
                high = subsidy
            else:
                low = subsidy
        found[state] = (low + high) / 2
    return found


def test_indices_are_where_value_iteration_is_indifferent():
    rng = np.random.default_rng(0)
    for _ in range(6):
        transitions = rng.dirichlet(np.ones(3), (2, 3))
        rewards = np.stack([np.zeros(3), rng.random(3)])
        indices = whittle_indices(transitions, rewards, 0.9)
        np.testing.assert_allclose(indices, by_bisection(transitions, rewards, 0.9), atol=1e-6)


def test_without_a_future_an_index_is_the_reward():
    rng = np.random.default_rng(1)
    transitions, pays = rng.dirichlet(np.ones(4), (2, 4)), rng.random(4)
    indices = whittle_indices(transitions, np.stack([0 * pays, pays]), 0.0)
    np.testing.assert_allclose(indices, pays)


def test_arms_that_rest_have_gittins_indices():
    """An arm that rests while passive: its Whittle indices are Gittins'.

    The index of the good state is what it pays. From the poor state, left for the good one with
    chance p, it pays to go on while the good state lasts (it stays with chance s): the index is the
    discounted reward over the discounted time until the return to the poor state.
    """
    p, s, gamma, poor, good = 0.3, 0.6, 0.9, 0.1, 1.0
    transitions = np.array([np.eye(2), [[1 - p, p], [1 - s, s]]])
    rewards = np.array([[0, 0], [poor, good]])
    stay = gamma * p / (1 - gamma * s)
    indices = whittle_indices(transitions, rewards, gamma)
    np.testing.assert_allclose(indices, [(poor + stay * good) / (1 + stay), good])


def test_the_age_of_a_machine_has_its_closed_form():
    """A machine that costs its age in every step, until it is renewed.

    Renewed at age x, its cycle has x + 1 steps, costs x (x + 1) / 2 and x subsidies. On average
    that is as good as renewal at age x + 1 for a subsidy of (x + 1) (x + 2) / 2.
    """
    n, gamma = 30, 0.9999
    older = np.eye(n, k=1)
    older[-1, -1] = 1.0
    fresh = np.zeros((n, n))
    fresh[:, 0] = 1.0
    cost = -np.arange(n, dtype=float)
    indices = whittle_indices(np.stack([older, fresh]), np.stack([cost, cost]), gamma)
    ages = np.arange(6)
    np.testing.assert_allclose(indices[:6], (ages + 1) * (ages + 2) / 2, rtol=0.02)


def test_an_arm_that_is_not_indexable_has_none():
    """Lowering the subsidy turns a state passive again, as value iteration shows."""
    passive = [[1.0, 0.0, 0.0], [0.55, 0.03, 0.42], [0.11, 0.62, 0.27]]
    active = [[0.48, 0.45, 0.07], [0.0, 0.29, 0.71], [0.76, 0.23, 0.01]]
    transitions = np.array([passive, active])
    rewards = np.array([[0.0, 0.0, 0.0], [0.13, 0.8, 0.81]])
    assert np.isnan(whittle_indices(transitions, rewards, 0.9)).all()
    rests = []
    for subsidy in np.linspace(-3, 3, 121):
        value = np.zeros(3)
        for _ in range(300):
            worth = rewards + 0.9 * transitions @ value + np.array([[subsidy], [0.0]])
            value = worth.max(axis=0)
        rests.append(worth[0] > worth[1])
    assert not (np.array(rests[1:]) >= np.array(rests[:-1])).all()


# --- the environment -----------------------------------------------------------------------------


def test_arms_move_and_pay_as_their_chains_say():
    env = RestlessBandit(instance=3)
    batch = KernelVectorEnv(RestlessBandit, 20_000, instance=3)
    batch.reset(seed=0)
    before = batch.states["places"].copy()
    action = np.zeros(10, np.int8)
    action[[1, 4]] = 1
    _, rewards, *_ = batch.step(np.tile(action, (20_000, 1)))
    arm = np.arange(10)
    np.testing.assert_allclose(rewards, env.rewards[arm, action, before].sum(axis=1), rtol=1e-5)
    for which, place in ((0, 0), (1, 2), (4, 1)):
        after = batch.states["places"][before[:, which] == place, which]
        shares = np.bincount(after, minlength=3) / len(after)
        expected = env.transitions[which, action[which], place]
        assert np.abs(shares - expected).max() < 4 * 0.5 / np.sqrt(len(after))


def test_whittles_policy_is_near_the_bound_and_random_is_not():
    env = RestlessBandit(arms=20, k=5, horizon=60)
    batch = KernelVectorEnv(RestlessBandit, 300, arms=20, k=5, horizon=60)
    indices, arm = env.whittle(), np.arange(20)
    assert np.isfinite(indices).all()
    returns = {}
    for name in ("whittle", "random"):
        batch.reset(seed=0)
        total = np.zeros(300)
        for _ in range(60):
            actions = batch.sample_actions(np.random.default_rng(0))
            if name == "whittle":
                worth = indices[arm, batch.states["places"]]
                actions = (worth.argsort(axis=1).argsort(axis=1) >= 15).astype(np.int8)
            total += batch.step(actions)[1]
        returns[name] = total.mean()
    bound = np.mean([env.best_return(seed) for seed in range(300)])
    assert returns["random"] < 0.8 * bound
    assert 0.95 * bound < returns["whittle"] < 1.01 * bound


def test_too_many_at_once_are_refused():
    env = RestlessBandit(arms=4, k=2)
    env.reset(seed=0)
    with pytest.raises(InvalidActionError, match="k=2"):
        env.step(np.ones(4, np.int8))
    assert "activate at most 2" in env.describe()


@pytest.mark.parametrize(
    "arguments",
    [
        {"arms": 1},
        {"states": 1},
        {"arms": 3, "k": 4},
        {"horizon": 0},
        {"transitions": [[0.5]]},
        {"transitions": np.full((3, 2, 2, 2), 0.4)},
        {"arms": 4, "transitions": np.full((3, 2, 2, 2), 0.5)},
        {"rewards": [1.0]},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError):
        RestlessBandit(**arguments)
