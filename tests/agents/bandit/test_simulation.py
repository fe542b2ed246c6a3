import gymnasium
import numpy as np
import pytest

from spelunk.agents import registry
from spelunk.agents.bandit import simulation
from spelunk.agents.bandit.simulation import simulate
from spelunk.agents.bandit.ucb1 import UCB1
from spelunk.agents.core.agent import interact
from spelunk.envs.kernel import InvalidArgumentError, UnsupportedFaceError
from spelunk.envs.search.sliding_tile import SlidingTile

ID = "spelunk/BernoulliBandit-v0"
MEANS = [0.9, 0.8, 0.5, 0.5, 0.5]
#: Mean regret after 2,000 rounds by which each must stay; uniform play comes to 520.
MOST = {
    "epsilon-greedy": 80, "greedy": 100, "explore-then-commit": 160,
    "successive-elimination": 500, "ucb1": 125, "ucb-v": 185, "kl-ucb": 30, "moss": 45,
    "bayes-ucb": 22, "discounted-ucb": 340, "thompson": 24, "gaussian-thompson": 100,
    "gittins": 18, "exp3": 200, "exp3-p": 270, "tsallis-inf": 50,
}  # fmt: skip


@pytest.mark.parametrize("name", MOST)
def test_an_algorithm_learns_and_does_the_same_in_a_batch_as_in_a_simulation(name, monkeypatch):
    agent = registry.entry(name).load()()
    runs = simulate(agent, ID, horizon=2000, runs=200, means=MEANS, seed=3)
    assert runs.regret[:, -1].mean() < MOST[name]
    short = {"horizon": 60, "runs": 30, "means": MEANS, "seed": 3, "recorded": 60}
    simulated = simulate(agent, ID, **short)
    monkeypatch.setattr(simulation, "BanditAgent", type(None))  # as though it had no kernels
    played = simulate(agent, ID, **short)
    assert (simulated.actions == played.actions).all()
    assert (simulated.paid == played.paid).all()
    assert (simulated.last_best == played.last_best).all()
    np.testing.assert_allclose(simulated.regret, played.regret)
    np.testing.assert_allclose(simulated.rewards, played.rewards)


def test_a_batch_starts_afresh_where_an_episode_ended():
    """With episodes of six rounds the seventh action is the first of another run."""
    agent = UCB1()
    env = gymnasium.make_vec(ID, num_envs=2, autoreset_mode="SAME_STEP", arms=3, horizon=6)
    steps = interact(agent, env, env.reset(seed=0), 0)
    actions = np.array([next(steps).actions.copy() for _ in range(9)])
    assert (actions[:3] == [[0, 0], [1, 1], [2, 2]]).all()
    assert (actions[6:9] == [[0, 0], [1, 1], [2, 2]]).all()


def test_runs_are_those_of_their_seeds_however_many_there_are():
    many = simulate(UCB1(), ID, horizon=50, runs=5000, seed=10)
    few = simulate(UCB1(), ID, horizon=50, runs=3, seed=2010)
    np.testing.assert_array_equal(many.regret[2000:2003], few.regret)


def test_regret_and_last_best_are_those_of_the_actions():
    runs = simulate(UCB1(), ID, horizon=40, runs=20, means=MEANS, recorded=40, points=2000)
    gaps = 0.9 - np.array(MEANS)[runs.actions]
    np.testing.assert_allclose(runs.regret, gaps.cumsum(axis=1)[:, runs.times - 1])
    last = [np.flatnonzero(row == 0)[-1] for row in runs.actions]
    assert runs.last_best.tolist() == last
    np.testing.assert_allclose(runs.rewards, runs.paid.sum(axis=1))


def test_learning_goes_on_through_episodes_of_one_round():
    """The environment's own horizon is left alone where it is given."""
    rounds = simulate(UCB1(), ID, horizon=500, runs=50, means=MEANS, **{"max_episode_steps": 1})
    whole = simulate(UCB1(), ID, horizon=500, runs=50, means=MEANS)
    assert rounds.times[-1] == 500
    assert abs(rounds.regret[:, -1].mean() - whole.regret[:, -1].mean()) < 5


def test_what_does_not_fit_is_refused():
    with pytest.raises(InvalidArgumentError, match="runs must be at least 1; got 0"):
        simulate(UCB1(), ID, horizon=5, runs=0)
    with pytest.raises(InvalidArgumentError, match="horizon must be at least 1"):
        simulate(UCB1(), ID, horizon=0, runs=2)


def test_games_and_masks_are_no_bandits():
    with pytest.raises(UnsupportedFaceError, match="every action is always legal"):
        UCB1().module(SlidingTile().definition)
