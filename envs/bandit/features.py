"""What bandits over feature vectors share: directions, products, checks of arrays, pictures."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..kernel import InvalidArgumentError, kernel, rng
from ..kernel.render import Canvas, Colour

Array = np.ndarray[Any, Any]

_RED, _BLUE, _WHITE = (np.array(c) for c in ((224, 82, 79), (78, 132, 224), (255, 255, 255)))


@kernel
def draw_direction(state, row):
    """Fill a row with a vector that is uniform on the unit sphere."""
    squares = 0.0
    for i in range(len(row)):
        value = rng.normal(state)
        row[i] = value
        squares += value * value
    length = math.sqrt(squares)
    for i in range(len(row)):
        row[i] = float(row[i]) / length


@kernel
def product(features, theta):
    """The inner product of a `float32` and a `float64` row."""
    total = 0.0
    for i in range(len(theta)):
        total += features[i] * theta[i]
    return total


def read_array(name: str, values: Any, shape: Sequence[int | None]) -> Array:
    """An argument that must be finite numbers of a shape, `float64`; None stands for any length.

    Raises:
        InvalidArgumentError: it is not.
    """
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    fits = array.ndim == len(shape) and all(
        wanted in (None, found) and found > 0
        for found, wanted in zip(array.shape, shape, strict=True)
    )
    if not fits or not np.isfinite(array).all():
        sizes = " × ".join("any" if size is None else str(size) for size in shape)
        raise InvalidArgumentError(f"{name} must be {sizes} finite numbers; got {_short(values)}")
    return array


def signed_colour(value: float) -> Colour:
    """Blue for 1, white for 0, red for −1, and what lies between."""
    share = min(abs(value), 1.0)
    red, green, blue = (_WHITE + ((_BLUE if value > 0 else _RED) - _WHITE) * share).astype(int)
    return int(red), int(green), int(blue)


def draw_features(
    features: Array, means: Array, *, chosen: int, left: str, regret: float
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A picture of arms as rows: their features in red (negative) and blue (positive), and their
    mean reward as a bar, green for the best; a dot stands at the arm that was taken.

    Args:
        features: (arms, dimension).
        means: (arms,) true mean rewards.
        chosen: the arm taken last; −1 for none.
        left: words at the top.
        regret: pseudo-regret so far.

    Returns:
        (height, width, 3) pixels.
    """
    arms, dimension = features.shape
    tall = max(2.0, min(32.0, 480 / arms))
    wide = max(2.0, min(32.0, 320 / dimension))
    top, bars = 34.0, 44 + dimension * wide
    middle = bars + 90
    canvas = Canvas(round(middle + 106), round(top + arms * tall + 16), "paper")
    largest, longest = abs(features).max() or 1.0, abs(means).max() or 1.0
    gap = 1 if min(tall, wide) > 6 else 0
    for arm in range(arms):
        y = top + arm * tall
        for i in range(dimension):
            colour = signed_colour(float(features[arm, i] / largest))
            canvas.rectangle(28 + i * wide, y, wide - gap, tall - gap, colour)
        length = 90 * float(means[arm]) / longest
        best = means[arm] == means.max()
        left_end = middle + min(length, 0.0)
        colour = "green" if best else "grey"
        canvas.rectangle(left_end, y + tall / 6, max(abs(length), 1), tall * 2 / 3, colour)
        if arm == chosen:
            canvas.circle(16, y + tall / 2, max(3.0, min(tall / 4, 6)), "ink")
    canvas.rectangle(middle - 0.5, top, 1, arms * tall, "ink")
    canvas.text(16, 16, left, "ink", 13, "lm")
    canvas.text(middle + 90, 16, f"regret {regret:.2f}", "stone", 13, "rm")
    return canvas.pixels()


def square(context: Array) -> Array:
    """A context as a square, where it has as many entries as one; otherwise as one row."""
    side = math.isqrt(context.shape[-1])
    if context.ndim == 1 and side * side == len(context):
        return context.reshape(side, side)
    return np.atleast_2d(context)


def draw_context(
    context: Array,
    means: Array,
    names: Sequence[str],
    *,
    span: tuple[float, float],
    chosen: int,
    left: str,
    regret: float,
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A picture of a context as an image in shades of grey, above the mean rewards of the arms.

    Args:
        context: (dimension,); an image of as many rows as columns where it can be.
        means: (arms,) true mean rewards; the best one is green.
        names: of the arms.
        span: the least and the largest number of a context, white and black.
        chosen: the arm taken last, under which stands a dot; −1 for none.
        left: words at the top.
        regret: pseudo-regret so far.

    Returns:
        (height, width, 3) pixels.
    """
    image = square(context)
    shades = 255 - 223 * (image - span[0]) / max(span[1] - span[0], 1e-9)
    t = max(2.0, min(28.0, 320 / image.shape[1]))
    corner = max(0.0, 180 - image.shape[1] * t / 2)
    column = max(4.0, min(40.0, 320 / len(means)))
    middle = 40 + image.shape[0] * t + 72
    floor = middle + (64 if means.min() < 0 else 12)
    canvas = Canvas(360, round(floor) + 28, "paper")
    for (row, i), shade in np.ndenumerate(shades):
        grey = int(shade)
        canvas.rectangle(corner + i * t, 40 + row * t, t, t, (grey, grey, grey))
    longest = max(float(abs(means).max()), 1e-9)
    for arm, mean in enumerate(means):
        x, height = 180 + (arm - len(means) / 2) * column, 52 * float(mean) / longest
        colour = "green" if mean == means.max() else "sand"
        canvas.rectangle(
            x + column / 8, middle - max(height, 0), column * 3 / 4, max(abs(height), 2), colour
        )
        if column > 16:
            canvas.text(x + column / 2, floor, names[arm][:5], "ink", 12)
        if arm == chosen:
            canvas.circle(x + column / 2, floor + 16, 3, "ink")
    canvas.text(16, 16, left, "ink", 13, "lm")
    canvas.text(344, 16, f"regret {regret:.2f}", "stone", 13, "rm")
    return canvas.pixels()


def vector_words(values: Array) -> str:
    """A vector in brackets, two digits each."""
    return f"({', '.join(f'{value:.2f}' for value in values)})"


def _short(value: Any) -> str:
    words = repr(value)
    return words if len(words) <= 80 else f"{words[:77]}..."
