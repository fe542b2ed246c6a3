"""Combining numbers by + − × ÷: the arithmetic of Countdown and GameOf24, and all their solutions.

Of n numbers in n slots two are combined at a time. The result takes the place of the first, and the
slot of the second is empty from then on. A move is one integer: the pair times the number of
operators, plus the operator.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..kernel import kernel
from ..kernel.compile import compiled
from .expressions import Expression, canonical, text_of, value_of

Array = np.ndarray[Any, Any]

ADD, SUBTRACT, MULTIPLY, DIVIDE, DIVIDE_INTO = range(5)
SIGNS = ("+", "-", "*", "/", "/")


@functools.cache
def pairs_of(n: int) -> Array:
    """The pairs of n slots, (n (n − 1) / 2, 2) `int8`, the first slot before the second."""
    return np.array([(i, j) for i in range(n) for j in range(i + 1, n)], np.int8)


@kernel
def combine_integers(a, b, operator):
    """What two positive integers come to, the larger one first; 0 where it is no such integer."""
    larger, smaller = max(a, b), min(a, b)
    if operator == ADD:
        return larger + smaller
    if operator == SUBTRACT:
        return larger - smaller
    if operator == MULTIPLY:
        return larger * smaller
    return larger // smaller if larger % smaller == 0 else 0


@kernel
def combine_fractions(a, b, c, d, operator):
    """a/b and c/d combined, as a fraction in lowest terms; 0/0 for a division by zero.

    A difference is that of the larger and the smaller. No target that is positive is lost by it:
    whatever an expression comes to, without its sign, also can be had without negative numbers,
    because |x ± y| is either |x| + |y| or the difference of |x| and |y|.
    """
    if operator == ADD:
        top, bottom = a * d + c * b, b * d
    elif operator == SUBTRACT:
        top, bottom = abs(a * d - c * b), b * d
    elif operator == MULTIPLY:
        top, bottom = a * c, b * d
    elif operator == DIVIDE:
        top, bottom = a * d, b * c
    else:
        top, bottom = c * b, d * a
    if bottom == 0:
        return 0, 0
    x, y = top, bottom
    while y != 0:
        x, y = y, x % y
    return top // x, bottom // x


@compiled
def _search(numbers, target, operators, use_all, pairs, values, turns, plans):
    """Depth-first search through all moves, in order; how many plans make the target.

    Args:
        numbers: (n,) `int64`.
        target: what is to be made.
        operators: how many operators there are: 4 for positive integers only, 5 for fractions.
        use_all: whether every number must be used.
        pairs: see `pairs_of`.
        values: (n, n, 2) `int64`, memory for the numerators and denominators at each depth.
        turns: (n,) `int64`, memory for the next move at each depth.
        plans: (most, n) `int16`, where to write the plans, −1 after the last move; the search ends
            when it is full.
    """
    n = len(numbers)
    for k in range(n):
        values[0, k, 0], values[0, k, 1] = numbers[k], 1
    depth, found = 0, 0
    turns[0] = 0
    while depth >= 0 and found < len(plans):
        if depth == n - 1 or turns[depth] == len(pairs) * operators:
            depth -= 1
            continue
        move = turns[depth]
        turns[depth] += 1
        i, j = pairs[move // operators, 0], pairs[move // operators, 1]
        a, b = values[depth, i, 0], values[depth, i, 1]
        c, d = values[depth, j, 0], values[depth, j, 1]
        if b == 0 or d == 0:
            continue
        if operators == 4:
            top, bottom = combine_integers(a, c, move % 4), 1
            if top == 0:
                continue
        else:
            top, bottom = combine_fractions(a, b, c, d, move % 5)
            if bottom == 0:
                continue
        depth += 1
        turns[depth] = 0
        for k in range(n):
            values[depth, k, 0] = values[depth - 1, k, 0]
            values[depth, k, 1] = values[depth - 1, k, 1]
        values[depth, i, 0], values[depth, i, 1] = top, bottom
        values[depth, j, 0], values[depth, j, 1] = 0, 0
        if top == target and bottom == 1 and (depth == n - 1 or not use_all):
            for k in range(n):
                plans[found, k] = turns[k] - 1 if k < depth else -1
            found += 1
            depth -= 1
    return found


def plans_for(
    numbers: Sequence[int], target: int, *, fractions: bool, use_all: bool = True, most: int = 1
) -> Array:
    """Plans that make a target, (k, n) `int16` moves with −1 after the last, in the moves' order.

    Args:
        numbers: positive integers.
        target: what is to be made, a positive integer.
        fractions: whether numbers in between may be zero or fractions; otherwise they must be
            positive integers.
        use_all: whether every number must be used.
        most: the search ends when so many plans are found.
    """
    n = len(numbers)
    plans = np.zeros((most, n), np.int16)
    values, turns = np.zeros((n, n, 2), np.int64), np.zeros(n, np.int64)
    given, operators = np.array(numbers, np.int64), 5 if fractions else 4
    found = _search(given, target, operators, use_all, pairs_of(n), values, turns, plans)
    return plans[:found]


def expression_of(numbers: Sequence[int], plan: Array, *, fractions: bool) -> Expression:
    """What a plan computes."""
    slots: list[Any] = list(numbers)
    operators, i = 5 if fractions else 4, 0
    for move in plan[plan >= 0].tolist():
        i, j = pairs_of(len(slots))[move // operators].tolist()
        operator, first, second = move % operators, slots[i], slots[j]
        ordered = operator == SUBTRACT or (operator == DIVIDE and not fractions)
        if operator == DIVIDE_INTO or (ordered and value_of(first) < value_of(second)):
            first, second = second, first
        slots[i], slots[j] = (SIGNS[operator], first, second), None
    return slots[i]


def distinct_solutions(
    numbers: Sequence[int], target: int, *, fractions: bool, use_all: bool = True
) -> list[str]:
    """All solutions but for the order of terms and factors, as texts; see `canonical`."""
    plans = plans_for(numbers, target, fractions=fractions, use_all=use_all, most=200_000)
    kinds: dict[Any, str] = {}
    for plan in plans:
        expression = expression_of(numbers, plan, fractions=fractions)
        kinds.setdefault(canonical(expression), text_of(expression))
    return sorted(kinds.values())
