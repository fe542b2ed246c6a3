"""Feasible sets whose rows are recognised by a search: tours, schedules, packings."""

from typing import Any

import numpy as np

from .compile import compiled_with_arrays
from .errors import InvalidArgumentError
from .feasible import Array, Constraints, FeasibleSpace, Flags, Seed


class Tour(FeasibleSpace):
    """At most `k` nodes that lie on one closed walk from a source, no longer than `length`.

    Args:
        adjacent: (n, n) whether two nodes are neighbours, symmetric; moving to one has length 1.
        source: the node where the walk begins and ends.
        length: the most edges of the walk, at least 2.
        k: the most nodes chosen of those on the walk, 1 … 12.
        seed: of `sample`.
    """

    def __init__(self, adjacent: Any, source: int, length: int, k: int, seed: Seed = None):
        self.adjacent = np.array(adjacent, bool)
        n = len(self.adjacent)
        if self.adjacent.shape != (n, n) or (self.adjacent != self.adjacent.T).any():
            raise InvalidArgumentError("adjacent must be a symmetric matrix")
        if not (0 <= source < n and length >= 2 and 1 <= k <= 12):
            raise InvalidArgumentError(
                f"source must be a node, length at least 2 and k from 1 to 12; got "
                f"{source, length, k}"
            )
        self.source, self.length, self.k = source, length, k
        #: (n, n) distances in edges; n where there is no way.
        self.distances = _distances(self.adjacent)
        super().__init__(n, seed, adjacent=self.adjacent, source=source, length=length, k=k)

    def are_feasible(self, rows: Array) -> Flags:
        return _are_tours(rows, self.distances, self.source, self.length, self.k)

    def constraints(self) -> Constraints:
        """Auxiliary variable `t · n + v`: whether the walk is at node v after t moves.

        Staying is a move too, so that shorter walks count.
        """
        n, times = self.n, self.length + 1
        at = n + np.arange(times * n).reshape(times, n)
        rows: list[Array] = []
        bounds: list[tuple[float, float]] = []

        def add(entries: dict[Any, float], lower: float, upper: float) -> None:
            row = np.zeros(n + times * n)
            for place, value in entries.items():
                row[place] = value
            rows.append(row)
            bounds.append((lower, upper))

        for t in range(times):
            add(dict.fromkeys(at[t].tolist(), 1.0), 1, 1)
        for t in (0, self.length):
            add({at[t, self.source]: 1.0}, 1, 1)
        for t in range(self.length):
            for v in range(n):
                near = np.flatnonzero(self.adjacent[v] | (np.arange(n) == v))
                add({at[t + 1, v]: 1.0, **dict.fromkeys(at[t, near].tolist(), -1.0)}, -np.inf, 0)
        for v in range(n):
            add({v: 1.0, **dict.fromkeys(at[:, v].tolist(), -1.0)}, -np.inf, 0)
        add(dict.fromkeys(range(n), 1.0), -np.inf, self.k)
        lower, upper = np.array(bounds, float).T
        return Constraints(np.array(rows), lower, upper)


class Schedule(FeasibleSpace):
    """Jobs that can be held at the same time of the day: each takes two workers for one slot.

    A job can be held in some slots; a worker is free in some slots, and works in one at most.

    Args:
        job_slots: (n, slots) where each job can be held.
        worker_slots: (workers, slots) where each worker is free; at most 10 slots.
        seed: of `sample`.
    """

    def __init__(self, job_slots: Any, worker_slots: Any, seed: Seed = None):
        self.job_slots = np.array(job_slots, bool)
        self.worker_slots = np.array(worker_slots, bool)
        slots = self.job_slots.shape[-1]
        if self.job_slots.ndim != 2 or self.worker_slots.shape[1:] != (slots,) or slots > 10:
            raise InvalidArgumentError("job_slots and worker_slots must have the same ≤ 10 slots")
        members = (np.arange(2**slots)[:, None] >> np.arange(slots)) & 1
        #: (2^slots,) how many workers are free in some slot of each set of slots.
        self.free = (members @ self.worker_slots.T > 0).sum(axis=1)
        super().__init__(
            len(self.job_slots), seed, job_slots=self.job_slots, worker_slots=self.worker_slots
        )

    def are_feasible(self, rows: Array) -> Flags:
        return _are_schedules(rows, self.job_slots, self.free)

    def constraints(self) -> Constraints:
        """Auxiliary variables: the slot of each job, then the slot of each worker."""
        (n, slots), workers = self.job_slots.shape, len(self.worker_slots)
        job, free = self.job_slots.ravel(), self.worker_slots.ravel()
        held = np.hstack([-np.eye(n), np.kron(np.eye(n), np.ones(slots)), np.zeros((n, free.size))])
        once = np.hstack(
            [np.zeros((workers, n + job.size)), np.kron(np.eye(workers), np.ones(slots))]
        )
        staffed = np.hstack(
            [
                np.zeros((slots, n)),
                2 * np.kron(np.ones(n), np.eye(slots)),
                -np.kron(np.ones(workers), np.eye(slots)),
            ]
        )
        possible = np.diag(np.concatenate([np.zeros(n), ~job, ~free]).astype(float))
        possible = possible[n:][np.concatenate([~job, ~free])]
        matrix = np.concatenate([held, once, staffed, possible])
        lower = np.concatenate([np.zeros(n), np.full(len(matrix) - n, -np.inf)])
        upper = np.concatenate(
            [np.zeros(n), np.ones(workers), np.zeros(slots), np.zeros(len(possible))]
        )
        return Constraints(matrix, lower, upper)


