"""`SearchProblem`, which every search procedure is written against; the model face as one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from ...envs.kernel import Model, UnsupportedFaceError

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


def no_heuristic(states: States) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Zero for every state, (n,): best-first search becomes Dijkstra's algorithm."""
    return np.zeros(len(states))


@dataclass
class ModelProblem:
    """The deterministic model face of an environment as a `SearchProblem`.

    Terminal states that are not goals (lava) are dead ends.

    Args:
        model: the model face; the environment must name its goals.
        root: (1,) the state to start from.
        estimate: the heuristic, from (n,) states to (n,) costs.
        unit_costs: whether every step costs 1; otherwise a step costs its negated reward.

    Raises:
        UnsupportedFaceError: the dynamics are stochastic, or the environment names no goals.
    """

    model: Model
    root: States
    estimate: Callable[[States], np.ndarray[Any, Any]] = no_heuristic
    unit_costs: bool = False

    def __post_init__(self) -> None:
        if not self.model.deterministic:
            raise UnsupportedFaceError(
                "best-first search needs deterministic dynamics; this environment's are stochastic"
            )
        self.model.is_goal(self.root)

    def expand(self, states: States) -> Expansion:
        children = self.model.successors(states)
        goals = self.is_goal(children.states.ravel()).reshape(children.costs.shape)
        dead = (children.legal == 0) | (children.terminated & ~goals)
        costs = np.where(dead, np.inf, 1.0 if self.unit_costs else children.costs)
        return Expansion(children.states, costs, goals & ~dead)

    def is_goal(self, states: States) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return self.model.is_goal(states)

    def heuristic(self, states: States) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.asarray(self.estimate(states), np.float64)

    def key(self, states: States) -> np.ndarray[Any, np.dtype[np.uint64]]:
        return self.model.key(states)
