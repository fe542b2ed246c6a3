"""Stable-Baselines3: a vector environment of the suite as its `VecEnv`."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.vec_env import VecEnv

from ...envs.kernel.errors import InvalidArgumentError


class SB3VecEnv(VecEnv):
    """Speaks Stable-Baselines3's `VecEnv` over a same-step vector environment.

    Differences from Gymnasium's interface are SB3's: `reset` gives observations only, `step` gives
    one `dones` array, and infos are a dictionary a lane: with `terminal_observation`,
    `TimeLimit.truncated` (cut off, not ended), `episode` (`r` and `l`) where an episode ended.
    `action_masks`, as sb3-contrib's `MaskablePPO` asks for it, is both a method and, through
    `env_method`, one of each lane.

    Args:
        env: made with `gymnasium.make_vec(…, autoreset_mode="SAME_STEP")`.

    Raises:
        InvalidArgumentError: the environment resets in another mode.
    """

    def __init__(self, env: Any):
        if env.metadata.get("autoreset_mode") is not AutoresetMode.SAME_STEP:
            raise InvalidArgumentError(
                "Stable-Baselines3 resets in the same step: make the environment with "
                'autoreset_mode="SAME_STEP"'
            )
        self.env = env
        self._actions: Any = None
        self.render_mode = env.render_mode
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def reset(self) -> Any:
        given = any(seed is not None for seed in self._seeds)
        observations, infos = self.env.reset(seed=list(self._seeds) if given else None)
        self._reset_seeds()
        self._reset_options()
        self.reset_infos = self._lane_infos(infos)
        return observations

    def step_async(self, actions: np.ndarray[Any, Any]) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[Any, np.ndarray[Any, Any], np.ndarray[Any, Any], list[Any]]:
        observations, rewards, terminated, truncated, infos = self.env.step(self._actions)
        ended = terminated | truncated
        lanes = self._lane_infos(infos)
        for i in np.flatnonzero(ended).tolist():
            lanes[i] |= self._lane_infos(infos["final_info"], i)[0]
            lanes[i]["terminal_observation"] = _lane(infos["final_obs"], i)
            lanes[i]["TimeLimit.truncated"] = bool(truncated[i] and not terminated[i])
            length = int(infos["episode"]["l"][i])
            lanes[i]["episode"] = {"r": float(infos["episode"]["r"][i]), "l": length}
        return observations, rewards, ended, lanes

    def action_masks(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """The legal actions now, (n, actions) `bool`."""
        mask = self.env.action_mask
        if mask is None:
            return np.ones((self.num_envs, self.env.definition.n_actions), bool)
        return mask.astype(bool)

    def close(self) -> None:
        self.env.close()

    def get_images(self) -> Sequence[np.ndarray[Any, Any] | None]:
        return list(self.env.render())

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        value = getattr(self.env, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise InvalidArgumentError("the lanes of a compiled batch have no attributes to set")

    def env_method(
        self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any
    ) -> list[Any]:
        if method_name == "action_masks":
            masks = self.action_masks()
            return [masks[i] for i in self._get_indices(indices)]
        method = getattr(self.env, method_name)
        return [method(i, *args, **kwargs) for i in self._get_indices(indices)]

    def has_attr(self, attr_name: str) -> bool:
        return attr_name == "action_masks" or hasattr(self.env, attr_name)

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False for _ in self._get_indices(indices)]

    def _get_indices(self, indices: int | Iterable[int] | None) -> list[int]:
        if indices is None:
            return list(range(self.num_envs))
        return [indices] if isinstance(indices, int) else list(indices)

    def _lane_infos(self, infos: dict[str, Any], only: int | None = None) -> list[dict[str, Any]]:
        """The metrics and masks of each lane, or of one."""
        names = [name for name in infos if name == "action_mask" or name in self._metrics]
        lanes = range(self.num_envs) if only is None else [only]
        return [{name: infos[name][i] for name in names} for i in lanes]

    @property
    def _metrics(self) -> tuple[str, ...]:
        return self.env.definition.metrics


def as_sb3_vec_env(env: Any) -> SB3VecEnv:
    """A vector environment of the suite for Stable-Baselines3; see `SB3VecEnv`."""
    return SB3VecEnv(env)


def _lane(observations: Any, i: int) -> Any:
    if isinstance(observations, dict):
        return {name: part[i] for name, part in observations.items()}
    return observations[i]
