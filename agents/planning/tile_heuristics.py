"""Heuristics of SlidingTile from the tiles' lines: Manhattan distance and linear conflict."""

import functools
from typing import Any, NamedTuple

import numpy as np

from ...envs.kernel import kernel
from .compiled import Heuristic

Array = np.ndarray[Any, Any]


@kernel
def _manhattan(state, params, tables):
    """The sum of the tiles' Manhattan distances from home, which the state keeps itself."""
    return float(state.manhattan)


MANHATTAN = Heuristic(_manhattan)


class Tables(NamedTuple):
    """What linear conflict reads.

    A line of the board is told apart by its digits, a place each, in base size + 1: 0 where there
    is the gap or a tile at home in another line, otherwise 1 plus its home's place in the line.

    Attributes:
        rows, columns: (places, tiles) `int32`, what a tile in a place adds to the number of its row
            and to that of its column.
        moves: (numbers,) `int8`, the moves that a line takes beyond the Manhattan distance.
    """

    rows: Array
    columns: Array
    moves: Array


@kernel
def _linear_conflict(state, params, tables):
    size, total = params.size, int(state.manhattan)
    for line in range(size):
        row, column = 0, 0
        for k in range(size):
            place = line * size + k
            row += tables.rows[place, int(state.board[place])]
            place = k * size + line
            column += tables.columns[place, int(state.board[place])]
        total += int(tables.moves[row]) + int(tables.moves[column])
    return float(total)


def linear_conflict(size: int) -> Heuristic:
    """Manhattan distance, and two moves for each tile that must leave its line for others to pass.

    Hansson, Mayer & Yung 1992, "Criticizing solutions to relaxed models yields powerful admissible
    heuristics". Tiles at home in the line that they are in must come into order; the fewest that
    can make way are all but a longest increasing subsequence. Admissible and consistent.

    Args:
        size: of the board.
    """
    return Heuristic(_linear_conflict, _tables(size))


@functools.cache
def _tables(size: int) -> Tables:
    row, column = np.divmod(np.arange(size * size), size)  # of each place
    home_row, home_column = row[:, None], column[:, None]
    weights = (size + 1) ** np.arange(size)
    in_row = np.where(home_row == row, (home_column + 1) * weights[column], 0)
    in_column = np.where(home_column == column, (home_row + 1) * weights[row], 0)
    nothing = np.zeros((1, size * size), int)  # from the gap
    return Tables(
        np.concatenate([nothing, in_row[:-1]]).T.astype(np.int32, order="C"),
        np.concatenate([nothing, in_column[:-1]]).T.astype(np.int32, order="C"),
        _extra_moves(size),
    )


def _extra_moves(size: int) -> Array:
    """Twice the number of tiles that must leave each line, by its number."""
    numbers, base = np.arange((size + 1) ** size), size + 1
    digits = (numbers[:, None] // base ** np.arange(size) % base).astype(np.int8)
    present = digits > 0
    # The longest increasing subsequence that ends at each place, for all lines at once.
    longest = np.zeros(digits.shape, np.int8)
    for k in range(size):
        before = (digits[:, :k] < digits[:, k : k + 1]) & present[:, :k]
        best = np.where(before, longest[:, :k], 0).max(axis=1, initial=0)
        longest[:, k] = np.where(present[:, k], best + 1, 0)
    return (2 * (present.sum(axis=1) - longest.max(axis=1))).astype(np.int8)
