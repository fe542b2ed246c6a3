"""Sudoku boards with exactly one solution, made and graded by the compiled solver."""

import concurrent.futures
import functools
import os
from typing import Any, NamedTuple

import numpy as np

from ..kernel import InvalidArgumentError
from ..kernel.compile import compiled
from .sudoku_solver import ANY, draw, free, load, new_search, run, tables, toggle

Array = np.ndarray[Any, Any]

#: For each difficulty and box how many cells are empty (−1: as many as can be), and the least and
#: the most branchings of the solver; see `Boards`.
GRADES: dict[str, dict[int, tuple[int, int, int]]] = {
    "easy": {2: (8, 0, 0), 3: (40, 0, 0), 4: (128, 0, 0)},
    "medium": {3: (-1, 1, 4), 4: (140, 1, 16)},
    "hard": {3: (-1, 5, ANY), 4: (150, 17, ANY)},
}

_CHECK = 64  # branchings after which a cell is not emptied, though it perhaps could be
_TRIES = 2000  # boards drawn in vain before a grade counts as out of reach


class Boards(NamedTuple):
    """Boards and what the solver found out about them.

    The solver fills in singles for as long as there are any: cells with one candidate left (naked
    singles), and digits with one place left in a row, column or box (hidden singles). Then it
    branches on the digits of the first of the cells with the fewest candidates. How often it
    branches until all of the tree is searched is the measure of difficulty: it does not depend on
    the order in which digits are tried, and 0 means that singles are enough.

    Attributes:
        puzzles, solutions: (n, cells) `int8`.
        branchings: (n,) `int64`.
    """

    puzzles: Array
    solutions: Array
    branchings: Array


def make_boards(box: int, grade: tuple[int, int, int], words: Array, threads: int = 1) -> Boards:
    """Random boards with exactly one solution, as fast as the machine can.

    A full board is emptied cell by cell in random order, where a search shows that no other
    solution comes up; boards of another grade are thrown away.

    Args:
        box: side of the boxes, 2, 3 or 4.
        grade: how many cells are to be empty, −1 for as many as can be; the least and the most
            branchings.
        words: (n,) `uint64`, a seed for each board.
        threads: over how many threads to spread the work.

    Raises:
        InvalidArgumentError: many attempts brought no board of this grade.
    """
    cells = box**4
    boards = Boards(
        np.zeros((len(words), cells), np.int8),
        np.zeros((len(words), cells), np.int8),
        np.zeros(len(words), np.int64),
    )

    def work(part: slice) -> None:
        puzzles, solutions, branchings = (array[part] for array in boards)
        search = new_search(box * box)
        _make(search, tables(box), box, grade, puzzles, solutions, branchings, words[part])

    # Compiled code lets go of the interpreter, and plain threads can be had in any process.
    edges = np.linspace(0, len(words), 4 * threads + 1).astype(int).tolist()
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, map(slice, edges, edges[1:])))
    if (boards.branchings < 0).any():
        raise InvalidArgumentError(
            f"no boards of side {box * box} with {grade[0]} empty cells and {grade[1]} to "
            f"{grade[2]} branchings were found; ask for fewer empties or another difficulty"
        )
    return boards


@functools.lru_cache(maxsize=32)
def load_boards(box: int, grade: tuple[int, int, int], count: int, seed: int) -> Boards:
    """A bank of boards, read-only; a smaller bank is the beginning of a larger one."""
    words = np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)
    boards = make_boards(box, grade, words, os.cpu_count() or 1)
    for array in boards:
        array.flags.writeable = False
    return boards


@compiled
def _fill(search, geometry, box, solution):
    """A full board: boxes along the diagonal at random, the others by search in random order."""
    side = box * box
    while True:
        for cell in range(side * side):
            solution[cell] = 0
        for corner in range(0, side, box):
            for k in range(side):
                # Each digit changes places with one of those before it (Fisher & Yates).
                cell = (corner + k // box) * side + corner + k % box
                j = draw(search.word, k + 1)
                other = (corner + j // box) * side + corner + j % box
                solution[cell] = solution[other]
                solution[other] = k + 1
        load(search, geometry, solution)
        if run(search, geometry, -1, 0, 1, side * side, True, solution)[0] == 1:
            return


@compiled
def _dig(search, geometry, solution, empties, scratch):
    """Empty cells of a full board in random order while it keeps one solution; how many."""
    units, order = geometry.units, search.order
    load(search, geometry, solution)
    for cell in range(len(order)):
        order[cell] = cell
    emptied = 0
    for i in range(len(order)):
        if emptied == empties:
            break
        j = i + draw(search.word, len(order) - i)
        order[i], order[j] = order[j], order[i]
        cell = int(order[i])
        digit = int(solution[cell])
        search.board[cell] = 0
        toggle(search, units, cell, digit)
        others = free(search, units, cell) & ~(1 << (digit - 1))
        # There was one solution; a second one must differ in this cell.
        if others != 0 and (run(search, geometry, cell, others, 1, _CHECK, False, scratch)[0] != 0):
            search.board[cell] = digit
            toggle(search, units, cell, digit)
        else:
            emptied += 1
    return emptied


@compiled
def _make(search, geometry, box, grade, puzzles, solutions, branchings, words):
    """Make a board for each word, until one cannot be made: its branchings are −1.

    Args:
        grade: how many cells are to be empty, −1 for as many as can be; the least and the most
            branchings.
        puzzles, solutions: (n, cells) `int8`, written to.
        branchings: (n,) `int64`, written to.
        words: (n,) `uint64`, the seeds.
    """
    empties, least, most = grade
    for i in range(len(words)):
        search.word[0] = words[i]
        branchings[i] = -1
        for _ in range(_TRIES):
            _fill(search, geometry, box, solutions[i])
            emptied = _dig(search, geometry, solutions[i], empties, puzzles[i])
            if 0 <= empties != emptied:
                continue
            # As there is one solution, the last one found is that one.
            found = run(search, geometry, -1, 0, 2, ANY, False, solutions[i])[1]
            if least <= found <= most:
                branchings[i] = found
                break
        if branchings[i] < 0:
            return
        for cell in range(len(search.board)):
            puzzles[i, cell] = search.board[cell]
