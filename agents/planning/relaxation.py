"""Heuristics for planning tasks from their delete relaxation, in which nothing ever ceases to hold.

`h_max` and `h_add` estimate the cost of a fact by that of the cheapest operator for it, whose needs
cost as much as the dearest of them, or as all of them together (Bonet & Geffner 2001, "Planning as
heuristic search"). `h_ff` is the cost of a plan of the relaxed task, read off from the operators
that `h_add` chose (Hoffmann & Nebel 2001, "The FF planning system"; Keyder & Geffner 2008,
"Heuristics for planning with action costs revisited"). Only `h_max` never overestimates. Where an
operator or the goal needs that a fact does not hold, this counts as a fact of its own.

All are infinite where the relaxed task cannot be solved, and so neither can the task.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from ...envs.kernel import kernel
from ...envs.search.strips import Strips
from ...envs.search.strips_faces import flags
from .compiled import Heuristic

Array = np.ndarray[Any, Any]


class Tables(NamedTuple):
    """The relaxed task as lists, and scratch memory: a `Heuristic` serves one search at a time.

    A proposition is a fact, or from the number of facts on that a fact does not hold. Of lists of
    lists, those of row k lie from `…_starts[k]` to `…_starts[k + 1]`.

    Attributes:
        opposites: (facts,) `int32`, the proposition that a fact does not hold; −1 where none asks.
        needs, need_starts: the propositions that an operator needs.
        users, user_starts: the operators that need a proposition.
        effects, effect_starts: the propositions that an operator makes true.
        free: the operators that need nothing.
        costs: (operators,) `float64`.
        wanted: (problems, propositions) `int8`, whether the goal wants them.
        value, supporter: of each proposition, the estimate and the operator that it is due to.
        left, sums: of each operator, how many needs are open, and what the others cost with it.
        heap_value, heap: propositions, the least value first.
        marks: (operators,) `int8`, whether a relaxed plan has them.
        stack: propositions that a relaxed plan is still to reach.
    """

    opposites: Array
    needs: Array
    need_starts: Array
    users: Array
    user_starts: Array
    effects: Array
    effect_starts: Array
    free: Array
    costs: Array
    wanted: Array
    value: Array
    supporter: Array
    left: Array
    sums: Array
    heap_value: Array
    heap: Array
    marks: Array
    stack: Array


def goal_count(env: Strips) -> Heuristic:
    """How many facts of the goal are not as it says."""
    return Heuristic(_goal_count)


def h_max(env: Strips) -> Heuristic:
    """The cost of the dearest fact of the goal; admissible and consistent."""
    return Heuristic(_h_max, _tables(env))


def h_add(env: Strips) -> Heuristic:
    """The costs of all facts of the goal together."""
    return Heuristic(_h_add, _tables(env))


def h_ff(env: Strips) -> Heuristic:
    """The cost of a plan of the relaxed task."""
    return Heuristic(_h_ff, _tables(env))


@kernel
def _goal_count(state, params, tables):
    count, problem = 0.0, int(state.problem)
    for word in range(state.facts.shape[0]):
        wrong = state.facts[word] ^ params.goal[problem, word]
        wrong = wrong & params.goal_care[problem, word]
        while wrong != 0:
            wrong = wrong & (wrong - 1)
            count += 1.0
    return count


@kernel
def _h_max(state, params, tables):
    return _explore(state, tables, False)


@kernel
def _h_add(state, params, tables):
    return _explore(state, tables, True)


@kernel
def _h_ff(state, params, tables):
    if _explore(state, tables, True) == math.inf:
        return math.inf
    return _relaxed_plan(int(state.problem), tables)


@kernel
def _explore(state, t, additive):
    """Estimate propositions, the cheapest first, until the goal's are all known (Dijkstra).

    Returns:
        What the goal's propositions cost together, or the dearest of them; infinite where one
        cannot be reached.
    """
    problem, total = int(state.problem), 0.0
    missing = _begin(state, t, problem)
    size = 0
    for k in range(len(t.free)):
        size = _achieve(t, size, t.free[k], t.costs[t.free[k]])
    for proposition in range(len(t.value)):
        if t.supporter[proposition] == -1:
            size = _take(t, size, proposition, additive)
    while missing > 0:
        if size == 0:
            return math.inf
        value, proposition = t.heap_value[0], t.heap[0]
        size = _pop(t, size)
        if value > t.value[proposition]:
            continue  # It was found again at less cost.
        if t.wanted[problem, proposition] != 0:
            missing -= 1
            total = value + (total if additive else 0.0)
        size = _take(t, size, proposition, additive)
    return total


@kernel
def _begin(state, t, problem):
    """Forget the last state: what holds costs nothing, and has −1 for a supporter.

    Returns:
        How many propositions of the goal do not hold.
    """
    for operator in range(len(t.left)):
        t.left[operator] = t.need_starts[operator + 1] - t.need_starts[operator]
        t.sums[operator] = t.costs[operator]
    for fact in range(len(t.opposites)):
        holds = (int(state.facts[fact >> 6]) >> (fact & 63)) & 1 != 0
        _enter(t, fact, holds)
        if t.opposites[fact] >= 0:
            _enter(t, t.opposites[fact], not holds)
    missing = 0
    for proposition in range(len(t.value)):
        missing += t.wanted[problem, proposition] != 0 and t.supporter[proposition] != -1
    return missing


@kernel
def _enter(t, proposition, holds):
    t.value[proposition] = 0.0 if holds else math.inf
    t.supporter[proposition] = -1 if holds else -2


@kernel
def _take(t, size, proposition, additive):
    """Tell the operators that need a proposition what it costs; the new size of the heap."""
    value = t.value[proposition]
    for k in range(t.user_starts[proposition], t.user_starts[proposition + 1]):
        operator = t.users[k]
        t.left[operator] -= 1
        # The last to be known is the dearest.
        t.sums[operator] = value + (t.sums[operator] if additive else t.costs[operator])
        if t.left[operator] == 0:
            size = _achieve(t, size, operator, t.sums[operator])
    return size


@kernel
def _achieve(t, size, operator, value):
    """Put what an operator makes cheaper on the heap; its new size."""
    for k in range(t.effect_starts[operator], t.effect_starts[operator + 1]):
        proposition = t.effects[k]
        if value >= t.value[proposition]:
            continue
        t.value[proposition] = value
        t.supporter[proposition] = operator
        i = size
        size += 1
        while i > 0 and t.heap_value[(i - 1) // 2] > value:
            above = (i - 1) // 2
            t.heap_value[i], t.heap[i] = t.heap_value[above], t.heap[above]
            i = above
        t.heap_value[i], t.heap[i] = value, proposition
    return size


@kernel
def _pop(t, size):
    """Take the least off the heap; its new size."""
    size -= 1
    value, last, i = t.heap_value[size], t.heap[size], 0
    while 2 * i + 1 < size:
        below = 2 * i + 1
        if below + 1 < size and t.heap_value[below + 1] < t.heap_value[below]:
            below += 1
        if value <= t.heap_value[below]:
            break
        t.heap_value[i], t.heap[i] = t.heap_value[below], t.heap[below]
        i = below
    t.heap_value[i], t.heap[i] = value, last
    return size


@kernel
def _relaxed_plan(problem, t):
    """The cost of all operators that support the goal, and of those that support what they need."""
    for operator in range(len(t.marks)):
        t.marks[operator] = 0
    size, total = 0, 0.0
    for proposition in range(len(t.value)):
        if t.wanted[problem, proposition] != 0:
            t.stack[size] = proposition
            size += 1
    while size > 0:
        size -= 1
        operator = t.supporter[t.stack[size]]
        if operator < 0 or t.marks[operator] != 0:
            continue
        t.marks[operator] = 1
        total += t.costs[operator]
        for k in range(t.need_starts[operator], t.need_starts[operator + 1]):
            t.stack[size] = t.needs[k]
            size += 1
    return total


def _tables(env: Strips) -> Tables:
    """The lists of an environment's task, and their scratch memory."""
    task, n = env.task, len(env.task.facts)

    def signed(want: Array, care: Array) -> Array:
        """Flags (rows, 2 · facts): what must hold, and what must not."""
        return np.concatenate([flags(want & care, n), flags(care & ~want, n)], axis=1)

    needed, wanted = signed(task.want, task.care), signed(task.goal, task.goal_care)
    made = signed(task.add, task.add | ~task.keep)
    asked = np.flatnonzero(np.concatenate([needed, wanted])[:, n:].any(axis=0))
    kept = np.append(np.arange(n), n + asked)
    opposites = np.full(n, -1, np.int32)
    opposites[asked] = np.arange(n, len(kept))
    needed, wanted, made = needed[:, kept], wanted[:, kept], made[:, kept]
    needs, need_starts = _lists(needed)
    users, user_starts = _lists(needed.T)
    effects, effect_starts = _lists(made)
    n_propositions, n_operators = len(kept), len(task.costs)
    return Tables(
        opposites, needs, need_starts, users, user_starts, effects, effect_starts,
        np.flatnonzero(~needed.any(axis=1)).astype(np.int32), task.costs, wanted.astype(np.int8),
        np.empty(n_propositions), np.empty(n_propositions, np.int32),
        np.empty(n_operators, np.int32), np.empty(n_operators),
        np.empty(len(effects) + 1), np.empty(len(effects) + 1, np.int32),
        np.empty(n_operators, np.int8), np.empty(len(needs) + n_propositions, np.int32),
    )  # fmt: skip


def _lists(flags_: Array) -> tuple[Array, Array]:
    """The columns that are set in each row, one row behind the other, and where each begins."""
    rows, columns = np.nonzero(flags_)
    starts = np.searchsorted(rows, np.arange(len(flags_) + 1))
    return columns.astype(np.int32), starts.astype(np.int32)
