"""Aggregations by hand: losses 1 2 3 of one sequence, 10 of another, none of the third."""

import pytest
import torch

from spelunk.agents.llm.training.terms.aggregation import AGGREGATIONS
from spelunk.agents.llm.training.terms.specification import read_term

LOSSES = torch.tensor([[7.0, 1.0, 2.0, 3.0], [7.0, 10.0, 7.0, 7.0], [7.0] * 4])
GENERATED = torch.tensor([[0, 1, 1, 1], [0, 1, 0, 0], [0, 0, 0, 0]]).bool()
EXPECTED = {
    "token_mean": 4.0,
    "sequence_mean": 6.0,
    "sequence_sum": 8.0,
    "constant(length=4)": 2.0,
}


def test_all_are_tested():
    assert [text.partition("(")[0] for text in EXPECTED] == list(AGGREGATIONS)


@pytest.mark.parametrize(("text", "value"), EXPECTED.items())
def test_by_hand(text, value):
    aggregation = read_term(text, AGGREGATIONS, "aggregation")
    assert aggregation(LOSSES, GENERATED).item() == pytest.approx(value)
    assert aggregation(LOSSES, torch.zeros_like(GENERATED)).item() == 0


@pytest.mark.parametrize("text", EXPECTED)
def test_given_tokens_have_no_gradient(text):
    losses = LOSSES.clone().requires_grad_()
    loss = read_term(text, AGGREGATIONS, "aggregation")(losses, GENERATED)
    (gradient,) = torch.autograd.grad(loss, losses)
    assert (gradient[~GENERATED] == 0).all()
    assert (gradient[GENERATED] > 0).all()
