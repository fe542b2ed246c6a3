"""How the command line shows values."""

from typing import Any

import gymnasium
import numpy as np


def space_words(space: gymnasium.Space[Any]) -> str:
    """A space in a line: without the bounds of each of a picture's pixels."""
    if isinstance(space, gymnasium.spaces.Dict):
        parts = ", ".join(f"{name}: {space_words(part)}" for name, part in space.items())
        return f"Dict({parts})"
    if isinstance(space, gymnasium.spaces.Box):
        return f"Box({space.low.min():g}, {space.high.max():g}, {space.shape}, {space.dtype})"
    return str(space)


def number(value: Any) -> str:
    """A figure with four digits, or with its thousands apart; a dash for None."""
    if isinstance(value, tuple):
        return " to ".join(number(each) for each in value)
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    return "–" if value is None else str(value)


def plain(value: Any) -> Any:
    """What JSON has in the place of a value that it does not know."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)
