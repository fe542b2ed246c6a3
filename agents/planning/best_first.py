"""Best-first search: A*, weighted A*, greedy best-first and Dijkstra."""

import dataclasses

from ...envs.kernel import InvalidArgumentError
from .batched import BatchedSearch
from .graph_search import GraphSearch
from .problem import ModelProblem, SearchProblem
from .search import UNLIMITED, Limits, SearchResult, Watch, solved_already


def best_first(
    problem: SearchProblem,
    *,
    weight: float = 1.0,
    batch_size: int | None = None,
    limits: Limits = UNLIMITED,
) -> SearchResult:
    """Search for a cheap way from the root to a goal.

    States are expanded in the order of `weight · g + h`, g being the cost to get there and h the
    heuristic; of equal ones that with the lower h comes first. With weight 1 that is A* (Hart,
    Nilsson & Raphael 1968, "A formal basis for the heuristic determination of minimum cost
    paths"), whose plan is optimal if h never overestimates; between 0 and 1 weighted A*, whose plan
    then costs at most 1 / weight times the optimum (Pohl 1970); with 0 greedy best-first search.

    A `ModelProblem` whose heuristic is compiled is searched by one compiled loop, a state at a
    time. Any other is searched in batches.

    Args:
        problem: the problem.
        weight: of the cost so far, from 0 to 1.
        batch_size: how many states are expanded together, ≥ 1. More are faster to expand, and
            expand some that one at a time would not have needed; the guarantees hold for any. None
            for one at a time in the compiled loop, otherwise for a sixteenth of those expanded so
            far, from 64 to 1,024.
        limits: of the search.

    Raises:
        InvalidArgumentError: an argument is out of range, or a step has a negative cost.
    """
    if not 0 <= weight <= 1:
        raise InvalidArgumentError(f"weight must be from 0 to 1; got {weight!r}")
    if batch_size is not None and batch_size < 1:
        raise InvalidArgumentError(f"batch_size must be positive; got {batch_size!r}")
    if problem.is_goal(problem.root)[0]:
        return solved_already()
    with Watch(limits) as watch:
        if batch_size is None and isinstance(problem, ModelProblem) and problem.compiled:
            # With weight 1, f and h are whole only where all costs are.
            for whole in (True, False) if weight == 1 else (False,):
                result = GraphSearch(problem, weight, limits, whole).run(watch)
                if result is not None:
                    return result
        search = BatchedSearch(problem, lambda g, h, depth: weight * g + h, limits)
        result = search.run(batch_size, watch)
    proven = result.status == "solved" and weight == 1
    return dataclasses.replace(result, proven_optimal=proven)
