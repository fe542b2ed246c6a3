"""What only a GPU can show. None of this has run yet where there is none."""

import gymnasium
import numpy as np
import pytest
import torch

from spelunk.envs.registry import ENTRIES

from .. import cuda_replay

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
]
ROWS = [row for row in ENTRIES if "cuda" in row.faces]


@pytest.mark.parametrize("mode", cuda_replay.MODES)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_same_bits(row, mode):
    for kwargs in ({}, row.preset):
        cuda_replay.replay(cuda_replay.record(row.id, {"max_episode_steps": 11, **kwargs}, mode))


@pytest.mark.parametrize("mode", cuda_replay.MODES[:2])
def test_a_step_in_a_graph(mode):
    """A captured step is played again and again, and goes on as the CPU does."""
    kwargs = {"num_envs": 300, "autoreset_mode": mode, "max_episode_steps": 9}
    env = gymnasium.make_vec("spelunk/BernoulliBandit-v0", device="cuda", copy=False, **kwargs)
    twin = gymnasium.make_vec("spelunk/BernoulliBandit-v0", **kwargs)
    env.reset(seed=1)
    actions = torch.zeros(300, dtype=torch.int64, device="cuda")
    start = env.snapshot()
    env.step(actions)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        observations, rewards, terminated, truncated, infos = env.step(actions)
    env.restore(start)
    twin.reset(seed=1)
    rng = np.random.default_rng(2)
    for _ in range(40):
        drawn = twin.sample_actions(rng)
        actions.copy_(torch.from_numpy(drawn))
        graph.replay()
        expected = twin.step(drawn)
        found = observations, rewards, terminated, truncated
        for a, b in zip(found, expected[:4], strict=True):
            assert np.array_equal(a.cpu().numpy(), b)
        assert np.array_equal(infos["regret"].cpu().numpy(), expected[4]["regret"])
    env.check()


def test_a_step_waits_for_nothing():
    """Torch raises where something would wait for the device."""
    env = gymnasium.make_vec("spelunk/TSP-v0", num_envs=64, device="cuda")
    env.reset(seed=0)
    env.step(env.sample_actions())
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(30):
            env.step(env.sample_actions())
    finally:
        torch.cuda.set_sync_debug_mode("default")
    env.check()


def test_the_stream_of_the_moment():
    """Steps on a stream of the caller's are in order with what else is on it."""
    env = gymnasium.make_vec("spelunk/DoorKey-v0", num_envs=4096, device="cuda")
    twin = gymnasium.make_vec("spelunk/DoorKey-v0", num_envs=4096)
    env.reset(seed=0)
    twin.reset(seed=0)
    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):
        actions = torch.zeros(4096, dtype=torch.int64, device="cuda")
        for t in range(20):
            actions.fill_(t % 3)
            observations, *_ = env.step(actions)
            expected, *_ = twin.step(np.full(4096, t % 3))
        assert np.array_equal(observations.cpu().numpy(), expected)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there is one GPU")
def test_the_second_gpu():
    env = gymnasium.make_vec("spelunk/DoorKey-v0", num_envs=8, device="cuda:1")
    observations, _ = env.reset(seed=0)
    assert observations.device == torch.device("cuda:1")
    env.step(env.sample_actions())
    env.check()
