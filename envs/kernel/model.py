"""The model face: the dynamics as pure functions of batches of states, for planners."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .definition import KernelDefinition
from .errors import InvalidArgumentError, UnsupportedFaceError
from .seeds import keys_from_seeds
from .threads import threads_for

States = np.ndarray[Any, Any]
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Successors:
    """The children of n states under every action.

    Attributes:
        states: (n, actions) records; an illegal slot holds a copy of the parent.
        costs: (n, actions) `float32`, the negated rewards, in a game those of the agent that
            acted; infinite where illegal.
        rewards: (n, actions) `float32`, of a game (n, actions, agents); 0 where illegal.
        legal: (n, actions) `int8`.
        terminated: (n, actions) `bool`, whether the child is terminal; of a game (…, agents).
    """

    states: States
    costs: Array
    rewards: Array
    legal: Array
    terminated: Array


@dataclass(frozen=True)
class Outcomes:
    """All that may come of n states under one action each.

    Attributes:
        states: (n, k) records, k being the largest number of outcomes; an unused slot holds a
            copy of the parent.
        probabilities: (n, k) `float64`; each row sums to 1, and unused slots have 0.
        rewards: (n, k) `float32`.
        terminated: (n, k) `bool`.
    """

    states: States
    probabilities: Array
    rewards: Array
    terminated: Array


class Model:
    """An environment's dynamics on record arrays of any length; nothing given is changed.

    Terminal states expand by the rules like any other. Time limits do not apply. Long arrays are
    spread over Numba's threads.

    Args:
        definition: of the environment.
        goal_states: makes its goal states, or None where they are not fixed.
    """

    def __init__(self, definition: KernelDefinition, goal_states: Callable[[], States | None]):
        self.definition = definition
        self._goal_states = goal_states

    @property
    def deterministic(self) -> bool:
        """Whether a step always leads to the same state."""
        return not self.definition.stochastic

    def reset(self, seeds: Sequence[int]) -> States:
        """The states that `reset(seed=s)` starts from, one for each seed."""
        d, n = self.definition, len(seeds)
        states = d.layout.empty(n)
        states["rng"] = keys_from_seeds(seeds)
        self._run("reset", states, np.ones(n, bool), d.params)
        return states

    def goal_states(self) -> States:
        """The goal states, where they are the same in every episode.

        Raises:
            UnsupportedFaceError: they are not.
        """
        states = self._goal_states()
        if states is None:
            raise UnsupportedFaceError("the goal states of this environment are not fixed")
        return states

    def step(
        self, states: States, actions: Any, seeds: Sequence[int] | None = None
    ) -> tuple[States, Array, Array]:
        """The next states, rewards (n,) `float32` and terminated flags (n,) `bool`.

        In a game rewards and flags are (n, agents).

        Args:
            states: (n,) records.
            actions: n actions.
            seeds: n seeds for chance. Required where the dynamics are stochastic, so that a
                planner never sees the environment's own future.

        Raises:
            InvalidActionError: an action is illegal in its state.
            InvalidArgumentError: the dynamics are stochastic and no seeds were given.
        """
        d, n = self.definition, len(states)
        states = self.prepared(states, seeds)
        buffer = self._read_actions(states, actions)
        rewards, terminated = d.allocate_scalars(n, np.float32), d.allocate_scalars(n, bool)
        self._run("model_step", states, buffer, d.params, rewards, terminated)
        return states, rewards, terminated

    def successors(self, states: States, seeds: Sequence[int] | None = None) -> Successors:
        """Every child of every state, in one compiled call. `seeds` as in `step`.

        Raises:
            UnsupportedFaceError: an action is not one integer.
            InvalidArgumentError: the dynamics are stochastic and no seeds were given.
        """
        d, n = self.definition, len(states)
        if not d.discrete:
            raise UnsupportedFaceError("successors need actions that are one integer")
        parents = self.prepared(states, seeds)
        shape = (n, d.n_actions)
        each = (*shape, len(d.agents)) if d.agents else shape
        found = Successors(
            np.empty(shape, states.dtype),
            np.empty(shape, np.float32),
            np.empty(each, np.float32),
            np.empty(shape, np.int8),
            np.empty(each, bool),
        )
        self._run(
            "successors",
            parents,
            d.params,
            found.states,
            found.costs,
            found.rewards,
            found.legal,
            found.terminated,
            d.allocate_mask(n),
        )
        return found

    def walk(
        self, states: States, lengths: Any, seeds: Sequence[int], n_actions: int | None = None
    ) -> States:
        """Where random walks end: uniformly drawn legal actions, taken even beyond terminal states.

        Args:
            states: (n,) records.
            lengths: (n,) integers, the steps of each walk; less where no action is legal.
            seeds: n seeds, of the walks and of chance.
            n_actions: how many of the actions are drawn from, the first ones; None for all.

        Raises:
            UnsupportedFaceError: an action is not one integer.
        """
        d, n = self.definition, len(states)
        if not d.discrete:
            raise UnsupportedFaceError("random walks need actions that are one integer")
        states = self.prepared(states, seeds)
        lengths = np.ascontiguousarray(lengths, np.int64)
        rewards, terminated = d.allocate_scalars(n, np.float32), d.allocate_scalars(n, bool)
        most = d.n_actions if n_actions is None else n_actions
        mask = d.allocate_mask(n)
        self._run("walk", states, lengths, most, d.params, mask, rewards, terminated)
        return states

    def outcomes(self, states: States, actions: Any) -> Outcomes:
        """All that may come of each state under its action, with the exact probabilities.

        A deterministic step has one outcome, whether or not it is listed.

        Raises:
            InvalidActionError: an action is illegal in its state.
            UnsupportedFaceError: chance has too many outcomes to be listed.
        """
        d, n = self.definition, len(states)
        if self.deterministic and not d.agents:
            after, rewards, terminated = self.step(states, actions)
            return Outcomes(after[:, None], np.ones((n, 1)), rewards[:, None], terminated[:, None])
        if d.kernels.outcome is None:
            raise UnsupportedFaceError(
                "this environment does not list the outcomes of chance; sample them with "
                "model.step(states, actions, seeds=…)"
            )
        states = self.prepared(states, seeds=[0] * n)
        buffer = self._read_actions(states, actions)
        counts = np.zeros(n, np.int64)
        self._run("count_outcomes", states, buffer, d.params, counts)
        shape = (n, int(counts.max(initial=0)))
        found = Outcomes(
            np.empty(shape, states.dtype),
            np.empty(shape),
            np.empty(shape, np.float32),
            np.empty(shape, bool),
        )
        self._run(
            "outcomes",
            states,
            buffer,
            d.params,
            counts,
            found.states,
            found.probabilities,
            found.rewards,
            found.terminated,
        )
        return found

    def legal(self, states: States) -> Array:
        """The action masks, (n, actions) `int8`; one row where every action is always legal."""
        return self._view(states)[1]

    def observe(self, states: States) -> Any:
        """The observations: an array (n, …), or a named tuple of such arrays."""
        return self._view(states)[0]

    def is_goal(self, states: States) -> Array:
        """Which states are goals, (n,) `bool`.

        Raises:
            UnsupportedFaceError: the environment names no goal.
        """
        if self.definition.kernels.goal is None:
            raise UnsupportedFaceError("this environment names no goal states")
        out = np.zeros(len(states), bool)
        self._run("is_goal", np.ascontiguousarray(states), self.definition.params, out)
        return out

    def key(self, states: States) -> Array:
        """128 bits that tell states apart, (n, 2) `uint64`.

        They are made from the instance and dynamic fields of the record, or of the one that the
        `canonical` kernel turns it into.
        """
        out = np.empty((len(states), 2), np.uint64)
        canonical = self.definition.kernels.canonical is not None
        states = states.copy() if canonical else np.ascontiguousarray(states)
        self._run("key", states, self.definition.params, out)
        return out

    def _view(self, states: States) -> tuple[Any, Array]:
        d, n = self.definition, len(states)
        seen = d.allocate_observations(n), d.allocate_mask(n)
        self._run("view", np.ascontiguousarray(states), d.params, *seen)
        return seen

    def prepared(self, states: States, seeds: Sequence[int] | None = None) -> States:
        """Copies of states that go on without a time limit. `seeds` as in `step`.

        Raises:
            InvalidArgumentError: the dynamics are stochastic and no seeds were given.
        """
        if not self.deterministic and seeds is None:
            raise InvalidArgumentError(
                "the dynamics are stochastic: give seeds=, one for each state"
            )
        states = states.copy()
        states["max_steps"] = -1
        states["done"] = 0
        if seeds is not None:
            states["rng"] = keys_from_seeds(seeds)
        return states

    def _read_actions(self, states: States, actions: Any) -> Array:
        d = self.definition
        buffer = d.allocate_actions(len(states))
        d.read_actions(actions, buffer)
        mask = self.legal(states)
        bad = self._run("first_illegal", states, buffer, mask, 0)
        if bad >= 0:
            raise d.illegal_action(bad, buffer[bad], mask[bad % len(mask)])
        return buffer

    def _run(self, loop: str, *arguments: Any) -> Any:
        threads = 1 if loop == "first_illegal" else threads_for(len(arguments[0]), None)
        return self.definition.loops.run(loop, threads, *arguments)
