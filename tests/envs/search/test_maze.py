import heapq

import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.search.maze import Maze

STEPS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}

LAYOUT = """
##############
##1@1 1 1 1 ##
##1 ######1 ##
##1 ##2G9 1 ##
##1 ##3 ######
##1 1 1 5 5 ##
##############
"""


def neighbours(ground, cell):
    for y, x in STEPS.values():
        if ground[cell[0] + y, cell[1] + x]:
            yield cell[0] + y, cell[1] + x


def cheapest(ground, start, end):
    """Dijkstra's algorithm with a heap; −1 where there is no way."""
    queue, done = [(0, start)], set()
    while queue:
        cost, cell = heapq.heappop(queue)
        if cell == end:
            return cost
        if cell not in done:
            done.add(cell)
            for other in neighbours(ground, cell):
                heapq.heappush(queue, (cost + int(ground[other]), other))
    return -1


@pytest.mark.parametrize(("size", "loops"), [(5, 0.0), (15, 0.2), (31, 0.0), (15, 1.0)])
def test_mazes_join_all_rooms(size, loops):
    env = Maze(size, loops=loops)
    rooms = (size // 2) ** 2
    opened = 0
    for state in env.model.reset(range(50)):
        ground = state["ground"]
        assert not ground[[0, -1]].any()
        assert not ground[:, [0, -1]].any()
        assert not ground[2::2, 2::2].any()
        assert ground[1::2, 1::2].all()
        assert ground.max() <= 5
        seen, left = {(1, 1)}, [(1, 1)]
        while left:
            fresh = set(neighbours(ground, left.pop())) - seen
            seen |= fresh
            left += fresh
        assert len(seen) == (ground > 0).sum()  # all are joined …
        opened += len(seen) - (2 * rooms - 1)  # … and a tree has that many cells.
    walls = 2 * (size // 2) * (size // 2 - 1) - (rooms - 1)
    assert opened / (50 * walls) == pytest.approx(loops, abs=0.03)


@pytest.mark.parametrize("size", [5, 15])
def test_moves_and_mask_against_the_rules_written_a_second_way(size):
    env = Maze(size, max_episode_steps=-1)
    rng = np.random.default_rng(size)
    observation, info = env.reset(seed=size)
    for _ in range(400):
        ground, marks = observation[..., 0], observation[..., 1]
        cell, end = (tuple(np.argwhere(marks == mark)[0].tolist()) for mark in (1, 2))
        open_ = [bool(ground[cell[0] + y, cell[1] + x]) for y, x in STEPS.values()]
        assert info["action_mask"].tolist() == open_
        action = env.sample_action(rng)
        y, x = STEPS[env.action_words(action)]
        after = cell[0] + y, cell[1] + x
        observation, reward, terminated, _, info = env.step(action)
        assert reward == -ground[after]
        assert terminated == (after == end)
        assert observation[(*after, 1)] == (3 if terminated else 1)
        if terminated:
            observation, info = env.reset()


@pytest.mark.parametrize(("size", "costs", "loops"), [(7, 9, 0.5), (21, 3, 0.1), (15, 1, 1)])
def test_best_returns_are_the_cheapest_ways(size, costs, loops):
    env = Maze(size, costs, loops)
    for seed in range(20):
        state = env.model.reset([seed])[0]
        start, end = (
            (int(state["row"]), int(state["column"])),
            (
                int(state["goal_row"]),
                int(state["goal_column"]),
            ),
        )
        best = -env.best_return(seed)
        assert best == cheapest(state["ground"], start, end)
        assert best >= abs(start[0] - end[0]) + abs(start[1] - end[1]) > 0


def test_starts_and_costs_are_uniform():
    states = Maze(7, costs=4).model.reset(range(9000))
    starts = states["row"] // 2 * 3 + states["column"] // 2
    ends = states["goal_row"] // 2 * 3 + states["goal_column"] // 2
    assert (starts != ends).all()
    for part in (starts, ends):
        counts = np.bincount(part, minlength=9)
        assert ((counts - 1000) ** 2 / 1000).sum() < 26.2  # chi-squared, 8 degrees, p = 0.001
    shares = np.bincount(states["ground"][:, 1::2, 1::2].ravel(), minlength=5)[1:] / 81000
    assert abs(shares - 0.25).max() < 0.01


def test_the_given_layout_is_where_it_starts():
    env = Maze(7, costs=9)
    observation, info = env.reset(seed=0, options={"layout": LAYOUT})
    assert env.show_state(env.state) == LAYOUT.strip("\n")
    assert observation[1, 1].tolist() == [1, 1]
    assert observation[3, 3].tolist() == [2, 2]
    assert info["action_mask"].tolist() == [0, 1, 0, 1]
    assert "down (cost 1), right (cost 1)" in env.describe()
    for words, reward in (("down", -1), ("Down", -1), ("down", -1), ("down", -1), ("right", -1)):
        assert env.step(env.parse(words))[1] == reward
    for words, reward, end in (("right", -1, False), ("up", -3, False), ("up", -2, True)):
        assert env.step(env.parse(words))[1:3] == (reward, end)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("1 ##2G9 1", "1 ##2G##1", None),
        ("##1 ##3 ##", "##1 ######", None),
        ("2G9 ", "2 9 ", "one 'G'"),
        ("1@1 1 ", "1@1@1 ", "one '@'"),
        ("1@1 1 ", "0@1 1 ", "'0@'"),
        ("##1 ##3 ######\n", "", "7 lines"),
        ("##1 1 1 5 5 ##", "1 1 1 1 5 5 ##", "all around"),
    ],
)
def test_layouts_that_do_not_fit_are_refused(old, new, problem):
    assert old in LAYOUT
    layout = LAYOUT.replace(old, new)
    env = Maze(7, costs=9)
    if problem is None:
        env.reset(seed=0, options={"layout": layout})
        layout = layout.replace("##2G9 ", "##2G##").replace("##3 ##", "######")
        problem = "no way"
    with pytest.raises(InvalidArgumentError, match=problem):
        env.reset(seed=0, options={"layout": layout})


@pytest.mark.parametrize(
    "arguments",
    [{"size": 6}, {"size": 3}, {"size": 129}, {"costs": 0}, {"costs": 2.5}, {"loops": 1.5}],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match=next(iter(arguments))):
        Maze(**arguments)
