"""The model face: pure, exact, and the same on any number of threads."""

from typing import Any

import numpy as np
import pytest

from spelunk.envs.bandit.bernoulli import BernoulliBandit
from spelunk.envs.combinatorial.tsp import TSP
from spelunk.envs.gridworld.door_key import DoorKey
from spelunk.envs.gridworld.point_maze import PointMaze
from spelunk.envs.kernel import InvalidActionError, UnsupportedFaceError, model
from spelunk.envs.search.sliding_tile import SlidingTile


def assert_records_equal(a, b):
    for name in a.dtype.names:
        assert (a[name] == b[name]).all(), name


@pytest.mark.parametrize("env", [SlidingTile(), TSP(cities=7), DoorKey(size=6)], ids=repr)
def test_successors_are_steps(env):
    states = env.model.reset(range(50))
    kept = states.copy()
    found = env.model.successors(states)
    assert_records_equal(states, kept)
    legal = np.broadcast_to(env.model.legal(states), found.legal.shape)
    assert (found.legal == legal).all()
    for action in range(env.definition.n_actions):
        lanes = np.flatnonzero(legal[:, action])
        after, rewards, terminated = env.model.step(states[lanes], np.full(len(lanes), action))
        assert_records_equal(after, found.states[lanes, action])
        assert (rewards == found.rewards[lanes, action]).all()
        assert (-rewards == found.costs[lanes, action]).all()
        assert (terminated == found.terminated[lanes, action]).all()
    empty = found.legal == 0
    assert np.isinf(found.costs[empty]).all()
    parents = np.broadcast_to(states[:, None], found.states.shape)
    assert (env.model.key(found.states[empty]) == env.model.key(parents[empty])).all()


def test_threads_change_nothing(monkeypatch):
    env = SlidingTile(size=4)
    states = env.model.reset(range(700))
    many = env.model.successors(states), env.model.key(states), env.model.observe(states)
    monkeypatch.setattr(model, "threads_for", lambda n, wanted: 1)
    one = env.model.successors(states), env.model.key(states), env.model.observe(states)
    assert_records_equal(many[0].states, one[0].states)
    assert (many[1] == one[1]).all()
    assert (many[2] == one[2]).all()


def test_any_length_and_any_stride():
    env = SlidingTile()
    states = env.model.reset(range(9))
    assert env.model.successors(states[:0]).states.shape == (0, 4)
    assert (env.model.key(states[::2]) == env.model.key(states)[::2]).all()
    assert (env.model.observe(states[::-1]) == env.model.observe(states)[::-1]).all()


def test_goal_states():
    for size in (2, 3, 4):
        tiles = SlidingTile(size=size)
        goals = tiles.model.goal_states()
        assert tiles.model.is_goal(goals).all()
        # From a neighbour of the goal, the way back has the key of the goal itself.
        back = tiles.model.successors(tiles.model.successors(goals).states[0, [0, 2]])
        assert (tiles.model.key(back.states.ravel()) == tiles.model.key(goals)).all(axis=1).any()
    with pytest.raises(UnsupportedFaceError, match="not fixed"):
        DoorKey().model.goal_states()


def test_equivalent_states_have_one_key():
    env = TSP(cities=6)
    start = env.model.reset([0])

    def visited(*cities):
        states = start
        for city in cities:
            states, _, _ = env.model.step(states, np.array([city]))
        return env.model.key(states)[0].tolist()

    assert visited(1, 2, 3) == visited(2, 1, 3)
    assert visited(1, 2, 3) != visited(1, 3, 2)
    assert visited(1, 2) != visited(1, 3)


def test_outcomes_list_chance_exactly():
    env = BernoulliBandit(means=[0.3, 0.9], horizon=2)
    states = env.model.reset(range(3))
    found = env.model.outcomes(states, [0, 1, 1])
    assert found.probabilities == pytest.approx(np.array([[0.7, 0.3], [0.1, 0.9], [0.1, 0.9]]))
    assert found.rewards.tolist() == [[0, 1]] * 3
    assert found.states["pulls"][0].tolist() == [[1, 0], [1, 0]]
    assert found.states["wins"][1].tolist() == [[0, 0], [0, 1]]
    assert not found.terminated.any()
    assert env.model.outcomes(found.states[:, 0], [1, 1, 1]).terminated.all()
    # Sampled steps agree with the listed chances.
    many = np.repeat(states[:1], 4000)
    _, rewards, _ = env.model.step(many, np.ones(4000, int), seeds=range(4000))
    assert abs(rewards.mean() - 0.9) < 0.02


def test_a_deterministic_step_is_its_only_outcome():
    env = SlidingTile()
    states = env.model.reset([4])
    action = np.flatnonzero(env.model.legal(states)[0])[:1]
    found = env.model.outcomes(states, action)
    after, rewards, _ = env.model.step(states, action)
    assert found.probabilities.tolist() == [[1.0]]
    assert_records_equal(found.states[:, 0], after)
    assert found.rewards[:, 0] == rewards


def test_what_cannot_be_done_is_said():
    env: Any = PointMaze()
    states = env.model.reset([0])
    with pytest.raises(UnsupportedFaceError, match="one integer"):
        env.model.successors(states)
    tiles = SlidingTile()
    states = tiles.model.reset([0])
    illegal = int(np.argmin(tiles.model.legal(states)[0]))
    with pytest.raises(InvalidActionError, match="environment 0"):
        tiles.model.step(states, [illegal])
