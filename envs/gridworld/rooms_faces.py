"""Rooms for people: as text, in words and as pictures, and back from text."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..kernel import InvalidArgumentError
from ..kernel.render import PALETTE, Canvas, Colour
from .rooms import (
    AGENT,
    BALL,
    BOX,
    COLOURS,
    DOOR,
    DOOR_STATES,
    EMPTY,
    EMPTY_CELL,
    FLOOR,
    GOAL,
    GOAL_CELL,
    KEY,
    LAVA,
    LOCKED,
    OBJECTS,
    OPEN,
    RED,
    VIEW,
    WALL,
    WALL_CELL,
    cell,
    observe_egocentric,
    unpack,
)

_SYMBOLS = {EMPTY: ".", WALL: "#", FLOOR: ",", KEY: "k", BALL: "b", BOX: "x", GOAL: "G", LAVA: "~"}
_DOOR_SYMBOLS = "/DL"
_ARROWS = ">v<^"


def show(state: Any) -> str:
    """The grid as lines of text; `parse_layout` reads them back."""
    lines = []
    for y in range(state["side"]):
        symbols = []
        for x in range(state["side"]):
            obj, _, door = unpack(int(state["grid"][x, y]))
            here = (x, y) == (state["x"], state["y"])
            symbol = _DOOR_SYMBOLS[door] if obj == DOOR else _SYMBOLS[obj]
            symbols.append(_ARROWS[state["direction"]] if here else symbol)
        lines.append("".join(symbols))
    carried = unpack(int(state["carrying"]))
    if carried[0] != EMPTY:
        lines.append(f"carrying a {COLOURS[carried[1]]} {OBJECTS[carried[0]]}")
    return "\n".join(lines)


def load_layout(state: Any, layout: Any, colour: int) -> None:
    """Write a layout into a state: walls, objects and the agent, with empty hands.

    Args:
        state: a record whose `side` is set.
        layout: text as `show` prints it (one string, or a line each; coloured things take
            `colour`), or an integer array (size, size, 3) of objects, colours and states indexed
            [x, y], the agent in it as (AGENT, any, direction).
        colour: the colour of keys, doors, balls and boxes drawn as text.

    Raises:
        InvalidArgumentError: the layout is not of that form, of another size, or without exactly
            one agent inside closed walls.
    """
    size = int(state["side"])
    cells = _text_cells(layout, size, colour) if _is_text(layout) else _array_cells(layout, size)
    agents = [place for place, c in cells.items() if c & 15 == AGENT]
    if len(agents) != 1:
        raise InvalidArgumentError(f"the layout must hold one agent; it holds {len(agents)}")
    border = [c for (x, y), c in cells.items() if {x, y} & {0, size - 1}]
    if any(c & 15 != WALL for c in border):
        raise InvalidArgumentError("the layout must be closed by walls on all four sides")
    for place, c in cells.items():
        state["grid"][place] = EMPTY_CELL if c & 15 == AGENT else c
    state["x"], state["y"] = agents[0]
    state["direction"] = unpack(cells[agents[0]])[2]
    state["carrying"] = EMPTY_CELL


def _is_text(layout: Any) -> bool:
    return isinstance(layout, str) or (
        isinstance(layout, list | tuple) and all(isinstance(line, str) for line in layout)
    )


def _text_cells(layout: Any, size: int, colour: int) -> dict[tuple[int, int], int]:
    lines = layout.split() if isinstance(layout, str) else list(layout)
    if len(lines) != size or any(len(line) != size for line in lines):
        raise InvalidArgumentError(f"the layout must have {size} lines of {size} symbols")
    meanings = {symbol: cell(obj, 0) for obj, symbol in _SYMBOLS.items()}
    meanings |= {s: cell(AGENT, RED, d) for d, s in enumerate(_ARROWS)}
    meanings |= {s: cell(DOOR, colour, d) for d, s in enumerate(_DOOR_SYMBOLS)}
    meanings |= {_SYMBOLS[obj]: cell(obj, colour) for obj in (KEY, BALL, BOX)}
    meanings |= {"#": WALL_CELL, "G": GOAL_CELL}
    try:
        return {(x, y): meanings[s] for y, line in enumerate(lines) for x, s in enumerate(line)}
    except KeyError as error:
        known = "".join(meanings)
        raise InvalidArgumentError(f"layout symbol {error} is unknown; known: {known}") from None


def _array_cells(layout: ArrayLike, size: int) -> dict[tuple[int, int], int]:
    array = np.asarray(layout)
    if array.shape != (size, size, 3) or array.dtype.kind not in "iu":
        raise InvalidArgumentError(
            f"the layout must be text or an integer array of shape ({size}, {size}, 3); "
            f"got {array.dtype} of shape {array.shape}"
        )
    objects, colours, states = (array[..., k] for k in range(3))
    fits = (objects >= EMPTY) & (objects <= AGENT) & (colours >= 0) & (colours < len(COLOURS))
    top = np.where(objects == AGENT, 4, np.where(objects == DOOR, 3, 1))
    if not (fits & (states >= 0) & (states < top)).all():
        raise InvalidArgumentError("the layout array holds an unknown object, colour or state")
    return {(x, y): cell(*(int(n) for n in array[x, y])) for x in range(size) for y in range(size)}


def view_of(state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The egocentric view of a state."""
    view = np.zeros((VIEW, VIEW, 3), np.uint8)
    observe_egocentric(state, (), view)
    return view


