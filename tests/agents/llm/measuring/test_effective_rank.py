"""Effective rank against NumPy's singular values, and its differences by hand."""

import math

import numpy as np
import pytest
import torch

from spelunk.agents.llm.measuring.effective_rank import effective_rank, prefix_ranks, rank_dynamics
from spelunk.envs.kernel.errors import InvalidArgumentError


def reference(hidden):
    values = np.linalg.svd(hidden, compute_uv=False)
    shares = values / values.sum()
    shares = shares[shares > 1e-12]
    return np.exp(-(shares * np.log(shares)).sum())


def states(t, d, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(t, d)) * np.logspace(0, -4, d) + rng.normal(size=d)


@pytest.mark.parametrize("shape", [(1, 5), (7, 32), (32, 7), (16, 16), (300, 64)])
@pytest.mark.parametrize("centred", [False, True])
def test_equals_numpy(shape, centred):
    hidden = states(*shape)
    if centred and shape[0] == 1:
        assert effective_rank(torch.tensor(hidden), centred=True) == 0
        return
    expected = reference(hidden - hidden.mean(0) if centred else hidden)
    assert effective_rank(torch.tensor(hidden), centred=centred) == pytest.approx(
        expected, rel=1e-6
    )


def test_rank_by_hand():
    assert effective_rank(torch.eye(6)) == pytest.approx(6)
    assert effective_rank(torch.ones(6, 4)) == pytest.approx(1)
    assert effective_rank(torch.zeros(6, 4)) == 0
    # singular values 3 and 1: exp(−3/4 ln 3/4 − 1/4 ln 1/4) = 4 / 27^(1/4)
    assert effective_rank(torch.tensor([[0.0, 3], [1, 0], [0, 0]])) == pytest.approx(4 / 27**0.25)
    assert effective_rank(7 * torch.eye(6)[:, :3].bfloat16().requires_grad_()) == pytest.approx(3)


def test_dynamics_by_hand():
    # prefixes of 2, 4, 6 and 8 tokens of orthogonal states have these ranks; one token is left over
    dynamics = rank_dynamics(torch.eye(9), stride=2)
    velocities = [4 - 2, 6 - 3, 8 - 4]
    assert dynamics.rank == pytest.approx(9)
    assert dynamics.velocity == pytest.approx(np.mean(velocities))
    assert dynamics.acceleration == pytest.approx(1)


def test_dynamics_against_numpy():
    hidden = states(90, 24)
    ranks = [reference(hidden[:end]) for end in range(10, 91, 10)]
    velocities = [ranks[j] - np.mean(ranks[:j]) for j in range(1, len(ranks))]
    found = rank_dynamics(torch.tensor(hidden), stride=10)
    assert found.velocity == pytest.approx(np.mean(velocities), rel=1e-6)
    assert found.acceleration == pytest.approx(np.mean(np.diff(velocities)), rel=1e-6)


def test_short_responses_do_not_move():
    assert rank_dynamics(torch.eye(5)) == pytest.approx((5, 0, 0))
    assert rank_dynamics(torch.eye(5), stride=5)[1:] == (0, 0)
    assert rank_dynamics(torch.eye(4), stride=2) == pytest.approx((4, 2, 0))


def test_ranks_of_low_precision_states_hold():
    hidden = torch.tensor(states(50, 20))
    assert effective_rank(hidden.half()) == pytest.approx(effective_rank(hidden), rel=0.02)


@pytest.mark.parametrize(
    ("hidden", "ends", "message"),
    [
        (torch.eye(3), [4], "at most t"),
        (torch.eye(3), [0], "at least one"),
        (torch.zeros(2, 3, 4), [1], r"\(2, 3, 4\)"),
        (torch.eye(3) * math.nan, [2], "finite"),
    ],
)
def test_refuses(hidden, ends, message):
    with pytest.raises(InvalidArgumentError, match=message):
        prefix_ranks(hidden, ends)
    with pytest.raises(InvalidArgumentError, match="stride"):
        rank_dynamics(hidden, stride=0)
    with pytest.raises(InvalidArgumentError, match="at least one"):
        effective_rank(torch.zeros(0, 3))
