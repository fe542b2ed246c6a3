"""Rooms with walls, doors and objects: what the room gridworlds share.

A cell packs an object, its colour and its state into one `int16`; the three numbers are
Minigrid's (Chevalier-Boisvert et al. 2023, "Minigrid & Miniworld"), so that observations of both
suites are alike. Kernels here work on states with the fields `grid` (capacity, capacity) `i2`
indexed [x, y], `side`, `x`, `y`, `direction` and `carrying`, and with `BOOKKEEPING`.
"""

from typing import Any

import numpy as np
from gymnasium import spaces

from ..kernel import kernel, rng
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


#: What `act` notes for the observations: whether it changed anything.
BOOKKEEPING: tuple[Field, ...] = (("changed", np.int8),)


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
    state.changed = 0


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
    state.changed = 0
    if action == LEFT:
        state.direction = (direction + 3) % 4
        state.changed = 1
    elif action == RIGHT:
        state.direction = (direction + 1) % 4
        state.changed = 1
    elif action == FORWARD:
        is_open_door = obj == DOOR and front >> 7 == OPEN
        if is_open_door or obj == EMPTY or obj == FLOOR or obj == GOAL or obj == LAVA:
            state.x = front_x
            state.y = front_y
            state.changed = 1
    elif action == PICK_UP:
        if (obj == KEY or obj == BALL or obj == BOX) and int(state.carrying) == EMPTY_CELL:
            state.carrying = front
            state.grid[front_x, front_y] = EMPTY_CELL
            state.changed = 1
    elif action == DROP:
        if obj == EMPTY and int(state.carrying) != EMPTY_CELL:
            state.grid[front_x, front_y] = state.carrying
            state.carrying = EMPTY_CELL
            state.changed = 1
    elif action == TOGGLE and obj == DOOR:
        state.grid[front_x, front_y] = toggled(front, int(state.carrying))
        state.changed = 1
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
    x, y = int(state.x), int(state.y)
    # Of the two coordinates one tells the rows of the view apart, and one the cells of a row: the
    # latter are the same in each row. Seven numbers of nine bits fit into one word.
    across = 0
    for i in range(VIEW):
        right = i - VIEW // 2
        cell_x, cell_y = x - forward_y * right, y + forward_x * right
        place = cell_y if forward_y == 0 else cell_x
        across |= min(max(place, 0), last) << 9 * i
    obs[:] = 0
    seen = 1 << VIEW // 2  # one bit for each cell of the row
    for ahead in range(VIEW):
        place = x + forward_x * ahead if forward_y == 0 else y + forward_y * ahead
        along = min(max(place, 0), last)
        row, transparent = 0, 0
        for i in range(VIEW):
            other = across >> 9 * i & 511
            content = int(state.grid[along, other] if forward_y == 0 else state.grid[other, along])
            row |= content << 9 * i
            transparent |= int(_TRANSPARENT[content]) << i
        spread = int(_SIGHT[seen << VIEW | transparent])
        for i in range(VIEW):
            content = row >> 9 * i & 511 if spread >> i & 1 else UNSEEN
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


# Many actions change nothing, and then the observation is that of the step before.


@kernel
def update_egocentric(state, params, obs):
    """`observe_egocentric` where something has changed."""
    if state.changed != 0:
        observe_egocentric(state, params, obs)


@kernel
def update_through_walls(state, params, obs):
    """`observe_through_walls` where something has changed."""
    if state.changed != 0:
        observe_through_walls(state, params, obs)


@kernel
def update_full(state, params, obs):
    """`observe_full` where something has changed."""
    if state.changed != 0:
        observe_full(state, params, obs)


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
