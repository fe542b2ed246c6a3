"""Best-first search: A*, weighted A*, greedy best-first and Dijkstra, batched and compiled.

States are expanded many at a time through the `SearchProblem`; the open list (a binary heap) and
the closed list (a hash table) are compiled loops over growing arrays.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numba
import numpy as np

from ...envs.kernel import InvalidArgumentError
from .problem import SearchProblem


@dataclass(frozen=True)
class SearchResult:
    """What a search found, and what it cost to find.

    Attributes:
        status: `"solved"`; `"no_plan"`, there is none; `"expansion_limit"` or `"node_limit"`, the
            budget ran out (a plan found until then is given all the same).
        plan: (length,) `int64` actions from the root to a goal; None where none was found.
        cost: of the plan; infinite where there is none.
        proven_optimal: whether no plan is cheaper, provided that the heuristic never overestimates.
        expanded: how many states were expanded, again after a cheaper way to them was found.
        generated: how many children that took.
    """

    status: Literal["solved", "no_plan", "expansion_limit", "node_limit"]
    plan: np.ndarray[Any, np.dtype[np.int64]] | None
    cost: float
    proven_optimal: bool
    expanded: int
    generated: int


def best_first(
    problem: SearchProblem,
    *,
    weight: float = 1.0,
    batch_size: int | None = None,
    max_expanded: int | None = None,
    max_nodes: int = 2_000_000,
) -> SearchResult:
    """Search for a cheap way from the root to a goal.

    States are expanded in the order of `weight · g + h`, g being the cost to get there and h the
    heuristic. With weight 1 that is A* (Hart, Nilsson & Raphael 1968, "A formal basis for the
    heuristic determination of minimum cost paths"), whose plan is optimal if h never
    overestimates; between 0 and 1 weighted A*, whose plan then costs at most 1 / weight times the
    optimum (Pohl 1970); with 0 greedy best-first search.

    Args:
        problem: the problem.
        weight: of the cost so far, from 0 to 1.
        batch_size: how many states are expanded together, ≥ 1. More are faster to expand, and
            expand some that one at a time would not have needed; the guarantees hold for any. None
            for a sixteenth of those expanded so far, from 64 to 1,024.
        max_expanded: the most expansions; None for no limit.
        max_nodes: the most states kept, which bounds the memory: some 150 bytes each besides the
            state itself.

    Raises:
        InvalidArgumentError: an argument is out of range, or a step has a negative cost.
    """
    if not 0 <= weight <= 1:
        raise InvalidArgumentError(f"weight must be from 0 to 1; got {weight!r}")
    if (batch_size is not None and batch_size < 1) or max_nodes < 1:
        raise InvalidArgumentError("batch_size and max_nodes must be positive")
    if problem.is_goal(problem.root)[0]:
        return SearchResult("solved", np.empty(0, np.int64), 0.0, True, 0, 0)
    search = _Search(problem, weight)
    while True:
        size = batch_size or min(max(search.expanded // 16, 64), 1024)
        if max_expanded is not None:
            size = min(size, max_expanded - search.expanded)
        if size <= 0:
            return search.result("expansion_limit")
        chosen = search.pop(size)
        if len(chosen) == 0:
            return search.result("no_plan" if search.goal < 0 else "solved")
        children = problem.expand(search.states[chosen])
        if search.count + children.costs.size > max_nodes:
            return search.result("node_limit")
        search.add(chosen, *children)


class _Nodes(NamedTuple):
    """The states found so far; row i belongs to node i."""

    g: np.ndarray[Any, Any]  # cost of the best way known from the root
    h: np.ndarray[Any, Any]
    cost: np.ndarray[Any, Any]  # of the last step of that way
    parent: np.ndarray[Any, Any]
    action: np.ndarray[Any, Any]
    closed: np.ndarray[Any, Any]


class _Table(NamedTuple):
    """The closed list: a hash table with open addressing, at most half full."""

    key: np.ndarray[Any, Any]  # (slots, 2) uint64
    node: np.ndarray[Any, Any]  # −1 where the slot is free


class _Heap(NamedTuple):
    """The open list, ordered by f and then by h. An entry is stale when its node got a lower g."""

    f: np.ndarray[Any, Any]
    h: np.ndarray[Any, Any]
    node: np.ndarray[Any, Any]


class _Search:
    """One run of `best_first`."""

    def __init__(self, problem: SearchProblem, weight: float):
        self.problem, self.weight = problem, weight
        self.states = np.empty(0, problem.root.dtype)
        self.nodes = _Nodes(
            np.empty(0), np.empty(0), np.empty(0),
            np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.bool_),
        )  # fmt: skip
        self.heap = _Heap(np.empty(0), np.empty(0), np.empty(0, np.int32))
        self.table = _Table(np.empty((0, 2), np.uint64), np.empty(0, np.int32))
        self.count = self.pending = self.expanded = self.generated = 0
        self.goal, self.goal_cost = -1, np.inf
        self._make_room(1)
        self.states[:1] = problem.root
        self.nodes.parent[0] = -1
        self.nodes.g[0] = 0.0
        self.nodes.closed[0] = False
        _enter(self.table, problem.key(problem.root), np.zeros(1, np.int32))
        self.count = 1
        self._open(np.zeros(1, np.int32), np.zeros(1, np.int32))

    def pop(self, n: int) -> np.ndarray[Any, Any]:
        """Up to n nodes with the lowest f, closed from now on; none once the search is over."""
        limit = self.weight * self.goal_cost if self.goal >= 0 else np.inf
        chosen = np.empty(n, np.int32)
        found, self.pending = _pop(self.nodes, self.heap, self.pending, self.weight, limit, chosen)
        self.expanded += found
        return chosen[:found]

    def add(
        self,
        parents: np.ndarray[Any, Any],
        states: np.ndarray[Any, Any],
        costs: np.ndarray[Any, Any],
        goals: np.ndarray[Any, Any],
    ) -> None:
        """Take in the children of the given nodes."""
        if (costs < 0).any():
            raise InvalidArgumentError(
                f"best-first search needs costs that are not negative; a step costs {costs.min()}. "
                "Where only the goal is rewarded, search with unit_costs=True"
            )
        self._make_room(costs.size)
        flat = states.reshape(-1, *states.shape[2:])
        improved, fresh = np.empty(costs.size, np.int32), np.empty(costs.size, np.int32)
        generated, n_improved, n_fresh, self.goal, self.goal_cost = _admit(
            self.nodes, self.table, self.count, parents, self.problem.key(flat), costs, goals,
            improved, fresh, self.goal, self.goal_cost,
        )  # fmt: skip
        self.generated += generated
        new = slice(self.count, self.count + n_fresh)
        flat.take(fresh[:n_fresh], axis=0, out=self.states[new], mode="clip")
        self.count += n_fresh
        self._open(improved[:n_improved], np.arange(new.start, new.stop, dtype=np.int32))

    def result(self, status: Any) -> SearchResult:
        """The outcome as it stands."""
        if self.goal < 0:
            return SearchResult(status, None, np.inf, False, self.expanded, self.generated)
        plan, cost, node = [], 0.0, self.goal
        while self.nodes.parent[node] >= 0:
            plan.append(self.nodes.action[node])
            cost += self.nodes.cost[node]
            node = self.nodes.parent[node]
        proven = status == "solved" and self.weight == 1
        return SearchResult(
            status,
            np.array(plan[::-1], np.int64),
            float(cost),
            proven,
            self.expanded,
            self.generated,
        )

    def _open(self, improved: np.ndarray[Any, Any], fresh: np.ndarray[Any, Any]) -> None:
        """Estimate the fresh nodes and put them and the improved ones on the open list."""
        if len(fresh):
            new = slice(fresh[0], fresh[-1] + 1)
            self.nodes.h[new] = self.problem.heuristic(self.states[new])
        nodes = np.concatenate([improved, fresh])
        if self.pending + len(nodes) > len(self.heap.f):
            self.heap = _Heap(*(_grown(part, self.pending + len(nodes)) for part in self.heap))
        self.pending = _push(self.nodes, self.heap, self.pending, self.weight, nodes)

    def _make_room(self, more: int) -> None:
        """Room for that many nodes more."""
        needed = self.count + more
        if needed > len(self.states):
            self.states = _grown(self.states, needed)
            self.nodes = _Nodes(*(_grown(part, needed) for part in self.nodes))
        if 2 * needed > len(self.table.node):
            slots = 1 << (2 * needed).bit_length()
            old, used = self.table, self.table.node >= 0
            self.table = _Table(np.empty((slots, 2), np.uint64), np.full(slots, -1, np.int32))
            _enter(self.table, old.key[used], old.node[used])


def _grown(part: np.ndarray[Any, Any], needed: int) -> np.ndarray[Any, Any]:
    larger = np.empty((4 * needed, *part.shape[1:]), part.dtype)
    larger[: len(part)] = part
    return larger


_compiled = numba.njit(cache=True)


@_compiled
def _slot(table, a, b):
    """The slot that holds a key, or the free one where it belongs."""
    mask = np.uint64(len(table.node) - 1)
    slot = a & mask
    while table.node[slot] >= 0 and (table.key[slot, 0] != a or table.key[slot, 1] != b):
        slot = (slot + np.uint64(1)) & mask
    return slot


@_compiled
def _enter(table, keys, nodes):
    """Enter keys that the table does not hold yet."""
    for i in range(len(nodes)):
        slot = _slot(table, keys[i, 0], keys[i, 1])
        table.key[slot] = keys[i]
        table.node[slot] = nodes[i]


@_compiled
def _admit(nodes, table, count, parents, keys, costs, goals, improved, fresh, goal, goal_cost):
    """Enter new children as nodes; note new and cheaper ways, and the cheapest goal."""
    generated, n_improved, n_fresh = 0, 0, 0
    for i in range(costs.shape[0]):
        parent = parents[i]
        for action in range(costs.shape[1]):
            cost = costs[i, action]
            if cost == np.inf:
                continue
            generated += 1
            child = i * costs.shape[1] + action
            g = nodes.g[parent] + cost
            slot = _slot(table, keys[child, 0], keys[child, 1])
            node = table.node[slot]
            if node < 0:
                node = count + n_fresh
                table.node[slot] = node
                table.key[slot] = keys[child]
                fresh[n_fresh] = child
                n_fresh += 1
            elif g < nodes.g[node]:
                if node < count:
                    improved[n_improved] = node
                    n_improved += 1
            else:
                continue
            nodes.g[node] = g
            nodes.cost[node] = cost
            nodes.parent[node] = parent
            nodes.action[node] = action
            # A goal need not be expanded: it is enough to know the cheapest.
            nodes.closed[node] = goals[i, action]
            if goals[i, action] and g < goal_cost:
                goal, goal_cost = node, g
    return generated, n_improved, n_fresh, goal, goal_cost


@_compiled
def _push(nodes, heap, size, weight, chosen):
    for node in chosen:
        if nodes.closed[node]:
            continue
        h = nodes.h[node]
        f = weight * nodes.g[node] + h
        i = size
        size += 1
        while i > 0:
            above = (i - 1) // 2
            if heap.f[above] < f or (heap.f[above] == f and heap.h[above] <= h):
                break
            heap.f[i], heap.h[i], heap.node[i] = heap.f[above], heap.h[above], heap.node[above]
            i = above
        heap.f[i], heap.h[i], heap.node[i] = f, h, node
    return size


@_compiled
def _pop(nodes, heap, size, weight, limit, chosen):
    found = 0
    while size > 0 and found < len(chosen) and heap.f[0] < limit:
        node, top = heap.node[0], heap.f[0]
        size -= 1
        f, h, last = heap.f[size], heap.h[size], heap.node[size]
        i = 0
        while True:
            below = 2 * i + 1
            if below >= size:
                break
            right = below + 1
            if right < size and (
                heap.f[right] < heap.f[below]
                or (heap.f[right] == heap.f[below] and heap.h[right] < heap.h[below])
            ):
                below = right
            if f < heap.f[below] or (f == heap.f[below] and h <= heap.h[below]):
                break
            heap.f[i], heap.h[i], heap.node[i] = heap.f[below], heap.h[below], heap.node[below]
            i = below
        heap.f[i], heap.h[i], heap.node[i] = f, h, last
        if not nodes.closed[node] and top == weight * nodes.g[node] + nodes.h[node]:
            nodes.closed[node] = True
            chosen[found] = node
            found += 1
    return found, size
