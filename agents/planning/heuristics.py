"""Admissible heuristics for the environments that have one."""

from typing import Any

import numpy as np

from ...envs.kernel import KernelEnv
from ...envs.search.sliding_tile import SlidingTile
from .problem import States, no_heuristic


def manhattan(states: States) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The sum of the tiles' Manhattan distances from home, (n,), which the state keeps itself."""
    return states["manhattan"].astype(np.float64)


def heuristic_of(env: KernelEnv) -> Any:
    """The best admissible heuristic at hand for an environment; zero where there is none."""
    return manhattan if isinstance(env, SlidingTile) else no_heuristic
