"""Beam search: layer by layer, and of each layer the best states only."""

from typing import Any

import numpy as np

from ...envs.kernel import InvalidArgumentError
from ...envs.kernel.compile import compiled
from .open_list import enter, find, grown, make_table, record
from .plan_agent import SearchAgent
from .problem import ModelProblem, SearchProblem
from .search import (
    UNLIMITED,
    Limits,
    NegativeCostError,
    SearchResult,
    Status,
    Watch,
    solved_already,
)

Array = np.ndarray[Any, Any]

#: A state of a beam.
_NODE = record([("key", np.uint64), ("g", np.float64), ("parent", np.int32), ("action", np.int32)])
#: A child that may join the next beam.
_CHILD = record([("key", np.uint64), ("g", np.float64), ("number", np.int64)])


def beam_search(
    problem: SearchProblem,
    *,
    width: int = 1024,
    weight: float = 1.0,
    limits: Limits = UNLIMITED,
) -> SearchResult:
    """Search for a way from the root to a goal, in memory that grows with its length only.

    All states of a beam are expanded together. Of their children, those that were in a beam before
    at no higher cost are left out, and the others go on in the order of `weight · g + h`, as many
    as the beam is wide (Bisiani 1987, "Beam search"). The plan is the cheapest that leads to a goal
    in the first layer that has one; it need not be optimal. Where nothing is left, `"no_plan"`
    proves nothing.

    Args:
        problem: the problem.
        width: the most states of a beam.
        weight: of the cost so far, from 0 to 1; where every step costs the same it does not matter.
        limits: of the search.

    Raises:
        InvalidArgumentError: an argument is out of range, or a step has a negative cost.
    """
    if width < 1:
        raise InvalidArgumentError(f"width must be positive; got {width!r}")
    if not 0 <= weight <= 1:
        raise InvalidArgumentError(f"weight must be from 0 to 1; got {weight!r}")
    if problem.is_goal(problem.root)[0]:
        return solved_already()
    with Watch(limits) as watch:
        return _Beam(problem, width, weight, limits).run(watch)


