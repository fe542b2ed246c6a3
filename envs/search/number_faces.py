"""How numbers that are to be combined look, for Countdown and GameOf24."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..kernel import KernelEnv, UnparseableActionError
from ..kernel.render import Canvas

_SIGNS = str.maketrans({"−": "-", "–": "-", "×": "*", "x": "*", "÷": "/", ":": "/"})


def draw(labels: Sequence[str], target: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The target above a row of cards, (H, W, 3) `uint8`; slots without a label are empty."""
    card, gap, margin = 84, 12, 18
    width = 2 * margin + len(labels) * (card + gap) - gap
    canvas = Canvas(width, 210, "night")
    reached = str(target) in labels
    canvas.text(width / 2, 48, str(target), "green" if reached else "yellow", 44)
    for k, label in enumerate(labels):
        x, y = margin + k * (card + gap), 92
        if label:
            hit = label == str(target)
            canvas.rectangle(x, y, card, 100, "green" if hit else "sand")
            size = min(34.0, 100 / max(len(label), 1) * 1.2)
            canvas.text(x + card / 2, y + 50, label, "white" if hit else "ink", size)
        else:
            canvas.rectangle(x, y, card, 100, "stone")
            canvas.rectangle(x + 2, y + 2, card - 4, 96, "night")
    return canvas.pixels()


def listed(labels: Sequence[str]) -> str:
    """The labels of the slots that are not empty, as a list in words."""
    shown = [label for label in labels if label]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def find_move(env: KernelEnv, text: str) -> int:
    """The legal action whose words a text is, with any spaces, and sums and products either way.

    Raises:
        UnparseableActionError: it is none's.
    """
    wanted = re.sub(r"\s", "", text.lower().translate(_SIGNS))
    mask = env.action_mask()
    legal = [] if mask is None else np.flatnonzero(mask).tolist()
    for action in legal:
        first, sign, second = env.action_words(action).split(" ")
        ways = [first + sign + second]
        if sign in "+*":
            ways.append(second + sign + first)
        if wanted in ways:
            return action
    example = f"; say for example {env.action_words(legal[0])!r}" if legal else ""
    raise UnparseableActionError(f"{text!r} names no legal action{example}")
