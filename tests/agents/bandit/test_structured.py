"""Algorithms for bandits with more than independent arms."""

from typing import Any

import gymnasium
import numpy as np
import pytest

from spelunk.agents.bandit import simulation
from spelunk.agents.bandit.cascade_ucb import CascadeUCB1
from spelunk.agents.bandit.combinatorial_ucb import CombinatorialUCB
from spelunk.agents.bandit.exp4 import EXP4
from spelunk.agents.bandit.rucb import RUCB
from spelunk.agents.bandit.sequential_halving import SequentialHalving
from spelunk.agents.bandit.simulation import simulate
from spelunk.agents.bandit.ucb1 import UCB1
from spelunk.agents.core.agent import RandomAgent, interact
from spelunk.agents.core.evaluation import evaluate
from spelunk.envs.kernel import InvalidArgumentError, UnsupportedFaceError

DUELS = "spelunk/DuellingBandit-v0"
CLICKS = "spelunk/ClickBandit-v0"
SETS = "spelunk/CombinatorialBandit-v0"
CONTEXTS = "spelunk/ContextualBandit-v0"
BEST = "spelunk/BestArm-v0"


def both_ways(monkeypatch, agent, id, **kwargs):
    """Runs in the compiled loop, and the same played by a batch."""
    simulated = simulate(agent, id, horizon=60, runs=20, seed=5, **kwargs)
    with monkeypatch.context() as patch:
        patch.setattr(simulation, "BanditAgent", type(None))
        played = simulate(agent, id, horizon=60, runs=20, seed=5, **kwargs)
    np.testing.assert_allclose(simulated.regret, played.regret, atol=1e-9)


def test_rucb_comes_to_duel_with_the_winner_alone(monkeypatch):
    both_ways(monkeypatch, RUCB(), DUELS, arms=4)
    early, late = (
        simulate(RUCB(), DUELS, horizon=h, runs=100, arms=4).regret[:, -1].mean()
        for h in (2000, 4000)
    )
    blind = simulate(RandomAgent(), DUELS, horizon=2000, runs=20, arms=4).regret[:, -1].mean()
    assert early < 0.35 * blind
    assert late - early < 0.5 * early


def test_cascade_ucb_learns_which_items_attract(monkeypatch):
    both_ways(monkeypatch, CascadeUCB1(), CLICKS, items=6, slots=2)
    means = [0.4, 0.35, 0.1, 0.1, 0.1, 0.1]
    kwargs = {"items": 6, "slots": 2, "means": means, "horizon": 3000}
    learned = simulate(CascadeUCB1(), CLICKS, runs=50, **kwargs).regret[:, -1].mean()
    blind = simulate(RandomAgent(), CLICKS, runs=10, **kwargs).regret[:, -1].mean()
    assert learned < 0.25 * blind


@pytest.mark.parametrize("structure", ["top-k", "matching", "path"])
def test_combinatorial_ucb_learns_in_every_structure(structure):
    kwargs = {"structure": structure, "horizon": 400, "runs": 4}
    learned = simulate(CombinatorialUCB(0.2), SETS, **kwargs).regret[:, -1].mean()
    blind = simulate(RandomAgent(), SETS, **kwargs).regret[:, -1].mean()
    assert learned < 0.5 * blind


def test_exp4_finds_the_expert_who_is_right(monkeypatch):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4))
    right = rng.normal(size=(3, 4))
    data = (x, (x @ right.T).argmax(axis=1))
    experts = np.concatenate([rng.normal(size=(15, 3, 4)), right[None]])
    both_ways(monkeypatch, EXP4(experts), CONTEXTS, data=data)
    runs = simulate(EXP4(experts), CONTEXTS, horizon=4000, runs=20, data=data)
    bound = 2.63 * np.sqrt(4000 * 3 * np.log(16))  # against the best expert, who is never wrong
    assert runs.regret[:, -1].mean() < bound
    last = (runs.regret[:, -1] - runs.regret[:, -9]).mean() / (runs.times[-1] - runs.times[-9])
    assert last < 0.15


def test_exp4_says_what_it_wants():
    with pytest.raises(InvalidArgumentError, match="a number of at least 2"):
        EXP4(np.zeros((3, 2)))
    with pytest.raises(UnsupportedFaceError, match="one context"):
        simulate(EXP4(), CONTEXTS, horizon=5, runs=2)


def test_halving_is_more_often_right_than_equal_shares():
    arguments: dict[str, Any] = {"means": [0.6, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3, 0.3], "budget": 160}
    halving = evaluate(SequentialHalving(), BEST, episodes=1024, **arguments).return_mean
    assert 0.65 < halving < 0.85
    rng = np.random.default_rng(0)
    equal = rng.binomial(20, arguments["means"], (1024, 8)).argmax(axis=1) == 0
    assert halving > equal.mean() + 0.03


def test_halving_spends_its_budget_and_no_more():
    env = gymnasium.make_vec(BEST, num_envs=8, autoreset_mode="SAME_STEP", arms=6, budget=70)
    pulls = np.zeros((8, 6), int)
    for step in interact(SequentialHalving(), env, env.reset(seed=0), 0):
        if (step.actions >= 6).all():
            break
        pulls[np.arange(8), step.actions] += 1
    assert (pulls.sum(axis=1) <= 70).all()
    assert (pulls.sum(axis=1) >= 55).all()
    # Three rounds: three arms, then one or two, and one at last.
    assert all(len(set(row)) >= 3 for row in pulls.tolist())


@pytest.mark.parametrize("agent", [RUCB(), CascadeUCB1(), SequentialHalving(), EXP4()])
def test_the_wrong_problem_is_refused(agent):
    with pytest.raises(UnsupportedFaceError):
        simulate(agent, "spelunk/BernoulliBandit-v0", horizon=5, runs=2)


def test_arms_are_not_rows():
    with pytest.raises(UnsupportedFaceError, match="Discrete"):
        simulate(UCB1(), CLICKS, horizon=5, runs=2)
