"""A compiled solver of Sudoku boards: singles, then depth-first search.

A board is an `int8` array of cells, row by row, 0 being an empty cell. The digits that a row, a
column or a box holds already are the bits of one integer.
"""

import functools
from typing import Any, NamedTuple

import numpy as np

from ..kernel.compile import compiled
from ..kernel.rng import mix64

Array = np.ndarray[Any, Any]


ANY = 1 << 30  # more branchings than any board needs
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_32 = np.uint64(32)


class Solution(NamedTuple):
    """What the solver says about a board.

    Attributes:
        digits: (cells,) `int8`, a solution.
        unique: whether there is no other.
        branchings: of the search for a second solution; see `Boards`.
    """

    digits: Array
    unique: bool
    branchings: int


def solve(board: Array) -> Solution | None:
    """Solve a board, (cells,) with 0 for empty cells; None where it has no solution."""
    box = round(len(board) ** 0.25)
    search, found = new_search(box * box), np.zeros(len(board), np.int8)
    if not load(search, tables(box), board.astype(np.int8)):
        return None
    count, branchings = run(search, tables(box), -1, 0, 2, ANY, False, found)
    return Solution(found, count == 1, branchings) if count else None


def candidates_of(boards: Array) -> Array:
    """The digits that could be written into each empty cell, as bits.

    Args:
        boards: (n, cells).

    Returns:
        (n, cells) `int32`, with bit d − 1 for digit d, and 0 where a cell is not empty.
    """
    side = round(boards.shape[1] ** 0.5)
    units, members, _ = tables(round(side**0.5))
    bits = (1 << boards.astype(np.int32)) >> 1
    used = np.bitwise_or.reduce(bits[:, members], axis=2)[:, units]
    taken = np.bitwise_or.reduce(used, axis=2)
    return np.where(boards == 0, ((1 << side) - 1) & ~taken, 0).astype(np.int32)


def is_solved(puzzle: Array, answer: Array) -> bool:
    """Whether an answer, (cells,), is a full board that keeps the rules and the puzzle's digits."""
    side = round(len(puzzle) ** 0.5)
    units = np.sort(answer[tables(round(side**0.5)).members], axis=1)
    kept = (answer == puzzle) | (puzzle == 0)
    return bool((units == np.arange(1, side + 1)).all() and kept.all())


class Tables(NamedTuple):
    """The geometry of boards with boxes of `box` × `box` cells.

    Attributes:
        units: (cells, 3) `int16`, the row, the column and the box of each cell, numbered on.
        members: (units, side) `int16`, the cells of each unit.
        peers: (cells, n) `int16`, the other cells that share a unit with a cell.
    """

    units: Array
    members: Array
    peers: Array


@functools.cache
def tables(box: int) -> Tables:
    """The tables of a size."""
    side = box * box
    cells = np.arange(side * side)
    rows, columns = cells // side, cells % side
    boxes = rows // box * box + columns // box
    units = np.stack([rows, side + columns, 2 * side + boxes], axis=1)
    members = np.array([np.flatnonzero((units == unit).any(axis=1)) for unit in range(3 * side)])
    shared = (units[:, None] == units[None]).any(axis=2) & (cells[:, None] != cells)
    peers = np.array([np.flatnonzero(row) for row in shared])
    return Tables(*(table.astype(np.int16) for table in (units, members, peers)))


class Search(NamedTuple):
    """The memory of one solver, for boards of one size.

    Attributes:
        board: (cells,) `int8`.
        used: (units,) `int32`, the digits that each unit holds, as bits.
        trail: (cells,) `int16`, the cells filled since the search began, in order.
        branches: (cells, 3) `int32`: of each open branching the cell, the digits not tried yet,
            and the length of the trail.
        order: (cells,) `int16`, the cells in the order in which they are emptied.
        word: (1,) `uint64`, the generator.
    """

    board: Array
    used: Array
    trail: Array
    branches: Array
    order: Array
    word: Array


def new_search(side: int) -> Search:
    """The memory for boards of this side."""
    cells = side * side
    return Search(
        np.zeros(cells, np.int8),
        np.zeros(3 * side, np.int32),
        np.zeros(cells, np.int16),
        np.zeros((cells + 1, 3), np.int32),
        np.arange(cells, dtype=np.int16),
        np.zeros(1, np.uint64),
    )


@compiled
def draw(word, n):
    """An integer drawn from 0 … n−1."""
    word[0] += _GAMMA
    return np.int64(((mix64(word[0]) >> _32) * np.uint64(n)) >> _32)


@compiled
def _lowest(bits):
    """The digit of the lowest bit that is set."""
    digit = 1
    while bits & 1 == 0:
        bits >>= 1
        digit += 1
    return digit


@compiled
def _count(bits):
    n = 0
    while bits:
        bits &= bits - 1
        n += 1
    return n


