"""IDA*: depth-first search below a rising bound, in hardly any memory."""

import time

import numpy as np

from ...envs.kernel import InvalidArgumentError
from .compiled import search_module
from .open_list import record
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

_RUNNING, _FOUND, _FINISHED, _TOO_DEEP, _NEGATIVE = range(5)
_TICK = 0.05  # seconds between two looks at the clock
_DEEPEST = 10_000  # steps of a plan

#: A place on the path from the root.
_PLACE = record([("g", np.float64), ("action", np.int32), ("key", np.uint64)])

#: How a search stands.
_RUN = record(
    [
        ("depth", np.int64),
        ("expanded", np.int64),
        ("generated", np.int64),
        ("bound", np.float64),
        ("next_bound", np.float64),  # the lowest f above the bound
        ("lowest_cost", np.float64),
    ]
)

_TEXT = f"""
@inlined
def goes_back(places, depth, action, state, params, inverse, spare, key):
    '''Whether an action leads back to where the path was before its last step.'''
    if depth == 0:
        return False
    if len(inverse) > 0:
        return action == inverse[places[depth - 1].action]
    write_key(state, params, spare, key)
    places[depth + 1].key = key[0, 0]
    return key[0, 0] == places[depth - 1].key

@lane
def descend(quota, unit, params, tables, inverse, path, places, runs, spare, key, mask, reward,
            terminated):
    '''Go on with the depth-first search; why it stopped.'''
    run = runs[0]
    depth, n_actions = int(run.depth), mask.shape[1]
    while quota > 0:
        action = int(places[depth].action) + 1
        masked = depth if mask.shape[0] > 1 else 0
        if action == 0:
            if depth + 1 == len(path):
                return {_TOO_DEEP}
            mask_lane(depth, path[depth], params, mask)
            run.expanded += 1
            quota -= 1
        while action < n_actions and not is_legal(masked, action, mask):
            action += 1
        if action == n_actions:
            if depth == 0:
                return {_FINISHED}
            depth -= 1
            continue
        places[depth].action = action
        if len(inverse) > 0 and goes_back(
            places, depth, action, path[depth], params, inverse, spare, key
        ):
            continue
        path[depth + 1] = path[depth]
        child = path[depth + 1]
        advance(0, child, action, params, reward, terminated)
        is_goal = is_goal_lane(child, params)
        if terminated[0] and not is_goal:
            continue
        cost = 1.0 if unit else -float(reward[0])
        if cost < 0.0:
            run.lowest_cost = cost
            return {_NEGATIVE}
        run.generated += 1
        if len(inverse) == 0 and goes_back(
            places, depth, action, child, params, inverse, spare, key
        ):
            continue
        g = places[depth].g + cost
        f = g if is_goal else g + estimate_kernel(child, params, tables)
        if f > run.bound:
            run.next_bound = min(run.next_bound, f)
            continue
        depth += 1
        places[depth].g = g
        places[depth].action = -1
        if is_goal:
            run.depth = depth
            return {_FOUND}
    run.depth = depth
    return {_RUNNING}
"""


def ida_star(problem: ModelProblem, limits: Limits = UNLIMITED) -> SearchResult:
    """Search for the cheapest way from the root to a goal, without remembering states.

    Iterative-deepening A* (Korf 1985, "Depth-first iterative-deepening: an optimal admissible tree
    search"): depth-first search of all paths whose `g + h` is within a bound, which starts at the
    root's h and rises to the lowest value that was beyond it. The plan is optimal if h never
    overestimates. A path does not take its last step back; otherwise states that can be reached in
    several ways are searched as often. Best where costs are few different numbers.

    Args:
        problem: the problem; its heuristic must be compiled.
        limits: of the search. A plan may have 10,000 steps.

    Raises:
        InvalidArgumentError: a step has a negative cost, or the heuristic is not compiled.
    """
    if problem.is_goal(problem.root)[0]:
        return solved_already()
    with Watch(limits) as watch:
        return _Deepening(problem).run(watch)


class _Deepening:
    """One run of `ida_star`."""

    def __init__(self, problem: ModelProblem):
        model, heuristic = problem.model, problem.compiled
        if heuristic is None:
            raise InvalidArgumentError("IDA* needs a heuristic that is compiled into the search")
        definition = model.definition
        self._problem, self._fixed = problem, (definition.params, heuristic.tables)
        self._loops = search_module(definition, heuristic, _TEXT)
        self._path = np.empty(_DEEPEST, problem.root.dtype)
        self._path[:1] = model.prepared(problem.root)
        self._places, self._run = np.zeros(_DEEPEST, _PLACE), np.zeros(1, _RUN)
        self._places["key"][0] = model.key(problem.root)[0, 0]
        self._run["bound"] = problem.heuristic(problem.root)
        rows = _DEEPEST if definition.masked else 1
        self._mask = np.ones((rows, definition.n_actions), np.int8)
        self._inverse = np.array(definition.inverse_actions, np.int64)
        self._restart()

    def run(self, watch: Watch) -> SearchResult:
        root, quota = self._path, 64
        arrays = (
            *(self._inverse, self._path, self._places, self._run),
            *(np.empty(1, root.dtype), np.empty((1, 2), np.uint64), self._mask),
            *(np.zeros(1, np.float32), np.zeros(1, bool)),
        )

        def descend(quota: int) -> int:
            return self._loops.descend(quota, self._problem.unit_costs, *self._fixed, *arrays)

        descend(0)  # This compiles it.
        watch.start()
        while np.isfinite(self._run["bound"][0]):
            expanded = int(self._run["expanded"][0])
            stop = watch.stops(expanded, self._memory)
            if stop is not None:
                return self._result(stop, watch)
            if watch.limits.max_expanded is not None:
                quota = min(quota, watch.limits.max_expanded - expanded)
            begin = time.perf_counter()
            code = descend(quota)
            if time.perf_counter() - begin < _TICK:
                quota *= 2
            if code == _FOUND:
                return self._result("solved", watch)
            if code == _TOO_DEEP:
                return self._result("memory_limit", watch)
            if code == _NEGATIVE:
                raise NegativeCostError(self._run["lowest_cost"][0])
            if code == _FINISHED:
                self._run["bound"] = self._run["next_bound"]
                self._restart()
        return self._result("no_plan", watch)

    @property
    def _memory(self) -> int:
        return self._path.nbytes + self._places.nbytes + self._mask.nbytes

    def _restart(self) -> None:
        self._run["depth"], self._run["next_bound"] = 0, np.inf
        self._places["action"][0] = -1

    def _result(self, status: Status, watch: Watch) -> SearchResult:
        run, plan, cost = self._run[0], None, np.inf
        if status == "solved":
            plan = self._places["action"][: run["depth"]].astype(np.int64)
            cost = self._problem.cost(plan)
        return SearchResult(
            status, plan, cost, status == "solved", int(run["expanded"]), int(run["generated"]),
            memory=self._memory, seconds=watch.seconds,
        )  # fmt: skip


class IDAStarAgent(SearchAgent):
    """Plans each episode by IDA*; see `ida_star`. Arguments as those of `SearchAgent`."""

    def search(self, problem: ModelProblem) -> SearchResult:
        return ida_star(problem, self.limits)
