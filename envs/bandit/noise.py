"""Deviates with heavy tails."""

import math

from ..kernel import kernel, rng
from ..kernel.exact import exp, log


@kernel
def student(state, tail):
    """A deviate of Student's t with `tail` degrees of freedom (Bailey 1994)."""
    while True:
        x = 2.0 * rng.uniform(state) - 1.0
        y = 2.0 * rng.uniform(state) - 1.0
        s = x * x + y * y
        if 0.0 < s < 1.0:
            return x * math.sqrt(tail * (exp(-2.0 / tail * log(s)) - 1.0) / s)


@kernel
def pareto(state, tail):
    """A Pareto deviate of least value 1 with tail index `tail` > 1, minus its mean."""
    return exp(-log(1.0 - rng.uniform(state)) / tail) - tail / (tail - 1.0)
