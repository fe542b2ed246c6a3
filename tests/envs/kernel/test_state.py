import numpy as np
import pytest
from gymnasium import spaces

from spelunk.envs.kernel import InvalidArgumentError, KernelEnv, Kernels, StateLayout, kernel


@kernel
def reset(state, params):
    state.a = 0.0
    state.b[:] = 0
    state.note = 0


@kernel
def step(state, action, params):
    return 0.0, False


@kernel
def observe(state, params, obs):
    obs[0] = state.a


class Toy(KernelEnv):
    def __init__(self):
        super().__init__(
            kernels=Kernels(reset, step, observe),
            layout=StateLayout([("a", np.float32)], [("b", np.int8, (2, 3))], [("note", np.int32)]),
            params=(),
            observation_space=spaces.Box(-1, 1, (1,), np.float32),
            action_space=spaces.Discrete(1),
            max_episode_steps=9,
        )


def test_keys_tell_states_apart_by_instance_and_dynamic_fields_only():
    env = Toy()
    env.reset(seed=0)
    states = np.repeat(env.snapshot()[None], 6)
    states["a"][1] = -0.0
    states["note"][2] = 7
    states["rng"][2] = 1
    states["step_count"][2] = 5
    states["a"][3] = 0.5
    states["b"][4, 1, 2] = 1
    states["b"][5, 1, 1] = 1
    keys = [tuple(key) for key in env.model.key(states)]
    assert keys[0] == keys[1] == keys[2]
    assert len(set(keys)) == 4


def test_names_that_records_have_already_are_refused():
    with pytest.raises(InvalidArgumentError, match="size"):
        StateLayout([], [("size", np.int32)])
