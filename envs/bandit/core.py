"""What all bandits share: the account of regret, checks of arguments, words and pictures."""

from typing import Any

import numpy as np

from ..kernel import InvalidArgumentError, kernel
from ..kernel.render import Canvas

Array = np.ndarray[Any, Any]

#: Bookkeeping fields of every bandit, and the infos they are handed out as: what the last action
#: cost in expectation, against the best there was, and the sum of it over the episode.
ACCOUNT = [("regret", np.float64), ("pseudo_regret", np.float64)]
METRICS = ("regret", "pseudo_regret")


@kernel
def open_account(state):
    """No regret so far."""
    state.regret = 0.0
    state.pseudo_regret = 0.0


@kernel
def charge(state, gap):
    """Note what an action cost: the best action's mean reward minus that of the one taken."""
    state.regret = gap
    state.pseudo_regret += gap


def read_integer(name: str, value: Any, least: int) -> int:
    """An argument that must be an integer of at least so much.

    Raises:
        InvalidArgumentError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InvalidArgumentError(f"{name} must be an integer of at least {least}; got {value!r}")
    return int(value)


def read_number(name: str, value: Any, least: float, most: float = np.inf) -> float:
    """An argument that must be a finite number in a range.

    Raises:
        InvalidArgumentError: it is not.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float | np.floating | np.integer)
        or not (np.isfinite(value) and least <= value <= most)
    ):
        wanted = f"of at least {least}" if most == np.inf else f"from {least} to {most}"
        raise InvalidArgumentError(f"{name} must be a number {wanted}; got {value!r}")
    return float(value)


def read_means(means: Any, least: float, most: float) -> Array:
    """The given means of arms, (arms,) `float64`; an empty array for None.

    Raises:
        InvalidArgumentError: they are not at least two numbers of the range.
    """
    if means is None:
        return np.empty(0)
    try:
        values = np.array(means, np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    right = np.isfinite(values) & (values >= least) & (values <= most)
    if values.ndim != 1 or len(values) < 2 or not right.all():
        between = "" if np.isinf(most - least) else f" from {least:g} to {most:g}"
        raise InvalidArgumentError(
            f"means must be at least two numbers{between}, or None; got {means!r}"
        )
    return values


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural where that is due."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def draw_arms(
    *, pulls: Array, values: Array, means: Array, left: int, regret: float
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A picture of arms as columns: what each has paid on average, a line at its true mean (green
    for the best) and its pulls.

    Args:
        pulls: (arms,) how often each was pulled.
        values: (arms,) mean reward so far, scaled to [0, 1]; not drawn for arms never pulled.
        means: (arms,) true means, scaled alike.
        left: pulls left.
        regret: pseudo-regret so far.

    Returns:
        (height, width, 3) pixels.
    """
    column = max(3.0, min(72.0, 1008 / len(pulls)))
    height, floor, right = 200, 232, 16 + round(len(pulls) * column)
    canvas = Canvas(max(right, 160) + 16, 288, "paper")
    for arm, (count, value, mean) in enumerate(zip(pulls, values, means, strict=True)):
        x = 16 + arm * column
        canvas.rectangle(x + column / 6, floor - height, column * 2 / 3, height, "sand")
        if count and value > 0:
            top = height * min(float(value), 1.0)
            canvas.rectangle(x + column / 6, floor - top, column * 2 / 3, top, "blue")
        line = floor - height * min(max(float(mean), 0.0), 1.0) - 1.5
        colour = "green" if mean == means.max() else "ink"
        canvas.rectangle(x + column / 12, line, column * 5 / 6, 3, colour)
        if column > 40:
            canvas.text(x + column / 2, floor + 16, f"arm {arm + 1}", "ink", 13)
            canvas.text(x + column / 2, floor + 35, counted(int(count), "pull"), "stone", 12)
    canvas.text(16, 16, f"{counted(left, 'pull')} left", "ink", 13, "lm")
    canvas.text(max(right, 160), 16, f"regret {regret:.2f}", "stone", 13, "rm")
    return canvas.pixels()
