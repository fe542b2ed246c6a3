"""Arithmetic expressions as texts: read without `eval`, computed exactly, checked and compared."""

import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from ..kernel import InvalidArgumentError

#: A positive integer, or an operator `+ - * /` with what it combines.
Expression = int | tuple[str, Any, Any]

_LONGEST = 400  # characters, which also bounds how deep an expression is
_SIGNS = str.maketrans({"−": "-", "–": "-", "×": "*", "·": "*", "÷": "/", ":": "/"})
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2}


def parse_expression(text: str) -> Expression:
    """The expression that a text such as `"(3 + 5) × 4"` writes, operators being left-associative.

    Raises:
        InvalidArgumentError: it is none of positive integers, `+ - * /` and parentheses, or is
            longer than 400 characters.
    """
    if len(text) > _LONGEST:
        raise InvalidArgumentError(f"an expression has at most {_LONGEST} characters")
    values: list[Expression] = []
    waiting: list[str] = []  # operators and open parentheses (Dijkstra's shunting yard)
    operand = True  # whether a number is due, rather than an operator
    for word in re.findall(r"\d+|\S", text.translate(_SIGNS)):
        if word.isdecimal() and word.isascii() and operand:
            values.append(int(word))
            operand = False
        elif word == "(" and operand:
            waiting.append(word)
        elif word == ")" and not operand and "(" in waiting:
            while waiting[-1] != "(":
                _reduce(values, waiting)
            waiting.pop()
        elif word in _PRECEDENCE and not operand:
            while waiting and _PRECEDENCE.get(waiting[-1], 0) >= _PRECEDENCE[word]:
                _reduce(values, waiting)
            waiting.append(word)
            operand = True
        else:
            raise InvalidArgumentError(f"{word!r} is out of place in the expression {text!r}")
    if operand or "(" in waiting:
        raise InvalidArgumentError(f"the expression {text!r} is not complete")
    while waiting:
        _reduce(values, waiting)
    return values[0]


def _reduce(values: list[Expression], waiting: list[str]) -> None:
    second, first = values.pop(), values.pop()
    values.append((waiting.pop(), first, second))


def value_of(expression: Expression) -> Fraction:
    """What an expression comes to, exactly.

    Raises:
        ZeroDivisionError: it divides by zero.
    """
    if isinstance(expression, int):
        return Fraction(expression)
    sign, first, second = expression
    a, b = value_of(first), value_of(second)
    return a + b if sign == "+" else a - b if sign == "-" else a * b if sign == "*" else a / b


def numbers_of(expression: Expression) -> list[int]:
    """The numbers of an expression from left to right."""
    if isinstance(expression, int):
        return [expression]
    return numbers_of(expression[1]) + numbers_of(expression[2])


def text_of(expression: Expression) -> str:
    """An expression as text, with as few parentheses as it needs."""
    if isinstance(expression, int):
        return str(expression)
    sign, first, second = expression
    left, right = text_of(first), text_of(second)
    if _rank(first) < _PRECEDENCE[sign]:
        left = f"({left})"
    if _rank(second) < _PRECEDENCE[sign] or (sign in "-/" and _rank(second) == _PRECEDENCE[sign]):
        right = f"({right})"
    return f"{left} {sign} {right}"


def _rank(expression: Expression) -> int:
    return 3 if isinstance(expression, int) else _PRECEDENCE[expression[0]]


def makes(
    text: str,
    numbers: Sequence[int],
    target: int,
    *,
    use_all: bool = True,
    positive_integers: bool = False,
) -> bool:
    """Whether a text is an expression that makes a target from given numbers.

    Args:
        text: see `parse_expression`; anything else is wrong, as is a division by zero.
        numbers: each can be used once.
        target: what is to be made.
        use_all: whether every number must be used.
        positive_integers: whether each result in between must be a positive integer.
    """
    try:
        expression = parse_expression(text)
        reached = value_of(expression) == target
    except (InvalidArgumentError, ZeroDivisionError):
        return False
    used, given = Counter(numbers_of(expression)), Counter(numbers)
    fits = used == given if use_all else used <= given
    return reached and fits and (not positive_integers or _stays_positive(expression))


def _stays_positive(expression: Expression) -> bool:
    if isinstance(expression, int):
        return True
    value = value_of(expression)
    whole = value > 0 and value.denominator == 1
    return whole and _stays_positive(expression[1]) and _stays_positive(expression[2])


def canonical(expression: Expression) -> Any:
    """A hashable form, the same for expressions that differ in the order and grouping only.

    Terms and factors are put into one order, `a − (b − c)` is `a + c − b`, `a ÷ (b ÷ c)` is
    `a × c ÷ b`, and `(a − b) × (c − d)` is `(b − a) × (d − c)`. Numbers are not computed with:
    `2 × 2` and `2 + 2` stay different, as do `× 1` and `÷ 1`.
    """
    return _signed(expression)


def _signed(expression: Expression) -> tuple[int, Any]:
    """A sign, and a form that is the same for an expression and its negative."""
    if isinstance(expression, int):
        return 1, ("number", expression)
    sign, first, second = expression
    parts = [_signed(first), _signed(second)]
    if sign in "+-":
        if sign == "-":
            parts[1] = -parts[1][0], parts[1][1]
        terms = []
        for s, (kind, inner) in parts:
            terms += [(s * t, form) for t, form in inner] if kind == "sum" else [(s, (kind, inner))]
        plain = sorted(terms, key=repr)
        negated = sorted(((-s, form) for s, form in terms), key=repr)
        if repr(plain) <= repr(negated):
            return 1, ("sum", tuple(plain))
        return -1, ("sum", tuple(negated))
    factors = []
    for exponent, (_, (kind, inner)) in zip((1, 1 if sign == "*" else -1), parts, strict=True):
        inside = inner if kind == "product" else [(1, (kind, inner))]
        factors += [(exponent * power, form) for power, form in inside]
    return parts[0][0] * parts[1][0], ("product", tuple(sorted(factors, key=repr)))