@compiled
def toggle(search, units, cell, digit):
    """Enter a digit into the units of a cell, or take it out again."""
    bit = 1 << (digit - 1)
    for k in range(3):
        search.used[units[cell, k]] ^= bit


@compiled
def free(search, units, cell):
    """The digits that no cell in sight of this one holds, as bits."""
    used = search.used
    full = (1 << (len(used) // 3)) - 1
    return full & ~(used[units[cell, 0]] | used[units[cell, 1]] | used[units[cell, 2]])


@compiled
def _place(search, units, cell, digit, length):
    search.board[cell] = digit
    toggle(search, units, cell, digit)
    search.trail[length] = cell
    return length + 1


@compiled
def _propagate(search, geometry, length):
    """Fill in singles until there are none.

    Returns:
        The length of the trail, and a cell to branch on: that with the fewest candidates. −1 where
        the board is full, −2 where a cell or a digit has no place left.
    """
    units, members = geometry.units, geometry.members
    board = search.board
    while True:
        best, fewest, placed = -1, 99, False
        for cell in range(len(board)):
            if board[cell] != 0:
                continue
            allowed = free(search, units, cell)
            if allowed == 0:
                return length, -2
            if allowed & (allowed - 1) == 0:
                length = _place(search, units, cell, _lowest(allowed), length)
                placed = True
            elif not placed:
                count = _count(allowed)
                if count < fewest:
                    best, fewest = cell, count
        if placed:
            continue
        if best < 0:
            return length, -1
        length, found = _hidden_single(search, units, members, length)
        if found < 0:
            return length, -2
        if found == 0:
            return length, best


@compiled
def _hidden_single(search, units, members, length):
    """Fill in a digit that has only one place in some unit.

    Returns:
        The length of the trail, and how many cells were filled; −1 where a digit has no place.
    """
    full = (1 << members.shape[1]) - 1
    filled = 0
    for unit in range(len(members)):
        once, twice = 0, 0
        for k in range(members.shape[1]):
            cell = members[unit, k]
            if search.board[cell] == 0:
                allowed = free(search, units, cell)
                twice |= once & allowed
                once |= allowed
        if once | search.used[unit] != full:
            return length, -1
        single = once & ~twice
        if single == 0:
            continue
        digit = _lowest(single)
        for k in range(members.shape[1]):
            cell = members[unit, k]
            if search.board[cell] == 0 and free(search, units, cell) >> (digit - 1) & 1:
                length = _place(search, units, cell, digit, length)
                filled += 1
                break
    return length, filled


@compiled
def _choose(search, choices, shuffled):
    """The lowest of some digits, or a random one."""
    if shuffled:
        for _ in range(draw(search.word, _count(choices))):
            choices &= choices - 1
    return _lowest(choices)


@compiled
def run(search, geometry, cell, choices, limit, budget, shuffled, solution):
    """Depth-first search for up to `limit` solutions; the board is as before afterwards.

    Args:
        cell, choices: the cell to branch on first and the digits to try, as bits; −1 to begin
            with singles.
        budget: the most branchings; the first does not count where it was given.
        shuffled: whether digits are tried in a random order.
        solution: (cells,) where to write the last solution found.

    Returns:
        How many solutions were found, −1 where the budget ran out; and the branchings.
    """
    units = geometry.units
    length, depth, branchings, solutions = 0, 0, 0, 0
    given = cell >= 0
    while True:
        if not given:
            length, cell = _propagate(search, geometry, length)
            if cell >= 0:
                branchings += 1
                choices = free(search, units, cell)
        given = False
        if cell == -1:
            solutions += 1
            for k in range(len(solution)):
                solution[k] = search.board[k]
            if solutions == limit:
                depth = 0
        elif branchings > budget:
            solutions, depth = -1, 0
        elif cell >= 0:
            search.branches[depth, 0] = cell
            search.branches[depth, 1] = choices
            search.branches[depth, 2] = length
            depth += 1
        while depth > 0 and search.branches[depth - 1, 1] == 0:
            depth -= 1
        keep = search.branches[depth - 1, 2] if depth > 0 else 0
        while length > keep:
            length -= 1
            filled = search.trail[length]
            toggle(search, units, filled, search.board[filled])
            search.board[filled] = 0
        if depth == 0:
            return solutions, branchings
        digit = _choose(search, search.branches[depth - 1, 1], shuffled)
        search.branches[depth - 1, 1] &= ~(1 << (digit - 1))
        length = _place(search, units, search.branches[depth - 1, 0], digit, length)


@compiled
def load(search, geometry, board):
    """Take over a board; whether no two equal digits are in sight of each other."""
    for unit in range(len(search.used)):
        search.used[unit] = 0
    for cell in range(len(board)):
        digit = int(board[cell])
        search.board[cell] = digit
        if digit != 0:
            if free(search, geometry.units, cell) >> (digit - 1) & 1 == 0:
                return False
            toggle(search, geometry.units, cell, digit)
    return True
