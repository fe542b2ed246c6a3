"""Schedules: hyperparameters and weights as functions of the progress of a training, 0 to 1."""

import math
from collections.abc import Callable
from typing import Any

from ...envs.kernel.errors import InvalidArgumentError

Schedule = Callable[[float], float]


def linear(start: float, end: float) -> Schedule:
    """From start to end in a straight line; before progress 0 start, after 1 end."""
    return lambda progress: start + (end - start) * min(1.0, max(0.0, progress))


def cosine(start: float, end: float) -> Schedule:
    """From start to end along half a cosine wave: slow, fast, slow."""
    return lambda progress: (
        end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, progress))))
    )


def exponential(start: float, end: float, base: float = 4.0) -> Schedule:
    """From start to end ever faster: start + (bᵖ − 1) / (b − 1) · (end − start) (ZeroSearch, 2025).

    Args:
        start: at progress p = 0.
        end: at progress 1.
        base: b > 0 and not 1; below 1 it slows down instead.

    Raises:
        InvalidArgumentError: no such base.
    """
    if base <= 0 or base == 1:
        raise InvalidArgumentError(f"base must be positive and not 1; got {base!r}")

    def value(progress: float) -> float:
        fraction = (base ** min(1.0, max(0.0, progress)) - 1) / (base - 1)
        return start + fraction * (end - start)

    return value


SHAPES: dict[str, Callable[[float, float], Schedule]] = {
    "linear": linear,
    "cosine": cosine,
    "exponential": exponential,
}


def anneal(start: float, end: float, shape: str = "linear") -> Schedule:
    """From start to end in a shape of `SHAPES`.

    Raises:
        InvalidArgumentError: there is no such shape.
    """
    if shape not in SHAPES:
        raise InvalidArgumentError(f"shape must be one of {list(SHAPES)}; got {shape!r}")
    return SHAPES[shape](start, end)


def two_phase(first: Schedule, second: Schedule, switch: float) -> Schedule:
    """One schedule up to a progress, another one over the rest (SubSearch, 2026).

    Raises:
        InvalidArgumentError: the switch is not strictly between 0 and 1.
    """
    if not 0 < switch < 1:
        raise InvalidArgumentError(f"switch must be between 0 and 1; got {switch!r}")

    def value(progress: float) -> float:
        if progress < switch:
            return first(progress / switch)
        return second((progress - switch) / (1 - switch))

    return value


class EmaGate:
    """A schedule that looks at how the training goes (SubSearch, 2026).

    It keeps a moving average of an outcome. While that is below the target and stands still, the
    weight moves up towards `high`; while it is above and rises, down towards `low`; by the share
    rate · |target − average| of the way, and `max_step` at most.

    Args:
        schedule: the weight before correction.
        low: the least weight.
        high: the greatest weight.
        target: the average from which the outcome is good.
        decay: of the moving average.
        rate: of the correction.
        tolerance: the slope up to which an average stands still.
        max_step: the largest correction.
    """

    def __init__(
        self,
        schedule: Schedule,
        low: float,
        high: float,
        target: float = 0.65,
        decay: float = 0.98,
        rate: float = 0.2,
        tolerance: float = 5e-4,
        max_step: float = 0.01,
    ):
        self._schedule, self._low, self._high = schedule, low, high
        self._target, self._decay, self._rate = target, decay, rate
        self._tolerance, self._max_step = tolerance, max_step
        self._average: float | None = None
        self._slope = 0.0

    def update(self, outcome: float) -> None:
        """Take an outcome in [0, 1] into the average."""
        before = outcome if self._average is None else self._average
        self._average = self._decay * before + (1 - self._decay) * outcome
        self._slope = self._average - before

    def __call__(self, progress: float) -> float:
        weight = self._schedule(progress)
        if self._average is None:
            return weight
        gap, step = self._target - self._average, 0.0
        if gap > 0 and abs(self._slope) <= self._tolerance:
            step = self._rate * gap * (self._high - weight)
        elif gap < 0 and self._slope > self._tolerance:
            step = self._rate * gap * (weight - self._low)
        weight += min(self._max_step, max(-self._max_step, step))
        return min(self._high, max(self._low, weight))

    def state(self) -> dict[str, Any]:
        """What a run must store to go on."""
        return {"average": self._average, "slope": self._slope}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a stored state."""
        self._average, self._slope = state["average"], state["slope"]
