"""Q* search: best-first search over edges, without expanding states.

Agostinelli, Shperberg, Shmakov, McAleer, Fox & Baldi 2021, "A* search without expansions: learning
heuristic functions with deep Q-networks". A* makes all children of a state to learn their
priorities. A network that gives, for one state, the cost of each action and of what follows tells
them without: only the children that come to be the best are made.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...envs.kernel import InvalidArgumentError
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
from .problem import ModelProblem, States
from .search import UNLIMITED, Limits, SearchResult, Status, Watch, solved_already

Array = np.ndarray[Any, Any]

#: From (n,) states to (n, actions): the estimated cost of each action and of what follows it;
#: infinite where it is illegal.
ActionCosts = Callable[[States], Array]

_NODE = record(
    [
        ("key", np.uint64),
        ("g", np.float64),  # cost of the best way known from the root
        ("f", np.float64),  # priority of its best edge that is left
        ("parent", np.int32),
        ("action", np.int32),
    ]
)


def q_star(
    problem: ModelProblem,
    action_costs: ActionCosts,
    *,
    weight: float = 1.0,
    batch_size: int = 1,
    limits: Limits = UNLIMITED,
) -> SearchResult:
    """Search for a cheap way from the root to a goal, making one child at a time.

    Edges are followed in the order of `weight · g(s) + q(s, a)`. With weight 1 and a batch of one
    the plan is optimal if q never overestimates.

    Args:
        problem: the problem; its heuristic is not used.
        action_costs: q.
        weight: of the cost so far, from 0 to 1.
        batch_size: how many edges are followed together, ≥ 1: the network is asked once for all of
            the states they lead to.
        limits: of the search; edges followed count as expansions.

    Returns:
        In it `expanded` are the states that q was asked for, `generated` the edges followed and
        `calls` how often q was asked.

    Raises:
        InvalidArgumentError: an argument is out of range.
    """
    if not 0 <= weight <= 1:
        raise InvalidArgumentError(f"weight must be from 0 to 1; got {weight!r}")
    if batch_size < 1:
        raise InvalidArgumentError(f"batch_size must be positive; got {batch_size!r}")
    if problem.is_goal(problem.root)[0]:
        return solved_already()
    with Watch(limits) as watch:
        return _EdgeSearch(problem, action_costs, weight, limits).run(batch_size, watch)


class _EdgeSearch:
    """One run of `q_star`. A node has one entry on the open list, that of its best edge."""

    def __init__(
        self, problem: ModelProblem, action_costs: ActionCosts, weight: float, limits: Limits
    ):
        self._problem, self._q, self._weight = problem, action_costs, weight
        root, n_actions = problem.root, problem.model.definition.n_actions
        self._bytes = root.itemsize + 4 * n_actions + _NODE.itemsize
        most = int(limits.max_memory / (self._bytes + 2 * HEAPED.itemsize + TABLE_BYTES))
        # Room for all there may be at once: memory that is not written to costs nothing.
        self._states, self._nodes = np.empty(most, root.dtype), np.empty(most, _NODE)
        self._edges = np.empty((most, n_actions), np.float32)
        self._heap, self._table = make_heap(2 * most), make_table(1)
        self._limits = limits
        self._count = self._expanded = self._generated = self._calls = 0
        self._goal, self._peak = -1, 0
        one = np.zeros(1, np.int32)
        self._add(one - 1, one - 1, problem.model.prepared(root), np.zeros(1), np.zeros(1, bool))

    def run(self, batch_size: int, watch: Watch) -> SearchResult:
        model = self._problem.model
        while True:
            stop = watch.stops(self._generated, self._memory)
            if stop is not None:
                return self._result(stop, watch)
            if self._limits.max_expanded is not None:
                batch_size = min(batch_size, self._limits.max_expanded - self._generated)
            parents, actions = np.empty(batch_size, np.int32), np.empty(batch_size, np.int32)
            limit = self._weight * self._nodes["g"][self._goal] if self._goal >= 0 else np.inf
            found = _pop_edges(
                self._nodes, self._edges, self._heap, self._weight, limit, parents, actions
            )
            if found == 0:
                return self._result("no_plan" if self._goal < 0 else "solved", watch)
            parents, actions = parents[:found], actions[:found]
            self._generated += found
            states, rewards, terminated = model.step(self._states[parents], actions)
            goals = self._problem.is_goal(states)
            costs = np.ones(found) if self._problem.unit_costs else -rewards.astype(np.float64)
            costs[terminated & ~goals] = np.inf
            g = self._nodes["g"][parents] + costs
            if not self._add(parents, actions, states, g, goals):
                return self._result("memory_limit", watch)

    @property
    def _memory(self) -> int:
        used = self._count * self._bytes + int(self._heap.used[1]) * HEAPED.itemsize
        self._peak = max(self._peak, used + self._table.nbytes)
        return self._peak

    def _add(self, parents: Array, actions: Array, states: States, g: Array, goals: Array) -> bool:
        """Take in the states that edges lead to; False for lack of room."""
        n = len(states)
        if self._count + n > len(self._nodes) or self._heap.used[0] + n > len(self._heap.entries):
            return False
        while 3 * (self._count + n) > 2 * len(self._table):
            self._peak = self._memory + 4 * self._table.nbytes
            self._table = grown(self._table, self._nodes)
        reached, which = np.empty(n, np.int32), np.empty(n, np.int32)
        keys = self._problem.key(states)
        n_reached, self._count, self._goal = _admit_edges(
            self._nodes, self._table, self._count, parents, actions, keys, g, goals,
            reached, which, self._goal,
        )  # fmt: skip
        nodes, which = reached[:n_reached], which[:n_reached]
        self._states[nodes] = states[which]
        nodes = nodes[~goals[which]]
        if len(nodes):
            self._calls += 1
            self._expanded += len(nodes)
            self._edges[nodes] = self._q(self._states[nodes])
            _push_edges(self._nodes, self._edges, self._heap, self._weight, nodes)
        return True

    def _result(self, status: Status, watch: Watch) -> SearchResult:
        plan, cost, node = None, np.inf, self._goal
        if node >= 0:
            actions = []
            while self._nodes["parent"][node] >= 0:
                actions.append(self._nodes["action"][node])
                node = self._nodes["parent"][node]
            plan = np.array(actions[::-1], np.int64)
            cost = self._problem.cost(plan)
        return SearchResult(
            status, plan, cost, False, self._expanded, self._generated, self._calls, self._memory,
            watch.seconds,
        )  # fmt: skip


@compiled
def _admit_edges(nodes, table, count, parents, actions, keys, g, goals, reached, which, goal):
    """Enter states as nodes, where they are new or reached at a lower cost."""
    n_reached = 0
    for i in range(len(g)):
        if g[i] == np.inf:
            continue
        slot = find(table, nodes, keys[i, 0], keys[i, 1])
        node = int(table[slot].node) - 1
        if node < 0:
            node = count
            count += 1
            enter(table, slot, keys[i, 1], node)
            nodes[node].key = keys[i, 0]
        elif g[i] >= nodes[node].g:
            continue
        nodes[node].g = g[i]
        nodes[node].parent = parents[i]
        nodes[node].action = actions[i]
        # Closed to what is on the open list for it already.
        nodes[node].f = np.inf
        if goals[i] and (goal < 0 or g[i] < nodes[goal].g or node == goal):
            goal = node
        reached[n_reached] = node
        which[n_reached] = i
        n_reached += 1
    return n_reached, count, goal


@compiled
def _push_edges(nodes, edges, heap, weight, chosen):
    """Open nodes at their best edges."""
    for node in chosen:
        best = np.inf
        for action in range(edges.shape[1]):
            best = min(best, edges[node, action])
        nodes[node].f = weight * nodes[node].g + best
        if best < np.inf:
            push_heap(heap, nodes[node].f, best, int(node))


@compiled
def _pop_edges(nodes, edges, heap, weight, limit, parents, actions):
    """Take the best edges; how many there are below the limit."""
    found = 0
    while found < len(parents):
        node, f, _ = pop_heap(heap, limit)
        if node < 0:
            break
        if f != nodes[node].f:
            continue
        best, action, second = np.inf, -1, np.inf
        for other in range(edges.shape[1]):
            cost = edges[node, other]
            if cost < best:
                second = best
                best, action = cost, other
            elif cost < second:
                second = cost
        edges[node, action] = np.inf
        parents[found] = node
        actions[found] = action
        found += 1
        nodes[node].f = weight * nodes[node].g + second
        if second < np.inf:
            push_heap(heap, nodes[node].f, second, node)
    return found
