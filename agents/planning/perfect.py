"""Distance tables as heuristics: what no other can better, for spaces small enough to be listed."""

from typing import Any, NamedTuple

import numpy as np

from ...envs.kernel import KernelEnv
from ...envs.kernel.solve import UNREACHED, distance_table
from .compiled import Heuristic


class Tables(NamedTuple):
    """What the heuristic reads.

    Attributes:
        distances: (n_ranks,) `uint8`, the fewest steps to a goal, by the number of the state.
    """

    distances: np.ndarray[Any, np.dtype[np.uint8]]


_LOOK_UP = f"""
@inlined
def estimate_kernel(state, params, tables):
    '''The fewest steps to a goal; infinite where there is no way.'''
    distance = int(tables.distances[rank_kernel(state, params)])
    return np.inf if distance == {UNREACHED} else float(distance)
"""


def perfect(env: KernelEnv) -> Heuristic:
    """The fewest steps to a goal, from a table of all states that is made now.

    Exact where every step costs 1, and admissible where none costs less.

    Raises:
        UnsupportedFaceError: the environment does not number its states.
    """
    return Heuristic(_LOOK_UP, Tables(distance_table(env)))
