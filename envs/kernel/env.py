"""`KernelEnv`: the single face of a compiled environment, and the class that authors extend."""

import operator
from typing import Any

import gymnasium
import numpy as np

from .codegen import Kernels, bind
from .definition import KernelDefinition
from .errors import InvalidActionError
from .face import Env
from .model import Model
from .state import StateLayout


class KernelEnv(Env):
    """A Gymnasium environment whose dynamics are kernels over one state record.

    A subclass calls `super().__init__` with what its `KernelDefinition` takes; see also `Env`.

    Args:
        kernels, layout, params, observation_space, action_space, max_episode_steps, metrics,
            stochastic: see `KernelDefinition`.
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
        render_mode: str | None = None,
    ):
        super().__init__(render_mode)
        self.definition = KernelDefinition(
            kernels=kernels,
            layout=layout,
            params=params,
            observation_space=observation_space,
            action_space=action_space,
            max_episode_steps=max_episode_steps,
            metrics=metrics,
            masked=kernels.legal is not None,
            stochastic=stochastic,
        )
        self.adopt_spaces()
        self._states = layout.empty(1)
        self._ended = True
        self._observations = self.definition.allocate_observations(1)
        self._row = None if isinstance(self._observations, tuple) else self._observations[0]
        self._mask = self.definition.allocate_mask(1)
        self._chosen = np.ones(1, bool)
        self._masked = self.definition.masked
        self._n_actions = self.definition.n_actions
        self._actions = self.definition.allocate_actions(1)
        self._step: Any = None

    # --- Gymnasium ---

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Advance one step; see `gymnasium.Env.step`.

        Raises:
            InvalidActionError: the action is outside the space or illegal here; nothing happened.
            gymnasium.error.ResetNeeded: the episode has ended, or none was started.
        """
        if self._ended:
            raise gymnasium.error.ResetNeeded("the episode has ended: call reset() first")
        action = self._read_action(action)
        reward, terminated, truncated = self._step(
            self._states, action, self.definition.params, self._observations, self._mask
        )
        self._ended = terminated or truncated
        return self._observation(), reward, terminated, truncated, self._info()

    # --- the other faces ---

    @property
    def model(self) -> Model:
        """The model face, for planners."""
        return Model(self.definition)

    def action_mask(self) -> np.ndarray[Any, np.dtype[np.int8]] | None:
        """The legal actions now, (n_actions,) `int8`; None where every action is always legal."""
        return self._mask[0].copy() if self._masked else None

    # --- internal ---

    def _begin(self) -> None:
        self.definition.loops.reset_batch(
            self._states, self._chosen, self.definition.params, self._observations, self._mask
        )

    def _look(self) -> None:
        d = self.definition
        d.loops.view_batch(self._states, d.params, self._observations, self._mask)
        self._ended = bool(self._states["done"][0])
        if self._step is None:
            action = 0 if d.discrete else self._actions[0]
            self._step = bind(
                d.loops.step_one, self._states, action, d.params, self._observations, self._mask
            )

    def _read_action(self, action: Any) -> Any:
        if not self.definition.discrete:
            self.definition.read_actions(np.asarray(action)[None], self._actions)
            if np.isnan(self._actions).any():
                raise self.definition.illegal_action(0, action, None)
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
            info[name] = self._states[name][0].item()
        return info
