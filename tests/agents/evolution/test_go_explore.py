import heapq

import numpy as np
import pytest

from spelunk.agents.core.evaluation import evaluate
from spelunk.agents.evolution.go_explore import (
    FieldCells,
    GoExploreAgent,
    ObservationCells,
    go_explore,
    state_cells,
)
from spelunk.agents.planning.search import Limits
from spelunk.envs.bandit.bernoulli import BernoulliBandit
from spelunk.envs.gridworld.door_key import DoorKey
from spelunk.envs.gridworld.point_maze import PointMaze
from spelunk.envs.kernel import InvalidArgumentError, UnsupportedFaceError
from spelunk.envs.search.maze import Maze
from spelunk.envs.search.tic_tac_toe import TicTacToe

STEPS = Limits(max_expanded=300_000)


def start(env, seed):
    env.reset(seed=seed)
    return env.state[None].copy()


def test_door_key_is_solved_where_random_play_hardly_ever_is():
    env = DoorKey(size=8)
    for seed in range(3):
        root = start(env, seed)
        result = go_explore(env.model, root, seed=seed, limits=Limits(max_expanded=1_000_000))
        assert result.status == "solved"
        total, terminated = 0.0, False
        for action in result.plan:
            assert not terminated
            _, reward, terminated, _, _ = env.step(int(action))
            total += reward
        assert terminated
        assert total == pytest.approx(-result.cost)
        assert len(result.archive) > 100
        assert 0 < result.memory < 2**25


def cheapest_ways(ground, start):
    """What it costs to get to every cell of a maze, and the fewest steps at that: Dijkstra."""
    known, queue = {start: (0, 0)}, [(0, 0, start)]
    while queue:
        cost, steps, (row, column) = heapq.heappop(queue)
        for to in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            new = cost + int(ground[to]), steps + 1
            if ground[to] and new < known.get(to, (np.inf, 0)):
                known[to] = new
                heapq.heappush(queue, (*new, to))
    return known


def test_the_archive_comes_to_know_the_best_way_to_every_place_of_a_maze():
    env = Maze(9, costs=3, loops=1.0)
    root = start(env, 0)
    exact = cheapest_ways(root["ground"][0], (int(root["row"][0]), int(root["column"][0])))
    # A goal outside the maze is never reached.
    root["goal_row"], root["goal_column"], root["max_steps"] = 0, 0, -1
    cells = FieldCells(("row", "column"))
    result = go_explore(env.model, root, cells, seed=1, burst=20, stickiness=0.5, limits=STEPS)
    assert result.status == "expansion_limit"
    assert 300_000 <= result.expanded < 300_000 + 256 * 20
    # Every step costs, so that the best of all is to stay.
    assert (len(result.plan), result.cost) == (0, 0.0)
    archive = result.archive
    assert len(archive) == len(exact)
    assert archive["visits"].sum() == result.expanded + 1
    found = [
        (-gain, length) == exact[int(state["row"]), int(state["column"])]
        for state, gain, length in zip(
            archive["state"], archive["return"], archive["length"], strict=True
        )
    ]
    assert np.mean(found) > 0.95


def test_the_same_seed_explores_the_same():
    env = DoorKey(size=6)
    root = start(env, 2)
    a, b, c = (go_explore(env.model, root, seed=seed, limits=STEPS) for seed in (3, 3, 4))
    np.testing.assert_array_equal(a.plan, b.plan)
    assert a.expanded == b.expanded
    assert (len(a.plan), a.expanded) != (len(c.plan), c.expanded)


def test_the_time_limit_holds():
    moves = -int(Maze(9, costs=1).best_return(0))
    limits = Limits(max_expanded=100_000)
    for slack, status in ((0, "solved"), (-1, "expansion_limit")):
        env = Maze(9, costs=1, max_episode_steps=moves + slack)
        result = go_explore(env.model, start(env, 0), stickiness=0.5, limits=limits)
        assert result.status == status


def test_chance_is_drawn_from_seeds_that_repeat_it():
    env = BernoulliBandit()
    root = start(env, 0)
    result = go_explore(env.model, root, burst=10, limits=Limits(max_expanded=20_000))
    state, total = root, 0.0
    for action, seed in zip(result.plan, result.seeds, strict=True):
        state, rewards, _ = env.model.step(state, [action], [int(seed)])
        total += float(rewards[0])
    assert total == -result.cost > 8
    with pytest.raises(UnsupportedFaceError, match="stochastic"):
        evaluate(GoExploreAgent(), "spelunk/BernoulliBandit-v0", episodes=1)


def test_cells():
    env = Maze(15)
    states = env.model.reset(range(50))
    fields = FieldCells(("row", "column"))(env.model, states)
    assert fields.dtype == np.uint8
    assert len(np.unique(fields, axis=0)) == len(
        {(int(s["row"]), int(s["column"])) for s in states}
    )
    assert len(np.unique(state_cells(env.model, states), axis=0)) == 50
    small = ObservationCells(height=3, width=5, levels=4)(env.model, states)
    assert small.shape == (50, 15)
    assert small.max() < 4
    # By hand: the mean of both channels over rows 0 to 4 and columns 3 to 5, of 0 to 5.
    part = env.model.observe(states)[:, 0:5, 3:6].mean(axis=(1, 2, 3))
    np.testing.assert_array_equal(small[:, 1], np.floor(part / 5 * 4))
    with pytest.raises(InvalidArgumentError, match="no fields"):
        FieldCells(("rows",))(env.model, states)


def test_what_cannot_be_explored_is_refused():
    env = DoorKey(size=5)
    for wrong in ({"explorers": 0}, {"burst": 0}, {"stickiness": 1.5}):
        with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
            go_explore(env.model, start(env, 0), limits=STEPS, **wrong)
    for other in (PointMaze(), TicTacToe()):
        with pytest.raises(UnsupportedFaceError, match="one agent whose actions are integers"):
            go_explore(other.model, start(other, 0), limits=STEPS)


def test_the_agent_repeats_what_it_found():
    for cells in ("state", "observation"):
        agent = GoExploreAgent(cells=cells)
        assert evaluate(agent, "spelunk/DoorKey-v0", episodes=3, size=5).returns.min() > 0
        assert agent.figures()["cells"] > 10
    agent = GoExploreAgent(cells="row,column")
    assert evaluate(agent, "spelunk/Maze-v0", episodes=3, size=9).returns.min() > -400
