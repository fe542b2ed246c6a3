"""Environments on which one fault of a learner shows at once, with the values to be learned.

After the probes of rejax and of A. Jones, "Debugging RL, without the agonizing pain": a constant
reward, a reward that the observation tells, one that comes a step later, one that the action
earns, one that both decide; and here, episodes that are cut off, actions that are illegal, a sign
that must be remembered, two choices at once and an action that is a number.
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
def step_remembered(state, action, params):
    """The sign is shown at the first place only, and asked for two steps later."""
    state.place = state.place + 1
    last = state.place == 3
    right = (action == 1) == (state.sign > 0)
    return 1.0 if last and right else 0.0, last


@kernel
def observe_once(state, params, obs):
    obs[0] = state.sign if state.place == 0 else 0
    obs[1] = state.place


@kernel
def step_pair(state, action, params):
    """Only one of the four pairs of actions is rewarded."""
    return 1.0 if action[0] == 1 and action[1] == 2 else 0.0, True


@kernel
def step_reached(state, action, params):
    """The nearer to the sign, the better."""
    return 1.0 - (action[0] - state.sign) ** 2, True


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
            "remembered": step_remembered,
            "pair": step_pair,
            "reached": step_reached,
        }[kind]
        look = observe_once if kind == "remembered" else observe
        actions = {
            "pair": spaces.MultiDiscrete([2, 3]),
            "reached": spaces.Box(-2, 2, (1,), np.float32),
        }.get(kind, spaces.Discrete(2))
        super().__init__(
            kernels=Kernels(reset, step, look, legal_second if kind == "masked" else None),
            layout=StateLayout([("sign", np.int8)], [("place", np.int32)]),
            params=(),
            observation_space=spaces.Box(-np.inf, np.inf, (2,), np.float32),
            action_space=actions,
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
