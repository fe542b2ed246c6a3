"""Rooms with walls, doors and objects: what the room gridworlds share.

A cell packs an object, its colour and its state into one `int16`; the three numbers are
Minigrid's (Chevalier-Boisvert et al. 2023, "Minigrid & Miniworld"), so that observations of both
suites are alike. Kernels here work on states with the fields `grid` (capacity, capacity) `i2`
indexed [x, y], `side`, `x`, `y`, `direction` and `carrying`.
"""

import math
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike

from ..kernel import InvalidArgumentError, kernel, rng
from ..kernel.render import PALETTE, Canvas, Colour
from ..kernel.state import Field

UNSEEN, EMPTY, WALL, FLOOR, DOOR, KEY, BALL, BOX, GOAL, LAVA, AGENT = range(11)
OBJECTS = (
    "unseen", "empty", "wall", "floor", "door", "key", "ball", "box", "goal", "lava", "agent",
)  # fmt: skip
RED, GREEN, BLUE, PURPLE, YELLOW, GREY = range(6)
COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")
OPEN, CLOSED, LOCKED = range(3)
DOOR_STATES = ("open", "closed", "locked")

LEFT, RIGHT, FORWARD, PICK_UP, DROP, TOGGLE, DONE = range(7)
ACTION_WORDS = ("turn left", "turn right", "go forward", "pick up", "drop", "toggle", "done")
DIRECTIONS = ("east", "south", "west", "north")

#: Side of the egocentric view; the agent stands in the middle of its last row and looks up.
VIEW = 7

EMPTY_CELL = EMPTY
WALL_CELL = WALL | GREY << 4
GOAL_CELL = GOAL | GREEN << 4


def cell(obj: int, colour: int = 0, state: int = 0) -> int:
    """The packed cell of an object; `unpack` gives the parts back."""
    return obj | colour << 4 | state << 7


def unpack(packed: int) -> tuple[int, int, int]:
    """Object, colour and state of a packed cell."""
    return packed & 15, packed >> 4 & 7, packed >> 7


def dynamic_fields(capacity: int) -> list[Field]:
    """The state fields that move, for worlds up to `capacity` cells wide."""
    return [
        ("grid", np.int16, (capacity, capacity)),
        ("x", np.int16),
        ("y", np.int16),
        ("direction", np.int8),
        ("carrying", np.int16),
    ]


def cells_space(side: int) -> spaces.Box:
    """The space of observations of `side` × `side` cells: (side, side, 3) `uint8`."""
    top = np.broadcast_to(np.array([AGENT, GREY, 3], np.uint8), (side, side, 3))
    return spaces.Box(np.zeros_like(top), top.copy(), dtype=np.uint8)


# --- generation ---


@kernel
def walled_room(state):
    """Clear the grid, wall it in, and empty the agent's hands."""
    size = int(state.side)
    for x in range(state.grid.shape[0]):
        for y in range(state.grid.shape[1]):
            inside = 0 < x < size - 1 and 0 < y < size - 1
            state.grid[x, y] = EMPTY_CELL if inside else WALL_CELL
    state.carrying = EMPTY_CELL


@kernel
def random_empty_cell(state, width):
    """A uniformly drawn empty cell (x, y) among the first `width` columns."""
    while True:
        x = rng.integer(state, width)
        y = rng.integer(state, int(state.side))
        if state.grid[x, y] == EMPTY_CELL:
            return x, y


# --- dynamics ---


@kernel
def act(state, action):
    """Minigrid's seven actions. Returns the cell in front of the agent as it was before."""
    direction = int(state.direction)
    forward_x, forward_y = heading(state)
    front_x, front_y = int(state.x) + forward_x, int(state.y) + forward_y
    front = int(state.grid[front_x, front_y])
    obj = front & 15
    if action == LEFT:
        state.direction = (direction + 3) % 4
    elif action == RIGHT:
        state.direction = (direction + 1) % 4
    elif action == FORWARD:
        is_open_door = obj == DOOR and front >> 7 == OPEN
        if is_open_door or obj == EMPTY or obj == FLOOR or obj == GOAL or obj == LAVA:
            state.x = front_x
            state.y = front_y
    elif action == PICK_UP:
        if (obj == KEY or obj == BALL or obj == BOX) and int(state.carrying) == EMPTY_CELL:
            state.carrying = front
            state.grid[front_x, front_y] = EMPTY_CELL
    elif action == DROP:
        if obj == EMPTY and int(state.carrying) != EMPTY_CELL:
            state.grid[front_x, front_y] = state.carrying
            state.carrying = EMPTY_CELL
    elif action == TOGGLE and obj == DOOR:
        state.grid[front_x, front_y] = toggled(front, int(state.carrying))
    return front


