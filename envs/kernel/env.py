"""`KernelEnv`: the single face of a compiled environment, and the class that authors extend."""

import dataclasses
import operator
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector.utils import batch_space

from .definition import KernelDefinition
from .errors import InvalidActionError
from .face import Env
from .lanes import DISABLED, Kernels
from .model import Model, States
from .opponent import NOBODY
from .state import StateLayout


class KernelEnv(Env):
    """A Gymnasium environment whose dynamics are kernels over one state record.

    A subclass calls `super().__init__` with what its `KernelDefinition` takes; see also `Env`.

    With `agents` this is the joint face of a game, which `spelunk.parallel_env` and
    `spelunk.aec_env` show as PettingZoo's: observations have the agents as their first axis, and
    rewards and terminated flags are arrays of one entry an agent. The spaces of one agent are
    `agent_observation_space` and `agent_action_space`.

    Args:
        kernels, layout, params, max_episode_steps, metrics, tasks, stochastic, inverse_actions: see
            `KernelDefinition`.
        observation_space, action_space: those of one agent.
        agents: their names, where there are many.
        turns: whether the agents act in turns, the next being that of the state field `turn`.
        plays: see `Shape`; games for two in turns extend `Game`, which knows.
        render_mode: `"rgb_array"`, `"ansi"` or None.
    """

    definition: KernelDefinition

    def __init__(
        self,
        *,
        kernels: Kernels,
        layout: StateLayout,
        params: Any,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        max_episode_steps: int,
        metrics: tuple[str, ...] = (),
        stochastic: bool = False,
        inverse_actions: Sequence[int] = (),
        tasks: int = 0,
        agents: tuple[str, ...] = (),
        turns: bool = False,
        plays: str = NOBODY,
        render_mode: str | None = None,
    ):
        super().__init__(render_mode)
        self.agent_observation_space, self.agent_action_space = observation_space, action_space
        if agents:
            observation_space = batch_space(observation_space, len(agents))
            action_space = action_space if turns else batch_space(action_space, len(agents))
        self.definition = KernelDefinition(
            kernels=kernels,
            layout=dataclasses.replace(layout, agents=len(agents)),
            params=params,
            observation_space=observation_space,
            action_space=action_space,
            max_episode_steps=max_episode_steps,
            metrics=metrics,
            masked=kernels.legal is not None,
            stochastic=stochastic,
            inverse_actions=tuple(inverse_actions),
            tasks=tasks,
            agents=agents,
            plays=plays,
        )
        self.adopt_spaces()
        self._states = self.definition.layout.empty(1)
        self._ended = True
        self._observations = self.definition.allocate_observations(1)
        self._row = None if isinstance(self._observations, tuple) else self._observations[0]
        self._mask = self.definition.allocate_mask(1)
        self._reward = self.definition.allocate_scalars(1, np.float32)
        self._terminated = self.definition.allocate_scalars(1, bool)
        self._chosen = np.ones(1, bool)
        self._masked = self.definition.masked
        self._joint = bool(agents)
        self._n_actions = self.definition.n_actions
        self._actions = self.definition.allocate_actions(1)
        self._step: Any = None

    # --- Gymnasium ---

    def step(self, action: Any) -> tuple[Any, Any, Any, bool, dict[str, Any]]:
        """Advance one step; see `gymnasium.Env.step`.

        In a game the reward is an array (agents,) `float32`, and terminated one of `bool`.

        Raises:
            InvalidActionError: the action is outside the space or illegal here; nothing happened.
            gymnasium.error.ResetNeeded: the episode has ended, or none was started.
        """
        if self._ended:
            raise gymnasium.error.ResetNeeded("the episode has ended: call reset() first")
        arguments = (
            self._states,
            self._read_action(action),
            self.definition.params,
            self._observations,
            self._mask,
            self._reward,
            self._terminated,
        )
        if self._step is None:
            self._step = self.definition.loops.bind("step_one", *arguments)
        reward, terminated, truncated, self._ended = self._step(*arguments)
        if self._joint:
            reward, terminated = self._reward[0].copy(), self._terminated[0].copy()
        return self._observation(), reward, terminated, truncated, self._info()

    # --- the other faces ---

    @property
    def model(self) -> Model:
        """The model face, for planners."""
        return Model(self.definition, self.goal_states)

    def goal_states(self) -> States | None:
        """The goal states as records, where they are the same in every episode; otherwise None."""
        return None

    def action_mask(self) -> np.ndarray[Any, np.dtype[np.int8]] | None:
        """The legal actions now, (n_actions,) `int8`; None where every action is always legal."""
        return self._mask[0].copy() if self._masked else None

    # --- internal ---

    def _begin(self) -> None:
        d = self.definition
        d.loops.run("reset", 1, self._states, self._chosen, d.params)

    def _look(self) -> None:
        d = self.definition
        d.loops.run("view", 1, self._states, d.params, self._observations, self._mask)
        self._ended = bool(self._states["done"][0])

    def _read_action(self, action: Any) -> Any:
        d = self.definition
        if not d.discrete:
            d.read_actions(np.asarray(action)[None], self._actions)
            arguments = self._states, self._actions, self._mask, DISABLED
            if d.loops.run("first_illegal", 1, *arguments) >= 0:
                raise d.illegal_action(0, action, self._mask[0])
            return self._actions[0]
        try:
            action = operator.index(action)
        except TypeError:
            raise InvalidActionError(
                f"environment 0: action {action!r} is illegal; the action space is "
                f"{self.action_space}"
            ) from None
        if 0 <= action < self._n_actions and (not self._masked or self._mask[0, action]):
            return action
        raise self.definition.illegal_action(0, action, self._mask[0])

    def _observation(self) -> Any:
        if self._row is not None:
            return self._row.copy()
        return {k: v[0].copy() for k, v in self._observations._asdict().items()}

    def _info(self) -> dict[str, Any]:
        info: dict[str, Any] = {}
        if self._masked:
            info["action_mask"] = self._mask[0].copy()
        for name in self.definition.metrics:
            value = self._states[name][0]
            info[name] = value.copy() if value.ndim else value.item()
        return info
