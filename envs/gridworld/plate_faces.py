"""Levels of PressurePlates for people: as text, in words and as pictures."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..kernel.render import Canvas

_TILE = 32  # pixels
_COLOURS = ("blue", "red")

#: `walls`, `gate`, `plates` and `exits` of one level, as `plate_levels.make_level` gives them.
Level = Mapping[str, Any]


def show(level: Level, cells: Any, opened: bool) -> str:
    """The grid as lines of text.

    Args:
        level: what stands still.
        cells: the agents' cells.
        opened: whether the gate is open.
    """
    symbols = np.where(level["walls"] == 1, "#", ".")
    symbols[level["gate"]] = "/" if opened else "|"
    symbols[level["plates"]] = "_"
    symbols[level["exits"]] = ["a", "b"]
    symbols[cells] = ["0", "1"]
    return "\n".join("".join(row) for row in symbols.reshape(_side(level), -1))


def describe(level: Level, cells: Any, opened: bool) -> str:
    """The same in words, places as (row, column) from the upper left."""

    def places(*cells: int) -> str:
        return " and ".join(f"({c // _side(level)}, {c % _side(level)})" for c in cells)

    return (
        "Both agents are to stand on their exits at once. The gate can be entered only while an "
        "agent stands on a plate. In rows and columns from the upper left, agent_0 and agent_1 "
        f"are at {places(*cells)}, their exits a and b at {places(*level['exits'])}, the plates "
        f"at {places(*level['plates'])}, the gate at {places(level['gate'])}; it is "
        f"{'open' if opened else 'closed'}. The map, row by row, with # for walls: "
        f"{' / '.join(show(level, cells, opened).splitlines())}"
    )


def draw(level: Level, cells: Any, opened: bool) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The same as a picture, (H, W, 3) `uint8`."""
    side = _side(level)

    def corner(cell: Any) -> tuple[int, int]:
        return int(cell) % side * _TILE, int(cell) // side * _TILE

    canvas = Canvas(side * _TILE, side * _TILE, "sand")
    for cell in np.flatnonzero(level["walls"]):
        canvas.rectangle(*corner(cell), _TILE, _TILE, "stone")
    x, y = corner(level["gate"])
    for bar in (3, 27) if opened else (3, 12, 21):
        canvas.rectangle(x + bar, y, 4, _TILE, "purple")
    for cell in level["plates"]:
        x, y = corner(cell)
        canvas.rectangle(x + 5, y + 5, _TILE - 10, _TILE - 10, "yellow")
    for cell, colour in zip(level["exits"], _COLOURS, strict=True):
        x, y = corner(cell)
        canvas.rectangle(x + 2, y + 2, _TILE - 4, _TILE - 4, colour)
        canvas.rectangle(x + 6, y + 6, _TILE - 12, _TILE - 12, "paper")
    for agent, (cell, colour) in enumerate(zip(cells, _COLOURS, strict=True)):
        x, y = corner(cell)
        canvas.circle(x + _TILE / 2, y + _TILE / 2, 0.32 * _TILE, colour)
        canvas.text(x + _TILE / 2, y + _TILE / 2, str(agent), "white", 13)
    return canvas.pixels()


def _side(level: Level) -> int:
    return int(len(level["walls"]) ** 0.5)
