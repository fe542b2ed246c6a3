import json
import os
import subprocess
import sys

import pytest

from spelunk.agents.core.checkpoint import read_checkpoint


@pytest.mark.slow
def test_a_run_of_two_processes_has_one_folder_and_can_be_resumed_by_one(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    together = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]

    def spelunk(*words, launcher=("-m",)):
        command = [sys.executable, *launcher, "spelunk", *words, "--json"]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=200, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout.splitlines()[-1])

    words = ("train", "ppo", "spelunk/DoorKey-v0", "--env.size", "5", "--num-envs", "16")
    steps = ("--total-steps", "8192", "--out", "run", "--no-video")
    found = spelunk(*words, *steps, launcher=together)
    assert found["env_steps"] == 8192
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["env_steps"] for line in lines] == [2048, 4096, 6144, 8192]
    arrays, _ = read_checkpoint(tmp_path / "run" / "checkpoint.safetensors")
    assert len(arrays["lanes.env"]) == 16
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["task"]["total_steps"] = 12_288
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    assert spelunk("train", "--resume", "run", "--no-video")["env_steps"] == 12_288
