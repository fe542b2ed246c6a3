"""The model face: the dynamics as pure functions of batches of states, for planners."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .definition import KernelDefinition
from .errors import InvalidArgumentError, UnsupportedFaceError
from .rng import key_from_seed

States = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Successors:
    """The children of n states under every action.

    Attributes:
        states: (n, actions) records; an illegal slot holds a copy of the parent.
        costs: (n, actions) `float32`, the negated rewards; infinite where illegal.
        legal: (n, actions) `int8`.
        terminated: (n, actions) `bool`, whether the child is terminal.
    """

    states: States
    costs: np.ndarray[Any, np.dtype[np.float32]]
    legal: np.ndarray[Any, np.dtype[np.int8]]
    terminated: np.ndarray[Any, np.dtype[np.bool_]]


class Model:
    """An environment's dynamics on record arrays of any length; nothing given is changed.

    Terminal states expand by the rules like any other. Time limits do not apply.
    """

    def __init__(self, definition: KernelDefinition):
        self.definition = definition

    @property
    def deterministic(self) -> bool:
        """Whether a step always leads to the same state."""
        return not self.definition.stochastic

    def reset(self, seeds: Sequence[int]) -> States:
        """The states that `reset(seed=s)` starts from, one for each seed."""
        d = self.definition
        states = d.layout.empty(len(seeds))
        states["rng"] = [key_from_seed(s) for s in seeds]
        d.loops.reset_batch(
            states,
            np.ones(len(seeds), bool),
            d.params,
            d.allocate_observations(len(seeds)),
            d.allocate_mask(len(seeds)),
        )
        return states

    def step(
        self, states: States, actions: Any, seeds: Sequence[int] | None = None
    ) -> tuple[States, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """The next states, rewards (n,) `float32` and terminated flags (n,) `bool`.

        Args:
            states: (n,) records.
            actions: n actions.
            seeds: n seeds for chance. Required where the dynamics are stochastic, so that a
                planner never sees the environment's own future.

        Raises:
            InvalidActionError: an action is illegal in its state.
            InvalidArgumentError: the dynamics are stochastic and no seeds were given.
        """
        d = self.definition
        states = self._prepared(states, seeds)
        buffer = d.allocate_actions(len(states))
        d.read_actions(actions, buffer)
        mask = self.legal(states)
        bad = d.loops.first_illegal(states, buffer, mask, 0)
        if bad >= 0:
            raise d.illegal_action(int(bad), buffer[bad], mask[bad] if len(mask) > 1 else mask[0])
        rewards, terminated = np.zeros(len(states), np.float32), np.zeros(len(states), bool)
        d.loops.model_step(states, buffer, d.params, rewards, terminated)
        return states, rewards, terminated

    def successors(self, states: States, seeds: Sequence[int] | None = None) -> Successors:
        """Every child of every state, in one compiled call. `seeds` as in `step`.

        Raises:
            UnsupportedFaceError: the actions are not discrete.
            InvalidArgumentError: the dynamics are stochastic and no seeds were given.
        """
        d = self.definition
        if not d.discrete:
            raise UnsupportedFaceError("successors need a discrete action space")
        shape = (len(states), d.n_actions)
        parents = self._prepared(states, seeds)
        children = np.empty(shape, states.dtype)
        costs, legal = np.empty(shape, np.float32), np.empty(shape, np.int8)
        terminated = np.empty(shape, bool)
        d.loops.successors(
            parents, d.params, children, costs, legal, terminated, d.allocate_mask(len(states))
        )
        return Successors(children, costs, legal, terminated)

    def legal(self, states: States) -> np.ndarray[Any, np.dtype[np.int8]]:
        """The action masks, (n, actions); one row where every action is always legal."""
        d = self.definition
        mask = d.allocate_mask(len(states))
        d.loops.view_batch(states, d.params, d.allocate_observations(len(states)), mask)
        return mask

    def observe(self, states: States) -> Any:
        """The observations: an array (n, …), or a named tuple of such arrays."""
        d = self.definition
        observations = d.allocate_observations(len(states))
        d.loops.view_batch(states, d.params, observations, d.allocate_mask(len(states)))
        return observations

    def is_goal(self, states: States) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which states are goals, (n,).

        Raises:
            UnsupportedFaceError: the environment names no goal.
        """
        if self.definition.kernels.goal is None:
            raise UnsupportedFaceError("this environment names no goal states")
        out = np.zeros(len(states), bool)
        self.definition.loops.is_goal(states, self.definition.params, out)
        return out

    def key(self, states: States) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """A 128-bit key of each state's instance and dynamic fields, (n, 2) `uint64`."""
        out = np.empty((len(states), 2), np.uint64)
        self.definition.loops.key(states, out)
        return out

    def _prepared(self, states: States, seeds: Sequence[int] | None) -> States:
        if self.definition.stochastic and seeds is None:
            raise InvalidArgumentError(
                "the dynamics are stochastic: give seeds=, one for each state"
            )
        states = states.copy()
        states["max_steps"] = -1
        states["done"] = 0
        if seeds is not None:
            states["rng"] = [key_from_seed(s) for s in seeds]
        return states
