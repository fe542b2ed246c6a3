import gymnasium
import numpy as np
import pytest

from spelunk.envs.bandit.combinatorial import CombinatorialBandit
from spelunk.envs.kernel import (
    InvalidActionError,
    InvalidArgumentError,
    KernelVectorEnv,
    UnparseableActionError,
)

STRUCTURES = [
    {"structure": "top-k", "size": 7, "k": 3},
    {"structure": "matching", "size": 3},
    {"structure": "path", "size": 3},
]


@pytest.mark.parametrize("noise", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda s: s["structure"])
def test_the_best_choice_is_the_best_of_all(structure, noise):
    env = CombinatorialBandit(**structure, noise=noise, horizon=4)
    rows = env.action_space.enumerate()
    states = env.model.reset(range(40))
    for state in states:
        assert state["best_mean"] == pytest.approx((rows @ state["means"]).max())
        best = env.action_space.maximise(state["means"])
        assert best @ state["means"] == pytest.approx(state["best_mean"])
    assert env.best_return(3) == pytest.approx(4 * states["best_mean"][3])


def test_pairs_and_arms_that_cost_are_left_out_of_a_matching():
    env = CombinatorialBandit(
        structure="matching", size=2, noise="gaussian", means=[-1.0, 2.0, -3.0, -0.5]
    )
    assert env.model.reset([0])["best_mean"][0] == 2.0


@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda s: s["structure"])
def test_observation_and_regret_are_recounted_from_the_feedback(structure):
    env = CombinatorialBandit(**structure, horizon=20)
    env.reset(seed=1)
    rng, rows = np.random.default_rng(0), env.action_space.enumerate()
    means = env.state["means"].copy()
    pulls, totals, regret = np.zeros(env.arms), np.zeros(env.arms), 0.0
    for t in range(20):
        action = env.sample_action(rng)
        observation, reward, terminated, _, info = env.step(action)
        paid = observation[:, 3]
        assert (paid[action == 0] == 0).all()
        assert reward == pytest.approx(paid.sum())
        pulls, totals = pulls + action, totals + paid
        gap = (rows @ means).max() - action @ means
        regret += gap
        assert info["regret"] == pytest.approx(gap)
        assert info["pseudo_regret"] == pytest.approx(regret)
        np.testing.assert_allclose(observation[:, 0], pulls / 20, rtol=1e-6)
        average = np.divide(totals, pulls, out=np.zeros(env.arms), where=pulls > 0)
        np.testing.assert_allclose(observation[:, 1], average, rtol=1e-6)
        assert (observation[:, 2] == action).all()
        assert terminated == (t == 19)


@pytest.mark.parametrize("noise", ["bernoulli", "gaussian"])
def test_base_arms_pay_their_means(noise):
    means = [0.1, 0.5, 0.9]
    env = KernelVectorEnv(CombinatorialBandit, 4096, size=3, k=2, means=means, noise=noise)
    env.reset(seed=0)
    paid = []
    for _ in range(5):
        observations = env.step(np.tile(np.array([1, 0, 1], np.int8), (4096, 1)))[0]
        paid.append(observations[:, :, 3])
    paid = np.concatenate(paid)
    spread = 1.0 if noise == "gaussian" else 0.5
    assert np.abs(paid.mean(axis=0) - [0.1, 0.0, 0.9]).max() < 4 * spread / np.sqrt(len(paid))
    if noise == "gaussian":
        assert paid[:, [0, 2]].std() == pytest.approx(np.sqrt(1 + 0.4**2), abs=0.03)


def test_rows_that_break_the_structure_are_refused_and_nothing_happens():
    env = CombinatorialBandit(size=4, k=2)
    env.reset(seed=0)
    before = env.snapshot()
    for wrong in ([1, 1, 1, 0], [1, 0, 0, 0], [2, 0, 0, 0], [1, 1], [0.5, 0.5, 1, 0]):
        with pytest.raises(InvalidActionError):
            env.step(np.array(wrong))
        assert env.snapshot() == before
    batch = KernelVectorEnv(CombinatorialBandit, 3, size=4, k=2)
    batch.reset(seed=0)
    actions = batch.sample_actions(np.random.default_rng(0))
    actions[1] = 1
    with pytest.raises(InvalidActionError, match=r"environment 1.*Budget\(n=4, k=2"):
        batch.step(actions)


def test_asynchronous_environments_carry_the_rows():
    def make():
        return CombinatorialBandit(size=4, k=2)

    env = gymnasium.vector.AsyncVectorEnv([make, make])
    env.reset(seed=0)
    env.action_space.seed(0)
    assert env.step(env.action_space.sample())[0].shape == (2, 4, 4)
    env.close()


def test_words():
    env = CombinatorialBandit(structure="matching", size=2, means=[1.0, 0.0, 1.0, 1.0], horizon=3)
    env.reset(seed=0)
    assert env.describe() == (
        "Pair 2 workers with 2 slots (worker-slot). You have chosen nothing yet. 3 rounds left."
    )
    for text in ("choose 1-1, 2-2", "Choose 2-2  1-1", "choose 1-2"):
        env.step(env.parse(text))
    assert env.describe() == (
        "Pair 2 workers with 2 slots (worker-slot). You have chosen: 1-1 2 times for 1.00 on "
        "average; 1-2 1 time for 0.00 on average; 2-2 2 times for 1.00 on average. 0 rounds left."
    )
    assert env.action_words(env.parse("choose nothing")) == "choose nothing"
    for wrong in ("", "choose", "choose 3-1", "pair 1-1", "choose nothing 1-1"):
        with pytest.raises(UnparseableActionError, match="choose 1-1"):
            env.parse(wrong)


@pytest.mark.parametrize(
    "arguments",
    [
        {"structure": "tree"},
        {"size": 1},
        {"k": 11},
        {"structure": "path", "k": 2},
        {"noise": "none"},
        {"means": [0.5, 0.5]},
        {"size": 2, "k": 1, "means": [0.5, 1.5]},
        {"horizon": 0},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError):
        CombinatorialBandit(**arguments)
