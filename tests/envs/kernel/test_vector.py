import multiprocessing
import threading
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from spelunk.envs.kernel import InvalidArgumentError, UnsupportedFaceError
from spelunk.envs.kernel.recycler import Recycler
from spelunk.envs.kernel.threads import threads_for


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
    ("arguments", "error"),
    [
        ({"num_envs": 0}, InvalidArgumentError),
        ({"autoreset_mode": "sometimes"}, InvalidArgumentError),
        ({"num_threads": 0}, InvalidArgumentError),
        ({"device": "cuda"}, UnsupportedFaceError),
    ],
)
def test_wrong_arguments(arguments, error):
    with pytest.raises(error):
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


def test_a_second_thread_runs_serially():
    found = []
    thread = threading.Thread(target=lambda: found.append(threads_for(4096, 2)))
    thread.start()
    thread.join()
    assert found == [1]
    assert threads_for(10, None) == 1


def _child(queue):
    env = make(600)
    env.reset(seed=0)
    queue.put(env.step(np.zeros(600, int))[0].sum())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_of_a_parallel_process_lives():
    env = make(600, num_threads=2)
    env.reset(seed=0)
    expected = env.step(np.zeros(600, int))[0].sum()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_child, args=(queue,))
    process.start()
    assert queue.get(timeout=60) == expected
    process.join()
    assert process.exitcode == 0


def test_async_vector_env_carries_the_single_face():
    env = gymnasium.make_vec("spelunk/DoorKey-v0", num_envs=2, vectorization_mode="async", size=5)
    observations, _ = env.reset(seed=0)
    expected, _ = make(2).reset(seed=0)
    assert (observations == expected).all()
    env.close()
