import functools
import itertools

import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError, UnparseableActionError
from spelunk.envs.kernel.solve import distance_table
from spelunk.envs.search.rubiks_cube import RubiksCube
from spelunk.envs.search.rubiks_kernels import rank, unrank

#: How many states of the 2×2×2 need 0, 1, 2, … turns; the sum is 3,674,160.
DISTANCES = {
    "half_turn": [1, 9, 54, 321, 1847, 9992, 50136, 227536, 870072, 1887748, 623800, 2644],
    "quarter_turn": [
        1, 6, 27, 120, 534, 2256, 8969, 33058, 114149, 360508, 930588, 1350852, 782536, 90280, 276,
    ],
}  # fmt: skip
#: How many of the 3×3×3 do, the first of the counts of Rokicki et al.
DISTANCES_3 = {"half_turn": [1, 18, 243, 3240], "quarter_turn": [1, 12, 114, 1068]}

#: The rules a second way: of each face, the direction it looks in, and in its net the direction of
#: its rows from top to bottom and of its columns from left to right. x is right, y up, z front.
GEOMETRY = {
    "U": ((0, 1, 0), (0, 0, 1), (1, 0, 0)),
    "R": ((1, 0, 0), (0, -1, 0), (0, 0, -1)),
    "F": ((0, 0, 1), (0, -1, 0), (1, 0, 0)),
    "D": ((0, -1, 0), (0, 0, -1), (1, 0, 0)),
    "L": ((-1, 0, 0), (0, -1, 0), (0, 0, 1)),
    "B": ((0, 0, -1), (0, -1, 0), (-1, 0, 0)),
}
FACES = "URFDLB"


@functools.cache
def positions(size):
    """Where each sticker is in space and where it looks: {(place, direction): [face, row, col]}."""
    found = {}
    middle = (size - 1) / 2
    for face, (direction, down, right) in GEOMETRY.items():
        for row, column in itertools.product(range(size), repeat=2):
            place = (
                middle * np.array(direction)
                + (row - middle) * np.array(down)
                + (column - middle) * np.array(right)
            )
            found[tuple(place), direction] = FACES.index(face), row, column
    return found


def turned(stickers, name):
    """The stickers after turns: those of a layer are carried round its face's axis."""
    size = stickers.shape[1]
    for turn in name.split():
        direction = np.array(GEOMETRY[turn[0]][0])
        for _ in range({"": 1, "2": 2, "'": 3}[turn[1:]]):
            after = stickers.copy()
            for (place, looks), source in positions(size).items():
                if np.dot(place, direction) == (size - 1) / 2:
                    there = tuple(tuple(clockwise(np.array(v), direction)) for v in (place, looks))
                    after[positions(size)[there]] = stickers[source]
            stickers = after
    return stickers


def clockwise(vector, axis):
    """A quarter turn as seen from the tip of the axis."""
    along = np.dot(vector, axis) * axis
    return along + np.cross(vector - along, axis)


@pytest.mark.parametrize(
    ("size", "metric", "meta_actions", "n"),
    [
        (2, "half_turn", 1, 9),
        (2, "half_turn", 3, 819),
        (2, "quarter_turn", 1, 6),
        (3, "half_turn", 1, 18),
        (3, "quarter_turn", 1, 12),
        (3, "quarter_turn", 3, 1884),
    ],
)
def test_turns_are_those_of_a_cube_in_space(size, metric, meta_actions, n):
    env = RubiksCube(size, metric, meta_actions, max_episode_steps=-1)
    assert env.action_space.n == n
    assert RubiksCube(meta_actions=2).action_space.n == 90
    rng = np.random.default_rng(n)
    stickers, _ = env.reset(seed=n)
    for action in itertools.chain(range(min(n, 18)), rng.integers(n, size=20)):
        words = env.action_words(action)
        expected = turned(stickers, words)
        stickers, reward, terminated, _, _ = env.step(int(action))
        assert (stickers == expected).all()
        assert reward == -len(words.split())
        assert terminated == all((face == face[0, 0]).all() for face in stickers)
        if terminated:
            stickers, _ = env.reset()


@pytest.mark.parametrize("metric", ["half_turn", "quarter_turn"])
def test_the_2x2x2_is_the_one_of_the_literature(metric):
    env = RubiksCube(2, metric)
    distances = distance_table(env)
    assert env.n_ranks == len(distances) == 3674160
    assert np.bincount(distances).tolist() == DISTANCES[metric]
    for seed in range(20):
        state = env.model.reset([seed])[0]
        for meta_actions in (1, 2):
            best = RubiksCube(2, metric, meta_actions).best_return(seed)
            assert best == -float(distances[rank(state, env.definition.params)])


