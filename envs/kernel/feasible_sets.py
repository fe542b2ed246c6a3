"""Feasible sets of combinatorial actions: budgets, matchings and paths."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .errors import InvalidArgumentError
from .feasible import Array, Constraints, FeasibleSpace, Flags, Row, Seed, gather


class Budget(FeasibleSpace):
    """At most `k` of `n`, or exactly `k`.

    Args:
        n: the number of things to choose from.
        k: how many can be chosen, 1 … n.
        exact: whether all `k` must be.
        seed: of `sample`.

    Raises:
        InvalidArgumentError: `k` is out of range.
    """

    def __init__(self, n: int, k: int, exact: bool = False, seed: Seed = None):
        if not 1 <= k <= n:
            raise InvalidArgumentError(f"k must be from 1 to n={n}; got {k!r}")
        self.k, self.exact = k, exact
        super().__init__(n, seed, k=k, exact=exact)

    def are_feasible(self, rows: Array) -> Flags:
        chosen = rows.sum(axis=1)
        return chosen == self.k if self.exact else chosen <= self.k

    def constraints(self) -> Constraints:
        return Constraints(
            np.ones((1, self.n)), np.full(1, self.k * float(self.exact)), np.full(1, float(self.k))
        )

    def draw(self, rng: np.random.Generator) -> Row:
        """`k` things, each choice of them as likely as any other."""
        row = np.zeros(self.n, np.int8)
        row[rng.permutation(self.n)[: self.k]] = 1
        return row

    def maximise(self, values: Any) -> Row:
        """By sorting."""
        values = np.asarray(values, float)
        best = np.argsort(-values, kind="stable")[: self.k]
        row = np.zeros(self.n, np.int8)
        row[best if self.exact else best[values[best] > 0]] = 1
        return row

    def _extend(self, row: Row, begin: int) -> Iterator[Row]:
        chosen = int(row.sum())
        if chosen == self.k or not self.exact:
            yield row
        if chosen < self.k:
            for i in range(begin, self.n):
                larger = row.copy()
                larger[i] = 1
                yield from self._extend(larger, i + 1)


class Matching(FeasibleSpace):
    """Pairs of workers and slots, no two with the same worker or slot.

    Variable `worker · slots + slot` says whether the two are paired.

    Args:
        workers, slots: how many there are, at least 1.
        seed: of `sample`.
    """

    def __init__(self, workers: int, slots: int, seed: Seed = None):
        if workers < 1 or slots < 1:
            raise InvalidArgumentError(f"a matching needs workers and slots; got {workers, slots}")
        self.workers, self.slots = workers, slots
        super().__init__(workers * slots, seed, workers=workers, slots=slots)

    def are_feasible(self, rows: Array) -> Flags:
        pairs = rows.reshape(-1, self.workers, self.slots)
        return (pairs.sum(axis=1) <= 1).all(axis=1) & (pairs.sum(axis=2) <= 1).all(axis=1)

    def constraints(self) -> Constraints:
        of_worker = np.kron(np.eye(self.workers), np.ones(self.slots))
        of_slot = np.kron(np.ones(self.workers), np.eye(self.slots))
        return at_most_one(np.concatenate([of_worker, of_slot]))

    def draw(self, rng: np.random.Generator) -> Row:
        """A matching that leaves no worker and slot over, each as likely as any other."""
        pairs = np.zeros((self.workers, self.slots), np.int8)
        most = min(pairs.shape)
        pairs[rng.permutation(self.workers)[:most], rng.permutation(self.slots)[:most]] = 1
        return pairs.ravel()

    def maximise(self, values: Any) -> Row:
        """By solving the assignment problem."""
        from scipy.optimize import linear_sum_assignment

        gains = np.maximum(np.asarray(values, float).reshape(self.workers, self.slots), 0.0)
        pairs = np.zeros_like(gains, np.int8)
        pairs[linear_sum_assignment(gains, maximize=True)] = 1
        pairs[gains == 0] = 0
        return pairs.ravel()


class Path(FeasibleSpace):
    """The edges of a path from the first node to the last of a directed acyclic graph.

    Args:
        edges: pairs (from, to) of node numbers, from < to; every node is on some path.
        seed: of `sample`.

    Raises:
        InvalidArgumentError: an edge goes backwards, or a node leads nowhere.
    """

    def __init__(self, edges: Sequence[tuple[int, int]] | Array, seed: Seed = None):
        self.edges = np.asarray(edges, np.int64).reshape(-1, 2)
        self.nodes = int(self.edges.max(initial=0)) + 1
        inner = range(self.nodes)
        if (self.edges[:, 0] >= self.edges[:, 1]).any() or self.edges.min(initial=0) < 0:
            raise InvalidArgumentError("edges must lead from smaller to larger node numbers")
        if set(self.edges[:, 0]) != set(inner[:-1]) or set(self.edges[:, 1]) != set(inner[1:]):
            raise InvalidArgumentError("every node must lie on a path from node 0 to the last one")
        self._out = [np.flatnonzero(self.edges[:, 0] == node) for node in inner]
        super().__init__(len(self.edges), seed, edges=self.edges)

    def are_feasible(self, rows: Array) -> Flags:
        flow, net, _ = self.constraints()
        return (rows @ flow.T == net).all(axis=1)

    def constraints(self) -> Constraints:
        flow = np.zeros((self.nodes, self.n))
        edge = np.arange(self.n)
        flow[self.edges[:, 0], edge] = 1.0
        flow[self.edges[:, 1], edge] = -1.0
        net = np.zeros(self.nodes)
        net[0], net[-1] = 1.0, -1.0
        return Constraints(flow, net, net)

    def draw(self, rng: np.random.Generator) -> Row:
        """A random walk along the edges."""
        row, node = np.zeros(self.n, np.int8), 0
        while node < self.nodes - 1:
            edge = rng.choice(self._out[node])
            row[edge] = 1
            node = int(self.edges[edge, 1])
        return row

    def maximise(self, values: Any) -> Row:
        """By dynamic programming from the last node back."""
        values = np.asarray(values, float)
        best, following = np.zeros(self.nodes), np.zeros(self.nodes, np.int64)
        for node in range(self.nodes - 2, -1, -1):
            out = self._out[node]
            worth = values[out] + best[self.edges[out, 1]]
            best[node], following[node] = worth.max(), out[worth.argmax()]
        row, node = np.zeros(self.n, np.int8), 0
        while node < self.nodes - 1:
            row[following[node]] = 1
            node = int(self.edges[following[node], 1])
        return row

    def enumerate(self) -> Row:
        return gather(self._follow(np.zeros(self.n, np.int8), 0))

    def _follow(self, row: Row, node: int) -> Iterator[Row]:
        if node == self.nodes - 1:
            yield row
        for edge in self._out[node]:
            longer = row.copy()
            longer[edge] = 1
            yield from self._follow(longer, int(self.edges[edge, 1]))


def at_most_one(matrix: Array) -> Constraints:
    """Rows of zeros and ones, of each of which at most one variable is 1."""
    return Constraints(matrix, np.full(len(matrix), -np.inf), np.ones(len(matrix)))


def lattice(side: int) -> Array:
    """The edges (2 · side · (side − 1), 2) of a square grid, right and down from its corner."""
    place = np.arange(side * side).reshape(side, side)
    right = np.stack([place[:, :-1].ravel(), place[:, 1:].ravel()], axis=1)
    down = np.stack([place[:-1].ravel(), place[1:].ravel()], axis=1)
    edges = np.concatenate([right, down])
    return edges[np.lexsort((edges[:, 1], edges[:, 0]))]
