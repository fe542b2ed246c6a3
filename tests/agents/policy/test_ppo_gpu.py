"""Environment and learner on one GPU: in the simulator, and where there is one for real."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from spelunk.agents.core.trainer import Task
from spelunk.agents.policy.ppo import PPO, Config

SCRIPT = Path(__file__).parent / "simulated_gpu.py"
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


@pytest.mark.parametrize(
    ("env_id", "mode", "memory"),
    [
        ("DoorKey", "SAME_STEP", "none"),
        ("TSP", "NEXT_STEP", "none"),
        ("DoorKey", "SAME_STEP", "gru"),
    ],
)
def test_a_simulated_gpu_gives_the_same_experience(env_id, mode, memory):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), f"spelunk/{env_id}-v0", mode, memory],
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def make(**changes):
    task = Task("spelunk/DoorKey-v0", 10**6, 256, {"size": 5}, device="cuda")
    return PPO(task, Config(num_steps=32, **changes))


@pytest.mark.gpu
@on_gpu
@pytest.mark.parametrize("changes", [{}, {"memory": "gru"}, {"mixed_precision": True}], ids=str)
def test_graphs_learn_what_single_launches_learn(changes):
    """Five updates, of which the last ones are launched as graphs; the same with none."""
    captured, eager = make(**changes), make(**changes)
    eager._gather, eager._update = eager._gather_stretch, eager._update_once
    for _ in range(5):
        found, expected = captured.step(), eager.step()
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, rel=1e-2, abs=1e-4), name
    assert captured._gather._graph is not None
    assert captured._update._graph is not None


@pytest.mark.gpu
@on_gpu
def test_the_loop_waits_for_nothing():
    trainer = make()
    for _ in range(3):
        trainer.step()
    torch.cuda.set_sync_debug_mode("error")
    try:
        trainer.network.head.renew(trainer._noise, trainer.generator)
        trainer._experience = trainer._gather()
        for index, size in trainer._minibatches():
            trainer._size = size
            trainer._index.copy_(index)
            trainer._update()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.gpu
@on_gpu
def test_resume_on_a_gpu():
    straight, split = make(), make()
    for _ in range(2):
        straight.step()
        split.step()
    resumed = make()
    resumed.load_state(*split.state())
    assert straight.step() == pytest.approx(resumed.step(), rel=1e-4)
