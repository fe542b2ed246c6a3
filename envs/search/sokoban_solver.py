"""Plans with the fewest moves for Sokoban levels."""

from typing import Any, NamedTuple

import numpy as np

from ..kernel.compile import compiled_with_arrays
from ..kernel.rng import mix64
from .sokoban_grid import flood, offset_of, push_distances, walk
from .sokoban_levels import Levels

_POSITIONS = 500_000  # that a search may keep

Array = np.ndarray[Any, Any]


class Level(NamedTuple):
    """Flags (cells,) of walls and targets, and the pushes from a cell to its nearest target."""

    walls: Array
    targets: Array
    distances: Array
    width: int


class Room(NamedTuple):
    """Scratch memory of an expansion."""

    blocked: Array
    reached: Array
    queue: Array
    boxes: Array
    words: Array


class Search(NamedTuple):
    """Positions, found again by a hash table and opened by buckets of equal g + h.

    Attributes:
        bits: (nodes, words), the cells of the boxes, as in `sokoban_levels.Levels`.
        players, g, h: (nodes,).
        parents, pushes: (nodes,), a push being four times the box's cell plus the direction.
        closed: (nodes,), whether it was expanded, or found again at less cost.
        table: nodes by their hash.
        heads, links: the last node of each bucket, and (nodes,) the one before.
    """

    bits: Array
    players: Array
    g: Array
    h: Array
    parents: Array
    pushes: Array
    closed: Array
    table: Array
    heads: Array
    links: Array


@compiled_with_arrays
def _is_frozen(cell, width, blocked, targets, walls):
    """Whether a box is stuck off its target in a square of four walls and boxes."""
    for up in (-width, 0):
        for left in (-1, 0):
            corner = cell + up + left
            full, stuck = True, False
            for place in (corner, corner + 1, corner + width, corner + width + 1):
                full = full and blocked[place]
                stuck = stuck or (not walls[place] and not targets[place])
            if full and stuck:
                return True
    return False


@compiled_with_arrays
def _slot(search, words, player):
    """The slot of a position, or the free one where it belongs."""
    key = mix64(np.uint64(player))
    for word in words:
        key = mix64(key ^ np.uint64(word))
    mask = len(search.table) - 1
    slot = np.int64(key >> np.uint64(2)) & mask
    while search.table[slot] >= 0:
        node = search.table[slot]
        same = search.players[node] == player
        for k in range(len(words)):
            same = same and search.bits[node, k] == words[k]
        if same:
            break
        slot = (slot + 1) & mask
    return slot


@compiled_with_arrays
def _enter(search, count, words, player, parent, push, g, h):
    """Put a position on the open list, unless it is known at no more cost; the count of nodes."""
    slot = _slot(search, words, player)
    known = search.table[slot]
    if known >= 0:
        if search.closed[known] or search.g[known] <= g:
            return count
        search.closed[known] = True  # The new node stands for it.
    search.table[slot] = count
    search.bits[count] = words
    search.players[count], search.parents[count], search.pushes[count] = player, parent, push
    search.g[count], search.h[count] = g, h
    f = min(g + h, len(search.heads) - 1)
    search.links[count] = search.heads[f]
    search.heads[f] = count
    return count + 1


@compiled_with_arrays
def _expand(search, count, node, level, room):
    """Enter what every push makes of a position; the count of nodes, −1 for lack of room."""
    blocked, reached, words = room.blocked, room.reached, room.words
    blocked[:] = level.walls
    k = 0
    for cell in range(len(blocked)):
        if (search.bits[node, cell >> 6] >> np.int64(cell & 63)) & 1:
            room.boxes[k] = cell
            blocked[cell] = True
            k += 1
    flood(blocked, search.players[node], level.width, reached, room.queue)
    for box in room.boxes:
        for action in range(4):
            d = offset_of(action, level.width)
            there = box + d
            if reached[box - d] < 0 or blocked[there] or level.distances[there] < 0:
                continue
            blocked[box], blocked[there] = False, True
            frozen = _is_frozen(there, level.width, blocked, level.targets, level.walls)
            blocked[box], blocked[there] = True, False
            if frozen:
                continue
            if count == len(search.players):
                return -1
            words[:] = search.bits[node]
            words[box >> 6] ^= np.int64(1) << np.int64(box & 63)
            words[there >> 6] ^= np.int64(1) << np.int64(there & 63)
            g = search.g[node] + reached[box - d] + 1
            h = search.h[node] + level.distances[there] - level.distances[box]
            count = _enter(search, count, words, box, node, 4 * box + action, g, h)
    return count


