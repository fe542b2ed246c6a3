"""Heuristics of puzzles that need no tables: gaps, lights, ways and pushes."""

from ...envs.kernel import kernel
from ...envs.search.sokoban_rules import fewest_pushes
from .compiled import Heuristic


@kernel
def _pancake_gaps(state, params, tables):
    return float(state.gaps)


@kernel
def _ring_gaps(state, params, tables):
    return float((int(state.gaps) + 1) // 2)


@kernel
def _lights(state, params, tables):
    lights, count = int(state.lights), 0
    while lights != 0:
        lights &= lights - 1
        count += 1
    return float((count + 4) // 5)


@kernel
def _way(state, params, tables):
    rows = abs(int(state.row) - int(state.goal_row))
    return float(rows + abs(int(state.column) - int(state.goal_column)))


@kernel
def _pushes(state, params, tables):
    return fewest_pushes(state, params)


#: Of Pancake: neighbours in the stack that differ by more than one (Helmert 2010, "Landmark
#: heuristics for the pancake problem"); a flip parts one pair of neighbours.
PANCAKE_GAPS = Heuristic(_pancake_gaps)
#: Of TopSpin: the same in the ring; a turn parts two pairs.
RING_GAPS = Heuristic(_ring_gaps)
#: Of LightsOut: a press changes up to five lights.
LIGHTS = Heuristic(_lights)
#: Of Maze: the Manhattan distance to the goal; no cell costs less than 1.
WAY = Heuristic(_way)
#: Of Sokoban: the pushes of every box alone to its nearest target, infinite in a dead end.
PUSHES = Heuristic(_pushes)
