import numpy as np
import pytest

from spelunk.agents.core.evaluation import EVALUATION_SEEDS, evaluate
from spelunk.agents.planning.value_iteration import (
    BudgetExceededError,
    ValueIterationAgent,
    value_iteration,
)
from spelunk.envs.bandit.bernoulli import BernoulliBandit
from spelunk.envs.gridworld.door_key import DoorKey
from spelunk.envs.gridworld.point_maze import PointMaze
from spelunk.envs.kernel import Kernels, UnsupportedFaceError
from spelunk.envs.search.sliding_tile import SlidingTile


def test_all_boards_of_the_8_puzzle():
    """181,440 boards, of which the hardest take 31 moves and the mean is 21.97 (Reinefeld 1993)."""
    model = SlidingTile().model
    table = value_iteration(model, model.reset([0]))
    # The goal is terminal, so that it has no row.
    assert len(table.values) == 181_440 - 1
    assert table.values.min() == -31
    assert table.values.sum() / 181_440 == pytest.approx(-21.972, abs=5e-4)
    assert table.error == 0


def test_a_bandit_whose_means_are_known():
    model = BernoulliBandit(means=[0.3, 0.9, 0.5], horizon=4).model
    roots = model.reset([0])
    table = value_iteration(model, roots)
    assert table.values[table.rows(model, roots)[0]] == pytest.approx(4 * 0.9)
    assert (table.actions == 1).all()
    discounted = value_iteration(model, roots, discount=0.5)
    expected = 0.9 * (1 + 0.5 + 0.25 + 0.125)
    assert discounted.values[0] == pytest.approx(expected)


def test_rewards_that_come_late():
    """DoorKey pays by the time it took, which is no part of the state: values are upper bounds."""
    env = DoorKey(size=5)
    model = env.model
    roots = model.reset([3])
    table = value_iteration(model, roots, discount=0.99)
    assert 0 < table.values[0] <= 1
    best = env.best_return(3)
    assert best is not None
    steps = round((1 - best) / 0.9 * 250)
    assert table.values[0] == pytest.approx(0.99 ** (steps - 1) * best, rel=0.02)


def test_unlisted_outcomes_are_an_error():
    env = BernoulliBandit(arms=2)
    kernels = env.definition.kernels._replace(n_outcomes=None, outcome=None)
    object.__setattr__(env.definition, "kernels", Kernels(*kernels))
    with pytest.raises(UnsupportedFaceError, match="does not list"):
        value_iteration(env.model, env.model.reset([0]))


def test_what_does_not_fit_is_said():
    maze = PointMaze()
    with pytest.raises(UnsupportedFaceError, match="one integer"):
        value_iteration(maze.model, maze.model.reset([0]))
    tiles = SlidingTile()
    with pytest.raises(BudgetExceededError, match="max_states=100"):
        value_iteration(tiles.model, tiles.model.reset([0]), max_states=100)


def test_the_agent_plays_what_the_table_says():
    result = evaluate(ValueIterationAgent(), "spelunk/SlidingTile-v0", size=2, episodes=40)
    tiles = SlidingTile(size=2)
    best = [tiles.best_return(EVALUATION_SEEDS + i) for i in range(40)]
    assert result.return_mean == pytest.approx(np.mean(best))
