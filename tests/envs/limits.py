"""An environment that keeps its fields at the limits of their types."""

from typing import Any

import numpy as np
from gymnasium import spaces

from spelunk.envs.kernel import KernelEnv, Kernels, StateLayout, kernel, rng

_TYPES = (("tiny", np.int8), ("small", np.int16), ("medium", np.int32), ("large", np.int64))
_FLOATS = (0.0, -0.0, 1e-45, 1.1754944e-38, 3.4028235e38, -3.4028235e38, 0.1, 16777217.0)


@kernel
def reset(state, params):
    state.tiny = -128
    state.small = 32767
    state.medium = -2147483648
    state.large = 9223372036854775807
    state.single = params[rng.integer(state, len(params))]
    state.double = 0.1


@kernel
def step(state, action, params):
    """Step every field to the other end of its type, or by one; multiply floats."""
    if action == 0:
        state.tiny = 127 if int(state.tiny) < 0 else -128
        state.small = 32767 if int(state.small) < 0 else -32768
    elif action == 1:
        state.tiny = max(-128, int(state.tiny) - 1)
        state.small = min(32767, int(state.small) + 1)
    elif action == 2:
        state.medium = -1 - int(state.medium)
        state.large = -1 - int(state.large)
    else:
        state.single = params[rng.integer(state, len(params))]
    state.double = float(state.single) * 0.1 + float(state.double) / 3.0
    # Products of small fields that would overflow in their own types.
    square = int(state.tiny) * int(state.tiny) + int(state.small) * int(state.tiny)
    return float(square) * 0.1 - float(state.single), int(state.tiny) == 127 and action == 1


@kernel
def observe(state, params, obs):
    obs[0] = int(state.tiny) * 2
    obs[1] = int(state.small) * 2
    obs[2] = int(state.medium) / 3
    obs[3] = float(state.single)
    obs[4] = state.double


class Limits(KernelEnv):
    """See the kernels."""

    def __init__(self, max_episode_steps: int = 12):
        super().__init__(
            kernels=Kernels(reset, step, observe),
            layout=StateLayout([], [*_TYPES, ("single", np.float32), ("double", np.float64)]),
            params=np.array(_FLOATS, np.float32),
            observation_space=spaces.Box(-np.inf, np.inf, (5,), np.float32),
            action_space=spaces.Discrete(4),
            max_episode_steps=max_episode_steps,
            metrics=tuple(name for name, _ in _TYPES),
        )

    def describe_state(self, state: Any) -> str:
        return str(state)

    def draw_state(self, state: Any) -> Any:
        return np.zeros((1, 1, 3), np.uint8)

    def show_state(self, state: Any) -> str:
        return str(state)