def describe_view(view: np.ndarray[Any, Any]) -> str:
    """An egocentric view in words: what is carried, what is where, how far the way is free."""
    carried = view[VIEW // 2, VIEW - 1]
    hands = "nothing" if carried[0] == EMPTY else f"a {COLOURS[carried[1]]} {OBJECTS[carried[0]]}"
    things = []
    for j in range(VIEW - 1, -1, -1):
        for i in range(VIEW):
            obj, colour, door = (int(n) for n in view[i, j])
            ahead, right = VIEW - 1 - j, i - VIEW // 2
            if obj in (DOOR, KEY, BALL, BOX, GOAL, LAVA) and (ahead or right):
                name = f"{DOOR_STATES[door]} " if obj == DOOR else ""
                things.append(f"a {name}{COLOURS[colour]} {OBJECTS[obj]} {_place(ahead, right)}")
    column = view[VIEW // 2, ::-1]
    free = next((k - 1 for k in range(1, VIEW) if column[k, 0] != EMPTY), VIEW - 1)
    seen = "; ".join(things) if things else "nothing but walls and floor"
    return f"You carry {hands}. You see {seen}. {free} free cells lie ahead of you."


def _place(ahead: int, right: int) -> str:
    parts = [f"{ahead} ahead"] if ahead else []
    if right:
        parts.append(f"{abs(right)} to the {'right' if right > 0 else 'left'}")
    return " and ".join(parts)


def draw(state: Any, tile: int = 32) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The whole grid as a picture, (size × tile, size × tile, 3) `uint8`."""
    size = int(state["side"])
    canvas = Canvas(size * tile, size * tile, "paper")
    for x in range(size):
        for y in range(size):
            obj, colour, door = unpack(int(state["grid"][x, y]))
            _draw_cell(canvas, x * tile, y * tile, tile, obj, PALETTE[COLOURS[colour]], door)
    _draw_agent(canvas, (state["x"] + 0.5) * tile, (state["y"] + 0.5) * tile, tile, state)
    return canvas.pixels()


def _draw_cell(
    canvas: Canvas, x: float, y: float, t: float, obj: int, colour: Colour, door: int
) -> None:
    canvas.rectangle(x, y, t, t, "stone" if obj == WALL else "sand")
    if obj != WALL:
        canvas.rectangle(x + 1, y + 1, t - 2, t - 2, "paper")
    if obj == GOAL:
        canvas.rectangle(x + 1, y + 1, t - 2, t - 2, colour)
    elif obj == LAVA:
        canvas.rectangle(x + 1, y + 1, t - 2, t - 2, "red")
    elif obj == DOOR:
        width = t / 6 if door == OPEN else t
        canvas.rectangle(x, y, width, t, colour)
        if door != OPEN:
            canvas.rectangle(
                x + t / 8, y + t / 8, t * 3 / 4, t * 3 / 4, "ink" if door == LOCKED else "paper"
            )
            canvas.circle(x + t * 0.68, y + t / 2, t / 12, colour)
    elif obj == KEY:
        canvas.circle(x + t / 2, y + t * 0.3, t * 0.14, None, colour, t * 0.08)
        canvas.rectangle(x + t * 0.46, y + t * 0.42, t * 0.09, t * 0.42, colour)
        canvas.rectangle(x + t * 0.52, y + t * 0.6, t * 0.16, t * 0.07, colour)
        canvas.rectangle(x + t * 0.52, y + t * 0.75, t * 0.16, t * 0.07, colour)
    elif obj == BALL:
        canvas.circle(x + t / 2, y + t / 2, t * 0.3, colour)
    elif obj == BOX:
        canvas.rectangle(x + t * 0.2, y + t * 0.2, t * 0.6, t * 0.6, colour)
        canvas.rectangle(x + t * 0.28, y + t * 0.28, t * 0.44, t * 0.44, "paper")


def _draw_agent(canvas: Canvas, x: float, y: float, t: float, state: Any) -> None:
    angle = int(state["direction"]) * math.pi / 2
    corners = [(0.38, 0.0), (-0.3, 0.3), (-0.3, -0.3)]
    canvas.polygon(
        [
            (
                x + t * (a * math.cos(angle) - b * math.sin(angle)),
                y + t * (a * math.sin(angle) + b * math.cos(angle)),
            )
            for a, b in corners
        ],
        "red",
    )
    carried = unpack(int(state["carrying"]))
    if carried[0] != EMPTY:
        canvas.circle(x, y, t * 0.12, COLOURS[carried[1]])
