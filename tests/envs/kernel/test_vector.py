import copy
import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from spelunk.envs.gridworld.door_key import DoorKey
from spelunk.envs.kernel import (
    InvalidActionError,
    InvalidArgumentError,
    pack_states,
    unpack_states,
)
from spelunk.envs.kernel.recycler import Recycler


def make(num_envs=4, **kwargs) -> Any:
    return gymnasium.make_vec("spelunk/DoorKey-v0", num_envs=num_envs, size=5, **kwargs)


def test_what_was_handed_out_stays_as_it_was():
    env = make(600)
    kept, copies = [], []
    observations, _ = env.reset(seed=0)
    for t in range(10):
        kept.append(observations)
        copies.append(observations.copy())
        observations, *_ = env.step(np.full(600, t % 3))
    assert all((a == b).all() for a, b in zip(kept, copies, strict=True))


def test_without_copies_the_buffers_are_the_same_each_time():
    env = make(copy=False)
    first, _ = env.reset(seed=0)
    second, *_ = env.step(np.ones(4, int))
    assert first is second


def test_recycled_memory_is_free_memory():
    recycler, source = Recycler(), np.arange(5)
    a = recycler.copy(source)
    slice_of_a = a[1:]
    b = recycler.copy(source + 1)
    del a
    c = recycler.copy(source + 2)
    assert slice_of_a.tolist() == [1, 2, 3, 4]
    assert b.tolist() == [1, 2, 3, 4, 5]
    address = b.ctypes.data
    del b
    assert recycler.copy(source).ctypes.data == address
    assert c.tolist() == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("mode", [*AutoresetMode, "next_step", "SameStep", "disabled"])
def test_reset_modes_by_member_or_name(mode):
    assert isinstance(make(autoreset_mode=mode).metadata["autoreset_mode"], AutoresetMode)


@pytest.mark.parametrize(
    "arguments", [{"num_envs": 0}, {"autoreset_mode": "sometimes"}, {"num_threads": 0}]
)
def test_wrong_arguments(arguments):
    with pytest.raises(InvalidArgumentError):
        make(**{"num_envs": 4, **arguments})


@pytest.mark.parametrize(
    "mask", [np.zeros(4, bool), np.ones(4, int), np.ones(3, bool), [True, False]]
)
def test_wrong_reset_masks(mask):
    env = make()
    env.reset(seed=0)
    with pytest.raises(InvalidArgumentError, match="reset_mask"):
        env.reset(options={"reset_mask": mask})


def test_seeds_one_by_one():
    env, twin = make(), make()
    a, _ = env.reset(seed=[7, 8, 9, 10])
    b, _ = twin.reset(seed=7)
    assert (a == b).all()
    with pytest.raises(InvalidArgumentError, match="entries"):
        env.reset(seed=[1, 2])


# --- buffers of the caller's ---


def test_rollouts_without_copies():
    """Steps that write into the rows of a rollout's storage give what copies give."""
    env, twin = (make(5, autoreset_mode="SAME_STEP", max_episode_steps=30) for _ in range(2))
    first, _ = env.reset(seed=3)
    twin.reset(seed=3)
    length = 200
    observations = np.zeros((length + 1, *first.shape), np.uint8)
    rewards = np.zeros((length, 5), np.float32)
    ends = np.zeros((2, length, 5), bool)
    observations[0] = first
    rng = np.random.default_rng(0)
    for t in range(length):
        env.write_into(
            observations=observations[t + 1],
            rewards=rewards[t],
            terminated=ends[0, t],
            truncated=ends[1, t],
        )
        actions = rng.integers(0, 7, 5)
        found, expected = env.step(actions), twin.step(actions)
        assert found[0].base is observations
        for mine, theirs in zip(found[:4], expected[:4], strict=True):
            assert (mine == theirs).all()
        if "final_obs" in expected[4]:
            over = expected[4]["_final_obs"]
            assert (found[4]["final_obs"][over] == expected[4]["final_obs"][over]).all()
    assert ends[1].any()


