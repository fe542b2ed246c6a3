"""Environments on which one fault of a learner shows at once, with the values to be learned.

After the probes of rejax and of A. Jones, "Debugging RL, without the agonizing pain": a constant
reward, a reward that the observation tells, one that comes a step later, one that the action
earns, one that both decide; and here, episodes that are cut off, and actions that are illegal.
"""

import functools

import gymnasium
import numpy as np
from gymnasium import spaces

from spelunk.envs.kernel import KernelEnv, Kernels, KernelVectorEnv, StateLayout, kernel, rng


@kernel
def reset(state, params):
    state.sign = 1 - 2 * rng.integer(state, 2)
    state.place = 0


@kernel
def observe(state, params, obs):
    obs[0] = state.sign
    obs[1] = state.place


@kernel
def step_constant(state, action, params):
    return 1.0, True


@kernel
def step_observed(state, action, params):
    return float(state.sign), True


@kernel
def step_delayed(state, action, params):
    state.place = state.place + 1
    last = state.place == 2
    return 1.0 if last else 0.0, last


@kernel
def step_acted(state, action, params):
    return 1.0 if action == 1 else 0.0, True


@kernel
def step_both(state, action, params):
    return 1.0 if (action == 1) == (state.sign > 0) else 0.0, True


@kernel
def step_forever(state, action, params):
    return 1.0, False


@kernel
def legal_second(state, params, mask):
    mask[0] = 0
    mask[1] = 1


class Probe(KernelEnv):
    def __init__(self, kind: str, max_episode_steps: int = -1, render_mode: str | None = None):
        step = {
            "constant": step_constant,
            "observed": step_observed,
            "delayed": step_delayed,
            "acted": step_acted,
            "both": step_both,
            "forever": step_forever,
            "masked": step_acted,
        }[kind]
        super().__init__(
            kernels=Kernels(reset, step, observe, legal_second if kind == "masked" else None),
            layout=StateLayout([("sign", np.int8)], [("place", np.int32)]),
            params=(),
            observation_space=spaces.Box(-np.inf, np.inf, (2,), np.float32),
            action_space=spaces.Discrete(2),
            max_episode_steps=max_episode_steps,
            render_mode=render_mode,
        )


def register():
    if "probe/Probe-v0" not in gymnasium.registry:
        gymnasium.register(
            "probe/Probe-v0",
            entry_point=Probe,  # pyright: ignore[reportArgumentType]
            vector_entry_point=functools.partial(KernelVectorEnv, Probe),
        )


def rows(sign, place):
    import torch

    return torch.tensor([[sign, place]], dtype=torch.float32)
