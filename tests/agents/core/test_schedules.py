"""Schedules at points worked out by hand."""

import pytest

from spelunk.agents.core import schedules
from spelunk.envs.kernel import InvalidArgumentError


@pytest.mark.parametrize(
    ("shape", "half"), [("linear", 0.3), ("cosine", 0.3), ("exponential", 0.2 + 0.2 / 3)]
)
def test_shapes_by_hand(shape, half):
    """(4^½ − 1) / (4 − 1) is a third of the way."""
    found = schedules.anneal(0.2, 0.4, shape)
    assert [found(p) for p in (-1, 0, 0.5, 1, 2)] == pytest.approx([0.2, 0.2, half, 0.4, 0.4])


def test_cosine_is_slow_at_first():
    found = schedules.cosine(1, 0)
    assert found(1 / 3) == pytest.approx(0.75)
    assert found(2 / 3) == pytest.approx(0.25)


def test_two_phases():
    found = schedules.two_phase(schedules.linear(0, 1), schedules.linear(5, 9), 0.25)
    assert [found(p) for p in (0, 0.125, 0.25, 0.625, 1)] == [0, 0.5, 5, 7, 9]


def test_wrong_arguments_are_named():
    with pytest.raises(InvalidArgumentError, match="shape"):
        schedules.anneal(0, 1, "zigzag")
    with pytest.raises(InvalidArgumentError, match="base"):
        schedules.exponential(0, 1, base=1)
    for switch in (0, 1):
        with pytest.raises(InvalidArgumentError, match="switch"):
            schedules.two_phase(schedules.linear(0, 1), schedules.linear(0, 1), switch)


def gate(**fields):
    return schedules.EmaGate(schedules.linear(0.1, 0.1), 0.02, 0.2, target=0.5, decay=0.5, **fields)


def test_the_gate_opens_on_a_low_plateau():
    found = gate(rate=0.2, max_step=1)
    assert found(0) == pytest.approx(0.1)
    found.update(0.0)
    assert found(0) == pytest.approx(0.1 + 0.2 * 0.5 * 0.1)
    found.update(0.4)  # the average rises to 0.2: below the target, but not standing still
    assert found(0) == pytest.approx(0.1)


def test_the_gate_closes_on_a_high_slope():
    found = gate(rate=0.2, max_step=1)
    found.update(0.6)
    assert found(0) == pytest.approx(0.1)  # high, but standing still
    found.update(1.0)  # the average is 0.8
    assert found(0) == pytest.approx(0.1 - 0.2 * 0.3 * 0.08)


def test_the_gate_moves_by_the_largest_step_at_most():
    found = gate(rate=100)
    found.update(0.0)
    assert found(0) == pytest.approx(0.11)


def test_the_gate_goes_on_from_its_state():
    found, other = gate(), gate()
    found.update(0.3)
    found.update(0.31)
    other.load_state(found.state())
    assert other(0.5) == found(0.5)
    found.update(0.9)
    other.update(0.9)
    assert other.state() == found.state()
