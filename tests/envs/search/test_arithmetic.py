import pytest

from spelunk.envs.search.arithmetic import distinct_solutions, expression_of, plans_for
from spelunk.envs.search.expressions import makes, numbers_of, value_of


@pytest.mark.parametrize(
    ("numbers", "solutions"),
    [
        ([3, 3, 8, 8], ["8 / (3 - 8 / 3)"]),
        ([1, 5, 5, 5], ["(5 - 1 / 5) * 5"]),
        ([1, 3, 4, 6], ["6 / (1 - 3 / 4)"]),
        ([1, 1, 1, 1], []),
    ],
)
def test_solutions_of_the_literature(numbers, solutions):
    assert distinct_solutions(numbers, 24, fractions=True) == solutions


def test_the_famous_round_of_countdown():
    """J. Martin's 952 in 1997, by 318 × 75 − 50 and a division by 25."""
    given = [100, 75, 50, 25, 6, 3]
    found = distinct_solutions(given, 952, fractions=False, use_all=False)
    assert "((100 + 6) * 75 * 3 - 50) / 25" in found
    for text in found:
        assert makes(text, given, 952, use_all=False, positive_integers=True)


@pytest.mark.parametrize("fractions", [False, True])
def test_plans_compute_the_target_from_each_number_once(fractions):
    numbers = [2, 3, 4, 6]
    plans = plans_for(numbers, 24, fractions=fractions, most=1000)
    assert len(plans) > 10
    for plan in plans:
        expression = expression_of(numbers, plan, fractions=fractions)
        assert value_of(expression) == 24
        assert sorted(numbers_of(expression)) == numbers
    assert len(plans_for(numbers, 24, fractions=fractions, most=3)) == 3


def test_integers_only_and_some_numbers_only():
    assert not len(plans_for([3, 3, 8, 8], 24, fractions=False))
    assert len(plans_for([3, 3, 8, 8], 24, fractions=False, use_all=False))
    short = plans_for([3, 3, 8, 8], 24, fractions=False, use_all=False, most=50)
    assert (short == -1).sum(axis=1).max() == 3
