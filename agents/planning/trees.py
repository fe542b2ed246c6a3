"""What Monte Carlo tree search writes to: nodes, edges, and the simulations under way."""

import math
from typing import Any, NamedTuple

import numpy as np

from ...envs.kernel import rng
from ...envs.kernel.definition import KernelDefinition
from .open_list import TABLE_BYTES, make_table, record

Array = np.ndarray[Any, Any]

_LISTED = 4096

NODE = record(
    [
        ("key", np.uint64),
        ("total", np.float64),  # of the returns, as its player counts them
        ("first", np.int64),  # edge
        ("edges", np.int32),
        ("opened", np.int32),  # how many of them may be chosen, the first ones
        ("visits", np.int32),
        ("seen", np.int32),  # the last simulation that came through
    ]
)
EDGE = record(
    [
        ("worth", np.float64),  # the mean return, as its player counts them
        ("bonus", np.float32),  # what it is due for few visits, but for what all edges share
        ("visits", np.int32),
        ("child", np.int32),  # −1 for none
        ("action", np.int32),
        ("prior", np.float32),
    ]
)
#: A step of the simulation under way.
STEP = record(
    [("node", np.int32), ("edge", np.int64), ("reward", np.float64), ("sign", np.float64)]
)
#: How a tree stands; of all mean returns in it the least and the largest.
RUN = record(
    [
        ("nodes", np.int64),
        ("edges", np.int64),
        ("simulations", np.int64),
        ("low", np.float64),
        ("high", np.float64),
        ("depth", np.int64),  # of the leaf that waits for its value
        ("waits", np.int8),
    ]
)


class Trees(NamedTuple):
    """The trees, a row each. What is not written to takes no memory.

    Attributes:
        run: (trees,) records of `RUN`.
        nodes: (trees, room) records of `NODE`; node 0 is the root.
        edges: (trees, room) records of `EDGE`, those of one node side by side.
        table: (trees, slots): nodes by their keys; (trees, 1) where states share nothing.
    """

    run: Array
    nodes: Array
    edges: Array
    table: Array


class Rules(NamedTuple):
    """The numbers of a search; see `MonteCarloTreeSearch`."""

    exploration: float
    spread: Array  # see `make_spread`
    discount: float
    depth: int
    rollouts: int
    factor: float  # of progressive widening; 0 for none
    exponent: float
    memory: int  # bytes for each tree


class Work(NamedTuple):
    """What simulations write to, a row for each tree."""

    roots: Array
    states: Array
    spare: Array
    chance: Array
    path: Array  # (trees, depth)
    mask: Array
    choices: Array  # (trees, actions + 1)
    key: Array
    reward: Array
    terminated: Array


def bytes_of_node(transpositions: bool) -> int:
    """What a node takes without its edges."""
    return NODE.itemsize + (int(TABLE_BYTES) if transpositions else 0)


def make_spread(guided: bool) -> Array:
    """What the bonuses of all edges of a node share, by its visits; for more it is computed."""
    visits = range(1, _LISTED)
    return np.array([0.0, *(math.sqrt(n if guided else math.log(n)) for n in visits)])


def make_trees(n: int, nodes: int, edges: int, transpositions: bool) -> Trees:
    """Room for n trees of so many nodes and edges each."""
    slots = len(make_table(nodes)) if transpositions else 1
    return Trees(
        np.zeros(n, RUN),
        np.empty((n, nodes), NODE),
        np.empty((n, edges), EDGE),
        np.zeros((n, slots), make_table(1).dtype),
    )


def make_work(n: int, definition: KernelDefinition, depth: int) -> Work:
    """What the simulations in n trees write to."""
    return Work(
        definition.layout.empty(n),
        definition.layout.empty(n),
        definition.layout.empty(n),
        np.zeros(n, rng.STREAM),
        np.empty((n, depth), STEP),
        definition.allocate_mask(n),
        np.zeros((n, definition.n_actions + 1), np.int32),
        np.zeros((n, 2), np.uint64),
        definition.allocate_scalars(n, np.float32),
        definition.allocate_scalars(n, bool),
    )
