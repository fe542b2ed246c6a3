"""Best-first search that expands many states at a time through a `SearchProblem`.

For heuristics that are dear, or fast in batches only: networks, relaxed plans, language models. The
open and the closed list are compiled; see `open_list`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...envs.kernel.compile import compiled
from .open_list import (
    HEAPED,
    TABLE_BYTES,
    enter,
    find,
    grown,
    make_heap,
    make_table,
    pop_heap,
    push_heap,
    record,
)
from .problem import SearchProblem
from .search import Limits, NegativeCostError, SearchResult, Status, Watch

Array = np.ndarray[Any, Any]

_NODE = record(
    [
        ("key", np.uint64),
        ("g", np.float64),  # cost of the best way known from the root
        ("h", np.float64),
        ("f", np.float64),  # priority when it was last opened
        ("parent", np.int32),
        ("action", np.int32),
        ("depth", np.int32),  # steps of that way
        ("closed", np.int8),
    ]
)


class BatchedSearch:
    """One run of best-first search over batches.

    Args:
        problem: the problem; its root must be no goal.
        priority: what nodes are ordered by, lowest first: from their costs so far, heuristics and
            depths, (n,) each, to (n,) numbers.
        limits: of the search.
    """

    def __init__(
        self,
        problem: SearchProblem,
        priority: Callable[[Array, Array, Array], Array],
        limits: Limits,
    ):
        self._problem, self._priority, self._limits = problem, priority, limits
        root = problem.root
        state = int(np.prod(root.shape[1:])) * root.itemsize
        each = state + _NODE.itemsize + 2 * HEAPED.itemsize + TABLE_BYTES
        most = int(limits.max_memory / each)
        # Room for all there may be at once: memory that is not written to costs nothing.
        self._states = np.empty((most, *root.shape[1:]), root.dtype)
        self._nodes, self._heap = np.empty(most, _NODE), make_heap(2 * most)
        self._table = make_table(1)
        self._bytes = state + _NODE.itemsize
        self.count = self.expanded = self.generated = self.calls = 0
        self._goal, self._peak = -1, 0
        self._add(
            np.zeros(1, np.int32), root[:, None], np.zeros((1, 1)), np.zeros((1, 1), bool), True
        )

    def run(self, batch_size: int | None, watch: Watch) -> SearchResult:
        """Search until a plan is found, there is none, or a limit is reached.

        Args:
            batch_size: how many states are expanded together; None for a sixteenth of those
                expanded so far, from 64 to 1,024.
            watch: of the search.

        Raises:
            InvalidArgumentError: a step has a negative cost.
        """
        while True:
            stop = watch.stops(self.expanded, self.memory)
            if stop is not None:
                return self._result(stop, watch)
            size = batch_size or min(max(self.expanded // 16, 64), 1024)
            if self._limits.max_expanded is not None:
                size = min(size, self._limits.max_expanded - self.expanded)
            chosen = self._pop(size)
            if len(chosen) == 0:
                return self._result("no_plan" if self._goal < 0 else "solved", watch)
            children = self._problem.expand(self._states[chosen])
            if not self._add(chosen, *children):
                return self._result("memory_limit", watch)

    @property
    def memory(self) -> int:
        """The most bytes of nodes, table and open list so far."""
        used = self.count * self._bytes + int(self._heap.used[1]) * HEAPED.itemsize
        self._peak = max(self._peak, used + self._table.nbytes)
        return self._peak

    def _pop(self, n: int) -> Array:
        """Up to n nodes of the lowest priority, closed from now on; none when all is over."""
        limit = self._nodes["f"][self._goal] if self._goal >= 0 else np.inf
        chosen = np.empty(n, np.int32)
        found = _pop_open(self._nodes, self._heap, limit, chosen)
        self.expanded += found
        return chosen[:found]

    def _add(
        self, parents: Array, states: Array, costs: Array, goals: Array, root: bool = False
    ) -> bool:
        """Take in the children of the given nodes; False for lack of room."""
        if (costs < 0).any():
            raise NegativeCostError(float(costs.min()))
        if self.count + costs.size > len(self._nodes):
            return False
        while 3 * (self.count + costs.size) > 2 * len(self._table):
            self._peak = self.memory + 4 * self._table.nbytes
            self._table = grown(self._table, self._nodes)
        flat = states.reshape(-1, *states.shape[2:])
        improved, fresh = np.empty((costs.size, 2), np.int32), np.empty(costs.size, np.int32)
        generated, n_improved, n_fresh, self._goal = _admit(
            self._nodes, self._table, self.count, -1 if root else 0, parents,
            self._problem.key(flat), costs, goals, improved, fresh, self._goal,
        )  # fmt: skip
        if not root:
            self.generated += generated
        new = slice(self.count, self.count + n_fresh)
        flat.take(fresh[:n_fresh], axis=0, out=self._states[new], mode="clip")
        again, children = improved[:n_improved].T
        # Not just the same states, where equivalent ones have one key.
        self._states[again] = flat[children]
        self.count += n_fresh
        if n_fresh:
            self.calls += 1
            self._nodes["h"][new] = self._problem.heuristic(self._states[new])
        nodes = np.concatenate([again, np.arange(new.start, new.stop, dtype=np.int32)])
        found = self._nodes[nodes]
        h = np.where(found["closed"], 0.0, found["h"])  # Closed by now are goals only.
        self._nodes["f"][nodes] = self._priority(found["g"], h, found["depth"])
        return bool(_push_open(self._nodes, self._heap, nodes))

    def _result(self, status: Status, watch: Watch) -> SearchResult:
        """The outcome as it stands."""
        plan, cost, node = None, np.inf, self._goal
        if node >= 0:
            actions, cost = [], 0.0
            while self._nodes["parent"][node] >= 0:
                parent = self._nodes["parent"][node]
                actions.append(self._nodes["action"][node])
                node = parent
            plan = np.array(actions[::-1], np.int64)
            cost = float(self._nodes["g"][self._goal])
        return SearchResult(
            status, plan, cost, False, self.expanded, self.generated, self.calls, self.memory,
            watch.seconds,
        )  # fmt: skip


@compiled
def _admit(nodes, table, count, step, parents, keys, costs, goals, improved, fresh, goal):
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
            g = cost if step < 0 else nodes[parent].g + cost
            slot = find(table, nodes, keys[child, 0], keys[child, 1])
            node = int(table[slot].node) - 1
            if node < 0:
                node = count + n_fresh
                enter(table, slot, keys[child, 1], node)
                nodes[node].key = keys[child, 0]
                fresh[n_fresh] = child
                n_fresh += 1
            elif g < nodes[node].g:
                if node < count:
                    improved[n_improved, 0] = node
                    improved[n_improved, 1] = child
                    n_improved += 1
                else:
                    fresh[node - count] = child
            else:
                continue
            nodes[node].g = g
            nodes[node].parent = -1 if step < 0 else parent
            nodes[node].action = action
            nodes[node].depth = 0 if step < 0 else nodes[parent].depth + 1
            # A goal need not be expanded: it is enough to know the cheapest.
            nodes[node].closed = goals[i, action]
            if goals[i, action] and (goal < 0 or g < nodes[goal].g or node == goal):
                goal = node
    return generated, n_improved, n_fresh, goal


@compiled
def _push_open(nodes, heap, chosen):
    """Open nodes; False where there is no room."""
    if heap.used[0] + len(chosen) > len(heap.entries):
        return False
    for node in chosen:
        if nodes[node].closed == 0 and nodes[node].f < np.inf:
            push_heap(heap, nodes[node].f, nodes[node].h, int(node))
    return True


@compiled
def _pop_open(nodes, heap, limit, chosen):
    found = 0
    while found < len(chosen):
        node, f, _ = pop_heap(heap, limit)
        if node < 0:
            break
        # Stale where the node has been expanded, or opened again with another priority.
        if nodes[node].closed == 0 and f == nodes[node].f:
            nodes[node].closed = 1
            chosen[found] = node
            found += 1
    return found