class Packing(FeasibleSpace):
    """Jobs that a few workers can do between them, each within a capacity of its own.

    Args:
        costs: (n,) what a job takes of the capacity of the worker who does it, positive integers.
        capacities: (workers,) integers.
        seed: of `sample`.
    """

    def __init__(self, costs: Any, capacities: Any, seed: Seed = None):
        self.costs = np.array(costs, np.int64)
        self.capacities = np.array(capacities, np.int64)
        if self.costs.ndim != 1 or self.capacities.ndim != 1 or (self.costs < 1).any():
            raise InvalidArgumentError("costs must be positive, and costs and capacities vectors")
        super().__init__(len(self.costs), seed, costs=self.costs, capacities=self.capacities)

    def are_feasible(self, rows: Array) -> Flags:
        return _are_packings(rows, self.costs, self.capacities)

    def constraints(self) -> Constraints:
        """Auxiliary variable `worker · n + job`: who does what."""
        n, workers = self.n, len(self.capacities)
        done = np.hstack([-np.eye(n), np.kron(np.ones(workers), np.eye(n))])
        within = np.hstack([np.zeros((workers, n)), np.kron(np.eye(workers), self.costs)])
        return Constraints(
            np.concatenate([done, within]),
            np.concatenate([np.zeros(n), np.full(workers, -np.inf)]),
            np.concatenate([np.zeros(n), self.capacities]),
        )


@compiled_with_arrays
def _distances(adjacent):
    """All distances in edges (Floyd & Warshall); n where there is no way."""
    n = len(adjacent)
    distances = np.full((n, n), n, np.int64)
    for i in range(n):
        distances[i, i] = 0
        for j in range(n):
            if i != j and adjacent[i, j]:
                distances[i, j] = 1
    for k in range(n):
        for i in range(n):
            for j in range(n):
                distances[i, j] = min(distances[i, j], distances[i, k] + distances[k, j])
    return distances


@compiled_with_arrays
def _are_tours(rows, distances, source, length, k):
    right = np.zeros(len(rows), np.bool_)
    for i in range(len(rows)):
        chosen = np.flatnonzero(rows[i])
        if len(chosen) <= k:
            right[i] = _shortest_tour(distances, source, chosen) <= length
    return right


@compiled_with_arrays
def _shortest_tour(distances, source, chosen):
    """The length of the shortest closed walk from a node through others (Held & Karp 1962)."""
    k = len(chosen)
    if k == 0:
        return 0
    far = 4 * k * len(distances)
    best = np.full((1 << k, k), far, np.int64)
    for i in range(k):
        best[1 << i, i] = distances[source, chosen[i]]
    for visited in range(1, 1 << k):
        for last in range(k):
            so_far = best[visited, last]
            if so_far < far:
                for i in range(k):
                    if not (visited >> i) & 1:
                        longer = so_far + distances[chosen[last], chosen[i]]
                        after = visited | (1 << i)
                        best[after, i] = min(best[after, i], longer)
    shortest = far
    for last in range(k):
        shortest = min(shortest, best[(1 << k) - 1, last] + distances[chosen[last], source])
    return shortest


@compiled_with_arrays
def _are_schedules(rows, job_slots, free):
    right = np.zeros(len(rows), np.bool_)
    for i in range(len(rows)):
        right[i] = _can_schedule(job_slots[np.flatnonzero(rows[i])], free)
    return right


@compiled_with_arrays
def _can_schedule(job_slots, free):
    """Whether every job can have a slot, by depth-first search; free: see `Schedule.free`.

    Hall's condition says whether a choice of slots can be staffed: the jobs in any set of slots
    need no more workers than are free in it.
    """
    jobs, slots = job_slots.shape
    held = np.zeros(slots, np.int64)
    choice = np.full(jobs, -1, np.int64)
    job = 0
    while 0 <= job < jobs:
        slot = choice[job]
        if slot >= 0:
            held[slot] -= 1
        slot += 1
        while slot < slots:
            if job_slots[job, slot]:
                held[slot] += 1
                if _is_staffed(held, free):
                    break
                held[slot] -= 1
            slot += 1
        if slot < slots:
            choice[job] = slot
            job += 1
        else:
            choice[job] = -1
            job -= 1
    return job == jobs


@compiled_with_arrays
def _is_staffed(held, free):
    for members in range(1, len(free)):
        needed = 0
        for slot in range(len(held)):
            if (members >> slot) & 1:
                needed += 2 * held[slot]
        if needed > free[members]:
            return False
    return True


@compiled_with_arrays
def _are_packings(rows, costs, capacities):
    right = np.zeros(len(rows), np.bool_)
    for i in range(len(rows)):
        # The dearest first, which fail the soonest.
        chosen = -np.sort(-costs[np.flatnonzero(rows[i])])
        if chosen.sum() <= capacities.sum():
            right[i] = _can_pack(chosen, capacities.copy())
    return right


@compiled_with_arrays
def _can_pack(costs, left):
    """Whether every job fits, by depth-first search; `left`: the capacities."""
    jobs, workers = len(costs), len(left)
    choice = np.full(jobs, -1, np.int64)
    job = 0
    while 0 <= job < jobs:
        worker = choice[job]
        if worker >= 0:
            left[worker] += costs[job]
        worker += 1
        while worker < workers and left[worker] < costs[job]:
            worker += 1
        if worker < workers:
            left[worker] -= costs[job]
            choice[job] = worker
            job += 1
        else:
            choice[job] = -1
            job -= 1
    return job == jobs