def test_buffers_hold_through_partial_resets():
    env = make()
    env.reset(seed=0)
    before, _ = env.present()
    mine = np.zeros_like(before)
    env.write_into(observations=mine)
    env.reset(options={"reset_mask": np.array([True, False, False, False])})
    assert (mine[1:] == before[1:]).all()
    env.write_into()
    after, *_ = env.step(np.zeros(4, int))
    assert after is not mine
    assert (mine[1:] == before[1:]).all()


def test_a_torch_tensor_as_a_buffer():
    import torch

    env, rewards = make(), torch.full((4,), 9.0)
    env.reset(seed=0)
    env.write_into(rewards=rewards)
    env.step(np.zeros(4, int))
    assert rewards.tolist() == [0.0] * 4


def test_composite_observations_in_the_callers_buffers():
    env: Any = gymnasium.make_vec("spelunk/TSP-v0", num_envs=3, cities=5)
    first, _ = env.reset(seed=0)
    mine = {name: np.zeros_like(part) for name, part in first.items()}
    env.write_into(observations=mine)
    env.step(np.array([1, 2, 3]))
    assert (mine["coordinates"] == first["coordinates"]).all()
    assert mine["current"].argmax(axis=1).tolist() == [1, 2, 3]
    with pytest.raises(InvalidArgumentError, match="dict of"):
        env.write_into(observations=mine["current"])


@pytest.mark.parametrize(
    "rewards",
    [np.zeros(4), np.zeros(3, np.float32), np.zeros(8, np.float32)[::2], [0.0] * 4],
)
def test_buffers_that_do_not_fit(rewards):
    env = make()
    env.reset(seed=0)
    with pytest.raises(InvalidArgumentError, match="rewards must be"):
        env.write_into(rewards=rewards, observations=np.zeros((4, 7, 7, 3), np.uint8))
    assert env.step(np.zeros(4, int))[1].base is not rewards


def test_a_mask_that_was_handed_out_cannot_be_abused():
    """An action is checked against the engine's own mask, whatever the caller's holds."""
    env: Any = gymnasium.make_vec("spelunk/SlidingTile-v0", num_envs=1, copy=False)
    env.reset(seed=0, options={"board": [[0, 1, 2], [3, 4, 5], [6, 7, 8]]})
    env.action_mask[:] = 1
    with pytest.raises(InvalidActionError):
        env.step(np.array([0]))


# --- copies ---


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
@pytest.mark.parametrize("mode", AutoresetMode)
def test_copies_go_on_alike(copied, mode):
    env = make(6, autoreset_mode=mode)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(20):
        env.step(rng.integers(0, 7, 6))
    twin = copied(env)
    assert twin.spec == env.spec
    assert twin.metadata["autoreset_mode"] is mode
    for _ in range(100):
        actions = rng.integers(0, 7, 6)
        for mine, theirs in zip(env.step(actions)[:4], twin.step(actions)[:4], strict=True):
            assert (mine == theirs).all()


def test_states_travel_as_bytes():
    """From a batch to bytes to one environment, which then plays on as the lane does."""
    env, single = make(3), DoorKey(size=5)
    env.reset(seed=0)
    for _ in range(5):
        env.step(np.array([2, 1, 0]))
    data = pack_states(env.snapshot())
    assert isinstance(data, bytes)
    states = unpack_states(data)
    single.restore(states[1])
    for action in (2, 1, 2, 5, 3, 2):
        after, reward, *_ = single.step(action)
        batch, rewards, *_ = env.step(np.full(3, action))
        assert (after == batch[1]).all()
        assert reward == rewards[1]
    single.restore(unpack_states(pack_states(single.snapshot()))[0])


@pytest.mark.parametrize("data", [b"", b"not states", pack_states(np.zeros(3))])
def test_other_bytes_are_refused(data):
    with pytest.raises(InvalidArgumentError, match="bytes are"):
        unpack_states(data)
