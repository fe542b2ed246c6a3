from fractions import Fraction

import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.search.expressions import canonical, makes, parse_expression, text_of, value_of


def random_expression(rng, depth=3):
    if depth == 0 or rng.random() < 0.2:
        return int(rng.integers(1, 14))
    first, second = (random_expression(rng, depth - 1) for _ in range(2))
    return (str(rng.choice(list("+-*/"))), first, second)


def test_texts_are_read_as_python_reads_them():
    rng = np.random.default_rng(0)
    for _ in range(500):
        expression = random_expression(rng)
        text = text_of(expression)
        assert text_of(parse_expression(text)) == text
        assert text_of(parse_expression(f"(({text}))".replace(" ", ""))) == text
        try:
            value = value_of(expression)
        except ZeroDivisionError:
            continue
        assert value_of(parse_expression(text)) == value
        exact = "".join(f"Fraction({word})" if word.isdigit() else word for word in _words(text))
        assert eval(exact, {"Fraction": Fraction}) == value


def _words(text):
    return text.replace("(", "( ").replace(")", " )").split()


@pytest.mark.parametrize(
    "text",
    ["", "(", "1 +", "+ 1", "1 2", "(1", "1)", "()", ")(", "1 ** 2", "-1", "2 ^ 3", "exit", "²",
     "1.5", "(" * 500, "1" + "+1" * 300],
)  # fmt: skip
def test_what_is_no_expression_is_refused(text):
    with pytest.raises(InvalidArgumentError):
        parse_expression(text)
    assert not makes(text, [1], 1)


def test_answers_are_checked_exactly():
    assert makes("8 ÷ (3 − 8 ÷ 3)", [8, 3, 3, 8], 24)
    assert not makes("8 / (3 - 8 / 3)", [8, 3, 3, 8], 24, positive_integers=True)
    assert not makes("8 * 3", [8, 3, 3, 8], 24)
    assert makes("8 * 3", [8, 3, 3, 8], 24, use_all=False)
    assert not makes("8 * 3 * (2 - 1)", [8, 3], 24, use_all=False)
    assert not makes("12 + 12", [12], 24, use_all=False)
    assert not makes("24 / (1 - 1)", [24, 1, 1], 24)
    assert not makes("(1 - 2) + 25", [1, 2, 25], 24, positive_integers=True)
    assert not makes("8 * 3 = 24", [8, 3], 24)
    # Floating point would find 24 here.
    assert not makes("24 + 1 / 100000000000000000", [24, 1, 100000000000000000], 24)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("(3 + 5) * 4", "4 * (5 + 3)", True),
        ("1 + 2 + 3", "3 + (2 + 1)", True),
        ("5 - (2 - 1)", "5 + 1 - 2", True),
        ("8 / (4 / 2)", "8 * 2 / 4", True),
        ("(2 - 5) * (1 - 9)", "(5 - 2) * (9 - 1)", True),
        ("6 - 2 * (1 - 3)", "6 + (3 - 1) * 2", True),
        ("(2 - 5) / (1 - 9)", "(9 - 1) / (5 - 2)", False),
        ("5 - 2", "2 - 5", False),
        ("6 * 1", "6 / 1", False),
        ("2 + 2", "2 * 2", False),
        ("(1 + 2) * 3", "1 + 2 * 3", False),
        ("1 - 1 + 5", "1 - 1 - 5", False),
    ],
)
def test_canonical_forms(one, other, same):
    forms = [canonical(parse_expression(text)) for text in (one, other)]
    assert (forms[0] == forms[1]) == same
    assert len(set(forms)) == 2 - same
