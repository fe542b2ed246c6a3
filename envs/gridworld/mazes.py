"""Mazes written as text, and what can be read off them: ways, and how far rays go."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..kernel import InvalidArgumentError

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
        #########
        #S.##...#
        #..#..#.#
        ##...##.#
        ##.#....#
        #..#.##.#
        #.##.#..#
        #....##G#
        #########
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
    if not isinstance(maze, Sequence) or not maze or not all(isinstance(m, str) for m in maze):
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


def cells_between(
    walls: np.ndarray[Any, Any], start: tuple[float, float], target: tuple[float, float]
) -> int | None:
    """The length of the shortest way between two cells, in steps to the east, south, west, north."""
    first, last = (int(start[0]), int(start[1])), (int(target[0]), int(target[1]))
    lengths, queue = {first: 0}, deque([first])
    while queue:
        x, y = queue.popleft()
        for dx, dy in STEPS[::2]:
            there = (x + dx, y + dy)
            if there not in lengths and not walls[there[1], there[0]]:
                lengths[there] = lengths[(x, y)] + 1
                queue.append(there)
    return lengths.get(last)


def range_tables(
    walls: np.ndarray[Any, Any],
) -> tuple[np.ndarray[Any, np.dtype[np.int16]], np.ndarray[Any, np.dtype[np.int16]]]:
    """`Params.straight` and `Params.diagonal`, for every free cell."""
    straight = np.zeros((*walls.shape, 4), np.int16)
    diagonal = np.zeros((*walls.shape, 4, 2), np.int16)
    for row, column in zip(*np.nonzero(walls == 0), strict=True):
        for k, (dx, dy) in enumerate(STEPS):
            if k % 2 == 0:
                x, y = column, row
                while not walls[y, x]:
                    x, y = x + dx, y + dy
                # The line is on the near side of the wall's cell.
                straight[row, column, k // 2] = x + y - (row if dx else column) + (dx + dy < 0)
                continue
            for first in range(2):
                x, y, count = column, row, 0
                while not walls[y, x]:
                    x, y = (x + dx, y) if (count + first) % 2 == 0 else (x, y + dy)
                    count += 1
                diagonal[row, column, k // 2, first] = count
    return straight, diagonal
