"""Best-first search of a kernel environment as one compiled loop."""

import time
from typing import Any

import numpy as np

from .compiled import node_type, search_module
from .open_list import (
    ENTRY,
    HEAPED,
    TABLE_BYTES,
    borrow,
    enter,
    find,
    give_back,
    grown,
    make_heap,
    make_stacks,
    make_table,
    pop_heap,
    pop_whole,
    prefetch,
    push_heap,
    push_whole,
    record,
    room_in_heap,
    room_in_stacks,
    slot_of,
)
from .problem import ModelProblem
from .search import Limits, NegativeCostError, SearchResult, Status, Watch

_RUNNING, _EXHAUSTED, _FULL_TABLE, _NO_ROOM, _NOT_WHOLE, _NEGATIVE = range(6)
_TICK = 0.05  # seconds between two looks at the clock


def _fields(whole: bool, n_actions: int) -> tuple[Any, ...]:
    """What a node keeps besides its state; less where all costs are small whole numbers."""
    cost = np.int16 if whole else np.float64
    return (
        ("key", np.uint64),
        ("g", cost),  # of the best way known from the root
        ("h", cost),
        ("closed", np.int16),
        ("parent", np.int32),
        ("action", np.int16 if n_actions < 2**15 else np.int32),
    )


#: A child before it is entered.
_BORN = record(
    [
        ("a", np.uint64),
        ("b", np.uint64),
        ("cost", np.float64),
        ("action", np.int32),
        ("is_goal", np.int8),
    ]
)

#: How a search stands.
_RUN = record(
    [
        ("count", np.int64),
        ("expanded", np.int64),
        ("generated", np.int64),
        ("goal", np.int64),
        ("goal_cost", np.float64),
        ("lowest_cost", np.float64),
    ]
)

_TEXT = f"""
@inlined
def add(state, h, a, b, table, slot, nodes, run):
    '''Make a node of a state; its number.'''
    node = int(run.count)
    run.count += 1
    store(nodes[node], state)
    nodes[node].key = a
    nodes[node].h = h
    enter(table, slot, b, node)
    return node

@inlined
def reach(nodes, node, g, parent, action, closed):
    '''Note the best way known to a node. A goal is closed: it need not be expanded.'''
    nodes[node].g = g
    nodes[node].parent = parent
    nodes[node].action = action
    nodes[node].closed = closed

@lane
def begin(weight, root, params, tables, nodes, table, open_list, runs, spare, key):
    '''Open the root.'''
    h = estimate_kernel(root[0], params, tables)
    write_key(root[0], params, spare, key)
    a, b = key[0, 0], key[0, 1]
    node = add(root[0], h, a, b, table, find(table, nodes, a, b), nodes, runs[0])
    reach(nodes, node, 0.0, -1, -1, 0)
    return {_RUNNING} if h == np.inf or push(open_list, h, h, node) else {_NOT_WHOLE}

@inlined
def next_node(weight, nodes, open_list, run):
    '''The best open node that is not stale: expanded since, or reached at a lower cost.'''
    limit = weight * run.goal_cost if run.goal >= 0 else np.inf
    while True:
        node, f, h = pop(open_list, limit)
        if node < 0:
            return node
        if nodes[node].closed == 0 and weight * nodes[node].g + nodes[node].h == f:
            return node

@lane
def expand(quota, weight, unit, root, params, tables, nodes, table, open_list, runs, spare, key,
           scratch, born, mask, reward, terminated):
    '''Expand nodes, up to a quota or until there is no room for more; what stopped it.'''
    run = runs[0]
    more = mask.shape[1]
    for _ in range(quota):
        if 3 * (run.count + more) > 2 * len(table):
            return {_FULL_TABLE}
        if run.count + more > len(nodes) or not room(open_list, more):
            return {_NO_ROOM}
        node = next_node(weight, nodes, open_list, run)
        if node < 0:
            return {_EXHAUSTED}
        nodes[node].closed = 1
        run.expanded += 1
        scratch[0] = root[0]
        load(scratch[0], nodes[node])
        mask_lane(0, scratch[0], params, mask)
        # In turns rather than child by child, so that reads do not wait for one another.
        n = 0
        for action in range(more):
            if is_legal(0, action, mask):
                scratch[n + 1] = scratch[0]
                advance(0, scratch[n + 1], action, params, reward, terminated)
                is_goal = is_goal_lane(scratch[n + 1], params)
                if terminated[0] and not is_goal:
                    continue
                born[n].action = action
                born[n].is_goal = is_goal
                born[n].cost = 1.0 if unit else -float(reward[0])
                n += 1
        for i in range(n):
            write_key(scratch[i + 1], params, spare, key)
            born[i].a = key[0, 0]
            born[i].b = key[0, 1]
            prefetch(table, slot_of(table, born[i].a))
        for i in range(n):
            here = slot_of(table, born[i].a)
            if table[here].node != 0:
                prefetch(nodes, int(table[here].node) - 1)
        run.generated += n
        for i in range(n):
            child = scratch[i + 1]
            cost, is_goal, a, b = born[i].cost, born[i].is_goal, born[i].a, born[i].b
            if cost < 0.0:
                run.lowest_cost = cost
                return {_NEGATIVE}
            g = nodes[node].g + cost
            slot = find(table, nodes, a, b)
            known = int(table[slot].node) - 1
            if known < 0:
                h = float(estimate_kernel(child, params, tables))
                known = add(child, h, a, b, table, slot, nodes, run)
            elif g >= nodes[known].g:
                continue
            else:
                # Not just the same one, where equivalent states have one key.
                store(nodes[known], child)
                h = float(nodes[known].h)
            reach(nodes, known, g, node, born[i].action, is_goal)
            if is_goal:
                if run.goal < 0 or g < run.goal_cost:
                    run.goal = known
                    run.goal_cost = g
            elif h < np.inf and not push(open_list, weight * g + h, h, known):
                return {_NOT_WHOLE}
    return {_RUNNING}
"""


