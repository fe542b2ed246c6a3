"""Pictures of `LipschitzBandit`: a curve over an interval, or maps of a square or a cube."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np

from ..kernel.render import Canvas, Colour

Array = np.ndarray[Any, Any]

_LOW, _HIGH = np.array((236, 238, 242)), np.array((92, 184, 108))
_SIDE = 320


def draw_curve(
    means: Callable[[Array], Array],
    pulls: Array,
    sums: Array,
    *,
    last: Array | None,
    left: str,
    regret: float,
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The mean rewards over an interval, and the cells tried: a bar as high as they paid on
    average, the darker the more often; a line at the last place.

    Args:
        means: gives the mean rewards at places (n, 1), (n,).
        pulls: (cells,) how often each cell was tried.
        sums: (cells,) the rewards that it gave.
        last: (1,) the place tried last, if any.
        left: words at the top.
        regret: pseudo-regret so far.

    Returns:
        (height, width, 3) pixels.
    """
    width, height, top = 2 * _SIDE, 220, 34
    canvas = _canvas(width + 32, height + top + 36, left, regret)
    floor, cell = top + height, width / len(pulls)
    canvas.rectangle(16, top, width, height, "sand")
    for i in np.flatnonzero(pulls):
        tall = height * min(max(sums[i] / pulls[i], 0.0), 1.0)
        colour = _between((190, 208, 240), (78, 132, 224), pulls[i] / pulls.max())
        canvas.rectangle(16 + i * cell + 1, floor - max(tall, 2), cell - 2, max(tall, 2), colour)
    xs = np.linspace(0, 1, 321)
    curve = [
        (16 + x * width, floor - height * y) for x, y in zip(xs, means(xs[:, None]), strict=True)
    ]
    canvas.line(curve, "ink", 2)
    if last is not None:
        canvas.line([(16 + last[0] * width, top), (16 + last[0] * width, floor)], "red", 1)
    for x in (0.0, 0.5, 1.0):
        canvas.text(16 + x * width, floor + 14, f"{x:g}", "stone", 12)
    return canvas.pixels()


def draw_maps(
    means: Callable[[Array], Array],
    pulls: Array,
    sums: Array,
    *,
    last: Array | None,
    left: str,
    regret: float,
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Maps of the mean rewards, the greener the higher, for each pair of coordinates; over a third
    coordinate the highest is shown. Discs are cells tried, the larger the more often, the bluer
    the better they paid; a ring is the last place.

    Args:
        means: gives the mean rewards at places (n, dimension), (n,).
        pulls: (cells, …) how often each cell was tried.
        sums: (cells, …) the rewards that it gave.
        last: (dimension,) the place tried last, if any.
        left: words at the top.
        regret: pseudo-regret so far.

    Returns:
        (height, width, 3) pixels.
    """
    dimension, cells = pulls.ndim, len(pulls)
    pairs = list(combinations(range(dimension), 2))
    side, top, grid = (_SIDE if len(pairs) == 1 else 220), 34, 32
    canvas = _canvas(len(pairs) * (side + 16) + 16, side + top + 32, left, regret)
    axis = (np.arange(grid) + 0.5) / grid
    places = np.stack(np.meshgrid(*[axis] * dimension, indexing="ij"), axis=-1)
    heights = means(places.reshape(-1, dimension)).reshape((grid,) * dimension)
    t = side / grid
    for k, pair in enumerate(pairs):
        others = tuple(set(range(dimension)) - set(pair))
        shown, tried = heights.max(axis=others), pulls.sum(axis=others)
        paid = sums.sum(axis=others) / np.maximum(tried, 1)
        x, y = 16 + k * (side + 16), top
        for (i, j), value in np.ndenumerate(shown):
            canvas.rectangle(x + i * t, y + j * t, t, t, _between(_LOW, _HIGH, value))
        for i, j in np.argwhere(tried):
            radius = side / cells * (0.12 + 0.3 * tried[i, j] / tried.max())
            centre = (x + (i + 0.5) * side / cells, y + (j + 0.5) * side / cells)
            colour = _between((255, 255, 255), (78, 132, 224), paid[i, j])
            canvas.circle(*centre, radius, colour, "stone", 1)
        if last is not None:
            centre = (x + last[pair[0]] * side, y + last[pair[1]] * side)
            canvas.circle(*centre, 6, None, "red", 2)
        names = [f"x{axis + 1}" for axis in pair]
        canvas.text(x + side / 2, y + side + 14, f"{names[0]} across, {names[1]} down", "stone", 12)
    return canvas.pixels()


def _canvas(width: float, height: float, left: str, regret: float) -> Canvas:
    canvas = Canvas(round(width), round(height), "paper")
    canvas.text(16, 16, left, "ink", 13, "lm")
    canvas.text(width - 16, 16, f"regret {regret:.2f}", "stone", 13, "rm")
    return canvas


def _between(low: Any, high: Any, share: float) -> Colour:
    """A colour between two."""
    mixed = np.asarray(low) + (np.asarray(high) - np.asarray(low)) * min(max(share, 0.0), 1.0)
    red, green, blue = mixed.astype(int).tolist()
    return red, green, blue
