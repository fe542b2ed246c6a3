import numpy as np
import pytest

from spelunk.envs.bandit.duelling import DuellingBandit
from spelunk.envs.kernel import InvalidArgumentError

CONDORCET = [[0.5, 0.0, 0.45], [1.0, 0.5, 0.4], [0.55, 0.6, 0.5]]


def test_the_first_arm_wins_as_often_as_the_matrix_says():
    env = DuellingBandit(preferences=CONDORCET, horizon=6000)
    for pair in range(9):
        env.reset(seed=pair)
        rate = np.mean([env.step(pair)[1] for _ in range(3000)])
        assert rate == pytest.approx(CONDORCET[pair // 3][pair % 3], abs=0.04)


def test_regret_is_against_the_condorcet_winner():
    """Arm 2 beats both others, though arm 1 has the larger Borda score."""
    env = DuellingBandit(preferences=CONDORCET)
    env.reset(seed=0)
    gaps = [0.05, 0.1, 0.0]
    for pair in range(9):
        regret = env.step(pair)[4]["regret"]
        assert regret == pytest.approx((gaps[pair // 3] + gaps[pair % 3]) / 2)


@pytest.mark.parametrize("arms", [3, 4, 7])
def test_cycles_have_no_condorcet_winner_and_borda_decides(arms):
    states = DuellingBandit(arms, "cyclic").model.reset(range(300))
    tables = states["preferences"]
    np.testing.assert_allclose(tables + tables.transpose(0, 2, 1), 1)
    beaten = ((tables > 0.5) | np.eye(arms, dtype=bool)).all(axis=2)
    assert not beaten.any()
    scores = tables.mean(axis=2)
    assert (states["best"] == scores.argmax(axis=1)).all()
    np.testing.assert_allclose(states["gaps"], scores.max(axis=1, keepdims=True) - scores)
    assert len(np.unique(states["best"])) == arms


def test_bradley_terry_preferences_come_from_strengths():
    states = DuellingBandit(4).model.reset(range(300))
    tables = states["preferences"]
    odds = tables / (1 - tables)
    np.testing.assert_allclose(odds[:, 0, 1] * odds[:, 1, 2], odds[:, 0, 2], rtol=1e-9)
    assert states["condorcet"].all()
    assert (states["best"] == odds[:, :, 0].argmax(axis=1)).all()


def test_observation_is_recounted():
    env = DuellingBandit(arms=3, horizon=30)
    env.reset(seed=1)
    rng, wins = np.random.default_rng(0), np.zeros((3, 3))
    for _ in range(30):
        action = int(rng.integers(9))
        first, second = divmod(action, 3)
        observation, reward, terminated, _, _ = env.step(action)
        if reward:
            wins[first, second] += 1
        else:
            wins[second, first] += 1
        duels = wins + wins.T
        shares = np.divide(wins, duels, out=np.full((3, 3), 0.5), where=duels > 0)
        np.testing.assert_allclose(observation[..., 1], shares, rtol=1e-6)
        duels[np.diag_indices(3)] /= 2
        np.testing.assert_allclose(observation[..., 0], duels / 30, rtol=1e-6)
    assert terminated


def test_best_return_is_of_the_most_unequal_pair():
    assert DuellingBandit(preferences=CONDORCET, horizon=7).best_return(0) == 7.0


def test_one_duel():
    env = DuellingBandit(horizon=1)
    env.reset(seed=0)
    assert env.step(env.parse("2 against 5"))[2:4] == (True, False)


@pytest.mark.parametrize(
    "arguments",
    [
        {"arms": 1},
        {"arms": 2, "preferences": "cyclic"},
        {"preferences": "random"},
        {"preferences": [[0.5, 0.7], [0.7, 0.5]]},
        {"preferences": [[0.5, 1.7], [-0.7, 0.5]]},
        {"preferences": [[0.5]]},
        {"preferences": CONDORCET, "arms": 4},
        {"horizon": 0},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match="|".join(arguments)):
        DuellingBandit(**arguments)
