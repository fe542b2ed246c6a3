"""A*, weighted A* and greedy best-first search as an agent."""

from .best_first import best_first
from .plan_agent import SearchAgent
from .problem import ModelProblem
from .search import UNLIMITED, Limits, SearchResult


class AStarAgent(SearchAgent):
    """Plans each episode by A*; see `best_first`.

    Args:
        weight: of the cost so far. Below 1 the search is faster and the plan may be longer; with
            0 the search is greedy.
        heuristic, unit_costs, limits: see `SearchAgent`.
    """

    def __init__(
        self,
        weight: float = 1.0,
        heuristic: str | None = None,
        unit_costs: bool | None = None,
        limits: Limits = UNLIMITED,
    ):
        super().__init__(heuristic, unit_costs, limits)
        self.weight = weight

    def search(self, problem: ModelProblem) -> SearchResult:
        return best_first(problem, weight=self.weight, limits=self.limits)
