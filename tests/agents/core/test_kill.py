"""A run killed at any moment goes on from its last checkpoint as if nothing had happened."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from spelunk.agents.core.checkpoint import read_checkpoint

SCRIPT = Path(__file__).parent / "train_run.py"
RUNS = {
    "ppo": ("spelunk.agents.policy.ppo", 3072, {"num_steps": 16, "memory": "gru"}),
    "dqn": (
        "spelunk.agents.value.dqn",
        2**12,
        {"learning_starts": 512, "replay_size": 3000, "prioritized": True, "n_step": 3,
         "batch_size": 32, "noisy": True},
    ),
}  # fmt: skip


def start(folder, agent):
    module, steps, changes = RUNS[agent]
    words = [str(folder), agent, module, str(steps), json.dumps(changes)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *words], env=environment, stderr=subprocess.PIPE, text=True
    )


def finish(process):
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors[-2000:]


def metrics(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


def wait_for_lines(folder, count, process):
    path = folder / "metrics.jsonl"
    for _ in range(2000):
        if path.exists() and path.read_text().count("\n") >= count:
            return
        assert process.poll() is None, process.communicate()[1][-2000:]
        time.sleep(0.05)
    raise AssertionError("the run makes no progress")


@pytest.mark.slow
@pytest.mark.parametrize("agent", RUNS)
def test_killed_and_resumed(tmp_path, agent):
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    finish(start(straight, agent))
    process = start(killed, agent)
    wait_for_lines(killed, 13, process)
    process.kill()
    process.communicate()
    assert not (killed / "summary.json").exists(), "the run was over before it was killed"
    finish(start(killed, agent))
    assert metrics(killed) == metrics(straight)
    (ours, _), (theirs, _) = (
        read_checkpoint(folder / "checkpoint.safetensors") for folder in (killed, straight)
    )
    assert ours.keys() == theirs.keys()
    # Records have padding, whose bytes mean nothing; that the states agree, the metrics show.
    for name in ours.keys() - {"env", "lanes.env"}:
        assert np.array_equal(ours[name], theirs[name], equal_nan=True), name