@kernel
def toggled(door, carried):
    """A door after it was toggled: a locked one opens to a carried key of its colour."""
    base = door & 127
    if door >> 7 == LOCKED:
        has_key = carried & 15 == KEY and carried >> 4 & 7 == door >> 4 & 7
        return base | OPEN << 7 if has_key else door
    return base | CLOSED << 7 if door >> 7 == OPEN else base | OPEN << 7


# --- observation ---


def _sight_table() -> np.ndarray[Any, np.dtype[np.int16]]:
    """How sight spreads along one row of the view: [seen bits << 7 | transparent bits] -> bits.

    The low 7 bits of an entry say which cells of the row are seen, the next 7 which cells of the
    row beyond are. Sight passes from a seen transparent cell to its neighbours on both sides and
    to the three cells beyond, first rightwards, then leftwards, as in Minigrid.
    """
    index = np.arange(1 << 2 * VIEW)
    seen, transparent = index >> VIEW, index & (1 << VIEW) - 1
    beyond = np.zeros_like(index)
    for order, step in ((range(VIEW - 1), 1), (range(VIEW - 1, 0, -1), -1)):
        for i in order:
            passes = seen >> i & transparent >> i & 1
            seen = seen | passes << i + step
            beyond = beyond | passes << i | passes << i + step
    return (seen | beyond << VIEW).astype(np.int16)


_SIGHT = _sight_table()
_TRANSPARENT = np.array(
    [c & 15 != WALL and (c & 15 != DOOR or c >> 7 == OPEN) for c in range(1 << 9)], np.int8
)


@kernel
def observe_egocentric(state, params, obs):
    """The 7×7 cells before the agent, turned so that it looks up: (VIEW, VIEW, 3) `uint8`.

    Cells behind walls and closed doors are UNSEEN. In the agent's own cell stands what it carries.
    """
    last = int(state.side) - 1
    forward_x, forward_y = heading(state)
    obs[:] = 0
    seen = 1 << VIEW // 2  # one bit for each cell of the row
    for ahead in range(VIEW):
        left_x = int(state.x) + forward_x * ahead + forward_y * (VIEW // 2)
        left_y = int(state.y) + forward_y * ahead - forward_x * (VIEW // 2)
        transparent = 0
        for i in range(VIEW):
            content = look(state, left_x - forward_y * i, left_y + forward_x * i, last)
            transparent |= int(_TRANSPARENT[content]) << i
        spread = int(_SIGHT[seen << VIEW | transparent])
        for i in range(VIEW):
            if spread >> i & 1:
                content = look(state, left_x - forward_y * i, left_y + forward_x * i, last)
                write_cell(obs, i, VIEW - 1 - ahead, content)
        seen = spread >> VIEW
        if seen == 0:
            break
    write_cell(obs, VIEW // 2, VIEW - 1, int(state.carrying))


@kernel
def observe_through_walls(state, params, obs):
    """`observe_egocentric` with nothing hidden."""
    last = int(state.side) - 1
    forward_x, forward_y = heading(state)
    for ahead in range(VIEW):
        for i in range(VIEW):
            right = i - VIEW // 2
            x = int(state.x) + forward_x * ahead - forward_y * right
            y = int(state.y) + forward_y * ahead + forward_x * right
            write_cell(obs, i, VIEW - 1 - ahead, look(state, x, y, last))
    write_cell(obs, VIEW // 2, VIEW - 1, int(state.carrying))


@kernel
def heading(state):
    """The unit step (x, y) in the agent's direction."""
    direction = int(state.direction)
    return (direction == 0) - (direction == 2), (direction == 1) - (direction == 3)


@kernel
def look(state, x, y, last):
    """The cell at (x, y). Rooms are walled in, so beyond them the nearest cell is a wall too."""
    return int(state.grid[min(max(x, 0), last), min(max(y, 0), last)])


@kernel
def write_cell(obs, x, y, content):
    """Object, colour and state of a packed cell into an observation."""
    obs[x, y, 0] = content & 15
    obs[x, y, 1] = content >> 4 & 7
    obs[x, y, 2] = content >> 7


@kernel
def observe_full(state, params, obs):
    """The whole grid with the agent in it: (capacity, capacity, 3) `uint8`.

    The agent's cell is (AGENT, RED, direction), as in Minigrid's fully observable view. Cells
    beyond the actual size are UNSEEN.
    """
    size = int(state.side)
    for x in range(obs.shape[0]):
        for y in range(obs.shape[1]):
            content = int(state.grid[x, y]) if x < size and y < size else UNSEEN
            write_cell(obs, x, y, content)
    agent = AGENT | RED << 4 | int(state.direction) << 7
    write_cell(obs, int(state.x), int(state.y), agent)


# --- faces for people ---

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
