"""Advantages and policy losses on cases worked out by hand."""

import pytest
import torch

from spelunk.agents.llm.terms.advantage import ADVANTAGES
from spelunk.agents.llm.terms.loss import LOSSES

GROUPS = torch.tensor([0, 1, 0, 1, 0])
RETURNS = torch.tensor([[3.0, 1.0], [2.0, 2.0], [0.0, 1.0], [4.0, 0.0], [0.0, 4.0]])
PLAYED = torch.ones(5, 2, dtype=torch.bool)


def estimate(name):
    return ADVANTAGES[name](RETURNS, PLAYED, GROUPS)


@pytest.mark.parametrize("name", ["group_mean", "grpo", "rloo"])
def test_advantages_sum_to_zero_in_each_group(name):
    advantages = estimate(name)
    for group in (0, 1):
        torch.testing.assert_close(advantages[group == GROUPS].sum(0), torch.zeros(2))


def test_reinforce_sums_to_zero_over_the_batch():
    advantages = estimate("reinforce")
    assert advantages.sum().abs() < 1e-5
    torch.testing.assert_close(advantages[0, 0] - advantages[1, 0], torch.tensor(1.0))


def test_reinforce_leaves_turns_after_the_end_out_of_its_mean():
    played = torch.tensor([[True, True], [True, False]])
    returns = torch.tensor([[2.0, 2.0], [5.0, 0.0]])
    advantages = ADVANTAGES["reinforce"](returns, played, torch.tensor([0, 0]))
    torch.testing.assert_close(advantages[0], torch.tensor([-1.0, -1.0]))


def test_group_mean_by_hand():
    torch.testing.assert_close(
        estimate("group_mean"),
        torch.tensor([[2.0, -1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 2.0]]),
    )


def test_rloo_compares_with_the_others_only():
    torch.testing.assert_close(estimate("rloo")[0], torch.tensor([3.0 - 0.0, 1.0 - 2.5]))


def test_grpo_has_unit_spread_and_ignores_equal_groups():
    advantages = estimate("grpo")
    for group in (0, 1):
        spread = advantages[group == GROUPS].square().mean().sqrt()
        torch.testing.assert_close(spread, torch.tensor(1.0))
    equal = ADVANTAGES["grpo"](torch.full((5, 2), 7.0), PLAYED, GROUPS)
    assert (equal == 0).all()


def test_ppo_clip_by_hand():
    drawn = torch.zeros(5)
    ratios = torch.tensor([1.0, 1.5, 1.5, 0.5, 0.5])
    log_probs = ratios.log().requires_grad_()
    advantages = torch.tensor([2.0, 2.0, -2.0, 2.0, -2.0])
    losses = LOSSES["ppo_clip"](log_probs, drawn, advantages, 0.2, 0.3)
    torch.testing.assert_close(losses, torch.tensor([-2.0, -2.6, 3.0, -1.0, 1.6]))
    losses.sum().backward()
    torch.testing.assert_close(log_probs.grad, torch.tensor([-2.0, 0.0, 3.0, -1.0, 0.0]))


def test_losses_agree_where_nothing_has_changed_yet():
    drawn = torch.randn(6, generator=torch.Generator().manual_seed(0))
    advantages = torch.arange(6.0) - 2
    gradients = []
    for loss in LOSSES.values():
        log_probs = drawn.clone().requires_grad_()
        loss(log_probs, drawn, advantages, 0.2, 0.2).sum().backward()
        gradients.append(log_probs.grad)
    torch.testing.assert_close(gradients[0], gradients[1])
