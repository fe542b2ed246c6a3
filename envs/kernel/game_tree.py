"""Exact values of small games for two in turns, by compiled search of the whole tree."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from .env import KernelEnv
from .errors import InvalidArgumentError
from .model import States

#: What a player makes of the values of its moves; "mean" stands for uniformly random play.
Choice = Literal["max", "min", "mean"]

_CHOICES = ("max", "min", "mean")
_DONE, _TABLE_FULL, _TOO_DEEP = 0, 1, 2
_FIRST_SLOTS, _FIRST_DEPTH = 1 << 14, 128


class Table(NamedTuple):
    """What is known of positions: a hash table with open addressing, at most half full."""

    key: np.ndarray[Any, Any]  # (slots, 2) uint64
    value: np.ndarray[Any, Any]
    bound: np.ndarray[Any, Any]  # 0 where the slot is free, 1 at least, 2 at most, 3 exactly


class Frames(NamedTuple):
    """The positions on the way to the present one; row d belongs to depth d."""

    state: np.ndarray[Any, Any]  # records
    key: np.ndarray[Any, Any]
    slot: np.ndarray[Any, Any]
    mask: np.ndarray[Any, Any]
    move: np.ndarray[Any, Any]  # the one that is looked at
    moves: np.ndarray[Any, Any]  # how many were looked at
    best: np.ndarray[Any, Any]  # the value so far, of random play a sum
    low: np.ndarray[Any, Any]  # the window of alpha-beta search
    high: np.ndarray[Any, Any]
    window: np.ndarray[Any, Any]  # (depth, 2) the same at first
    reward: np.ndarray[Any, Any]  # (depth, players) of the step that led here
    terminated: np.ndarray[Any, Any]


class GameTree:
    """The values of a game's positions: what the first player will get from there on.

    Depth-first search with alpha-beta pruning (Knuth & Moore 1975, "An analysis of alpha-beta
    pruning") and a table of the positions met, by their keys; where a player moves at random,
    expectations are taken over all its moves and nothing is pruned there. Every way through the
    game must end, and it must be small: some ten million positions take a few seconds.

    Args:
        env: the game, of both players.
        choices: what each player does: with `("max", "min")` both play as well as can be, and
            with `("max", "mean")` the second plays uniformly at random.
        bounds: the least and largest value that a position can have. Where a move reaches them,
            the others need not be looked at.
        max_positions: how many positions may be kept, in some 30 bytes each.

    Attributes:
        positions: how many are kept.
    """

    def __init__(
        self,
        env: KernelEnv,
        choices: Sequence[Choice],
        bounds: tuple[float, float] = (-np.inf, np.inf),
        max_positions: int = 2**25,
    ):
        if not env.definition.turns or len(choices) != 2 or not set(choices) <= set(_CHOICES):
            raise InvalidArgumentError(
                f"values need a game for two in turns, and for each player one of {_CHOICES}; "
                f"got {env!r} and {choices!r}"
            )
        self._definition = env.definition
        self._module = env.definition.generate(_TEXT, Table=Table)
        self._kinds = np.array([_CHOICES.index(choice) for choice in choices])
        self._bounds, self._max_positions = bounds, max_positions
        self._table, self._frames = _table(_FIRST_SLOTS), self._make_frames(_FIRST_DEPTH)
        self.positions = 0

    def value(self, states: States) -> float:
        """The value of a position, (1,) records, that is not terminal.

        Raises:
            InvalidArgumentError: there are more than `max_positions` positions.
        """
        root = states.copy()
        root["max_steps"] = -1
        while True:
            self._frames.state[0] = root[0]
            status, value, self.positions = self._module.solve(
                self._frames,
                self._definition.layout.empty(1),
                self._table,
                self._definition.params,
                self._kinds,
                *self._bounds,
                self.positions,
            )
            if status == _DONE:
                return value
            if status == _TOO_DEEP:
                self._frames = self._make_frames(2 * len(self._frames.move))
            elif self.positions >= self._max_positions:
                raise InvalidArgumentError(
                    f"the game has more than {self._max_positions} positions: too many to solve"
                )
            else:
                larger = _table(2 * len(self._table.bound))
                self._module.move_table(self._table, larger)
                self._table = larger

    def _make_frames(self, depth: int) -> Frames:
        d = self._definition
        return Frames(
            d.layout.empty(depth),
            np.zeros((depth, 2), np.uint64),
            np.zeros(depth, np.int64),
            np.zeros((depth, d.n_actions), np.int8),
            np.zeros(depth, np.int64),
            np.zeros(depth, np.int64),
            np.zeros(depth),
            np.zeros(depth),
            np.zeros(depth),
            np.zeros((depth, 2)),
            d.allocate_scalars(depth, np.float32),
            d.allocate_scalars(depth, bool),
        )


def _table(slots: int) -> Table:
    return Table(np.zeros((slots, 2), np.uint64), np.zeros(slots), np.zeros(slots, np.int8))


_TEXT = """
@inlined
def find(table, a, b):
    mask = np.uint64(len(table.bound) - 1)
    slot = a & mask
    while table.bound[slot] != 0 and (table.key[slot, 0] != a or table.key[slot, 1] != b):
        slot = (slot + np.uint64(1)) & mask
    return slot

@lane
def move_table(table, larger):
    for old in range(len(table.bound)):
        if table.bound[old] != 0:
            slot = find(larger, table.key[old, 0], table.key[old, 1])
            larger.key[slot, 0] = table.key[old, 0]
            larger.key[slot, 1] = table.key[old, 1]
            larger.value[slot] = table.value[old]
            larger.bound[slot] = table.bound[old]

@inlined
def enter(d, frames, scratch, table, params, kind, low, high):
    \"\"\"Begin with a position; whether its value is known, and which it is.\"\"\"
    if kind == 2:
        frames.low[d] = low
        frames.high[d] = high
    scratch[0] = frames.state[d]
    key_lane(d, scratch[0], params, frames.key)
    slot = find(table, frames.key[d, 0], frames.key[d, 1])
    bound, value = table.bound[slot], table.value[slot]
    if bound == 3 or (bound == 1 and value >= frames.high[d]):
        return True, value
    if bound == 2 and value <= frames.low[d]:
        return True, value
    mask_lane(d, frames.state[d], params, frames.mask)
    frames.window[d, 0] = frames.low[d]
    frames.window[d, 1] = frames.high[d]
    frames.move[d] = -1
    frames.moves[d] = 0
    frames.best[d] = -np.inf if kind == 0 else (np.inf if kind == 1 else 0.0)
    return False, 0.0

@inlined
def absorb(d, frames, kind, value):
    \"\"\"Take in the value of a move.\"\"\"
    frames.moves[d] += 1
    if kind == 0:
        frames.best[d] = max(frames.best[d], value)
        frames.low[d] = max(frames.low[d], value)
    elif kind == 1:
        frames.best[d] = min(frames.best[d], value)
        frames.high[d] = min(frames.high[d], value)
    else:
        frames.best[d] += value

@inlined
def leave(d, frames, table, kind, used):
    \"\"\"End with a position: its value, and how many are kept.\"\"\"
    value = frames.best[d]
    if kind == 2:
        value /= frames.moves[d]
    slot = find(table, frames.key[d, 0], frames.key[d, 1])
    used += table.bound[slot] == 0
    table.key[slot, 0] = frames.key[d, 0]
    table.key[slot, 1] = frames.key[d, 1]
    table.value[slot] = value
    table.bound[slot] = 3
    if kind != 2 and value >= frames.window[d, 1]:
        table.bound[slot] = 1
    elif kind != 2 and value <= frames.window[d, 0]:
        table.bound[slot] = 2
    return value, used

@lane
def solve(frames, scratch, table, params, kinds, low, high, used):
    frames.low[0] = low
    frames.high[0] = high
    d, fresh = 0, True
    while True:
        kind = kinds[int(frames.state[d].turn)]
        known, value = False, 0.0
        if fresh:
            known, value = enter(d, frames, scratch, table, params, kind, low, high)
            fresh = False
        if not known:
            action = frames.move[d] + 1
            while action < frames.mask.shape[1] and not is_legal(d, action, frames.mask):
                action += 1
            if action == frames.mask.shape[1] or frames.low[d] >= frames.high[d]:
                value, used = leave(d, frames, table, kind, used)
                known = True
        if known:
            if d == 0:
                return 0, value, used
            d -= 1
            gain = float(frames.reward[d + 1, 0])
            absorb(d, frames, kinds[int(frames.state[d].turn)], gain + value)
            continue
        if 2 * used >= len(table.bound):
            return 1, 0.0, used
        if d + 1 == len(frames.move):
            return 2, 0.0, used
        frames.move[d] = action
        frames.state[d + 1] = frames.state[d]
        advance(d + 1, frames.state[d + 1], action, params, frames.reward, frames.terminated)
        gain = float(frames.reward[d + 1, 0])
        if frames.terminated[d + 1, 0] and frames.terminated[d + 1, 1]:
            absorb(d, frames, kind, gain)
        else:
            d += 1
            frames.low[d] = frames.low[d - 1] - gain
            frames.high[d] = frames.high[d - 1] - gain
            fresh = True
"""
