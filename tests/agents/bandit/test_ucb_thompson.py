import math

import numpy as np
import pytest

from spelunk.agents.bandit.simulation import simulate
from spelunk.agents.bandit.thompson import ThompsonSampling
from spelunk.agents.bandit.ucb1 import UCB1
from spelunk.agents.core.agent import RandomAgent
from spelunk.agents.core.evaluation import evaluate
from spelunk.envs.kernel import InvalidArgumentError

ID = "spelunk/BernoulliBandit-v0"
INSTANCES = [[0.6, 0.4], [0.9, 0.6], [0.9, 0.8, 0.8, 0.8], [0.1, 0.05, 0.05, 0.02, 0.02]]


def regret(agent, means, horizon, runs=128):
    """The mean regret after each round."""
    played = simulate(agent, ID, horizon=horizon, runs=runs, points=20 * horizon, means=means)
    return np.interp(np.arange(1, horizon + 1), played.times, played.regret.mean(axis=0))


@pytest.mark.parametrize("means", INSTANCES)
def test_ucb1_keeps_below_the_bound_of_its_theorem(means):
    """Theorem 1 of Auer et al.: 8 Σ ln n / Δ + (1 + π²/3) Σ Δ, at every n."""
    curve = regret(UCB1(), means, 2000)
    gaps = max(means) - np.array(means)
    n = np.arange(1, 2001)
    bound = 8 * np.log(n) * (1 / gaps[gaps > 0]).sum() + (1 + math.pi**2 / 3) * gaps.sum()
    assert (curve <= bound).all()


def test_ucb1_pulls_a_bad_arm_as_often_as_its_bonus_makes_it():
    """The bonus falls below a gap Δ after about 2 ln n / Δ² pulls."""
    curve = regret(UCB1(), [0.9, 0.6], 5000)
    growth = (curve[4999] - curve[499]) / math.log(10)
    assert 2 / 0.3 * 0.8 < growth < 2 / 0.3 * 2


def test_ucb1_computed_by_hand():
    """A bandit whose arms always and never win plays out the same every time."""

    def pulls_of_the_bad_arm(horizon):
        pulls, sums, bad = [1, 1], [0.0, 1.0], 1
        for t in range(2, horizon):
            bounds = [
                s / n + math.sqrt(2 * math.log(t) / n) for s, n in zip(sums, pulls, strict=True)
            ]
            arm = bounds.index(max(bounds))
            pulls[arm] += 1
            sums[arm] += arm
            bad += arm == 0
        return bad

    curve = regret(UCB1(), [0.0, 1.0], 300, runs=3)
    assert [curve[t - 1] for t in (2, 10, 100, 300)] == [
        pulls_of_the_bad_arm(t) for t in (2, 10, 100, 300)
    ]


@pytest.mark.parametrize("means", [[0.6, 0.4], [0.5, 0.4]])
def test_thompson_grows_like_the_lower_bound_of_lai_and_robbins(means):
    best, other = means
    divergence = other * math.log(other / best) + (1 - other) * math.log((1 - other) / (1 - best))
    constant = (best - other) / divergence
    curve = regret(ThompsonSampling(), means, 4000, runs=512)
    growth = (curve[3999] - curve[399]) / math.log(10)
    assert 0.4 * constant < growth < 1.5 * constant
    assert curve[-1] < constant * math.log(4000)


def test_both_learn_and_thompson_learns_faster():
    returns = {
        agent: evaluate(agent(), ID, episodes=512, horizon=200, means=[0.3, 0.4, 0.7]).return_mean
        for agent in (RandomAgent, UCB1, ThompsonSampling)
    }
    assert returns[UCB1] > returns[RandomAgent] + 20
    assert returns[ThompsonSampling] > returns[UCB1] + 5


def test_regret_is_asked_of_bandits_only():
    with pytest.raises(InvalidArgumentError, match="SlidingTile-v0 is no bandit"):
        simulate(UCB1(), "spelunk/SlidingTile-v0", horizon=5, runs=2)
