"""Filters on groups of episodes whose verdicts are plain."""

from types import SimpleNamespace

import pytest
import torch

from spelunk.agents.llm.training.terms.filter import FILTERS
from spelunk.agents.llm.training.terms.specification import read_term
from spelunk.envs.kernel.errors import InvalidArgumentError

ROLLOUT = SimpleNamespace(
    groups=torch.tensor([4, 2, 4, 2, 7, 7]),
    truncated=torch.tensor([False, True, False, False, True, False]),
)
RETURNS = torch.tensor([1.0, 0.5, 0.0, 0.5, 1.0, 1.5])


def kept(text, returns=RETURNS):
    found = read_term(text, FILTERS, "filter")(ROLLOUT, returns)
    assert found.dtype == torch.bool
    return found.tolist()


def test_zero_variance_drops_groups_whose_returns_are_equal():
    assert kept("zero_variance") == [True, False, True, False, True, True]
    assert kept("zero_variance(eps=0.6)") == [True, False, True, False, False, False]


def test_overlong_drops_episodes_that_were_cut():
    assert kept("overlong") == [True, False, True, True, False, True]


def test_pass_rate_keeps_groups_that_are_neither_hopeless_nor_solved():
    assert kept("pass_rate") == [True, False, True, False, False, False]
    assert kept("pass_rate(success=1.2)") == [False] * 4 + [True] * 2
    assert kept("pass_rate(low=0.5)") == [False] * 6
    assert kept("pass_rate(low=0.4, high=1.1)") == [True, False, True, False, True, True]
    with pytest.raises(InvalidArgumentError, match=r"0\.5 and 0\.5"):
        kept("pass_rate(low=0.5, high=0.5)")


def test_widest_keeps_groups_with_the_greatest_spread():
    assert kept("widest(share=0.7)") == [True, False, True, False, True, True]
    assert kept("widest(share=0.34)") == [True, False, True, False, False, False]
    assert kept("widest(share=0.0)") == [True, False, True, False, False, False]
