"""Levels of PressurePlates: drawn until they can be solved, but by no agent alone.

Cells are numbered row by row. This is a second writing of the rules, in arrays over all states of a
search at once.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

#: How an action changes (row, column): stay, up, down, left, right.
MOVES = np.array([(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)])

_OBSTACLES = 0.15  # the share of other cells that are walls


def make_level_5(seed: int) -> dict[str, Any]:
    """A level of 5×5 cells; see `make_level`."""
    return make_level(seed, 5)


def make_level_7(seed: int) -> dict[str, Any]:
    """A level of 7×7 cells; see `make_level`."""
    return make_level(seed, 7)


def make_level_9(seed: int) -> dict[str, Any]:
    """A level of 9×9 cells; see `make_level`."""
    return make_level(seed, 9)


#: By the side of the grid. A bank's instances must come from functions of the seed only.
MAKERS = {5: make_level_5, 7: make_level_7, 9: make_level_9}


def make_level(seed: int, size: int) -> dict[str, Any]:
    """A level that both agents can solve together and neither can alone.

    Returns:
        `walls` (size²,) `int8` and the cells of the `gate`, of the `plates` (2,), and of the
        agents' `starts` (2,) and `exits` (2,), `int16`; the `cost` in steps, and a shortest `plan`,
        (cost, 2) `int8`, one action an agent.
    """
    rng = np.random.default_rng(seed)
    while True:
        level = _draw(rng, size)
        moves = _moves(level, size)
        if any(_reaches_exit_alone(level, moves, agent) for agent in (0, 1)):
            continue
        plan = _shortest_plan(level, moves)
        if plan is not None:
            return {**level, "cost": np.int16(len(plan)), "plan": plan}


def _draw(rng: np.random.Generator, size: int) -> dict[str, Any]:
    """A wall with a gate between two rooms with obstacles; the agents left, the exits right."""
    split = int(rng.integers(2, size - 2))
    walls = rng.random((size, size)) < _OBSTACLES
    walls[:, split] = True
    gate_row = int(rng.integers(size))
    walls[gate_row, split - 1 : split + 2] = False
    cells = np.arange(size * size).reshape(size, size)
    left = rng.permutation(cells[:, :split].ravel())[:3]
    right = rng.permutation(cells[:, split + 1 :].ravel())[:3]
    walls.ravel()[[*left, *right]] = False
    return {
        "walls": walls.ravel().astype(np.int8),
        "gate": np.int16(cells[gate_row, split]),
        "plates": np.array([left[0], right[0]], np.int16),
        "starts": left[1:].astype(np.int16),
        "exits": right[1:].astype(np.int16),
    }


def _moves(level: dict[str, Any], size: int) -> Array:
    """Where an action would take an agent, [whether the gate is open, cell, action]."""
    cells = np.arange(size * size)
    rows = cells[:, None] // size + MOVES[:, 0]
    columns = cells[:, None] % size + MOVES[:, 1]
    inside = (rows >= 0) & (rows < size) & (columns >= 0) & (columns < size)
    to = np.where(inside, rows * size + columns, cells[:, None])
    to = np.where(level["walls"][to] == 1, cells[:, None], to)
    closed = np.where(to == level["gate"], cells[:, None], to)
    return np.stack([closed, to])


def _reaches_exit_alone(level: dict[str, Any], moves: Array, agent: int) -> bool:
    reached = np.zeros(moves.shape[1], bool)
    frontier = level["starts"][agent : agent + 1]
    while frontier.size:
        reached[frontier] = True
        opened = np.isin(frontier, level["plates"]).astype(int)
        after = np.unique(moves[opened, frontier])
        frontier = after[~reached[after]]
    return bool(reached[level["exits"][agent]])


def _shortest_plan(level: dict[str, Any], moves: Array) -> Array | None:
    """Breadth-first search over the cells of both agents, a pair being one number."""
    n = moves.shape[1]
    origins = np.full(n * n, -1)  # by pair: the pair before, and what was done in it
    start, end = (int(level[name][0]) * n + int(level[name][1]) for name in ("starts", "exits"))
    frontier = np.array([start])
    origins[start] = start * 25
    while frontier.size and origins[end] < 0:
        a, b = (part[:, None, None] for part in np.divmod(frontier, n))
        opened = (np.isin(a, level["plates"]) | np.isin(b, level["plates"])).astype(int)
        to_a = moves[opened, a, np.arange(5)[:, None]]
        to_b = moves[opened, b, np.arange(5)]
        collide = (to_a == to_b) | ((to_a == b) & (to_b == a))
        pairs = np.where(collide, a * n + b, to_a * n + to_b).ravel()
        ways = (frontier[:, None] * 25 + np.arange(25)).ravel()
        found, first = np.unique(pairs, return_index=True)
        fresh = origins[found] < 0
        frontier = found[fresh]
        origins[frontier] = ways[first[fresh]]
    if origins[end] < 0:
        return None
    plan = []
    while end != start:
        end, way = divmod(int(origins[end]), 25)
        plan.append(divmod(way, 5))
    return np.array(plan[::-1], np.int8)
