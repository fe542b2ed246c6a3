"""A* on the model face."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from .best_first import best_first
from .heuristics import heuristic_of
from .plan_agent import PlanAgent
from .problem import ModelProblem, States


class AStarAgent(PlanAgent):
    """Plans each episode by A* with the environment's heuristic; see `best_first`.

    Args:
        weight: of the cost so far; below 1 the search is faster and the plan may be longer.
        unit_costs: whether to look for the fewest steps. Otherwise a step costs its negated
            reward, which must not be negative.
        max_expanded, max_nodes: the search's budget in each episode.
    """

    def __init__(
        self,
        weight: float = 1.0,
        unit_costs: bool = True,
        max_expanded: int | None = None,
        max_nodes: int = 2_000_000,
    ):
        self.unit_costs = unit_costs
        self.options = {"weight": weight, "max_expanded": max_expanded, "max_nodes": max_nodes}

    def start(self, env: Any, seed: int) -> None:
        super().start(env, seed)
        self._heuristic = heuristic_of(env.prototype)

    def plan(self, state: States) -> Sequence[int] | None:
        model = self.env.prototype.model
        problem = ModelProblem(model, state, self._heuristic, self.unit_costs)
        self._result = best_first(problem, **self.options)
        return None if self._result.plan is None else self._result.plan.tolist()

    def figures(self) -> dict[str, Any]:
        found = dataclasses.asdict(self._result)
        del found["plan"]
        return found
