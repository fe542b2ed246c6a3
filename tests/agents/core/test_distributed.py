import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spelunk.agents.core.distributed import World
from spelunk.envs.kernel import InvalidArgumentError

SCRIPT = Path(__file__).parent / "train_together.py"


def train(path, processes, updates, config=None, mode="SAME_STEP", resume=""):
    """What training left, by one process or by several that torchrun starts."""
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [*launcher, str(SCRIPT), str(path), str(updates), json.dumps(config or {}), mode]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(resume)], env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(path) as kept:
        return dict(kept)


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name in ours:
        if name.startswith(("network.", "metric.")):
            assert np.allclose(ours[name], theirs[name], atol=1e-5), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "mode"),
    [
        ({}, "SAME_STEP"),
        ({"memory": "gru", "normalize_rewards": True, "normalize_observations": True}, "NEXT_STEP"),
    ],
)
def test_two_processes_learn_what_one_does(tmp_path, config, mode):
    """Weights and metrics agree to 1e-5 after 12 updates of the same global batch.

    Sums are rounded in another order, and learning amplifies that: at larger step sizes than
    these, one action of thousands is soon drawn differently, and all that follows it.
    """
    config = {"learning_rate": 3e-4, "num_minibatches": 4, **config}
    alone = train(tmp_path / "one.npz", 1, 12, config, mode)
    together = train(tmp_path / "two.npz", 2, 12, config, mode)
    assert_same(alone, together)
    learned = alone["network.policy.weight"] - alone["start"]
    assert np.abs(learned).max() > 1e-3, "nothing was learned"


@pytest.mark.slow
def test_a_checkpoint_fits_any_number_of_processes(tmp_path):
    train(tmp_path / "half.npz", 2, 3)
    alone = train(tmp_path / "one.npz", 1, 3, resume=tmp_path / "half.npz")
    together = train(tmp_path / "two.npz", 2, 3, resume=tmp_path / "half.npz")
    assert_same(alone, together)


def test_lanes_are_shared_equally():
    assert World(1, 4).share(16) == slice(4, 8)
    with pytest.raises(InvalidArgumentError, match="multiple of the 3 processes"):
        World(0, 3).share(16)