_LISTS = {"find": find, "slot_of": slot_of, "enter": enter, "prefetch": prefetch}


class GraphSearch:
    """One run of best-first search; `best_first` says what it does.

    Args:
        problem: the problem; its heuristic must be compiled, and its root no goal.
        weight: of the cost so far, from 0 to 1.
        limits: of the search.
        whole: whether all priorities are small whole numbers, which `run` finds out.
    """

    def __init__(self, problem: ModelProblem, weight: float, limits: Limits, whole: bool):
        self._problem, self._weight = problem, float(weight)
        heuristic, definition = problem.compiled, problem.model.definition
        assert heuristic is not None
        self._fixed = definition.params, heuristic.tables
        stacks = {"push": push_whole, "pop": pop_whole, "room": room_in_stacks}
        heap = {"push": push_heap, "pop": pop_heap, "room": room_in_heap}
        lists = stacks if whole else heap
        self._loops = search_module(definition, heuristic, _TEXT, **_LISTS, **lists)
        self._root = problem.model.prepared(problem.root)
        # Room for all there may be at once: memory that is not written to costs nothing.
        node = node_type(definition, *_fields(whole, definition.n_actions))
        entry = ENTRY if whole else HEAPED
        most = int(limits.max_memory / (node.itemsize + 2 * entry.itemsize + TABLE_BYTES))
        self._nodes, self._table = borrow(most, node), make_table(1)
        self._open = (make_stacks if whole else make_heap)(2 * most)
        self._run = np.zeros(1, _RUN)
        self._run["goal"] = -1
        self._spare = np.empty(1, self._root.dtype), np.empty((1, 2), np.uint64)
        self._mask = definition.allocate_mask(1)
        self._memory = 0

    def run(self, watch: Watch) -> SearchResult | None:
        """Search until a plan is found, there is none, or a limit is reached.

        None where a priority is no small whole number after all.

        Raises:
            InvalidArgumentError: a step has a negative cost.
        """
        unit, children = self._problem.unit_costs, self._mask.shape[1]
        buffers = (
            *(np.empty(children + 1, self._root.dtype), np.empty(children, _BORN)),
            *(self._mask, np.zeros(1, np.float32), np.zeros(1, bool)),
        )

        def expand(quota: int) -> int:
            return self._loops.expand(
                quota, self._weight, unit, *self._lists(), *self._spare, *buffers
            )

        quota, code = 64, self._loops.begin(self._weight, *self._lists(), *self._spare)
        expand(0)  # This compiles it.
        watch.start()
        while code != _NOT_WHOLE:
            expanded = int(self._run["expanded"][0])
            stop = watch.stops(expanded, self._used())
            if stop is not None:
                return self._result(stop, watch)
            if watch.limits.max_expanded is not None:
                quota = min(quota, watch.limits.max_expanded - expanded)
            begin = time.perf_counter()
            code = expand(quota)
            if time.perf_counter() - begin < _TICK:
                quota *= 2
            if code == _EXHAUSTED:
                return self._result("solved" if self._run["goal"][0] >= 0 else "no_plan", watch)
            if code == _NEGATIVE:
                raise NegativeCostError(self._run["lowest_cost"][0])
            if code == _FULL_TABLE:
                self._memory = self._used() + 4 * self._table.nbytes
                self._table = grown(self._table, self._nodes)
            if code == _NO_ROOM:
                return self._result("memory_limit", watch)
        return None

    def _lists(self) -> tuple[Any, ...]:
        return self._root, *self._fixed, self._nodes, self._table, self._open, self._run

    def _used(self) -> int:
        """The most bytes of nodes, table and open list until now."""
        nodes = int(self._run["count"][0]) * self._nodes.itemsize
        entries = int(self._open.used[1]) * self._open.entries.itemsize
        return max(self._memory, nodes + entries + self._table.nbytes)

    def _result(self, status: Status, watch: Watch) -> SearchResult:
        """The outcome as it stands."""
        run, plan, cost = self._run[0], None, np.inf
        if run["goal"] >= 0:
            actions, node = [], int(run["goal"])
            while self._nodes["parent"][node] >= 0:
                actions.append(self._nodes["action"][node])
                node = int(self._nodes["parent"][node])
            plan = np.array(actions[::-1], np.int64)
            cost = self._problem.cost(plan)
        give_back(self._nodes, int(run["count"]))
        give_back(self._open.entries, int(self._open.used[1]))
        return SearchResult(
            status,
            plan,
            cost,
            status == "solved" and self._weight == 1,
            int(run["expanded"]),
            int(run["generated"]),
            memory=self._used(),
            seconds=watch.seconds,
        )
