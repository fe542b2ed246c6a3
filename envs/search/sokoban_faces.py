"""Sokoban for people: as text and as pictures."""

from typing import Any

import numpy as np

from ..kernel.render import Canvas
from .sokoban_levels import BOX, PLACED, PLAYER, PLAYER_ON_TARGET, SYMBOLS, TARGET, WALL

_TILE = 40  # pixels


def show(codes: np.ndarray[Any, Any]) -> str:
    """Codes of cells, (height, width), as the lines of an XSB file."""
    return "\n".join("".join(SYMBOLS[code] for code in row) for row in codes)


def draw(codes: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The same as a picture, (H, W, 3) `uint8`."""
    canvas = Canvas(codes.shape[1] * _TILE, codes.shape[0] * _TILE, "night")
    for (row, col), code in np.ndenumerate(codes):
        x, y = col * _TILE, row * _TILE
        if code == WALL:
            canvas.rectangle(x + 1, y + 1, _TILE - 2, _TILE - 2, "stone")
            continue
        canvas.rectangle(x, y, _TILE, _TILE, "sand")
        if code in (TARGET, PLACED, PLAYER_ON_TARGET):
            canvas.circle(x + _TILE / 2, y + _TILE / 2, 0.2 * _TILE, None, "red", 3)
        if code in (BOX, PLACED):
            _draw_box(canvas, x, y, "green" if code == PLACED else "yellow")
        elif code in (PLAYER, PLAYER_ON_TARGET):
            canvas.circle(x + _TILE / 2, y + _TILE / 2, 0.34 * _TILE, "blue")
            for side in (-1, 1):
                canvas.circle(x + (0.5 + 0.12 * side) * _TILE, y + 0.42 * _TILE, 3, "white")
    return canvas.pixels()


def _draw_box(canvas: Canvas, x: float, y: float, colour: str) -> None:
    """A crate with a frame and two planks across."""
    canvas.rectangle(x + 4, y + 4, _TILE - 8, _TILE - 8, "ink")
    canvas.rectangle(x + 6, y + 6, _TILE - 12, _TILE - 12, colour)
    near, far = 9, _TILE - 9
    for rise in ((near, far), (far, near)):
        canvas.line([(x + near, y + rise[0]), (x + far, y + rise[1])], "ink", 2)
