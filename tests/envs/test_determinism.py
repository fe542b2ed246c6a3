"""The same seed and actions show the same bits on every face, in every process, on any threads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spelunk.envs.kernel import KernelEnv

from .replay import batch, load, play_batch, play_model, play_single

_ENVS = {
    "spelunk.envs.gridworld.door_key:DoorKey": [
        {"size": 5},
        {"size": [5, 7], "observation": "full", "max_episode_steps": 9},
        {"size": 6, "see_through_walls": True, "horizon": 11},
    ],
    "spelunk.envs.gridworld.point_maze:PointMaze": [
        {"maze": "umaze", "reward": "sparse", "start_noise": 0.3},
        {"maze": "open", "max_episode_steps": 7},
    ],
    "spelunk.envs.bandit.bernoulli:BernoulliBandit": [
        {"arms": 3, "horizon": 6},
        {"means": [0.0, 1.0], "horizon": 1},
    ],
    "spelunk.envs.search.sliding_tile:SlidingTile": [
        {"size": 2, "max_episode_steps": 5},
        {"size": 3, "scramble": 4},
    ],
    "spelunk.envs.combinatorial.tsp:TSP": [{"cities": 5}, {"cities": 12, "max_episode_steps": 8}],
    "tests.envs.limits:Limits": [{}],
}
_SUBJECTS = [(name, kwargs) for name, presets in _ENVS.items() for kwargs in presets]


def _start(**environment):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.envs.replay"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, **environment},
    )


@pytest.fixture(scope="module")
def others():
    """Another process on one thread, and one that runs the kernels as plain Python."""
    processes = [_start(NUMBA_NUM_THREADS="1"), _start(NUMBA_DISABLE_JIT="1")]
    yield processes
    for process in processes:
        process.communicate()


@given(
    subject=st.sampled_from(_SUBJECTS),
    seed=st.integers(2, 2**64 - 1),
    draws=st.lists(st.floats(0, 1, width=32), min_size=1, max_size=30),
)
@settings(max_examples=60, deadline=None)
def test_every_face_shows_the_same(others, subject, seed, draws):
    name, kwargs = subject
    cls = load(name)
    expected = play_single(cls(**kwargs), seed, draws)
    for process in others:
        print(json.dumps([name, kwargs, seed, draws]), file=process.stdin, flush=True)
    for threads in (1, 2):
        assert play_batch(batch(cls, kwargs, threads), seed, draws) == expected
    env = cls(**kwargs)
    if isinstance(env, KernelEnv) and env.model.deterministic:
        play_model(env.model, env, seed, draws)
    for process in others:
        single, lane = json.loads(process.stdout.readline())
        assert single == expected
        assert lane == expected
