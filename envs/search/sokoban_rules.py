"""The rules of Sokoban, as kernels."""

import math
from typing import Any, NamedTuple

import numpy as np

from ..kernel import kernel, rng
from .sokoban_levels import BOX, FLOOR, PLACED, PLAYER, PLAYER_ON_TARGET, TARGET, WALL

UP, DOWN, LEFT, RIGHT = range(4)


class Params(NamedTuple):
    """Fixed for the life of the environment: the levels; see `sokoban_levels.Levels`."""

    walls: np.ndarray[Any, np.dtype[np.int64]]
    targets: np.ndarray[Any, np.dtype[np.int64]]
    boxes: np.ndarray[Any, np.dtype[np.int64]]
    players: np.ndarray[Any, np.dtype[np.int16]]
    pushes: np.ndarray[Any, np.dtype[np.int16]]
    width: int


@kernel
def reset(state, params):
    """A level as it is in the bank."""
    level = rng.task(state, len(params.players))
    state.level = level
    state.player = params.players[level]
    for word in range(state.boxes.shape[0]):
        state.boxes[word] = params.boxes[level, word]
    state.left = state.player
    state.pushed = -1


@kernel
def holds(word, cell):
    """Whether the word of a set that belongs to a cell has it."""
    return (int(word) >> (cell & 63)) & 1 != 0


@kernel
def has_box(state, cell):
    """Whether a box stands there."""
    return holds(state.boxes[cell >> 6], cell)


@kernel
def is_wall(state, params, cell):
    """Whether a wall is there."""
    return holds(params.walls[int(state.level), cell >> 6], cell)


@kernel
def is_target(state, params, cell):
    """Whether a target is there."""
    return holds(params.targets[int(state.level), cell >> 6], cell)


@kernel
def _offset(action, params):
    """How a move changes the cell."""
    if action < LEFT:
        return params.width if action == DOWN else -params.width
    return 1 if action == RIGHT else -1


@kernel
def _move(state, action, params):
    """Move the player, and the box in its way; the change in the number of boxes on targets."""
    d = _offset(action, params)
    state.left = state.player
    cell = int(state.player) + d
    state.player = cell
    state.pushed = -1
    if not has_box(state, cell):
        return 0
    there = cell + d
    state.boxes[cell >> 6] = state.boxes[cell >> 6] ^ (np.int64(1) << np.int64(cell & 63))
    state.boxes[there >> 6] = state.boxes[there >> 6] ^ (np.int64(1) << np.int64(there & 63))
    state.pushed = there
    return int(is_target(state, params, there)) - int(is_target(state, params, cell))


@kernel
def step_cost(state, action, params):
    """Every move costs 1."""
    _move(state, action, params)
    return -1.0, goal(state, params)


@kernel
def step_boxoban(state, action, params):
    """Moves cost a little; boxes on targets count, and the whole level counts most."""
    change = _move(state, action, params)
    solved = goal(state, params)
    return -0.1 + float(change) + (10.0 if solved else 0.0), solved


@kernel
def legal(state, params, mask):
    """Neither the player nor the box before it can go where a wall is, or a box to another."""
    player = int(state.player)
    for action in range(4):
        d = _offset(action, params)
        cell = player + d
        free = not is_wall(state, params, cell)
        if free and has_box(state, cell):
            free = not is_wall(state, params, cell + d) and not has_box(state, cell + d)
        mask[action] = free


@kernel
def goal(state, params):
    """Every box is on a target."""
    level = int(state.level)
    for word in range(state.boxes.shape[0]):
        if state.boxes[word] != params.targets[level, word]:
            return False
    return True


@kernel
def fewest_pushes(state, params):
    """A lower bound on the cost to go: every box alone to its nearest target.

    Infinite where a box stands in a dead end. Consistent.
    """
    level, total = int(state.level), 0.0
    for cell in range(params.pushes.shape[1]):
        if has_box(state, cell):
            pushes = int(params.pushes[level, cell])
            if pushes < 0:
                return math.inf
            total += pushes
    return total


@kernel
def _code(state, params, cell):
    """The code of a cell; see the observation space."""
    if is_wall(state, params, cell):
        return WALL
    target = is_target(state, params, cell)
    if cell == int(state.player):
        return PLAYER_ON_TARGET if target else PLAYER
    if has_box(state, cell):
        return PLACED if target else BOX
    return TARGET if target else FLOOR


@kernel
def observe_codes(state, params, obs):
    """One number a cell."""
    for row in range(obs.shape[0]):
        for col in range(obs.shape[1]):
            obs[row, col] = _code(state, params, row * params.width + col)


@kernel
def update_codes(state, params, obs):
    """A move changes up to three cells."""
    player, pushed = int(state.player), int(state.pushed)
    for cell in (int(state.left), player, pushed if pushed >= 0 else player):
        obs[cell // params.width, cell % params.width] = _code(state, params, cell)


@kernel
def observe_planes(state, params, obs):
    """Flags of walls, targets, boxes and the player."""
    for row in range(obs.shape[0]):
        for col in range(obs.shape[1]):
            cell = row * params.width + col
            obs[row, col, 0] = is_wall(state, params, cell)
            obs[row, col, 1] = is_target(state, params, cell)
            obs[row, col, 2] = has_box(state, cell)
            obs[row, col, 3] = cell == int(state.player)


@kernel
def update_planes(state, params, obs):
    """The player has moved, and perhaps a box."""
    left, player, pushed = int(state.left), int(state.player), int(state.pushed)
    obs[left // params.width, left % params.width, 3] = 0
    row, col = player // params.width, player % params.width
    obs[row, col, 3] = 1
    if pushed >= 0:
        obs[row, col, 2] = 0
        obs[pushed // params.width, pushed % params.width, 2] = 1
