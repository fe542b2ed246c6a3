"""Schedules of the temperature within answers.

A schedule takes how many tokens an answer has, and the progress of the training from 0 to 1, and
gives a factor of the policy's temperature.
"""

import math
from collections.abc import Callable

Sampling = Callable[..., float]


def constant(position: int, progress: float) -> float:
    """The policy's own temperature."""
    return 1.0


def annealed(
    position: int,
    progress: float,
    *,
    highest: float = 1.2,
    lowest: float = 0.1,
    template: int = 0,
    decay: float,
    growth: float = 0.0,
) -> float:
    """Hot first, cold later: max(1 + highest − exp(t / d), lowest) (EAD 2025, "Let it calm").

    Args:
        position: t, tokens generated so far.
        progress: of the training.
        highest: the first factor, and the greatest.
        lowest: the least factor.
        template: so many tokens at the start keep a factor of 1.
        decay: d in tokens at the start of the training; 1.35 times the length of answers brings
            the factor to its least near their end.
        growth: what is added to d by the end of the training; the paper adds 5 tokens an update.
    """
    if position < template:
        return 1.0
    return max(1 + highest - math.exp(position / (decay + growth * progress)), lowest)


def reversed_annealed(
    position: int, progress: float, *, length: int, highest: float = 1.2, lowest: float = 0.1
) -> float:
    """Cold first, hot later, in a straight line over `length` tokens: the control of `annealed`."""
    return lowest + (highest - lowest) * min(1.0, position / length)


SAMPLING: dict[str, Sampling] = {
    "constant": constant,
    "annealed": annealed,
    "reversed_annealed": reversed_annealed,
}
