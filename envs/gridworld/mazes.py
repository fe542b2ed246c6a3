"""Mazes written as text, and what can be read off them: ways, and how far rays go."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..kernel import InvalidArgumentError

Array = np.ndarray[Any, Any]

_MAX_SIDE = 256

#: Mazes by name: `#` walls, `.` free cells, `S` the start, `G` the goal.
MAZES = {
    "deceptive": """
        ###############
        #G.....#......#
        #......#......#
        #####..#......#
        #...#......####
        #...#.........#
        #...#.........#
        #...#######...#
        #...#.........#
        #...#.........#
        #...#....######
        #...#.........#
        #.............#
        #S............#
        ###############
    """,
    "medium": """
        #############
        #S....#.....#
        #####.#.###.#
        #...#.#.#...#
        #.#.#...#.###
        #.#.#####...#
        #.#.......#.#
        #.#####.###.#
        #.....#.#...#
        #.###...#.#.#
        #...#.#...#G#
        #############
    """,
    "umaze": """
        #######
        #G....#
        #####.#
        #S....#
        #######
    """,
    "open": """
        #########
        #S......#
        #.......#
        #.......#
        #.......#
        #......G#
        #########
    """,
}

#: The directions of the range finders, clockwise; y grows southwards.
COMPASS = (
    "east", "south-east", "south", "south-west", "west", "north-west", "north", "north-east",
)  # fmt: skip
STEPS = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))


def read_maze(maze: Any) -> list[str]:
    """The lines of a maze that is given by name, as text or as lines.

    Raises:
        InvalidArgumentError: the name is unknown, or the text no closed rectangle with one start
            and one goal.
    """
    if isinstance(maze, str) and "#" not in maze:
        if maze not in MAZES:
            raise InvalidArgumentError(
                f"maze must be one of {list(MAZES)} or a text with walls #; got {maze!r}"
            )
        maze = MAZES[maze]
    if isinstance(maze, str):
        maze = maze.split()
    if (
        not isinstance(maze, Sequence)
        or not maze
        or not all(m and isinstance(m, str) for m in maze)
    ):
        raise InvalidArgumentError(f"maze must be a name, a text or a list of lines; got {maze!r}")
    text = "".join(maze)
    if len({len(line) for line in maze}) > 1 or max(len(maze), len(maze[0])) > _MAX_SIDE:
        raise InvalidArgumentError(
            f"the lines of the maze must be equally long, its sides at most {_MAX_SIDE}"
        )
    if set(text) - set("#.SG") or text.count("S") != 1 or text.count("G") != 1:
        raise InvalidArgumentError("the maze must be made of # and . with one S and one G")
    border = maze[0] + maze[-1] + "".join(line[0] + line[-1] for line in maze)
    if set(border) != {"#"}:
        raise InvalidArgumentError("the maze must be closed by walls on all four sides")
    return list(maze)


def find(lines: list[str], symbol: str) -> tuple[int, int]:
    """The cell (x, y) of the first such symbol."""
    row = next(i for i, line in enumerate(lines) if symbol in line)
    return lines[row].index(symbol), row


def way_length(walls: Array, start: tuple[int, int], target: tuple[int, int]) -> int | None:
    """How many cells the shortest way goes east, south, west and north; None where there is none.

    Args:
        walls: (height, width), nonzero where there is a wall.
        start: a cell (x, y).
        target: another one.
    """
    lengths, queue = {start: 0}, deque([start])
    while queue:
        x, y = queue.popleft()
        for dx, dy in STEPS[::2]:
            there = (x + dx, y + dy)
            if there not in lengths and not walls[there[1], there[0]]:
                lengths[there] = lengths[(x, y)] + 1
                queue.append(there)
    return lengths.get(target)


def range_tables(walls: Array) -> tuple[Array, Array]:
    """What the range finders of each free cell need to know about the walls.

    A diagonal ray meets vertical and horizontal grid lines in turn, so from which kind it meets
    first, and at which line it ends, follows how far it goes from anywhere in the cell.

    Args:
        walls: (height, width), nonzero where there is a wall.

    Returns:
        straight: (height, width, 4) `int16`, the grid line at which a ray to the east, south, west
            or north ends.
        diagonal: (height, width, 4, 2) `int16`, how many grid lines a ray to the south-east,
            south-west, north-west or north-east meets, the one where it ends among them, when the
            first is vertical [0] or horizontal [1].
    """
    straight = np.zeros((*walls.shape, 4), np.int16)
    diagonal = np.zeros((*walls.shape, 4, 2), np.int16)
    for row, column in zip(*np.nonzero(walls == 0), strict=True):
        for k, (dx, dy) in enumerate(STEPS):
            if k % 2 == 0:
                x, y = column, row
                while not walls[y, x]:
                    x, y = x + dx, y + dy
                # The near side of the wall's cell: its own line or, coming from beyond, the next.
                straight[row, column, k // 2] = (x if dx else y) + (dx + dy < 0)
                continue
            for first in range(2):
                x, y, count = column, row, 0
                while not walls[y, x]:
                    x, y = (x + dx, y) if (count + first) % 2 == 0 else (x, y + dy)
                    count += 1
                diagonal[row, column, k // 2, first] = count
    return straight, diagonal
