import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.kernel.solve import distance_table
from spelunk.envs.search.lights_out import LightsOut, rank, unrank

#: How many boards need 0, 1, 2, … presses. Where every board can be solved, a set of presses is a
#: board: the counts are binomial.
DISTANCES = {
    2: [1, 4, 6, 4, 1],
    3: [1, 9, 36, 84, 126, 126, 84, 36, 9, 1],
    4: [1, 16, 120, 560, 1387, 1440, 540, 32],
}
#: The two patterns of presses that change nothing on 5×5, and their sum (Anderson & Feil 1998).
QUIET = ("10101 10101 00000 10101 10101", "11011 00000 11011 00000 11011")


def pressed(board, row, column):
    """The rules written a second way."""
    board = board.copy()
    for y, x in ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)):
        if 0 <= row + y < len(board) and 0 <= column + x < len(board):
            board[row + y, column + x] = 1 - board[row + y, column + x]
    return board


@pytest.mark.parametrize("size", [2, 5, 7])
def test_presses_against_the_rules_written_a_second_way(size):
    env = LightsOut(size, max_episode_steps=-1)
    rng = np.random.default_rng(size)
    board, _ = env.reset(seed=size)
    for _ in range(200):
        action = env.sample_action(rng)
        words = env.action_words(action).split()
        expected = pressed(board, int(words[1]) - 1, int(words[3]) - 1)
        board, reward, terminated, _, _ = env.step(action)
        assert (board == expected).all()
        assert (reward, terminated) == (-1.0, not board.any())
        if terminated:
            board, _ = env.reset()


@pytest.mark.parametrize("size", [2, 3, 4])
def test_fewest_presses_of_all_boards(size):
    env = LightsOut(size)
    distances = distance_table(env)
    assert np.bincount(distances).tolist() == DISTANCES[size]
    states = env.model.reset(range(100))
    for seed, state in enumerate(states):
        number = rank(state, env.definition.params)
        assert env.best_return(seed) == -float(distances[number])
        kept = state.copy()
        unrank(state, number, env.definition.params)
        assert state["lights"] == kept["lights"]


def test_5x5_is_the_one_of_the_literature():
    """What changes nothing is known, so that a set of presses is one of four with its effect."""
    env = LightsOut()
    assert env.n_ranks == 2**23
    effect = env.definition.params.presses
    quiet = [int(pattern.replace(" ", "")[::-1], 2) for pattern in QUIET]
    for pattern in quiet:
        cells = [cell for cell in range(25) if pattern >> cell & 1]
        assert np.bitwise_xor.reduce(effect[cells]) == 0
    rng = np.random.default_rng(0)
    for presses in rng.integers(2**25, size=200).tolist():
        cells = [cell for cell in range(25) if presses >> cell & 1]
        lights = int(np.bitwise_xor.reduce(effect[cells], initial=0))
        same = [presses, presses ^ quiet[0], presses ^ quiet[1], presses ^ quiet[0] ^ quiet[1]]
        fewest = env._equations.fewest_presses(lights)
        assert fewest.bit_count() == min(map(int.bit_count, same)) <= 15
        assert fewest in same
        assert env._equations.solvable(lights)
        assert not env._equations.solvable(lights ^ 1)  # One of the patterns has the first cell.


@pytest.mark.parametrize("size", [4, 6])
def test_playing_the_fewest_presses_earns_the_best_return(size):
    env = LightsOut(size)
    for seed in range(10):
        env.reset(seed=seed)
        presses = env._equations.fewest_presses(int(env.state["lights"]))
        cells = [cell for cell in range(size**2) if presses >> cell & 1]
        outcomes = [env.step(cell) for cell in cells[::-1]]
        assert [outcome[2] for outcome in outcomes] == [False] * (len(cells) - 1) + [True]
        assert env.best_return(seed) == -len(cells)


def test_starts_are_uniform_among_the_boards_that_can_be_solved():
    env = LightsOut(2)
    kinds, counts = np.unique(env.model.reset(range(15_000))["lights"], return_counts=True)
    assert kinds.tolist() == list(range(1, 16))
    assert ((counts - 1000) ** 2 / 1000).sum() < 36.1  # chi-squared, 14 degrees, p = 0.001
    env = LightsOut(5)
    for state in env.model.reset(range(200)):
        assert env._equations.solvable(int(state["lights"]))


def test_the_given_board_is_where_it_starts():
    env = LightsOut(3)
    board = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    observation, _ = env.reset(seed=0, options={"board": board})
    assert observation.tolist() == board
    assert "_ O _ / O O O / _ O _" in env.describe()
    assert env.step(env.parse("Row 2  column 2"))[2]


@pytest.mark.parametrize(
    ("board", "problem"),
    [
        ([[0] * 4] * 4, "dark"),
        ([[1] + [0] * 3] + [[0] * 4] * 3, "cannot be solved"),
        ([[2] * 4] * 4, "4 rows of 4"),
        ([[1] * 3] * 4, "4 rows of 4"),
        ([[1] * 3, [1] * 4], "4 rows of 4"),
    ],
)
def test_boards_that_do_not_fit_are_refused(board, problem):
    with pytest.raises(InvalidArgumentError, match=problem):
        LightsOut(4).reset(seed=0, options={"board": board})


@pytest.mark.parametrize("size", [1, 8, 5.0, True])
def test_wrong_sizes_are_refused(size):
    with pytest.raises(InvalidArgumentError, match="size"):
        LightsOut(size)
