import functools

import numpy as np
import pytest

from spelunk.agents.planning import heuristics
from spelunk.agents.planning.best_first import best_first
from spelunk.agents.planning.compiled import BLIND, estimates
from spelunk.agents.planning.heuristics import (
    build_heuristic,
    entries_for,
    make_heuristic,
)
from spelunk.agents.planning.perfect import perfect
from spelunk.agents.planning.problem import ModelProblem
from spelunk.agents.planning.tile_heuristics import linear_conflict
from spelunk.envs.gridworld.door_key import DoorKey
from spelunk.envs.kernel import InvalidArgumentError, UnsupportedFaceError
from spelunk.envs.kernel.solve import distance_table
from spelunk.envs.search.lights_out import LightsOut
from spelunk.envs.search.maze import Maze
from spelunk.envs.search.pancake import Pancake
from spelunk.envs.search.rubiks_cube import RubiksCube
from spelunk.envs.search.sliding_tile import SlidingTile
from spelunk.envs.search.sokoban import Sokoban
from spelunk.envs.search.strips import Strips
from spelunk.envs.search.top_spin import TopSpin

#: A small instance of every environment with heuristics, and how many states to look at.
SMALL = {
    "SlidingTile": (lambda: SlidingTile(3), 20_000),
    "RubiksCube": (lambda: RubiksCube(2), 20_000),
    "Pancake": (lambda: Pancake(8), 20_000),
    "TopSpin": (lambda: TopSpin(8), 2000),
    "LightsOut": (lambda: LightsOut(4), 2000),
    "Maze": (lambda: Maze(15), 100),
    "Sokoban": (lambda: Sokoban(7, 2, levels=20), 20),
    "Strips": (lambda: Strips(), 20),
}


@functools.cache
def small(environment):
    """The environment, some states, and what each costs to solve."""
    make, count = SMALL[environment]
    env = make()
    states = env.model.reset(range(count))
    if env.definition.kernels.rank is not None:
        return env, states, estimates(env.definition, perfect(env), states)
    costs = [best_first(ModelProblem(env.model, states[i : i + 1])).cost for i in range(count)]
    return env, states, np.array(costs)


ADMISSIBLE = [entry for entry in heuristics.ENTRIES if entry.admissible]
CASES = [
    (entry.environment, entry)
    for entry in ADMISSIBLE
    if entry.environment in SMALL and entry.name != "pattern_database_6_6_3"
]


def test_every_environment_with_heuristics_is_looked_at():
    assert {entry.environment for entry in heuristics.ENTRIES} == {*SMALL, "KernelEnv"}


@pytest.mark.parametrize(
    ("environment", "entry"), CASES, ids=lambda case: getattr(case, "name", case)
)
def test_no_admissible_heuristic_exceeds_the_exact_cost(environment, entry):
    env, states, costs = small(environment)
    assert (costs > 0).all()
    found = estimates(env.definition, entry.make(env), states)
    assert (found <= costs).all()
    assert (found >= 0).all()
    assert (found > 0).mean() > 0.7  # It says something.


@pytest.mark.parametrize("environment", SMALL)
def test_heuristics_are_zero_at_goals(environment):
    env, states, _ = small(environment)
    problem = ModelProblem(env.model, states[:1])
    state = states[:1]
    for action in best_first(problem).plan:
        state, _, _ = env.model.step(state, [action])
    assert env.model.is_goal(state)[0]
    for entry in entries_for(env):
        assert estimates(env.definition, entry.make(env), state) == 0.0


def test_linear_conflict_lies_between_manhattan_and_the_truth_on_every_board():
    env = SlidingTile(3)
    states = env.definition.layout.empty(env.n_ranks)
    kernels, params = env.definition.kernels, env.definition.params
    for number, state in enumerate(states):
        kernels.unrank(state, number, params)
    conflict = estimates(env.definition, linear_conflict(3), states)
    assert (conflict <= distance_table(env)).all()
    assert (conflict >= states["manhattan"]).all()
    assert conflict.mean() > states["manhattan"].mean() + 1
    children = env.model.successors(states)
    after = estimates(env.definition, linear_conflict(3), children.states.ravel())
    change = after.reshape(children.costs.shape) - conflict[:, None]
    assert np.abs(change[children.legal != 0]).max() == 1  # consistent


def conflicts(tiles):
    """The fewest of the tiles of a line, numbered in their order, that others must pass: tried."""
    best = 0
    for kept in range(1 << len(tiles)):
        chosen = [tile for i, tile in enumerate(tiles) if kept >> i & 1]
        if chosen == sorted(chosen):
            best = max(best, len(chosen))
    return len(tiles) - best


@pytest.mark.parametrize("size", [2, 4, 5])
def test_linear_conflict_against_the_lines_read_one_by_one(size):
    env = SlidingTile(size)
    states = env.model.reset(range(200))
    found = estimates(env.definition, linear_conflict(size), states)
    for state, estimate in zip(states, found, strict=True):
        board = state["board"].reshape(size, size).tolist()
        moves = int(state["manhattan"])
        for k in range(size):
            row = [tile for tile in board[k] if tile and (tile - 1) // size == k]
            column = [board[y][k] for y in range(size)]
            column = [tile for tile in column if tile and (tile - 1) % size == k]
            moves += 2 * conflicts(row) + 2 * conflicts(column)
        assert estimate == moves


@pytest.mark.parametrize("metric", ["half_turn", "quarter_turn"])
def test_corners_are_the_2x2x2_however_the_3x3x3_is_held(metric):
    env = RubiksCube(3, metric=metric, scramble=6)
    heuristic = make_heuristic(env, "corners")
    for seed in range(20):
        state = env.model.reset([seed])
        assert estimates(env.definition, heuristic, state)[0] <= -env.best_return(seed)
    # A turn changes it by one at most, and turning opposite faces alike changes nothing.
    states = RubiksCube(3, metric=metric).model.reset(range(2000))
    before = estimates(env.definition, heuristic, states)
    children = env.model.successors(states)
    after = estimates(env.definition, heuristic, children.states.ravel())
    assert np.abs(after.reshape(children.costs.shape) - before[:, None]).max() == 1
    for first, second in (("U", "D'"), ("R", "L'"), ("F", "B'")):
        turned = states
        for word in (first, second):
            turned, _, _ = env.model.step(turned, np.full(len(states), env.parse(word)))
        np.testing.assert_array_equal(estimates(env.definition, heuristic, turned), before)


def test_the_mean_of_corners_is_the_published_one():
    """8.764 over random cubes (Korf 1997, "Finding optimal solutions to Rubik's cube")."""
    env = RubiksCube(3)
    states = env.model.reset(range(20_000))
    mean = estimates(env.definition, make_heuristic(env, "corners"), states).mean()
    assert mean == pytest.approx(8.76, abs=0.02)


def test_heuristics_by_name():
    env = SlidingTile(3)
    assert make_heuristic(env) is heuristics.MANHATTAN
    assert make_heuristic(env, "blind") is BLIND
    assert make_heuristic(DoorKey(size=5)) is BLIND
    with pytest.raises(InvalidArgumentError, match="linear_conflict, pattern_database, distance"):
        make_heuristic(env, "best")
    with pytest.raises(InvalidArgumentError, match="distance_table"):
        make_heuristic(SlidingTile(4), "distance_table")
    with pytest.raises(UnsupportedFaceError, match="numbered"):
        perfect(DoorKey(size=5))


def test_building_tells_what_it_took():
    built = build_heuristic("distance_table", "spelunk/SlidingTile-v0", {"size": 2})
    assert built["bytes"] == 12
    assert built["seconds"] >= 0
