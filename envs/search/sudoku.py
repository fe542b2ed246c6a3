"""Sudoku: boards with exactly one solution, of graded difficulty."""

import re
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import (
    InvalidArgumentError,
    KernelEnv,
    Kernels,
    StateLayout,
    UnparseableActionError,
    kernel,
    rng,
)
from ..kernel.render import Canvas
from .sudoku_boards import GRADES, load_boards
from .sudoku_solver import ANY, candidates_of, solve, tables
from .sudoku_text import SYMBOLS, read_board

Array = np.ndarray[Any, Any]


class Params(NamedTuple):
    """Fixed for the life of the environment.

    Attributes:
        puzzles, solutions: (n, cells) `int8`, the boards of the bank, 0 being an empty cell.
        candidates: (n, cells), the digits that could be written into each cell, as bits.
        blanks: (n,) `int16`, the number of empty cells.
        peers: (cells, p) `int16`, the other cells in the row, column and box of a cell.
        side: of the board, which also is the number of digits.
    """

    puzzles: Array
    solutions: Array
    candidates: Array
    blanks: Array
    peers: Array
    side: int


@kernel
def reset(state, params):
    """A board of the bank."""
    number = rng.task(state, len(params.puzzles))
    for cell in range(state.board.shape[0]):
        digit = params.puzzles[number, cell]
        state.puzzle[cell] = digit
        state.board[cell] = digit
        state.solution[cell] = params.solutions[number, cell]
        state.candidates[cell] = params.candidates[number, cell]
    state.blanks = params.blanks[number]
    state.empty = params.blanks[number]
    state.cell = 0
    state.success = 0


@kernel
def step_sparse(state, action, params):
    """Write a digit; only a solved board is rewarded."""
    terminated = _write(state, action, params)
    return float(state.success), terminated


@kernel
def step_dense(state, action, params):
    """Write a digit; one that agrees with the solution is rewarded."""
    terminated = _write(state, action, params)
    cell = int(state.cell)
    right = state.board[cell] == state.solution[cell]
    return (1.0 if right else 0.0) / float(state.blanks), terminated


@kernel
def _write(state, action, params):
    """Write a digit, and say whether the board is full or a cell has no candidate left."""
    cell, digit = action // params.side, action % params.side
    state.cell = cell
    state.board[cell] = digit + 1
    state.candidates[cell] = 0
    state.empty -= 1
    dead = False
    for k in range(params.peers.shape[1]):
        peer = params.peers[cell, k]
        candidates = int(state.candidates[peer]) & ~(1 << digit)
        state.candidates[peer] = candidates
        dead = dead or (candidates == 0 and state.board[peer] == 0)
    state.success = state.empty == 0
    return dead or state.empty == 0


# Loops of a length known to the compiler take a quarter of the time.
@kernel
def legal_4(state, params, mask):
    """The candidates of the empty cells, with 4 digits."""
    for cell in range(16):
        candidates = int(state.candidates[cell])
        for digit in range(4):
            mask[cell * 4 + digit] = candidates >> digit & 1


@kernel
def legal_9(state, params, mask):
    """The candidates of the empty cells, with 9 digits."""
    for cell in range(81):
        candidates = int(state.candidates[cell])
        for digit in range(9):
            mask[cell * 9 + digit] = candidates >> digit & 1


@kernel
def legal_16(state, params, mask):
    """The candidates of the empty cells, with 16 digits."""
    for cell in range(256):
        candidates = int(state.candidates[cell])
        for digit in range(16):
            mask[cell * 16 + digit] = candidates >> digit & 1


#: By the side of a box.
LEGAL = {2: legal_4, 3: legal_9, 4: legal_16}


@kernel
def goal(state, params):
    """The board is full: no digit could be written against the rules."""
    return state.empty == 0


