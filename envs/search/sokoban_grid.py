"""Walks and pushes on the grids of Sokoban, compiled.

Cells are numbered row by row, and a level's outermost cells are walls.
"""

import numpy as np

from ..kernel.compile import compiled_with_arrays


@compiled_with_arrays
def offset_of(action, width):
    """How a move changes the cell: 0 up, 1 down, 2 left, 3 right."""
    if action < 2:
        return width if action == 1 else -width
    return 1 if action == 3 else -1


@compiled_with_arrays
def push_distances(walls, targets, width, out):
    """The fewest pushes that bring a lone box from each cell to a target; −1 where none do.

    Args:
        walls: (cells,) whether there is one.
        targets: (cells,) whether there is one.
        width: of the level.
        out: (cells,) for the result.
    """
    queue = np.empty(len(walls), np.int16)
    count = 0
    for cell in range(len(walls)):
        out[cell] = -1
        if targets[cell]:
            out[cell] = 0
            queue[count] = cell
            count += 1
    k = 0
    while k < count:
        cell = queue[k]
        k += 1
        for action in range(4):
            d = offset_of(action, width)
            before = cell - d
            if not walls[before] and not walls[before - d] and out[before] < 0:
                out[before] = out[cell] + 1
                queue[count] = before
                count += 1


@compiled_with_arrays
def flood(blocked, start, width, distances, queue):
    """The distance of each cell from `start`, −1 where there is no way; the least cell reached."""
    distances[:] = -1
    distances[start] = 0
    queue[0] = start
    count, least, k = 1, start, 0
    while k < count:
        cell = queue[k]
        k += 1
        least = min(least, cell)
        for action in range(4):
            there = cell + offset_of(action, width)
            if not blocked[there] and distances[there] < 0:
                distances[there] = distances[cell] + 1
                queue[count] = there
                count += 1
    return least


@compiled_with_arrays
def walk(start, width, distances, out, length):
    """Append the moves from `start` to where the distances are counted from."""
    while distances[start] > 0:
        for action in range(4):
            there = start + offset_of(action, width)
            if distances[there] == distances[start] - 1:
                if length < len(out):
                    out[length] = action
                length += 1
                start = there
                break
    return length
