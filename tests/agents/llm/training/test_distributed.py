"""Training by two processes against one that learns from the same episodes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from spelunk.agents.core.distributed import World
from spelunk.agents.llm.training.minibatch import Minibatch

from .learn_together import SETTINGS, InParts, learn
from .terms.batches import minibatch

SCRIPT = Path(__file__).parent / "learn_together.py"


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    path = tmp_path_factory.mktemp("together") / "two.npz"
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *launcher, str(SCRIPT), str(path)],
        env=environment, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(path) as kept:
        return dict(kept)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(SETTINGS))
def test_two_processes_learn_what_one_does(together, name):
    """Weights, metrics, memories and counts, whatever the terms.

    Sums are rounded in another order, and Adam makes a step of full size of what is hardly more
    than rounding, so that one parameter of thousands may go another way.
    """
    theirs = {k.removeprefix(f"{name}/"): v for k, v in together.items() if k.startswith(name)}
    ours = learn(InParts, name)
    assert ours.keys() == theirs.keys()
    metas = [json.loads(str(each.pop("meta"))) for each in (ours, theirs)]
    for part in ("env_steps", "updates", "starts", "budget", "outcomes"):
        assert metas[0][part] == metas[1][part], part
    assert flat(metas[0]["memory"]) == pytest.approx(flat(metas[1]["memory"]), abs=1e-3, rel=1e-3)
    for key, value in ours.items():
        if key.startswith("metric."):
            assert np.allclose(value, theirs[key], atol=5e-3, rtol=5e-3), key
    same = [
        np.isclose(value, theirs[key], atol=1e-5).flatten()
        for key, value in ours.items()
        if key.startswith(("network.", "critic."))
    ]
    assert np.concatenate(same).mean() > 0.999
    assert ours["metric.4.policy_loss"] != 0


def flat(memory):
    """All numbers of plain data."""
    if isinstance(memory, dict):
        return [x for key in sorted(memory) for x in flat(memory[key])]
    if isinstance(memory, list):
        return [x for part in memory for x in flat(part)]
    return [memory] if isinstance(memory, int | float) else []


class Half(World):
    """A process of two whose other half is played by the test."""

    def __init__(self, rank, other):
        super().__init__(rank, 2)
        object.__setattr__(self, "other", other)

    def sum(self, tensor):
        return tensor + self.other.pop(0)


@pytest.mark.parametrize("figure", ["log_probs", "entropies", "log_policy", "ratio"])
def test_a_minibatch_in_parts_is_the_whole_with_its_own_gradient(figure):
    """Of sequences 0, 2 and 1, 3; the other's values are constants."""
    whole = minibatch()
    parts, gradients = [], []
    for rank in (0, 1):
        own, others = torch.arange(rank, 4, 2), torch.arange(1 - rank, 4, 2)
        of_others = {}
        for name in ("log_probs", "entropies", "log_policy"):
            known = getattr(whole, name).detach()
            of_others[name] = torch.zeros_like(known).index_copy(0, others, known[others])
        asked = "log_probs" if figure == "ratio" else figure
        fields = {name: getattr(whole, name) for name in (
            "tokens", "generated", "old", "advantages", "weights", "reference",
        )}  # fmt: skip
        logits = whole.logits[own].detach().requires_grad_()
        world = Half(rank, [of_others[asked]])
        batch = Minibatch(**fields, logits=logits, own=own, world=world)
        found = getattr(batch, figure)
        torch.testing.assert_close(found, getattr(whole, figure))
        (gradient,) = torch.autograd.grad(found.square().sum(), logits)
        parts.append(own)
        gradients.append(gradient)
    (expected,) = torch.autograd.grad(getattr(whole, figure).square().sum(), whole.logits)
    torch.testing.assert_close(torch.cat(gradients)[torch.cat(parts).argsort()], expected)
