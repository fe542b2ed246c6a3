"""Bidirectional search: from the root and from the goals at once, until the two meet."""

from typing import Any

import numpy as np

from ...envs.kernel import InvalidArgumentError, UnsupportedFaceError
from .compiled import BLIND, node_type, search_module
from .open_list import (
    ENTRY,
    HEAPED,
    TABLE_BYTES,
    enter,
    find,
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
from .plan_agent import SearchAgent
from .problem import ModelProblem
from .search import (
    UNLIMITED,
    Limits,
    NegativeCostError,
    SearchResult,
    Status,
    Watch,
    solved_already,
)

_RUNNING, _FINISHED, _FULL_TABLE, _NO_ROOM, _NOT_WHOLE, _NEGATIVE = range(6)
_MOST = 2**16  # states expanded on one side before the other has a turn
_FORWARD, _BACKWARD = 0, 1

#: A child before it is entered.
_BORN = record([("a", np.uint64), ("b", np.uint64), ("cost", np.float64), ("action", np.int32)])

#: How one side stands, and where the sides have met: the nodes of the cheapest way known.
_SIDE = record(
    [
        ("count", np.int64),
        ("expanded", np.int64),
        ("generated", np.int64),
        ("opened", np.int64),  # entries of the open list
        ("nearest", np.float64),  # no open node costs less
        ("here", np.int64),
        ("there", np.int64),
        ("best", np.float64),
        ("lowest_cost", np.float64),
    ]
)

_TEXT = f"""
@inlined
def reach(node, g, parent, action, nodes, a, b, other_nodes, other_table, open_list, side, limit):
    '''Note the best way known to a node, and whether the other side has been there.'''
    nodes[node].g = g
    nodes[node].parent = parent
    nodes[node].action = action
    nodes[node].closed = 0
    other = int(other_table[find(other_table, other_nodes, a, b)].node) - 1
    if other >= 0 and g + other_nodes[other].g < side.best:
        side.best = g + other_nodes[other].g
        side.here = node
        side.there = other
    if g >= limit:
        return True
    side.opened += 1
    return push(open_list, g, 0.0, node)

@inlined
def add(state, a, table, slot, b, nodes, side):
    '''Make a node of a state; its number.'''
    node = int(side.count)
    side.count += 1
    store(nodes[node], state)
    nodes[node].key = a
    enter(table, slot, b, node)
    return node

@lane
def begin(roots, params, nodes, table, open_list, sides, other_nodes, other_table, spare, key):
    '''Open the roots of one side.'''
    for i in range(len(roots)):
        write_key(roots[i], params, spare, key)
        a, b = key[0, 0], key[0, 1]
        slot = find(table, nodes, a, b)
        if table[slot].node == 0:
            node = add(roots[i], a, table, slot, b, nodes, sides[0])
            reach(node, 0.0, -1, -1, nodes, a, b, other_nodes, other_table, open_list, sides[0],
                  np.inf)

@lane
def expand(quota, unit, slack, root, params, nodes, table, open_list, sides, other_nodes,
           other_table, spare, key, scratch, born, mask, reward, terminated):
    '''Expand nodes of one side, up to a quota or until there is no room; what stopped it.

    `slack` is what a way beyond the open nodes of both sides costs at least, besides theirs.
    '''
    side = sides[0]
    more = mask.shape[1]
    for _ in range(quota):
        if 3 * (side.count + more) > 2 * len(table):
            return {_FULL_TABLE}
        if side.count + more > len(nodes) or not room(open_list, more):
            return {_NO_ROOM}
        node, limit = 0, side.best - slack
        while True:
            node, g, _ = pop(open_list, limit)
            if node < 0:
                side.nearest = limit
                return {_FINISHED}
            side.opened -= 1
            if nodes[node].closed == 0 and nodes[node].g == g:
                break
        side.nearest = nodes[node].g
        nodes[node].closed = 1
        side.expanded += 1
        scratch[0] = root[0]
        load(scratch[0], nodes[node])
        mask_lane(0, scratch[0], params, mask)
        # In turns rather than child by child, so that reads do not wait for one another.
        n = 0
        for action in range(more):
            if is_legal(0, action, mask):
                scratch[n + 1] = scratch[0]
                advance(0, scratch[n + 1], action, params, reward, terminated)
                if terminated[0] and not is_goal_lane(scratch[n + 1], params):
                    continue
                born[n].action = action
                born[n].cost = 1.0 if unit else -float(reward[0])
                n += 1
        for i in range(n):
            write_key(scratch[i + 1], params, spare, key)
            born[i].a = key[0, 0]
            born[i].b = key[0, 1]
            prefetch(table, slot_of(table, born[i].a))
            prefetch(other_table, slot_of(other_table, born[i].a))
        for i in range(n):
            here = slot_of(table, born[i].a)
            if table[here].node != 0:
                prefetch(nodes, int(table[here].node) - 1)
        side.generated += n
        for i in range(n):
            cost, a, b = born[i].cost, born[i].a, born[i].b
            if cost < 0.0:
                side.lowest_cost = cost
                return {_NEGATIVE}
            g = nodes[node].g + cost
            slot = find(table, nodes, a, b)
            known = int(table[slot].node) - 1
            if known < 0:
                known = add(scratch[i + 1], a, table, slot, b, nodes, side)
            elif g >= nodes[known].g:
                continue
            if not reach(known, g, node, born[i].action, nodes, a, b, other_nodes, other_table,
                         open_list, side, side.best - slack):
                return {_NOT_WHOLE}
    return {_RUNNING}
"""

_LISTS = {"find": find, "slot_of": slot_of, "enter": enter, "prefetch": prefetch}


def bidirectional(
    problem: ModelProblem, *, least_cost: float | None = None, limits: Limits = UNLIMITED
) -> SearchResult:
    """Search for the cheapest way from the root to a goal, from both ends.

    Uniform-cost search from the root and, by the actions that take others back, from all goal
    states (Pohl 1971, "Bi-directional search"); breadth-first where all steps cost the same. The
    side with fewer open states goes on. With g_F and g_B the lowest costs of open states on the two
    sides, no way not yet known costs less than `g_F + g_B + least_cost`, so that the search ends as
    soon as the best one known costs no more (Holte et al. 2017, "MM: a bidirectional search
    algorithm that is guaranteed to meet in the middle", section 3). The plan is optimal. The
    heuristic is not used.

    Args:
        problem: the problem; its environment must know its goal states and what action takes which
            one back.
        least_cost: what every step costs at least; None for 1 with unit costs, otherwise 0.
        limits: of the search.

    Raises:
        UnsupportedFaceError: actions cannot be taken back, goal states are not known, or different
            states count as equal.
        InvalidArgumentError: `least_cost` is negative, or a step has a negative cost.
    """
    if least_cost is None:
        least_cost = 1.0 if problem.unit_costs else 0.0
    if not least_cost >= 0:
        raise InvalidArgumentError(f"least_cost must not be negative; got {least_cost!r}")
    definition = problem.model.definition
    if not definition.inverse_actions:
        raise UnsupportedFaceError(
            "bidirectional search needs actions that others take back; this environment names none"
        )
    if definition.kernels.canonical is not None:
        raise UnsupportedFaceError(
            "bidirectional search cannot join ways whose states are equivalent but not the same"
        )
    goals = problem.model.prepared(problem.model.goal_states())
    if problem.is_goal(problem.root)[0]:
        return solved_already()
    with Watch(limits) as watch:
        for whole in (True, False):
            result = _Meeting(problem, goals, least_cost, limits, whole).run(watch)
            if result is not None:
                return result
    raise AssertionError("a heap takes any cost")


class _Side:
    """The nodes, table and open list of one direction."""

    def __init__(self, roots: Any, node: np.dtype[Any], whole: bool, max_memory: int):
        self.roots = roots
        entry = ENTRY if whole else HEAPED
        most = int(max_memory / (node.itemsize + 2 * entry.itemsize + TABLE_BYTES))
        # Room for all there may be on one side: memory that is not written to costs nothing.
        self.nodes, self.table = np.empty(most, node), make_table(len(roots))
        self.open = (make_stacks if whole else make_heap)(2 * most)
        self.state = np.zeros(1, _SIDE)
        self.state["best"] = np.inf

    @property
    def used(self) -> int:
        """Bytes of nodes, table and open list."""
        nodes = int(self.state["count"][0]) * self.nodes.itemsize
        return nodes + int(self.open.used[1]) * self.open.entries.itemsize + self.table.nbytes

    def actions(self, node: int) -> list[int]:
        """The actions on the way to a node, the last one first."""
        found = []
        while self.nodes["parent"][node] >= 0:
            found.append(int(self.nodes["action"][node]))
            node = int(self.nodes["parent"][node])
        return found


class _Meeting:
    """One run of `bidirectional`; `whole` says whether all costs are small whole numbers."""

    def __init__(
        self, problem: ModelProblem, goals: Any, least_cost: float, limits: Limits, whole: bool
    ):
        definition = problem.model.definition
        self._problem, self._least_cost, self._definition = problem, least_cost, definition
        node = node_type(
            definition,
            ("key", np.uint64),
            ("g", np.int16 if whole else np.float64),
            ("closed", np.int16),
            ("parent", np.int32),
            ("action", np.int16 if definition.n_actions < 2**15 else np.int32),
        )
        stacks = {"push": push_whole, "pop": pop_whole, "room": room_in_stacks}
        heap = {"push": push_heap, "pop": pop_heap, "room": room_in_heap}
        lists = stacks if whole else heap
        self._loops = search_module(definition, BLIND, _TEXT, **_LISTS, **lists)
        self._root = problem.model.prepared(problem.root)
        self._sides = [_Side(r, node, whole, limits.max_memory) for r in (self._root, goals)]
        children = definition.n_actions
        self._spare = np.empty(1, self._root.dtype), np.empty((1, 2), np.uint64)
        self._buffers = (
            *(np.empty(children + 1, self._root.dtype), np.empty(children, _BORN)),
            *(definition.allocate_mask(1), np.zeros(1, np.float32), np.zeros(1, bool)),
        )
        self._peak = 0
        for way in (_FORWARD, _BACKWARD):
            self._loops.begin(
                self._sides[way].roots, definition.params, *self._lists(way), *self._spare
            )

    def run(self, watch: Watch) -> SearchResult | None:
        """Search; None where a cost is no small whole number after all."""
        self._expand(_FORWARD, 0)  # This compiles it.
        watch.start()
        while True:
            expanded = self._sum("expanded")
            stop = watch.stops(expanded, self._memory())
            if stop is not None:
                return self._result(stop, watch)
            quota = min(max(64, expanded // 16), _MOST)
            if watch.limits.max_expanded is not None:
                quota = min(quota, watch.limits.max_expanded - expanded)
            opened = [side.state["opened"][0] for side in self._sides]
            way = _FORWARD if opened[_FORWARD] <= opened[_BACKWARD] else _BACKWARD
            side = self._sides[way]
            code = self._expand(way, quota)
            self._share_best(way)
            if code == _FINISHED:
                found = np.isfinite(side.state["best"][0])
                return self._result("solved" if found else "no_plan", watch)
            if code == _NOT_WHOLE:
                return None
            if code == _NEGATIVE:
                raise NegativeCostError(side.state["lowest_cost"][0])
            if code == _FULL_TABLE:
                self._peak = self._memory() + 2 * side.table.nbytes
                side.table = grown(side.table, side.nodes)
            if code == _NO_ROOM:
                return self._result("memory_limit", watch)

    def _expand(self, way: int, quota: int) -> int:
        """Expand nodes of one side; what stopped it."""
        slack = float(self._sides[1 - way].state["nearest"][0]) + self._least_cost
        return self._loops.expand(
            quota,
            self._problem.unit_costs,
            slack,
            self._root,
            self._definition.params,
            *self._lists(way),
            *self._spare,
            *self._buffers,
        )

    def _lists(self, way: int) -> tuple[Any, ...]:
        side, other = self._sides[way], self._sides[1 - way]
        return side.nodes, side.table, side.open, side.state, other.nodes, other.table

    def _share_best(self, way: int) -> None:
        """Tell the other side of the cheapest way known."""
        here, there = self._sides[way].state, self._sides[1 - way].state
        if here["best"][0] < there["best"][0]:
            there["best"], there["here"], there["there"] = here["best"], here["there"], here["here"]

    def _sum(self, name: str) -> int:
        return sum(int(side.state[name][0]) for side in self._sides)

    def _memory(self) -> int:
        """The most bytes of nodes, tables and open lists until now."""
        self._peak = max(self._peak, sum(side.used for side in self._sides))
        return self._peak

    def _result(self, status: Status, watch: Watch) -> SearchResult:
        """The outcome as it stands."""
        forward, backward = self._sides
        met, plan, cost = forward.state[0], None, np.inf
        if np.isfinite(met["best"]):
            inverse = self._definition.inverse_actions
            to = forward.actions(int(met["here"]))[::-1]
            on = [inverse[action] for action in backward.actions(int(met["there"]))]
            plan = np.array([*to, *on], np.int64)
            cost = self._problem.cost(plan)
        return SearchResult(
            status, plan, cost, status == "solved", self._sum("expanded"), self._sum("generated"),
            memory=self._memory(), seconds=watch.seconds,
        )  # fmt: skip


class BidirectionalAgent(SearchAgent):
    """Plans each episode by search from both ends; see `bidirectional`.

    Args:
        unit_costs, limits: see `SearchAgent`.
    """

    def __init__(self, unit_costs: bool | None = None, limits: Limits = UNLIMITED):
        super().__init__("blind", unit_costs, limits)

    def search(self, problem: ModelProblem) -> SearchResult:
        return bidirectional(problem, limits=self.limits)