@kernel
def observe(state, params, obs):
    """The digits."""
    for cell in range(state.board.shape[0]):
        obs[cell // params.side, cell % params.side] = state.board[cell]


@kernel
def update(state, params, obs):
    """Only one cell was written to."""
    cell = int(state.cell)
    obs[cell // params.side, cell % params.side] = state.board[cell]


class Sudoku(KernelEnv):
    """
    ## Description
    The empty cells of a board are to be filled so that every row, column and box holds every digit
    once. Each board of the bank has exactly one solution, found and proven by search, and a
    difficulty graded by that search: with `"easy"` singles are enough, that is, at each point some
    cell has one candidate left, or some digit one place left in a row, column or box; with
    `"medium"` and `"hard"` the solver also has to branch, few or many times (see `Boards` in
    `envs/search/sudoku_boards.py`; medium to hard is 5 branchings with `box=3` and 17 with
    `box=4`).

    There is no way back from a wrong digit: a solver that backtracks keeps snapshots, or searches
    the model face.

    ## Observation Space
    `Box(0, side, (side, side), int8)`: the digits, 0 in empty cells. The side is `box²`.

    ## Action Space
    `Discrete(side³)`: action `(row · side + column) · side + digit − 1` writes a digit. Legal are
    empty cells with a digit that is not yet in their row, column or box. In words `"r3c4=5"`;
    digits from 10 to 16 are written A to G.

    ## Rewards
    - `"sparse"`: 1 when the board is solved, otherwise 0.
    - `"dense"`: 1 / the number of cells that were empty at the start, for each digit that agrees
      with the solution, so that both returns are at most 1.

    ## Starting State
    A board drawn uniformly from the bank. `reset(options={"task": k})` chooses one;
    `reset(options={"board": …})` starts from given rows, or from a text such as `"53..7…"` with a
    symbol for each cell. Such a board must have a solution, but may have several; the dense reward
    then follows one of them.

    ## Episode End
    Terminated when the board is solved, or an empty cell has no candidate left. The infos hold
    `success`. An episode has as many steps as there are empty cells, at most.

    ## Arguments
    - `box`: side of a box: 2, 3 or 4, for boards of 4×4, 9×9 or 16×16 cells (default 3).
    - `difficulty`: `"easy"` (default), `"medium"`, `"hard"`, or None for boards as they come.
      Boards of 4×4 cells are never more than easy.
    - `empties`: the number of empty cells. By default 8, 40 or 128 where boards are easy or come
      as they do; for medium and hard, as many as can be with `box=3`, and 140 and 150 with
      `box=4`.
    - `reward`: `"sparse"` (default) or `"dense"`.
    - `boards`: the number of boards in the bank (default 1024).
    - `boards_seed`: what the bank is made from (default 0). Other seeds give other boards.
    - `max_episode_steps`: the time limit (default −1 for none).

    ## Reference Scores
    `spelunk.reference("spelunk/Sudoku-v0")`: the random policy, and the stored solutions.

    ## Version History
    - v0: first version.
    """

    reset_options = ("board",)
    best_source = "the solution of each board"

    def __init__(
        self,
        box: int = 3,
        difficulty: str | None = "easy",
        empties: int | None = None,
        reward: str = "sparse",
        boards: int = 1024,
        boards_seed: int = 0,
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        if box not in (2, 3, 4):
            raise InvalidArgumentError(f"box must be 2, 3 or 4; got {box!r}")
        if reward not in ("sparse", "dense"):
            raise InvalidArgumentError(f"reward must be 'sparse' or 'dense'; got {reward!r}")
        if isinstance(boards, bool) or not isinstance(boards, int) or boards < 1:
            raise InvalidArgumentError(f"boards must be a positive integer; got {boards!r}")
        if isinstance(boards_seed, bool) or not isinstance(boards_seed, int) or boards_seed < 0:
            raise InvalidArgumentError(f"boards_seed must be an integer ≥ 0; got {boards_seed!r}")
        self.box, self.side = box, box * box
        cells = self.side**2
        grade = _grade(box, difficulty, empties)
        #: The boards, their solutions and the branchings that they need.
        self.bank = load_boards(box, grade, boards, boards_seed)
        puzzles, word = self.bank.puzzles, np.int16 if box < 4 else np.int32
        super().__init__(
            kernels=Kernels(
                reset,
                step_sparse if reward == "sparse" else step_dense,
                observe,
                LEGAL[box],
                goal,
                update,
            ),
            layout=StateLayout(
                [("puzzle", np.int8, (cells,))],
                [
                    ("candidates", word, (cells,)),  # of each empty cell, as bits
                    ("board", np.int8, (cells,)),
                    ("empty", np.int16),
                ],
                [
                    ("solution", np.int8, (cells,)),
                    ("blanks", np.int16),
                    ("cell", np.int16),  # written to last
                    ("success", np.int8),
                ],
            ),
            params=Params(
                puzzles,
                self.bank.solutions,
                candidates_of(puzzles).astype(word),
                (puzzles == 0).sum(axis=1).astype(np.int16),
                tables(box).peers,
                self.side,
            ),
            observation_space=spaces.Box(0, self.side, (self.side, self.side), np.int8),
            action_space=spaces.Discrete(self.side**3),
            max_episode_steps=max_episode_steps,
            metrics=("success",),
            tasks=boards,
            render_mode=render_mode,
        )

    def apply_options(self, state: Any, options: dict[str, Any]) -> None:
        board = read_board(options["board"], self.side)
        found = solve(board)
        if found is None:
            raise InvalidArgumentError(f"the board {options['board']!r} has no solution")
        state["puzzle"] = state["board"] = board
        state["solution"], state["candidates"] = found.digits, candidates_of(board[None])[0]
        state["blanks"] = state["empty"] = (board == 0).sum()

    def describe_state(self, state: Any) -> str:
        rows = " / ".join("".join(row) for row in self._rows(state))
        return (
            f"Fill the empty cells (.) so that every row, column and {self.box}×{self.box} box "
            f"holds each of {SYMBOLS[1]} to {SYMBOLS[self.side]} once. The board, row by row: "
            f"{rows}. Write a digit by row and column, as in {self.action_words(0)}."
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        tile, margin = 40, 14
        end = margin + self.side * tile
        canvas = Canvas(end + margin, end + margin, "paper")
        for cell, digit in enumerate(state["board"].tolist()):
            x, y = margin + cell % self.side * tile, margin + cell // self.side * tile
            given = state["puzzle"][cell] != 0
            if given:
                canvas.rectangle(x, y, tile, tile, "sand")
            elif digit == 0 and state["candidates"][cell] == 0:
                canvas.rectangle(x, y, tile, tile, "red")
            if digit:
                words, colour = SYMBOLS[digit], "ink" if given else "blue"
                canvas.text(x + tile / 2, y + tile / 2, words, colour, 20)
        # The lines between boxes are drawn last, over the thin ones.
        for k in sorted(range(self.side + 1), key=lambda k: k % self.box == 0):
            colour, width = ("ink", 3) if k % self.box == 0 else ("grey", 1)
            line = margin + k * tile
            canvas.line([(line, margin), (line, end)], colour, width)
            canvas.line([(margin, line), (end, line)], colour, width)
        return canvas.pixels()

    def show_state(self, state: Any) -> str:
        lines = []
        for k, row in enumerate(self._rows(state)):
            parts = [" ".join(row[i : i + self.box]) for i in range(0, self.side, self.box)]
            if k and k % self.box == 0:
                lines.append("-+-".join("-" * len(part) for part in parts))
            lines.append(" | ".join(parts))
        return "\n".join(lines)

    def action_words(self, action: Any) -> str:
        cell, digit = divmod(int(action), self.side)
        row, column = divmod(cell, self.side)
        return f"r{row + 1}c{column + 1}={SYMBOLS[digit + 1]}"

    def parse(self, text: str) -> int:
        """The action that a text such as `"r3c4=5"` or `"row 3, column 4: 5"` names.

        Raises:
            UnparseableActionError: it names none.
        """
        found = re.fullmatch(
            r"\s*r(?:ow)?\s*(\d+)[\s,]*c(?:ol|olumn)?\s*(\d+)\s*[=:]\s*(\w+)\s*", text, re.I
        )
        if found:
            row, column, word = int(found[1]), int(found[2]), found[3].upper()
            digit = int(word) if word.isdecimal() else (SYMBOLS.find(word) if len(word) == 1 else 0)
            if all(1 <= number <= self.side for number in (row, column, digit)):
                return ((row - 1) * self.side + column - 1) * self.side + digit - 1
        raise UnparseableActionError(f"{text!r} names no action; say for example 'r3c4=1'")

    def best_return(self, seed: int) -> float | None:
        blanks = int(self.model.reset([seed])["blanks"][0])
        limit = self.definition.max_episode_steps
        steps = blanks if limit < 0 else min(blanks, limit)
        dense = self.definition.kernels.step is step_dense
        return steps / blanks if dense else float(steps == blanks)

    def _rows(self, state: Any) -> list[list[str]]:
        board = state["board"].reshape(self.side, self.side).tolist()
        return [[SYMBOLS[digit] for digit in row] for row in board]


def _grade(box: int, difficulty: str | None, empties: int | None) -> tuple[int, int, int]:
    """The number of empty cells, and the least and the most branchings."""
    cells = box**4
    if empties is not None and (
        isinstance(empties, bool) or not isinstance(empties, int) or not 1 <= empties < cells
    ):
        raise InvalidArgumentError(
            f"empties must be an integer from 1 to {cells - 1}, or None; got {empties!r}"
        )
    known = [name for name, grades in GRADES.items() if box in grades]
    if difficulty is not None and difficulty not in known:
        raise InvalidArgumentError(
            f"difficulty must be one of {known} or None with box={box}; got {difficulty!r}"
        )
    usual, least, most = GRADES[difficulty or "easy"][box]
    if difficulty is None:
        most = ANY
    return usual if empties is None else empties, least, most
