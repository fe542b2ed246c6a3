import itertools

import numpy as np
import pytest

from spelunk.envs.kernel import InvalidActionError, InvalidArgumentError
from spelunk.envs.search.sliding_tile import SlidingTile, optimal_moves

SOLVED = [[1, 2, 3], [4, 5, 6], [7, 8, 0]]

#: How many boards need 0, 1, 2, … moves where the gap ends in a corner: OEIS A089473.
BOARDS_AT_DISTANCE = [
    1, 2, 4, 8, 16, 20, 39, 62, 116, 152, 286, 396, 748, 1024, 1893, 2512, 4485, 5638, 9529, 10878,
    16993, 17110, 23952, 20224, 24047, 15578, 14560, 6274, 3910, 760, 221, 2,
]  # fmt: skip
#: The two hardest 8-puzzles.
HARDEST = ([[6, 4, 7], [8, 5, 0], [3, 2, 1]], [[8, 6, 7], [2, 5, 4], [3, 0, 1]])


def slide(rows, action):
    """The rules written a second way: the rows after a move of the gap; None where it has none."""
    rows = [list(row) for row in rows]
    y, x = next((y, row.index(0)) for y, row in enumerate(rows) if 0 in row)
    dy, dx = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}[action]
    if not (0 <= y + dy < len(rows) and 0 <= x + dx < len(rows)):
        return None
    rows[y][x], rows[y + dy][x + dx] = rows[y + dy][x + dx], 0
    return rows


def rows_of(observation):
    size = int(np.sqrt(len(observation)))
    return observation.argmax(axis=1).reshape(size, size).tolist()


@pytest.mark.parametrize("size", [2, 3, 5])
def test_moves_and_mask_against_the_rules_written_a_second_way(size):
    env = SlidingTile(size=size, max_episode_steps=-1)
    rng = np.random.default_rng(size)
    observation, info = env.reset(seed=size)
    home = [*range(1, size**2), 0]
    for _ in range(400):
        assert (observation.sum(axis=1) == 1).all()
        rows = rows_of(observation)
        after = [slide(rows, env.action_words(a)) for a in range(4)]
        assert info["action_mask"].tolist() == [int(r is not None) for r in after]
        for illegal in np.flatnonzero(info["action_mask"] == 0):
            with pytest.raises(InvalidActionError, match=f"action {illegal} is illegal"):
                env.step(int(illegal))
        action = env.sample_action(rng)
        observation, reward, terminated, _, info = env.step(action)
        assert rows_of(observation) == after[action]
        assert reward == -1.0
        assert terminated == ([tile for row in after[action] for tile in row] == home)
        distance = sum(
            abs(y - (tile - 1) // size) + abs(x - (tile - 1) % size)
            for y, row in enumerate(after[action])
            for x, tile in enumerate(row)
            if tile
        )
        assert env.state["manhattan"] == distance
        if terminated:
            observation, info = env.reset()


def inversions(boards):
    """How many pairs of tiles on each board stand in the wrong order."""
    n = boards.shape[1]
    return sum(
        (boards[:, i] > boards[:, j]) & (boards[:, j] > 0)
        for i in range(n)
        for j in range(i + 1, n)
    )


def test_the_8_puzzle_is_the_one_of_the_literature():
    boards = np.array(list(itertools.permutations(range(9))), np.int8)
    # On a board of odd width moves never change the parity of the inversions.
    solvable = boards[inversions(boards) % 2 == 0]
    assert len(solvable) == 181440
    moves = optimal_moves(solvable)
    assert np.bincount(moves).tolist() == BOARDS_AT_DISTANCE
    assert moves.mean() == pytest.approx(21.97, abs=0.005)
    env = SlidingTile()
    for board in HARDEST:
        env.reset(seed=0, options={"board": board})
        assert optimal_moves(env.state["board"][None]) == 31


def test_starts_are_uniform_among_the_solvable_boards_but_the_solved():
    env = SlidingTile(size=2)
    boards = env.model.reset(range(11_000))["board"]
    kinds, counts = np.unique(boards, axis=0, return_counts=True)
    assert len(kinds) == 11
    assert ((counts - 1000) ** 2 / 1000).sum() < 29.6  # chi-squared, 10 degrees, p = 0.001
    boards = SlidingTile().model.reset(range(4000))["board"]
    assert (inversions(boards) % 2 == 0).all()
    assert optimal_moves(boards).mean() == pytest.approx(21.97, abs=0.2)
    assert abs((boards == 0).mean(axis=0) - 1 / 9).max() < 0.03


def test_starts_of_even_sizes_can_be_solved():
    """There, moves change the parity of the gap's row and of the inversions together."""
    boards = SlidingTile(size=4).model.reset(range(1000))["board"]
    rows_below = 3 - boards.argmin(axis=1) // 4
    assert ((inversions(boards) + rows_below) % 2 == 0).all()


@pytest.mark.parametrize("scramble", [1, 2, 7, 30])
def test_scrambles_lie_within_that_many_moves(scramble):
    moves = optimal_moves(SlidingTile(scramble=scramble).model.reset(range(300))["board"])
    assert (moves >= 1).all()
    assert (moves <= scramble).all()
    assert (moves % 2 == scramble % 2).all()


def test_playing_the_table_earns_the_best_return():
    env = SlidingTile()
    for seed in range(20):
        env.reset(seed=seed)
        total, terminated = 0.0, False
        while not terminated:
            children = env.model.successors(env.state[None])
            to_go = np.where(children.legal[0], optimal_moves(children.states[0]["board"]), 99)
            _, reward, terminated, _, _ = env.step(int(to_go.argmin()))
            total += reward
        assert total == env.best_return(seed)
    assert SlidingTile(size=4).best_return(0) is None


def test_the_given_board_is_where_it_starts():
    env = SlidingTile()
    board = [[1, 2, 3], [4, 0, 5], [7, 8, 6]]
    observation, info = env.reset(seed=0, options={"board": board})
    assert rows_of(observation) == board
    assert info["action_mask"].all()
    assert "1 2 3 / 4 _ 5 / 7 8 6. The gap can move up, down, left, right." in env.describe()
    env.step(env.parse("right"))
    assert env.step(env.parse("Down"))[2]


@pytest.mark.parametrize(
    ("board", "problem"),
    [
        (SOLVED, "solved already"),
        ([[2, 1, 3], [4, 5, 6], [7, 8, 0]], "cannot be solved"),
        ([[1, 2, 3], [4, 5, 6], [7, 0, 0]], "once"),
        ([[1, 2, 3], [4, 5, 6]], "3 rows of 3"),
        ([[1, 2, 3], [4, 5], [7, 0, 8, 6]], "3 rows of 3"),
        ("12345678_", "3 rows of 3"),
    ],
)
def test_boards_that_do_not_fit_are_refused(board, problem):
    with pytest.raises(InvalidArgumentError, match=problem):
        SlidingTile().reset(seed=0, options={"board": board})


@pytest.mark.parametrize(
    "arguments",
    [{"size": 1}, {"size": 8}, {"size": 3.0}, {"scramble": 0}, {"scramble": True}],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match=next(iter(arguments))):
        SlidingTile(**arguments)
