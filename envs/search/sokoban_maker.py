"""Sokoban levels that can be solved, made by a search from the solved position backwards."""

from typing import Any, NamedTuple

import numpy as np

from ..kernel import rng
from ..kernel.compile import compiled_with_arrays
from ..kernel.rng import mix64
from .sokoban_grid import flood, offset_of, push_distances, walk

_NODES = 400  # positions that the search backwards keeps
_TRIES = 2_000  # rooms that are dug for one level
_RIVALS = 4  # of so many open positions it goes on with the hardest

Array = np.ndarray[Any, Any]


class Room(NamedTuple):
    """A level to be: (cells,) walls, targets, and the pushes from a cell to its nearest target."""

    walls: Array
    targets: Array
    distances: Array
    width: int


class Found(NamedTuple):
    """The positions found, node 0 being the solved one.

    Attributes:
        boxes: (nodes, boxes) cells.
        players, parents: (nodes,).
        pulls: (nodes,), four times the index of the box that was pulled, plus the direction.
        bounds: (nodes,), the fewest pushes, every box alone to its nearest target.
        keys: (nodes,), a hash of the boxes and of where the player can go.
    """

    boxes: Array
    players: Array
    parents: Array
    pulls: Array
    bounds: Array
    keys: Array


class Scratch(NamedTuple):
    """Memory of (cells,) each for `flood`."""

    blocked: Array
    reached: Array
    queue: Array


@compiled_with_arrays
def _carve(draw, walls, height, width):
    """Rooms and corridors: a random walk that now and then also digs beside its way."""
    walls[:] = True
    inner = (height - 2) * (width - 2)
    wanted = (40 + rng.integer(draw, 26)) * inner // 100
    row, col = 1 + rng.integer(draw, height - 2), 1 + rng.integer(draw, width - 2)
    action, dug = rng.integer(draw, 4), 0
    while dug < wanted:
        cell = row * width + col
        for place in (cell, cell + offset_of(rng.integer(draw, 4), width)):
            r, c = place // width, place % width
            inside = 0 < r < height - 1 and 0 < c < width - 1
            if inside and walls[place] and (place == cell or rng.integer(draw, 2) == 0):
                walls[place] = False
                dug += 1
        if rng.integer(draw, 3) == 0:
            action = rng.integer(draw, 4)
        row = min(max(row + (action == 1) - (action == 0), 1), height - 2)
        col = min(max(col + (action == 3) - (action == 2), 1), width - 2)


@compiled_with_arrays
def _choose_free(draw, blocked):
    """A cell that is not blocked, drawn uniformly."""
    while True:
        cell = rng.integer(draw, len(blocked))
        if not blocked[cell]:
            return cell


@compiled_with_arrays
def _start_apart(draw, room, found, scratch):
    """Enter the solved position as node 0, the player being anywhere."""
    k = 0
    scratch.blocked[:] = room.walls
    for cell in range(len(room.walls)):
        if room.targets[cell]:
            found.boxes[0, k] = cell
            scratch.blocked[cell] = True
            k += 1
    found.players[0] = _choose_free(draw, scratch.blocked)
    found.bounds[0] = 0


@compiled_with_arrays
def _visit(node, room, found, scratch):
    """Find what the player can reach in a node; whether no node before was this position."""
    scratch.blocked[:] = room.walls
    key = np.uint64(0)
    for box in found.boxes[node]:
        scratch.blocked[box] = True
        key += mix64(np.uint64(box + 1))
    here = flood(scratch.blocked, found.players[node], room.width, scratch.reached, scratch.queue)
    key += mix64(np.uint64(int(here) + (1 << 20)))
    found.keys[node] = key
    return not (found.keys[:node] == key).any()


@compiled_with_arrays
def _pull(node, room, found, scratch, count):
    """Enter the positions that one pull makes of a node; how many there are now."""
    for j in range(found.boxes.shape[1]):
        box = found.boxes[node, j]
        for action in range(4):
            d = offset_of(action, room.width)
            if scratch.reached[box + d] < 0 or scratch.blocked[box + 2 * d] or count == _NODES:
                continue
            found.boxes[count] = found.boxes[node]
            found.boxes[count, j] = box + d
            found.players[count] = box + 2 * d
            found.parents[count] = node
            found.pulls[count] = 4 * j + action
            change = room.distances[box + d] - room.distances[box]
            found.bounds[count] = found.bounds[node] + change
            found.keys[count] = np.uint64(0)  # not known before it is visited
            count += 1
    return count