@compiled_with_arrays
def _collect(search, node, level, starts):
    """The moves that lead to a node: shortest walks between its pushes."""
    chain = np.empty(len(search.parents), np.int32)
    count = 0
    while search.parents[node] >= 0:
        chain[count] = search.pushes[node]
        count += 1
        node = search.parents[node]
    blocked, reached = level.walls.copy(), np.empty(len(level.walls), np.int16)
    queue = np.empty(len(level.walls), np.int16)
    for box in starts[1:]:
        blocked[box] = True
    plan = np.empty(count * len(level.walls), np.int8)
    player, length = starts[0], 0
    for k in range(count - 1, -1, -1):
        box, action = chain[k] // 4, chain[k] % 4
        d = offset_of(action, level.width)
        flood(blocked, box - d, level.width, reached, queue)
        length = walk(player, level.width, reached, plan, length)
        plan[length] = action
        length += 1
        blocked[box], blocked[box + d] = False, True
        player = box
    return plan[:length].copy()


@compiled_with_arrays
def solve(walls, targets, starts, width, most):
    """A plan with the fewest moves, by A* over pushes.

    A step of the search is a push with the shortest walk to it. The heuristic is each box's fewest
    pushes to its nearest target; positions with a box in a dead end or a square of four are left
    out.

    Args:
        walls, targets: (cells,) `bool`.
        starts: (1 + boxes,) `int16`, the cells of the player and of the boxes.
        width: of the level.
        most: how many positions may be kept.

    Returns:
        Whether the search came to an end, and the plan: empty where there is none.
    """
    cells, empty = len(walls), np.empty(0, np.int8)
    n_words = (cells + 63) // 64
    level = Level(walls, targets, np.empty(cells, np.int16), width)
    push_distances(walls, targets, width, level.distances)
    room = Room(
        np.empty(cells, np.bool_), np.empty(cells, np.int16), np.empty(cells, np.int16),
        np.empty(len(starts) - 1, np.int16), np.zeros(n_words, np.int64),
    )  # fmt: skip
    search = Search(
        np.zeros((most, n_words), np.int64), np.empty(most, np.int16), np.zeros(most, np.int32),
        np.zeros(most, np.int32), np.empty(most, np.int32), np.empty(most, np.int32),
        np.zeros(most, np.bool_), np.full(1 << int(np.ceil(np.log2(2.0 * most))), -1, np.int32),
        np.full(1 << 14, -1, np.int32), np.empty(most, np.int32),
    )  # fmt: skip
    f = 0
    for box in starts[1:]:
        if level.distances[box] < 0:
            return True, empty
        room.words[box >> 6] |= np.int64(1) << np.int64(box & 63)
        f += level.distances[box]
    count = _enter(search, 0, room.words, starts[0], -1, -1, 0, f)
    while f < len(search.heads):
        node = search.heads[f]
        if node < 0:
            f += 1
            continue
        search.heads[f] = search.links[node]
        if search.closed[node]:
            continue
        search.closed[node] = True
        if search.h[node] == 0:
            return True, _collect(search, node, level, starts)
        count = _expand(search, count, node, level, room)
        if count < 0:
            return False, empty
    return True, empty


def fewest_moves(levels: Levels, k: int) -> int | None:
    """The moves of the best plan known for a level: a shortest, or else the one it was made with.

    None where the level cannot be solved, or has no plan and is too large to be searched.
    """
    walls, targets, boxes = levels.flags(k)
    starts = np.array([levels.players[k], *np.flatnonzero(boxes)], np.int16)
    ended, plan = solve(walls, targets, starts, levels.width, _POSITIONS)
    if len(plan):
        return len(plan)
    return None if ended or not levels.plans.size else int(levels.costs[k])
