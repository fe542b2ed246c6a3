"""Value iteration: exact values of every state that can be reached, by dynamic programming."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...envs.kernel import KernelVectorEnv, Model, SpelunkError, UnsupportedFaceError
from ..core.agent import Agent
from .problem import States


class BudgetExceededError(SpelunkError, MemoryError):
    """There are more states than the planner was allowed to keep."""


@dataclass(frozen=True)
class ValueTable:
    """The values of states, and what to do in them.

    Attributes:
        index: the row of a state, by the bytes of its key.
        values: (s,) `float64`, the largest expected discounted return from each state.
        actions: (s,) an action that attains it; −1 in a terminal state.
        sweeps: how many times all values were backed up.
        error: the largest change of a value in the last sweep.
    """

    index: dict[bytes, int]
    values: np.ndarray[Any, np.dtype[np.float64]]
    actions: np.ndarray[Any, np.dtype[np.int64]]
    sweeps: int
    error: float

    def rows(self, model: Model, states: States) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The rows of some states, (n,); −1 for states that are not in the table."""
        return np.array([self.index.get(key, -1) for key in _names(model, states)], np.int64)


def value_iteration(
    model: Model,
    roots: States,
    discount: float = 1.0,
    tolerance: float = 1e-9,
    max_sweeps: int = 10_000,
    max_states: int = 2_000_000,
) -> ValueTable:
    """The optimal values of all states that can be reached from the roots.

    Sweeps of Bellman's optimality equation (Bellman 1957; Sutton & Barto 2018, equation 4.10) over
    the outcomes that the model lists, until no value changes by more than the tolerance.

    Args:
        model: the model face; actions must be integers.
        roots: (n,) states to start from.
        discount: of future rewards.
        tolerance: the largest change of a value in the last sweep.
        max_sweeps: after so many sweeps the values are returned as they are; see `error`.
        max_states: how many states the table may hold.

    Raises:
        UnsupportedFaceError: the actions are not integers, or the dynamics are stochastic and the
            environment does not list the outcomes.
        BudgetExceededError: there are more than `max_states` states.
    """
    index, legal, edges = _reach(model, roots, max_states)
    pairs, children, probabilities, rewards = edges
    values, error, sweeps = np.zeros(len(index)), np.inf, 0
    worth = np.full(legal.shape, -np.inf)
    while error > tolerance and sweeps < max_sweeps:
        following = np.where(children >= 0, values[children], 0.0)
        backed_up = probabilities * (rewards + discount * following)
        sums = np.bincount(pairs, backed_up, legal.size).reshape(legal.shape)
        worth = np.where(legal, sums, -np.inf)
        after = np.where(legal.any(axis=1), worth.max(axis=1, initial=-np.inf), 0.0)
        error = float(np.abs(after - values).max(initial=0.0))
        values, sweeps = after, sweeps + 1
    actions = np.where(legal.any(axis=1), worth.argmax(axis=1), -1)
    return ValueTable(index, values, actions, sweeps, error)


def _reach(
    model: Model, roots: States, max_states: int
) -> tuple[dict[bytes, int], np.ndarray[Any, np.dtype[np.bool_]], tuple[Any, ...]]:
    """Every state that can be reached: its row, its legal actions, and all edges between them.

    An edge leads from a pair (row · actions + action) to a child's row, or to −1 where the episode
    ends.
    """
    definition = model.definition
    if not definition.discrete:
        raise UnsupportedFaceError("value iteration needs actions that are one integer")
    n_actions = definition.n_actions
    index: dict[bytes, int] = {}
    masks: list[np.ndarray[Any, Any]] = []
    edges: list[tuple[np.ndarray[Any, Any], ...]] = []
    frontier, _ = _add(model, index, roots)
    base = 0
    while len(frontier):
        if len(index) > max_states:
            raise BudgetExceededError(f"there are more than max_states={max_states} states")
        mask = np.broadcast_to(model.legal(frontier), (len(frontier), n_actions)) != 0
        masks.append(mask)
        found: list[States] = []
        for action in range(n_actions):
            lanes = np.flatnonzero(mask[:, action])
            outcomes = model.outcomes(frontier[lanes], np.full(len(lanes), action))
            lane, slot = np.nonzero(outcomes.probabilities > 0)
            over = outcomes.terminated[lane, slot]
            children = outcomes.states[lane, slot]
            fresh, rows = _add(model, index, children[~over])
            targets = np.full(len(lane), -1, np.int64)
            targets[~over] = rows
            found.append(fresh)
            edges.append(
                (
                    (base + lanes[lane]) * n_actions + action,
                    targets,
                    outcomes.probabilities[lane, slot],
                    outcomes.rewards[lane, slot].astype(np.float64),
                )
            )
        base += len(frontier)
        frontier = np.concatenate(found)
    columns = tuple(np.concatenate(column) for column in zip(*edges, strict=True))
    return index, np.concatenate(masks), columns


def _add(
    model: Model, index: dict[bytes, int], states: States
) -> tuple[States, np.ndarray[Any, np.dtype[np.int64]]]:
    """Enter states into the index: those that are new, in the order of their rows, and all rows."""
    known = len(index)
    rows = np.array(
        [index.setdefault(key, len(index)) for key in _names(model, states)], dtype=np.int64
    )
    _, first = np.unique(rows, return_index=True)
    first = first[rows[first] >= known]
    return states[first], rows


def _names(model: Model, states: States) -> list[bytes]:
    """The keys of states as bytes."""
    return model.key(states).view("V16").ravel().tolist()


class ValueIterationAgent(Agent):
    """Acts greedily by the table that `value_iteration` makes from each new first state.

    Args:
        discount, max_states: see `value_iteration`.
    """

    def __init__(self, discount: float = 1.0, max_states: int = 2_000_000):
        self.discount = discount
        self.max_states = max_states

    def start(self, env: Any, seed: int) -> None:
        """Get ready; see `Agent`.

        Raises:
            UnsupportedFaceError: the environment has no model face.
        """
        if not isinstance(env, KernelVectorEnv):
            raise UnsupportedFaceError("value iteration needs an environment with a model face")
        super().start(env, seed)
        self._model = self.env.prototype.model
        self._tables: list[ValueTable] = []

    def act(self, observations: Any, infos: dict[str, Any]) -> np.ndarray:
        states = self.env.states
        actions = self._look_up(states)
        while (actions < 0).any():
            root = int(np.argmax(actions < 0))
            table = value_iteration(
                self._model, states[root : root + 1], self.discount, max_states=self.max_states
            )
            # As many tables as lanes are enough for those that are in use.
            self._tables = [table, *self._tables][: len(states)]
            actions = self._look_up(states)
        return actions

    def _look_up(self, states: States) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The best actions; −1 in states that are in no table."""
        actions = np.full(len(states), -1)
        for table in self._tables:
            rows = table.rows(self._model, states)
            actions = np.where((actions < 0) & (rows >= 0), table.actions[rows], actions)
        return actions
