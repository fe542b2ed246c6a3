"""`PlanAgent`: plans at the start of each episode, and then carries the plan out."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...envs.kernel import KernelVectorEnv, UnsupportedFaceError
from ..core.agent import Agent
from .heuristics import make_heuristic
from .problem import ModelProblem, States
from .search import UNLIMITED, Limits, NegativeCostError, SearchResult


class PlanAgent(Agent):
    """Base class of agents that need only the first state of a deterministic episode.

    Where no plan was found, legal actions are drawn uniformly.
    """

    def start(self, env: Any, seed: int) -> None:
        """Get ready; see `Agent`.

        Raises:
            UnsupportedFaceError: the environment has no model face.
        """
        if not isinstance(env, KernelVectorEnv):
            raise UnsupportedFaceError(
                f"{type(self).__name__} needs an environment with a model face"
            )
        super().start(env, seed)
        self._plans: list[Sequence[int] | None] = [None] * env.num_envs
        self._done = np.zeros(env.num_envs, np.int64)
        self._fresh = np.ones(env.num_envs, bool)

    @abstractmethod
    def plan(self, state: States) -> Sequence[int] | None:
        """The actions for an episode that starts from a state, (1,); None where none are known."""

    def figures(self) -> dict[str, Any]:
        """What the latest plan took to find, by name; empty where the planner does not count."""
        return {}

    def act(self, observations: Any, infos: dict[str, Any]) -> np.ndarray:
        for lane in np.flatnonzero(self._fresh):
            self._plans[lane] = self.plan(self.env.states[lane : lane + 1].copy())
            self._done[lane] = 0
        self._fresh[:] = False
        actions = np.array(self.env.sample_actions(self.rng))
        for lane, plan in enumerate(self._plans):
            if plan is not None and self._done[lane] < len(plan):
                actions[lane] = plan[self._done[lane]]
        self._done += 1
        return actions

    def update(self, actions: Any, rewards: np.ndarray, ended: np.ndarray) -> None:
        self._fresh |= ended


class SearchAgent(PlanAgent):
    """Base class of planners that search the model face for a way to a goal.

    Args:
        heuristic: its name; None for the best at hand. See `heuristics.make_heuristic`.
        unit_costs: whether to look for the fewest steps rather than the lowest cost, which is the
            negated reward. None for the lowest cost, unless a step turns out to gain something, as
            where only the goal is rewarded.
        limits: of the search in each episode.
    """

    def __init__(
        self,
        heuristic: str | None = None,
        unit_costs: bool | None = None,
        limits: Limits = UNLIMITED,
    ):
        self.heuristic, self.unit_costs, self.limits = heuristic, unit_costs, limits

    def start(self, env: Any, seed: int) -> None:
        super().start(env, seed)
        self._estimate = make_heuristic(env.prototype, self.heuristic)
        self._unit_costs = bool(self.unit_costs)

    @abstractmethod
    def search(self, problem: ModelProblem) -> SearchResult:
        """Look for a plan."""

    def plan(self, state: States) -> Sequence[int] | None:
        model = self.env.prototype.model
        try:
            problem = ModelProblem(model, state, self._estimate, self._unit_costs)
            self._result = self.search(problem)
        except NegativeCostError:
            if self.unit_costs is not None:
                raise
            self._unit_costs = True
            return self.plan(state)
        return None if self._result.plan is None else self._result.plan.tolist()

    def figures(self) -> dict[str, Any]:
        return self._result.figures()
