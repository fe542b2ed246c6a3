"""Sudoku boards as text."""

import re
from typing import Any

import numpy as np

from ..kernel import InvalidArgumentError
from .sudoku_solver import is_solved

#: An empty cell, and the digits from 1 to 16.
SYMBOLS = ".123456789ABCDEFG"


def is_answer(puzzle: str, answer: str) -> bool:
    """Whether a text is the whole solution of a puzzle: its digits kept, all rules kept.

    Args:
        puzzle: 16, 81 or 256 symbols row by row, with `.`, `_` or 0 for empty cells; white space
            and the characters `|+-` are passed over.
        answer: as many digits. Anything else, such as a sentence before them, is wrong.

    Raises:
        InvalidArgumentError: the puzzle is not a board.
    """
    side = round(len(_bare(puzzle)) ** 0.5)
    if side not in (4, 9, 16):
        raise InvalidArgumentError(f"a puzzle has 16, 81 or 256 cells; got {puzzle!r}")
    board = read_board(puzzle, side)
    try:
        return is_solved(board, read_board(answer, side))
    except InvalidArgumentError:
        return False


def read_board(board: Any, side: int) -> np.ndarray[Any, np.dtype[np.int8]]:
    """The digits of a text or of rows, (cells,).

    Raises:
        InvalidArgumentError: they are not those of a board of this side.
    """
    accepted = (
        f"board must be {side} rows of {side} digits from 0 (empty) to {side}, or a text of "
        f"{side * side} symbols of '{SYMBOLS[: side + 1]}'; got {board!r}"
    )
    if isinstance(board, str):
        digits = [SYMBOLS.find(symbol) for symbol in _bare(board)]
        rows = np.array(digits) if len(digits) == side**2 else np.empty(0)
    else:
        try:
            rows = np.array(board)
        except ValueError:  # rows of different lengths
            rows = np.empty(0)
        if rows.shape != (side, side):
            raise InvalidArgumentError(accepted)
    if rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() > side:
        raise InvalidArgumentError(accepted)
    return rows.ravel().astype(np.int8)


def _bare(text: str) -> str:
    return re.sub(r"[\s|+-]", "", text).upper().replace("_", ".").replace("0", ".")