class _Beam:
    """One run of `beam_search`."""

    def __init__(self, problem: SearchProblem, width: int, weight: float, limits: Limits):
        self._problem, self._width, self._weight = problem, width, weight
        # Room for all there may be: memory that is not written to costs nothing.
        self._nodes = np.empty(limits.max_memory // _NODE.itemsize, _NODE)
        self._table = make_table(1)
        self._count = self._expanded = self._generated = self._calls = self._peak = 0
        self._states = problem.root
        keys = problem.key(problem.root)
        self._beam = self._enter(keys, np.zeros(1), np.full(1, -1), np.full(1, -1))

    def run(self, watch: Watch) -> SearchResult:
        limits = watch.limits
        while True:
            stop = watch.stops(self._expanded, self._peak)
            if stop is not None:
                return self._result(stop, watch)
            if limits.max_expanded is not None:
                self._beam = self._beam[: limits.max_expanded - self._expanded]
                self._states = self._states[: len(self._beam)]
            children, costs, goals = self._problem.expand(self._states)
            if (costs < 0).any():
                raise NegativeCostError(float(costs.min()))
            self._expanded += len(costs)
            self._generated += int(np.isfinite(costs).sum())
            g = (self._nodes["g"][self._beam][:, None] + costs).ravel()
            if goals.any():
                number = int(np.where(goals.ravel(), g, np.inf).argmin())
                parent, action = divmod(number, costs.shape[1])
                plan = self._plan(int(self._beam[parent]), action)
                return self._result("solved", watch, plan, float(g[number]))
            flat = children.reshape(-1, *children.shape[2:])
            keys = self._problem.key(flat)
            fresh = self._fresh(keys, g, flat.nbytes)
            chosen = fresh[self._best(flat[fresh], g[fresh])]
            if len(chosen) == 0:
                return self._result("no_plan", watch)
            if self._count + len(chosen) > len(self._nodes):
                return self._result("memory_limit", watch)
            parents, actions = np.divmod(chosen, costs.shape[1])
            self._beam = self._enter(keys[chosen], g[chosen], self._beam[parents], actions)
            self._states = flat[chosen]

    def _fresh(self, keys: Array, g: Array, state_bytes: int) -> Array:
        """The numbers of children without duplicates, and without what was in a beam before."""
        children, table = np.empty(len(g), _CHILD), make_table(len(g))
        used = children.nbytes + table.nbytes + keys.nbytes + 2 * state_bytes
        used += self._count * _NODE.itemsize + self._table.nbytes
        self._peak = max(self._peak, used)
        count = _find_fresh(self._nodes, self._table, keys, g, children, table)
        return children["number"][:count]

    def _best(self, states: Array, g: Array) -> Array:
        """The indices of those that the next beam keeps."""
        if len(states) == 0:
            return np.empty(0, np.int64)
        self._calls += 1
        h = self._problem.heuristic(states)
        f = self._weight * g + h
        order = np.lexsort((h, f))[: self._width]
        return order[np.isfinite(f[order])]

    def _enter(self, keys: Array, g: Array, parents: Array, actions: Array) -> Array:
        """Make nodes of the states of a beam; their numbers."""
        numbers = np.arange(self._count, self._count + len(keys))
        while 3 * (self._count + len(keys)) > 2 * len(self._table):
            self._table = grown(self._table, self._nodes)
        self._nodes["key"][numbers] = keys[:, 0]
        self._nodes["g"][numbers], self._nodes["parent"][numbers] = g, parents
        self._nodes["action"][numbers] = actions
        _enter_all(self._nodes, self._table, keys, self._count)
        self._count += len(keys)
        return numbers

    def _plan(self, node: int, action: int) -> Array:
        """The actions on the way to a child of a node."""
        actions = [action]
        while self._nodes["parent"][node] >= 0:
            actions.append(int(self._nodes["action"][node]))
            node = int(self._nodes["parent"][node])
        return np.array(actions[::-1], np.int64)

    def _result(
        self, status: Status, watch: Watch, plan: Array | None = None, cost: float = np.inf
    ) -> SearchResult:
        return SearchResult(
            status, plan, cost, False, self._expanded, self._generated, self._calls, self._peak,
            watch.seconds,
        )  # fmt: skip


@compiled
def _find_fresh(nodes, table, keys, g, children, own):
    """List children, the cheapest of each state; their number.

    What `nodes` has at no higher cost is left out. `own` is an empty table for the children.
    """
    count = 0
    for i in range(len(g)):
        if g[i] == np.inf:
            continue
        a, b = keys[i, 0], keys[i, 1]
        known = int(table[find(table, nodes, a, b)].node) - 1
        if known >= 0 and nodes[known].g <= g[i]:
            continue
        slot = find(own, children, a, b)
        child = int(own[slot].node) - 1
        if child < 0:
            child = count
            count += 1
            enter(own, slot, b, child)
            children[child].key = a
        elif g[i] >= children[child].g:
            continue
        children[child].g = g[i]
        children[child].number = i
    return count


@compiled
def _enter_all(nodes, table, keys, first):
    """Enter nodes, or put them in the place of older ones of the same state."""
    for i in range(len(keys)):
        slot = find(table, nodes, keys[i, 0], keys[i, 1])
        enter(table, slot, keys[i, 1], first + i)


class BeamAgent(SearchAgent):
    """Plans each episode by beam search; see `beam_search`.

    Args:
        width: the most states of a beam.
        weight: of the cost so far.
        heuristic, unit_costs, limits: see `SearchAgent`.
    """

    def __init__(
        self,
        width: int = 1024,
        weight: float = 1.0,
        heuristic: str | None = None,
        unit_costs: bool | None = None,
        limits: Limits = UNLIMITED,
    ):
        super().__init__(heuristic, unit_costs, limits)
        self.width, self.weight = width, weight

    def search(self, problem: ModelProblem) -> SearchResult:
        return beam_search(problem, width=self.width, weight=self.weight, limits=self.limits)
