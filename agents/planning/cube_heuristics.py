"""The heuristic of RubiksCube: its corners alone, from a table of the 2×2×2."""

import functools
from typing import Any, Literal, NamedTuple

import numpy as np

from ...envs.kernel import kernel
from ...envs.kernel.solve import distance_table
from ...envs.search.permutations import rank_permutation
from ...envs.search.rubiks_cube import RubiksCube
from ...envs.search.rubiks_moves import FACES, moves_of
from .compiled import Heuristic

Array = np.ndarray[Any, Any]

#: The corner that the 2×2×2 holds.
_HELD = 7


class Tables(NamedTuple):
    """What the heuristic reads; each row of rotations brings the held corner home.

    Attributes:
        shifts: (24, 8) `int8`, the bit from which each place takes its corner, by three times the
            place of the held corner plus its twist.
        twists: (24, 8) `int8`, by how much it is twisted on the way.
        distances: `uint8`, the fewest turns of the 2×2×2 by the number of its state.
    """

    shifts: Array
    twists: Array
    distances: Array


@kernel
def _corners(state, params, tables):
    held = 0
    for place in range(8):
        corner = int(state.corners >> 5 * place & 31)
        if corner >> 2 == _HELD:
            held = 3 * place + (corner & 3)
    order, twists = 0, 0
    for place in range(6, -1, -1):
        corner = int(state.corners >> tables.shifts[held, place] & 31)
        twist = (corner & 3) + int(tables.twists[held, place])
        order = order << 4 | corner >> 2
        if place < 6:
            twists = 3 * twists + (twist - 3 if twist > 2 else twist)
    return float(tables.distances[rank_permutation(order, 7) * 729 + twists])


def corners(metric: Literal["half_turn", "quarter_turn"]) -> Heuristic:
    """The fewest turns that bring the corners into order, however the cube as a whole is held.

    That is the 2×2×2: its table of 3,674,160 states, made now, serves the 3×3×3 too, as a turn of a
    face is one of the opposite face but for how the cube is held. Exact for the 2×2×2, admissible
    and consistent for the 3×3×3, whose edges it does not see.

    Args:
        metric: of the environment.
    """
    return Heuristic(_corners, _tables(metric))


@functools.cache
def _tables(metric: Literal["half_turn", "quarter_turn"]) -> Tables:
    shifts, twists = np.zeros((24, 8), np.int8), np.zeros((24, 8), np.int8)
    for origins, turned in _rotations():
        row = 3 * origins[_HELD] + (-turned[_HELD]) % 3
        shifts[row], twists[row] = 5 * origins, turned
    return Tables(shifts, twists, distance_table(RubiksCube(metric=metric)))


def _rotations() -> list[tuple[Array, Array]]:
    """Of all rotations of the cube, where each corner comes from, (8,), and how it is twisted.

    Turning two opposite faces the same way round in space rotates the corners as a whole.
    """
    moves = moves_of(FACES, half_turns=True, length=2)
    quarters = [moves.names.index(name) for name in ("U D'", "R L'")]
    found = {(*range(8),): (np.arange(8), np.zeros(8, int))}
    new = [*found.values()]
    while new:
        origins, turned = new.pop()
        for quarter in quarters:
            after = moves.corner_from[quarter]
            child = origins[after], (turned[after] + moves.corner_twist[quarter]) % 3
            if (*child[0],) not in found:
                found[(*child[0],)] = child
                new.append(child)
    return [*found.values()]
