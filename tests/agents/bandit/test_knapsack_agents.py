"""Algorithms for bandits with knapsacks."""

import math

import gymnasium
import numpy as np
import pytest

from spelunk.agents.bandit import simulation
from spelunk.agents.bandit.lagrange_bwk import LagrangeBwK
from spelunk.agents.bandit.primal_dual_bwk import PrimalDualBwK
from spelunk.agents.bandit.simulation import simulate
from spelunk.agents.bandit.ucb1 import UCB1
from spelunk.agents.core.agent import RandomAgent
from spelunk.agents.core.evaluation import EVALUATION_SEEDS, evaluate
from spelunk.envs.bandit.knapsack import KnapsackBandit
from spelunk.envs.kernel import UnsupportedFaceError

ID = "spelunk/KnapsackBandit-v0"
RUNS = 100


def share_of_optimum(agent, **kwargs):
    """The mean reward of whole episodes as a share of the linear programme's value."""
    env = KnapsackBandit(**kwargs)
    best = [env.best_return(EVALUATION_SEEDS + i) for i in range(RUNS)]
    return evaluate(agent, ID, episodes=RUNS, **kwargs).return_mean / np.mean(best)


def test_lagrange_bwk_comes_near_the_programme_and_others_do_not():
    kwargs = {"horizon": 10_000, "budget": 2500}
    learned = share_of_optimum(LagrangeBwK(), **kwargs)
    assert 0.8 < learned < 1.0
    assert learned > share_of_optimum(UCB1(), **kwargs) + 0.08
    assert learned > share_of_optimum(RandomAgent(), **kwargs) + 0.3


@pytest.mark.parametrize("family", ["arms", "pricing"])
def test_primal_dual_bwk_comes_near_the_programme(family):
    kwargs = {"family": family, "horizon": 4000, "budget": 1000}
    learned = share_of_optimum(PrimalDualBwK(), **kwargs)
    assert 0.92 < learned < 1.0
    assert learned > share_of_optimum(UCB1(), **kwargs) + 0.2


def test_a_lagrangian_learns_prices_too():
    kwargs = {"family": "pricing", "horizon": 10_000, "budget": 5000}
    assert share_of_optimum(LagrangeBwK(), **kwargs) > 0.75


def test_the_game_is_played_as_the_paper_says():
    """The sums of one run beside a second reckoning."""
    horizon, budget, arms, resources = 400, 150, 6, 2
    env = gymnasium.make_vec(
        ID, num_envs=1, autoreset_mode="SAME_STEP", horizon=horizon, budget=budget
    )
    agent, (seen, infos) = LagrangeBwK(), env.reset(seed=3)
    agent.start(env, 0)
    left, losses, slack = np.full(resources, budget), np.zeros(arms), np.zeros(resources + 1)
    rate = math.sqrt(2 * math.log(arms) / (arms * horizon))
    dual_rate = math.sqrt(8 * math.log(resources + 1) / horizon) * budget / horizon
    for _ in range(150):
        actions = agent.act(seen, infos).copy()
        np.testing.assert_allclose(agent._memories["losses"][0], losses, rtol=1e-4)
        seen, rewards, _, _, infos = env.step(actions)
        agent.update(actions, rewards, np.zeros(1, bool))
        shares = np.exp(-rate * (losses - losses.min()))
        weights = np.exp(-dual_rate * (slack - slack.min()))
        now = env.states["remaining"][0].copy()
        spare = np.append(1 - horizon / budget * (left - now), 0.0)
        payoff = rewards[0] + spare @ weights / weights.sum()
        loss = (2 - payoff) / (1 + horizon / budget)
        assert 0 <= loss <= 1
        losses[actions[0]] += loss / (shares[actions[0]] / shares.sum() + rate / 2)
        slack, left = slack + spare, now


@pytest.mark.parametrize("agent", [LagrangeBwK(), PrimalDualBwK()])
@pytest.mark.parametrize("family", ["arms", "pricing"])
def test_a_batch_does_the_same_as_a_simulation(agent, family, monkeypatch):
    kwargs = {"horizon": 60, "budget": 100, "family": family, "runs": 20, "seed": 5}
    simulated = simulate(agent, ID, recorded=60, **kwargs)
    monkeypatch.setattr(simulation, "BanditAgent", type(None))
    played = simulate(agent, ID, recorded=60, **kwargs)
    assert (simulated.actions == played.actions).all()
    assert len(np.unique(simulated.actions)) > 3
    np.testing.assert_allclose(simulated.regret, played.regret, atol=1e-9)


@pytest.mark.parametrize("agent", [LagrangeBwK(), PrimalDualBwK()])
def test_other_bandits_are_refused(agent):
    with pytest.raises(UnsupportedFaceError, match="plays KnapsackBandit"):
        simulate(agent, "spelunk/BernoulliBandit-v0", horizon=5, runs=2)