@compiled_with_arrays
def _pull_apart(draw, room, least, found, scratch):
    """Search from the solved position backwards, and draw a position hard enough.

    Of a few open positions drawn at random, that with the largest bound on pushes is visited next,
    until `_NODES` are known.

    Returns:
        A node whose bound is at least `least`; 0 where there is none.
    """
    _start_apart(draw, room, found, scratch)
    opened = np.zeros(_NODES, np.int64)
    count, n_opened, fit, chosen = 1, 1, 0, 0
    while n_opened > 0 and count < _NODES:
        best = rng.integer(draw, n_opened)
        for _ in range(_RIVALS - 1):
            rival = rng.integer(draw, n_opened)
            if found.bounds[opened[rival]] > found.bounds[opened[best]]:
                best = rival
        node = opened[best]
        n_opened -= 1
        opened[best] = opened[n_opened]
        if not _visit(node, room, found, scratch):
            continue
        if found.bounds[node] >= least:
            fit += 1
            if rng.integer(draw, fit) == 0:
                chosen = node
        before, count = count, _pull(node, room, found, scratch, count)
        for child in range(before, count):
            opened[n_opened] = child
            n_opened += 1
    return chosen


@compiled_with_arrays
def _write_plan(draw, room, node, found, scratch, plan):
    """Draw where the player starts, and play the pulls that led to a node the other way round.

    Returns:
        The player's cell and the number of moves, of which `plan` holds as many as it can.
    """
    blocked, reached, queue = scratch.blocked, scratch.reached, scratch.queue
    blocked[:] = room.walls
    for box in found.boxes[node]:
        blocked[box] = True
    flood(blocked, found.players[node], room.width, reached, queue)
    start = _choose_free(draw, blocked)
    while reached[start] < 0:
        start = _choose_free(draw, blocked)
    length = walk(start, room.width, reached, plan, 0)
    while node > 0:
        before = found.parents[node]
        j, push = found.pulls[node] // 4, (found.pulls[node] % 4) ^ 1
        if length < len(plan):
            plan[length] = push
        length += 1
        blocked[found.boxes[node, j]] = False
        blocked[found.boxes[before, j]] = True
        if before > 0:
            flood(blocked, found.players[before], room.width, reached, queue)
            length = walk(found.boxes[node, j], room.width, reached, plan, length)
        node = before
    return start, length


@compiled_with_arrays
def make_level(draw, height, width, least, walls, targets, starts, plan):
    """Draw rooms and targets until a position hard enough is found, up to `_TRIES` times.

    Args:
        draw: a record with the generator's field `rng`.
        height, width: of the level.
        least: the smallest bound on pushes to accept.
        walls, targets: (cells,) `bool` for the result.
        starts: (boxes,) `int16` for the boxes' cells.
        plan: (most,) `int8` for a plan; a level that needs more moves is not accepted.

    Returns:
        The player's cell and the length of the plan; −1 and 0 where no level was found.
    """
    cells, n_boxes = height * width, len(starts)
    room = Room(walls, targets, np.empty(cells, np.int16), width)
    found = Found(
        np.empty((_NODES, n_boxes), np.int16), np.empty(_NODES, np.int16),
        np.empty(_NODES, np.int16), np.empty(_NODES, np.int16), np.empty(_NODES, np.int64),
        np.empty(_NODES, np.uint64),
    )  # fmt: skip
    scratch = Scratch(
        np.empty(cells, np.bool_), np.empty(cells, np.int16), np.empty(cells, np.int16)
    )
    for _ in range(_TRIES):
        _carve(draw, walls, height, width)
        targets[:] = False
        scratch.blocked[:] = walls
        for _ in range(n_boxes):
            cell = _choose_free(draw, scratch.blocked)
            scratch.blocked[cell] = targets[cell] = True
        push_distances(walls, targets, width, room.distances)
        node = _pull_apart(draw, room, least, found, scratch)
        if node == 0:
            continue
        player, length = _write_plan(draw, room, node, found, scratch, plan)
        if length <= len(plan):
            starts[:] = found.boxes[node]
            plan[length:] = -1
            return player, length
    return -1, 0
