import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError, UnparseableActionError
from spelunk.envs.search.sudoku import Sudoku
from spelunk.envs.search.sudoku_boards import load_boards, make_boards
from spelunk.envs.search.sudoku_solver import ANY, new_search, run, solve, tables
from spelunk.envs.search.sudoku_text import is_answer

#: The example of Wikipedia's article on Sudoku, and its solution.
EXAMPLE = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
SOLVED = "534678912672195348198342567859761423426853791713924856961537284287419635345286179"
#: A. Inkala's board of 2012, said to be the hardest.
HARDEST = "8..........36......7..9.2...5...7.......457.....1...3...1....68..85...1..9....4.."


def digits(text):
    return np.array([0 if symbol == "." else int(symbol) for symbol in text], np.int8)


def candidates(board):
    """The rules written a second way: what fits into each empty cell, by row and column."""
    side = len(board)
    box = round(side**0.5)
    free = {}
    for y, x in np.argwhere(board == 0):
        corner = board[y // box * box :, x // box * box :][:box, :box]
        taken = {*board[y].tolist(), *board[:, x].tolist(), *corner.ravel().tolist()}
        free[y, x] = set(range(1, side + 1)) - taken
    return free


def count_solutions(board):
    """How many solutions a board has, counted up to two by plain backtracking."""
    free = candidates(board)
    if not free:
        return 1
    (y, x), choices = min(free.items(), key=lambda item: len(item[1]))
    found = 0
    for digit in choices:
        after = board.copy()
        after[y, x] = digit
        found += count_solutions(after)
        if found > 1:
            break
    return found


def singles_solve(board):
    """Whether naked and hidden singles are enough."""
    board, side = board.copy(), len(board)
    units = tables(round(side**0.5)).members
    while (board == 0).any():
        free = candidates(board)
        sure = [(cell, min(found)) for cell, found in free.items() if len(found) == 1]
        for unit in units.tolist():
            cells = [divmod(cell, side) for cell in unit if divmod(cell, side) in free]
            for digit in range(1, side + 1):
                places = [cell for cell in cells if digit in free[cell]]
                sure += [(places[0], digit)] if len(places) == 1 else []
        if not sure:
            return False
        board[sure[0][0]] = sure[0][1]
    return True


@pytest.mark.parametrize("arguments", [{"box": 2}, {"box": 3, "empties": 8}, {"box": 4}])
def test_moves_masks_and_ends_against_the_rules_written_a_second_way(arguments):
    env, rng = Sudoku(boards=16, **arguments), np.random.default_rng(0)
    wins = 0
    for seed in range(12 if env.box < 4 else 2):
        board, info = env.reset(seed=seed)
        terminated = False
        while not terminated:
            free = candidates(board)
            expected = np.zeros((env.side,) * 3, np.int8)
            for cell, found in free.items():
                for digit in found:
                    expected[(*cell, digit - 1)] = 1
            assert (info["action_mask"] == expected.ravel()).all()
            action = env.sample_action(rng)
            y, x, digit = np.unravel_index(action, expected.shape)
            before = board
            board, reward, terminated, _, info = env.step(action)
            assert board[y, x] == digit + 1
            assert (board != before).sum() == 1
            free = candidates(board)
            won = not free
            assert terminated == (won or not all(free.values()))
            assert (reward, info["success"]) == (float(won), int(won))
            wins += won
    assert wins > 0 or env.box == 4


@pytest.mark.parametrize(
    ("box", "difficulty", "bounds"),
    [
        (2, "easy", (0, 0)),
        (3, "easy", (0, 0)),
        (3, "medium", (1, 4)),
        (3, "hard", (5, ANY)),
        (4, "easy", (0, 0)),
        (4, "medium", (1, 16)),
    ],
)
def test_boards_have_one_solution_and_the_difficulty_they_say(box, difficulty, bounds):
    env = Sudoku(box=box, difficulty=difficulty, boards=6)
    for puzzle, solution, branchings in zip(*env.bank, strict=True):
        board, full = (part.reshape(env.side, env.side) for part in (puzzle, solution))
        assert not candidates(full)
        assert (board[board != 0] == full[board != 0]).all()
        assert bounds[0] <= branchings <= bounds[1]
        if box < 4:
            assert count_solutions(board) == 1
            assert singles_solve(board) == (difficulty == "easy")


def test_solver_on_boards_of_the_literature():
    found = solve(digits(EXAMPLE))
    assert found is not None
    assert found.unique
    assert (found.digits == digits(SOLVED)).all()
    assert found.branchings == 0
    hardest = solve(digits(HARDEST))
    assert hardest is not None
    assert hardest.unique
    assert hardest.branchings > 20
    assert solve(digits(EXAMPLE.replace(".", "5", 1))) is None  # two 5s in a row
    several = solve(np.zeros(81, np.int8))
    assert several is not None
    assert not several.unique
    # There are 288 full boards of 4×4 cells.
    search, last = new_search(4), np.zeros(16, np.int8)
    assert run(search, tables(2), -1, 0, ANY, ANY, False, last)[0] == 288
    assert not search.board.any()


def test_branchings_do_not_depend_on_the_names_of_digits():
    renamed = np.array([0, 4, 9, 1, 7, 2, 8, 3, 6, 5], np.int8)
    boards = load_boards(3, (-1, 5, ANY), 10, 3)
    for puzzle, branchings in zip(boards.puzzles, boards.branchings, strict=True):
        found = solve(renamed[puzzle])
        assert found is not None
        assert found.branchings == branchings


def test_boards_are_made_alike_on_any_number_of_threads():
    words = np.arange(40, dtype=np.uint64)
    one, three = (make_boards(3, (50, 0, ANY), words, threads) for threads in (1, 3))
    for a, b in zip(one, three, strict=True):
        assert (a == b).all()
    assert ((one.puzzles == 0).sum(axis=1) == 50).all()
    assert len(np.unique(one.solutions, axis=0)) == 40
    small, large = Sudoku(boards=5).bank, Sudoku(boards=9).bank
    assert (small.puzzles == large.puzzles[:5]).all()
    assert (Sudoku(boards=5, boards_seed=1).bank.puzzles != small.puzzles).any()


@pytest.mark.parametrize("reward", ["sparse", "dense"])
def test_the_solution_earns_the_best_return(reward):
    env = Sudoku(boards=4, reward=reward)
    env.reset(seed=1)
    solution, rewards = env.state["solution"].copy(), []
    for cell in np.flatnonzero(env.state["board"] == 0):
        rewards.append(env.step(int(cell) * 9 + int(solution[cell]) - 1)[1])
    assert sum(rewards) == pytest.approx(1.0) == pytest.approx(env.best_return(1))
    assert env.state["done"]
    assert env.model.is_goal(env.state[None])[0]
    assert len(set(rewards)) == (2 if reward == "sparse" else 1)
    short = Sudoku(boards=4, reward=reward, max_episode_steps=10)
    assert short.best_return(1) == (0.0 if reward == "sparse" else 0.25)


def test_a_wrong_digit_earns_nothing_of_the_dense_reward():
    env = Sudoku(boards=4, reward="dense", empties=50, difficulty=None)
    env.reset(seed=0)
    mask = env.action_mask().reshape(81, 9)
    cell = int(mask.sum(axis=1).argmax())
    for digit in np.flatnonzero(mask[cell]):
        start = env.snapshot()
        reward = env.step(cell * 9 + int(digit))[1]
        assert (reward > 0) == (digit + 1 == env.state["solution"][cell])
        env.restore(start)


def test_the_given_board_is_where_it_starts():
    env = Sudoku(boards=1)
    observation, _ = env.reset(seed=0, options={"board": EXAMPLE})
    assert (observation.ravel() == digits(EXAMPLE)).all()
    assert "53..7.... / 6..195..." in env.describe()
    rows = digits(EXAMPLE).reshape(9, 9).tolist()
    assert (env.reset(seed=0, options={"board": rows})[0] == observation).all()
    assert (env.reset(seed=0, options={"board": env.show_state(env.state)})[0] == observation).all()
    env.step(env.parse("r1c3=4"))
    assert env.state["board"][2] == 4
    # A board may have several solutions; what counts are the rules.
    env.reset(seed=0, options={"board": "." * 80 + "1"})
    assert env.action_mask().sum() > 600


@pytest.mark.parametrize(
    ("board", "problem"),
    [
        (EXAMPLE[:-1], "81 symbols"),
        (EXAMPLE[:-1] + "x", "81 symbols"),
        ([[0] * 9] * 8, "9 rows of 9"),
        ([[0] * 9] * 8 + [[0] * 8], "9 rows of 9"),
        ("55" + "." * 79, "no solution"),
        (SOLVED[:-1] + ".", None),
    ],
)
def test_boards_that_do_not_fit_are_refused(board, problem):
    env = Sudoku(boards=1)
    if problem is None:
        env.reset(seed=0, options={"board": board})
        return
    with pytest.raises(InvalidArgumentError, match=problem):
        env.reset(seed=0, options={"board": board})


def test_words():
    env = Sudoku(box=4, boards=1)
    action = (2 * 16 + 3) * 16 + 11
    assert env.action_words(action) == "r3c4=C"
    for text in ("r3c4=C", " R3 C4 = 12 ", "row 3, column 4: c"):
        assert env.parse(text) == action
    for text in ("r17c1=1", "r1c1=17", "r1c1=0", "r0c1=1", "r1c1=.", "r1c1=1 or 2"):
        with pytest.raises(UnparseableActionError):
            env.parse(text)


def test_whole_answers_are_checked():
    assert is_answer(EXAMPLE, SOLVED)
    assert is_answer(EXAMPLE, "\n".join(SOLVED[i : i + 9] for i in range(0, 81, 9)))
    swapped = SOLVED.translate(str.maketrans("12", "21"))
    assert not is_answer(EXAMPLE, swapped)  # keeps the rules, but not the puzzle's digits
    assert is_answer("." * 81, swapped)
    for wrong in ("", EXAMPLE, SOLVED[:-1], "The answer is " + SOLVED, SOLVED[::-1]):
        assert not is_answer(EXAMPLE, wrong)
    with pytest.raises(InvalidArgumentError):
        is_answer("12", "12")


@pytest.mark.parametrize(
    "arguments",
    [
        {"box": 5},
        {"difficulty": "evil"},
        {"difficulty": "hard", "box": 2},
        {"empties": 81},
        {"empties": True},
        {"empties": 70, "boards": 1},
        {"reward": "none"},
        {"boards": 0},
        {"boards_seed": -1},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match=next(iter(arguments))):
        Sudoku(**arguments)
