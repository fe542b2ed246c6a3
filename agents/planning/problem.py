"""`SearchProblem`, which every search procedure is written against; the model face as one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from ...envs.kernel import Model, UnsupportedFaceError
from .compiled import BLIND, Heuristic, estimates

States = np.ndarray[Any, Any]


class Expansion(NamedTuple):
    """The children of n states under each of a actions.

    Attributes:
        states: (n, a, …) the children.
        costs: (n, a) `float64` what the step costs; infinite where there is no way on.
        goals: (n, a) `bool`, whether the child is a goal.
    """

    states: States
    costs: np.ndarray[Any, np.dtype[np.float64]]
    goals: np.ndarray[Any, np.dtype[np.bool_]]


class SearchProblem(Protocol):
    """A graph to search: states in batches, as arrays with one row for each.

    Attributes:
        root: (1, …) the state to start from.
    """

    root: States

    def expand(self, states: States) -> Expansion:
        """Every child of every state."""
        ...

    def is_goal(self, states: States) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which states are goals, (n,)."""
        ...

    def heuristic(self, states: States) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Estimates of the cost from each state to the nearest goal, (n,), not negative."""
        ...

    def key(self, states: States) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """A 128-bit identity of each state, (n, 2)."""
        ...


@dataclass
class ModelProblem:
    """The deterministic model face of an environment as a `SearchProblem`.

    Terminal states that are not goals (lava) are dead ends.

    Args:
        model: the model face; the environment must name its goals.
        root: (1,) the state to start from.
        estimate: the heuristic: compiled, or any function from (n,) states to (n,) costs.
        unit_costs: whether every step costs 1; otherwise a step costs its negated reward.

    Raises:
        UnsupportedFaceError: the dynamics are stochastic, or the environment names no goals.
    """

    model: Model
    root: States
    estimate: Heuristic | Callable[[States], np.ndarray[Any, Any]] = BLIND
    unit_costs: bool = False

    def __post_init__(self) -> None:
        if not self.model.deterministic:
            raise UnsupportedFaceError(
                "best-first search needs deterministic dynamics; this environment's are stochastic"
            )
        if self.model.definition.agents:
            raise UnsupportedFaceError("best-first search is for one agent; this is a game")
        self.model.is_goal(self.root)

    @property
    def compiled(self) -> Heuristic | None:
        """The heuristic, where it can be compiled into a search."""
        return self.estimate if isinstance(self.estimate, Heuristic) else None

    def cost(self, plan: Sequence[int] | np.ndarray[Any, Any]) -> float:
        """What it costs to carry a plan out from the root."""
        if self.unit_costs:
            return float(len(plan))
        cost, state = 0.0, self.model.prepared(self.root)
        for action in plan:
            state, rewards, _ = self.model.step(state, [action])
            cost -= float(rewards[0])
        return cost

    def expand(self, states: States) -> Expansion:
        children = self.model.successors(states)
        goals = self.is_goal(children.states.ravel()).reshape(children.costs.shape)
        dead = (children.legal == 0) | (children.terminated & ~goals)
        costs = np.where(dead, np.inf, 1.0 if self.unit_costs else children.costs)
        return Expansion(children.states, costs, goals & ~dead)

    def is_goal(self, states: States) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return self.model.is_goal(states)

    def heuristic(self, states: States) -> np.ndarray[Any, np.dtype[np.float64]]:
        if self.compiled is not None:
            return estimates(self.model.definition, self.compiled, states)
        return np.asarray(self.estimate(states), np.float64)  # pyright: ignore[reportCallIssue]

    def key(self, states: States) -> np.ndarray[Any, np.dtype[np.uint64]]:
        return self.model.key(states)
