"""Episodes that another process plays: with which weights, exactly, and what becomes of it."""

import gc
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from spelunk.agents.core.trainer import Task
from spelunk.agents.llm.training.background import RolloutError
from spelunk.agents.llm.training.config import Config
from spelunk.agents.llm.training.trainer import LanguageModelTrainer
from spelunk.envs.kernel.errors import InvalidArgumentError


def make(staleness, **settings):
    config = {"hidden_size": 16, "layers": 1, "heads": 2, "group_size": 4, "num_minibatches": 2,
              "sft_updates": 1, "learning_rate": 1e-2, "staleness": staleness}  # fmt: skip
    task = Task("spelunk/BernoulliBandit-v0", 10**6, 8, {"arms": 3, "horizon": 4}, seed=4)
    return LanguageModelTrainer(task, Config(**{**config, **settings}))


def worker(trainer):
    """The process that plays for a trainer."""
    (pid,) = trainer.background._pool._processes
    return pid


def learn(trainer, updates):
    return [trainer.step() for _ in range(updates)]


def alive(pid):
    """Whether a process runs; one that has ended and waits to be asked for it does not."""
    status = Path(f"/proc/{pid}/status")
    try:
        return "State:\tZ" not in status.read_text()
    except OSError:
        return False


def ends(pid, seconds=20.0):
    until = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    return not alive(pid)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_the_weights_are_as_old_as_was_asked_for_and_training_goes_on_exactly():
    settings = {"sampling": "annealed(decay=6.0)", "starts": "learnability(success=2.0)"}
    trainer, other = make(2, **settings), make(2, **settings)
    policies, found, improve = [], [], trainer._learn

    def look(rollout, *rest):
        policies.append(trainer.model.frozen_copy())
        found.append(rollout)
        return improve(rollout, *rest)

    trainer._learn = look
    learn(trainer, 4)
    arrays, meta = trainer.state()
    assert len(meta["asked"]) == 2
    other.load_state({k: v.copy() for k, v in arrays.items()}, json.loads(json.dumps(meta)))
    for _ in range(3):
        assert trainer.step() == other.step()
    for a, b in zip(
        trainer.model.network.parameters(), other.model.network.parameters(), strict=True
    ):
        assert torch.equal(a, b)
    for update, rollout in enumerate(found):
        played_by = policies[max(0, update - 2)]
        log_probs = played_by.log_probs(rollout.tokens) * rollout.generated
        torch.testing.assert_close(rollout.log_probs, log_probs, atol=1e-4, rtol=1e-4)
        if update:
            fresher = policies[max(0, update - 1)].log_probs(rollout.tokens) * rollout.generated
            differs = not torch.allclose(rollout.log_probs, fresher, atol=1e-3)
            assert differs == (update > 1)


@pytest.mark.slow
def test_the_process_ends_with_its_trainer():
    trainer = make(1, sft_updates=0)
    trainer.step()
    pid = worker(trainer)
    assert alive(pid)
    del trainer
    gc.collect()
    assert ends(pid)


def test_the_ratio_is_to_the_policy_that_played():
    trainer = make(1, sft_updates=0, num_minibatches=1)
    kls = [told["approx_kl"] for told in learn(trainer, 3)]
    assert kls[0] == pytest.approx(0, abs=1e-6)
    assert min(kls[1:]) > 1e-5
    os.kill(worker(trainer), signal.SIGKILL)
    assert ends(worker(trainer)), "whatever it had played by then"
    with pytest.raises(RolloutError, match="has ended"):
        learn(trainer, 3)


def test_without_staleness_nobody_else_plays():
    trainer = make(0)
    learn(trainer, 2)
    assert trainer.background._pool is None
    with pytest.raises(InvalidArgumentError, match="staleness"):
        make(-1)


SCRIPT = """
import sys, time
from tests.agents.llm.training.test_background import make, worker
if __name__ == "__main__":
    trainer = make(1, sft_updates=0)
    trainer.step()
    print(worker(trainer), flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="looks processes up in /proc")
def test_nothing_outlives_a_learner_that_was_killed(tmp_path):
    script = tmp_path / "learn.py"
    script.write_text(SCRIPT)
    root = Path(__file__).parents[4]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment
    ) as learner:
        assert learner.stdout is not None
        pid = int(learner.stdout.readline())
        assert alive(pid)
        learner.kill()
    assert ends(pid)