def test_ranks_number_the_states():
    env = RubiksCube()
    state = env.definition.layout.empty(1)[0]
    for index in [0, 1, 3674159, *np.random.default_rng(0).integers(3674160, size=300).tolist()]:
        unrank(state, index, env.definition.params)
        assert rank(state, env.definition.params) == index


@pytest.mark.parametrize("metric", ["half_turn", "quarter_turn"])
def test_the_3x3x3_is_the_one_of_the_literature(metric):
    model = RubiksCube(3, metric).model
    states, seen = model.goal_states(), set()
    for count in DISTANCES_3[metric]:
        fresh = {key.tobytes(): i for i, key in enumerate(model.key(states))}
        fresh = {key: i for key, i in fresh.items() if key not in seen}
        assert len(fresh) == count
        seen |= fresh.keys()
        states = model.successors(states[list(fresh.values())]).states.ravel()


@pytest.mark.parametrize(("size", "scramble"), [(2, 3), (3, 1), (3, 4), (3, 8)])
def test_scrambles_lie_within_that_many_turns(size, scramble):
    env = RubiksCube(size, "quarter_turn", scramble=scramble)
    best = [-env.best_return(seed) for seed in range(40)]
    assert min(best) >= 1
    assert max(best) <= scramble
    assert all(turns % 2 == scramble % 2 for turns in best)
    assert RubiksCube(3, scramble=9).best_return(0) is None
    assert RubiksCube(3).best_return(0) is None


def test_best_returns_of_near_states_by_full_search():
    """Breadth-first from the other end, without the list of states."""
    env = RubiksCube(3, scramble=3)
    for seed in range(10):
        states, depth = env.model.reset([seed]), 0
        while not env.model.is_goal(states).any():
            states, depth = env.model.successors(states).states.ravel(), depth + 1
        assert env.best_return(seed) == -depth
        assert RubiksCube(3, meta_actions=2, scramble=3).best_return(seed) == -depth


def cycles_are_odd(pieces):
    n = len(pieces)
    return sum(pieces[i] > pieces[j] for i in range(n) for j in range(i + 1, n)) % 2


def test_starts_of_the_3x3x3_are_uniform_among_those_that_can_be_reached():
    states = RubiksCube(3).model.reset(range(4000))
    corners = states["corners"][:, None] >> 5 * np.arange(8) & 31
    edges = states["edges"][:, None] >> 5 * np.arange(12) & 31
    assert (np.sort(corners >> 2) == np.arange(8)).all()
    assert (np.sort(edges >> 1) == np.arange(12)).all()
    assert ((corners & 3).sum(axis=1) % 3 == 0).all()
    assert ((edges & 1).sum(axis=1) % 2 == 0).all()
    odd = [cycles_are_odd(order) for order in (corners >> 2).tolist()]
    assert odd == [cycles_are_odd(order) for order in (edges >> 1).tolist()]
    assert abs(np.mean(odd) - 0.5) < 0.03
    for part, kinds in ((corners >> 2, 8), (corners & 3, 3), (edges >> 1, 12), (edges & 1, 2)):
        for kind in range(kinds):
            assert abs((part == kind).mean(axis=0) - 1 / kinds).max() < 0.035


def test_starts_of_the_2x2x2_are_uniform():
    env = RubiksCube()
    ranks = [rank(state, env.definition.params) for state in env.model.reset(range(4000))]
    assert min(ranks) > 0
    counts = np.bincount(np.array(ranks) * 20 // env.n_ranks, minlength=20)
    assert ((counts - 200) ** 2 / 200).sum() < 43.8  # chi-squared, 19 degrees, p = 0.001


def test_moves_in_words():
    env = RubiksCube(3, "quarter_turn", 2)
    solved = np.arange(6)[:, None, None] * np.ones((6, 3, 3), int)
    moves = "R U R' U’ F2"
    stickers, _ = env.reset(seed=0, options={"moves": moves})
    assert (stickers == turned(solved, "R U R' U' F2")).all()
    assert "front, down" in env.describe()
    for words in ("F f", "U R"):
        assert not env.step(env.parse(words))[2]
    assert env.step(env.parse(" u'  R’ "))[2]
    with pytest.raises(UnparseableActionError, match="U'"):
        env.parse("U2")
    for moves, problem in (("R Q", "'Q'"), ("R R'", "solved"), ("", "solved")):
        with pytest.raises(InvalidArgumentError, match=problem):
            env.reset(options={"moves": moves})
    with pytest.raises(InvalidArgumentError, match="U, U2, U', R"):
        RubiksCube().reset(options={"moves": "L"})


@pytest.mark.parametrize(
    "arguments",
    [
        {"size": 4},
        {"metric": "slice"},
        {"meta_actions": 4},
        {"meta_actions": True},
        {"scramble": 0},
        {"scramble": 2.0},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match=next(iter(arguments))):
        RubiksCube(**arguments)
