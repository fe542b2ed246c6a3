"""The optimal solutions of all small sliding-tile boards."""

import functools
from typing import Any

import numpy as np


def optimal_moves(boards: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.int8]]:
    """The fewest moves that solve each board, (n,).

    Args:
        boards: (n, 4) or (n, 9) solvable boards, row by row.
    """
    codes, moves = _table(int(np.sqrt(boards.shape[1])))
    return moves[np.searchsorted(codes, _codes(boards))]


@functools.cache
def _table(size: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The sorted codes of all solvable boards and the moves that each needs.

    Breadth-first search from the solved board, a whole level at a time. A move changes the parity
    of the board, so a level's neighbours lie in the levels before and after it only.
    """
    places = size * size
    moves = [
        (gap, gap + offset)
        for gap in range(places)
        for offset in (1, -1, size, -size)
        if 0 <= gap + offset < places
        and (abs(offset) == size or gap // size == (gap + offset) // size)
    ]
    level = ((np.arange(places) + 1) % places).astype(np.int8)[None]
    levels, before = [_codes(level)], np.empty(0, np.int64)
    while len(level):
        children = []
        for gap, place in moves:
            chosen = level[level[:, gap] == 0]
            chosen[:, gap], chosen[:, place] = chosen[:, place], 0
            children.append(chosen)
        boards = np.concatenate(children)
        codes, first = np.unique(_codes(boards), return_index=True)
        fresh = ~np.isin(codes, before, assume_unique=True)
        before = levels[-1]
        level = boards[first[fresh]]
        levels.append(codes[fresh])
    codes = np.concatenate(levels)
    depths = np.repeat(np.arange(len(levels), dtype=np.int8), [len(codes) for codes in levels])
    order = codes.argsort()
    return codes[order], depths[order]


def _codes(boards: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Each board as a number in base size²."""
    places = boards.shape[1]
    return boards.astype(np.int64) @ places ** np.arange(places)
