"""Environments whose dynamics are plain Python, with the faces of the compiled ones."""

from abc import abstractmethod
from typing import Any

import gymnasium
import numpy as np

from .batch import BatchEnv
from .buffers import Array
from .definition import Definition
from .face import Env, State
from .lanes import NEXT_STEP, SAME_STEP
from .state import StateLayout

_WORD = 2**64 - 1


def integer(state: State, n: int) -> int:
    """What `rng.integer` draws, without compiling: from 0 to n - 1 by the state's generator."""
    x = (int(state["rng"]) + 0x9E3779B97F4A7C15) & _WORD
    state["rng"] = x
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & _WORD
    x = (x ^ x >> 27) * 0x94D049BB133111EB & _WORD
    return ((x ^ x >> 31) >> 32) * n >> 32


class HostEnv(Env):
    """A Gymnasium environment whose dynamics are plain Python over one state record.

    A subclass calls `super().__init__` and fills in `reset_state`, `step_state`, `observe_states`,
    where not every action is always legal `legal_states`, and what `Env` asks for. All of them are
    functions of the records they are given: nothing about an episode is kept elsewhere, so that a
    snapshot is a copy of the record and one object serves every lane of a batch. Records change
    one by one and are looked at all together, so that NumPy can observe a batch at once.

    Args:
        layout, observation_space, action_space, max_episode_steps, metrics, masked, tasks: see
            `Definition`.
        render_mode: `"rgb_array"`, `"ansi"` or None.
    """

    def __init__(
        self,
        *,
        layout: StateLayout,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        max_episode_steps: int,
        metrics: tuple[str, ...] = (),
        masked: bool = False,
        tasks: int = 0,
        render_mode: str | None = None,
    ):
        super().__init__(render_mode)
        self.definition = Definition(
            layout=layout,
            observation_space=observation_space,
            action_space=action_space,
            max_episode_steps=max_episode_steps,
            metrics=metrics,
            masked=masked,
            tasks=tasks,
        )
        self.adopt_spaces()
        self._states = layout.empty(1)
        self._actions = self.definition.allocate_actions(1)
        self._mask = self.definition.allocate_mask(1)

    # --- the dynamics ---

    @abstractmethod
    def reset_state(self, state: State) -> None:
        """Draw the initial state: write every field; all chance comes from `state["rng"]`."""

    @abstractmethod
    def step_state(self, state: State, action: Any) -> tuple[float, bool]:
        """Change the state as a legal action does; the reward, and whether the episode is over.

        `state["step_count"]` already counts this step.
        """

    @abstractmethod
    def observe_states(self, states: Array) -> Any:
        """Fresh observations of n records: an array (n, …), a dict of such, or a list of texts."""

    def legal_states(self, states: Array) -> np.ndarray[Any, np.dtype[np.int8]]:
        """The action masks of n records, (n, n_actions); called only where `masked` was given."""
        raise NotImplementedError

    def sample_state(self, state: State, rng: np.random.Generator) -> Any:
        """An action for a state, drawn from the action space; called only where none is masked."""
        self.action_space.seed(int(rng.integers(2**31)))
        return self.action_space.sample()

    def begin(self, state: State) -> None:
        """Start an episode in a record."""
        state["step_count"], state["episode_return"], state["done"] = 0, 0.0, 0
        self.reset_state(state)

    def advance(self, state: State, action: Any) -> tuple[float, bool, bool]:
        """One step of a record: reward, terminated, truncated."""
        state["step_count"] += 1
        given, terminated = self.step_state(state, action)
        reward = float(np.float32(given))
        truncated = bool(0 <= state["max_steps"] <= state["step_count"])
        state["episode_return"] += reward
        state["done"] = terminated or truncated
        return reward, bool(terminated), truncated

    # --- Gymnasium ---

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Advance one step; see `gymnasium.Env.step`.

        Raises:
            InvalidActionError: the action is outside the space or illegal here; nothing happened.
            gymnasium.error.ResetNeeded: the episode has ended, or none was started.
        """
        state = self.state
        if not self.started or state["done"]:
            raise gymnasium.error.ResetNeeded("the episode has ended: call reset() first")
        self.definition.read_actions([action], self._actions)
        if _illegal(self.definition, self._actions, self._mask).any():
            raise self.definition.illegal_action(0, action, self._mask[0])
        reward, terminated, truncated = self.advance(state, self._actions[0])
        self._look()
        return self._observation(), reward, terminated, truncated, self._info()

    # --- acting ---

    def action_mask(self) -> np.ndarray[Any, np.dtype[np.int8]] | None:
        return self._mask[0].copy() if self.definition.masked else None

    def sample_action(self, rng: np.random.Generator) -> Any:
        if self.definition.masked:
            return super().sample_action(rng)
        return self.sample_state(self.state, rng)

    def _begin(self) -> None:
        self.begin(self.state)

    def _look(self) -> None:
        if self.definition.masked:
            self._mask = self.legal_states(self._states)

    def _observation(self) -> Any:
        observations = self.observe_states(self._states)
        if isinstance(observations, dict):
            return {name: part[0] for name, part in observations.items()}
        return observations[0]

    def _info(self) -> dict[str, Any]:
        info = {name: self._states[name][0].item() for name in self.definition.metrics}
        if self.definition.masked:
            info["action_mask"] = self._mask[0].copy()
        return info


class HostVectorEnv(BatchEnv):
    """A batch of one plain-Python environment, stepped lane by lane; see `BatchEnv`.

    The lanes share the prototype and all it refers to; only their records are their own.
    """

    prototype: HostEnv

    def sample_actions(self, rng: np.random.Generator) -> Any:
        """A legal action for every lane, drawn uniformly."""
        if self._masked:
            return super().sample_actions(rng)
        actions = [self.prototype.sample_state(state, rng) for state in self.states]
        return tuple(actions) if isinstance(actions[0], str) else np.stack(actions)

    def _begin(self, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
        for i in np.flatnonzero(chosen):
            self.prototype.begin(self.states[i])

    def _first_illegal(self) -> int:
        illegal = _illegal(self.definition, self._actions, self.buffers.mask)
        if self._mode == NEXT_STEP:
            illegal &= self.states["done"] == 0
        return int(np.argmax(illegal)) if illegal.any() else -1

    def _advance(self) -> None:
        env, b = self.prototype, self.buffers
        # Rows without attribute access, in which reading a field is twice as fast.
        rows = self.states.view(np.dtype((np.void, self.states.dtype)))
        for i in range(self.num_envs):
            row = rows[i]
            if self._mode == NEXT_STEP and row["done"]:
                env.begin(row)
                step = 0.0, False, False
            else:
                step = env.advance(row, self._actions[i])
            b.rewards[i], b.terminated[i], b.truncated[i] = step
        b.ended[:] = self.states["done"]
        lanes = np.flatnonzero(b.ended)
        final = b.final_states[lanes] = self.states[lanes]
        b.returns[lanes], b.lengths[lanes] = final["episode_return"], final["step_count"]
        if self._mode == SAME_STEP and len(lanes):
            self._view(lanes, b.final_observations, b.final_mask)
            for i in lanes:
                env.begin(rows[i])
        self._look()

    def _look(self) -> None:
        self._view(slice(None), self.buffers.observations, self.buffers.mask)

    def _view(self, lanes: Any, observations: Any, mask: Array) -> None:
        """Write the observations and masks of some lanes into their rows of the buffers."""
        states = self.states[lanes]
        seen = self.prototype.observe_states(states)
        if isinstance(observations, tuple):
            for rows, part in zip(observations, seen.values(), strict=True):
                rows[lanes] = part
        else:
            observations[lanes] = seen
        if self._masked:
            mask[lanes] = self.prototype.legal_states(states)


def _illegal(definition: Definition, actions: Array, mask: Array) -> Any:
    """Which of n actions are illegal, (n,) `bool`; `mask` is that of the state."""
    if definition.discrete:
        inside = (actions >= 0) & (actions < definition.n_actions)
        if not definition.masked:
            return ~inside
        return ~inside | (mask[np.arange(len(actions)), np.where(inside, actions, 0)] == 0)
    if actions.dtype.kind == "f":
        return np.isnan(actions).any(axis=-1)
    return np.zeros(len(actions), bool)
