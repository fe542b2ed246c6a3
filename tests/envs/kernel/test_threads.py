"""Batches in forked children, in other Python threads, and next to each other."""

import concurrent.futures
import multiprocessing
import os
import subprocess
import sys
import threading
from typing import Any

import gymnasium
import numpy as np
import pytest

from spelunk.envs.kernel.threads import Pace, threads_for


def make(num_envs=4, **kwargs) -> Any:
    return gymnasium.make_vec("spelunk/DoorKey-v0", num_envs=num_envs, size=5, **kwargs)


def play(env, seed, steps=60):
    """The sum of all that a batch shows from a seed on."""
    rng, total = np.random.default_rng(seed), 0
    env.reset(seed=seed)
    for _ in range(steps):
        observations, rewards, *_ = env.step(rng.integers(0, 7, env.num_envs))
        total += int(observations.sum()) + float(rewards.sum())
    return total


def test_threads_are_used_where_they_pay_off_and_are_safe():
    cores = min(2, os.cpu_count() or 1)
    assert threads_for(10, None) == 1
    assert threads_for(4096, 2) == cores
    assert threads_for(4096, 1) == 1
    found = []
    thread = threading.Thread(target=lambda: found.append(threads_for(4096, 2)))
    thread.start()
    thread.join()
    assert found == [1]


def test_two_python_threads_at_once():
    """Loops release the interpreter lock, and a second thread never starts Numba's own threads."""
    expected = [play(make(600), seed) for seed in range(4)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda seed: play(make(600), seed), range(4))) == expected


def test_batches_next_to_each_other():
    """Several batches, stepped in turns on one or two threads, do not disturb each other."""
    envs = [make(600, num_threads=1 + i % 2) for i in range(4)]
    expected = [play(make(600), seed, 20) for seed in range(4)]
    rngs, totals = [np.random.default_rng(seed) for seed in range(4)], [0.0] * 4
    for seed, env in enumerate(envs):
        env.reset(seed=seed)
    for _ in range(20):
        for i, env in enumerate(envs):
            observations, rewards, *_ = env.step(rngs[i].integers(0, 7, 600))
            totals[i] += int(observations.sum()) + float(rewards.sum())
    assert totals == expected


def _child(queue):
    queue.put(play(make(600), 0))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_of_a_parallel_process_lives():
    expected = play(make(600, num_threads=2), 0)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_child, args=(queue,))
    process.start()
    assert queue.get(timeout=60) == expected
    process.join()
    assert process.exitcode == 0


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_async_vector_env_carries_the_single_face():
    play(make(600, num_threads=2), 0)  # The parallel runtime is up when the workers are forked.
    env = gymnasium.make_vec("spelunk/DoorKey-v0", num_envs=2, vectorization_mode="async", size=5)
    ours = make(2)
    expected, _ = ours.reset(seed=0)
    observations, _ = env.reset(seed=0)
    assert (observations == expected).all()
    for action in (2, 1, 2, 0, 2):
        for mine, theirs in zip(
            env.step(np.full(2, action))[:4], ours.step(np.full(2, action))[:4], strict=True
        ):
            assert (mine == theirs).all()
    env.close()


def test_the_single_face_never_starts_threads():
    """Other libraries may fork after it, so that it must leave the parallel runtime alone."""
    program = (
        "import gymnasium, numba, spelunk\n"
        "env = gymnasium.make('spelunk/DoorKey-v0')\n"
        "env.reset(seed=0); env.step(1)\n"
        "model = env.unwrapped.model\n"
        "model.successors(model.reset([0]))\n"
        "batch = gymnasium.make_vec('spelunk/DoorKey-v0', num_envs=600, num_threads=1)\n"
        "batch.reset(seed=0); batch.step([0] * 600)\n"
        "try:\n"
        "    print(numba.threading_layer())\n"
        "except ValueError:\n"
        "    print('none')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["none"]


def test_one_thread_while_others_only_wait():
    pace, slow, chosen = Pace(), False, []
    for t in range(3000):
        slow = 500 <= t < 2000
        chosen.append(pace.alone)
        pace.note(1.0 if pace.alone else 20.0 if slow else 0.6)
    assert not any(chosen[5:500])
    assert np.mean(chosen[500:2000]) > 0.99
    assert not any(chosen[2600:])
