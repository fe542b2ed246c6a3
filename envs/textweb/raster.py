"""Pages and lists of results as pictures."""

import re
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..kernel.render import Canvas

WIDTH, HEIGHT = 640, 380


def draw_search(
    question: str,
    query: str,
    results: Sequence[tuple[str, bool, bool]],
    page: tuple[str, str] | None,
    verdict: bool | None,
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A search in progress, (HEIGHT, WIDTH, 3) `uint8`.

    Args:
        question: what is asked.
        query: the words last searched for; empty before the first search.
        results: of each page found its title, whether it was read, and whether it is shown.
        page: title and text of the page that is shown.
        verdict: whether the answer was right; None before it was given.
    """
    canvas = Canvas(WIDTH, HEIGHT, "sand")
    canvas.rectangle(0, 0, WIDTH, 56, "night")
    canvas.text(20, 28, question, "white", 17, "lm")
    canvas.rectangle(20, 76, 220, 284, "paper")
    canvas.text(34, 97, textwrap.shorten(query, 30) or "no search yet", "blue", 13, "lm")
    for i, (title, read, shown) in enumerate(results):
        y = 130 + 44 * i
        canvas.rectangle(28, y - 18, 204, 36, "yellow" if shown else "white")
        canvas.circle(46, y, 10, "grey" if read else "blue")
        canvas.text(46, y, str(i + 1), "white", 12)
        canvas.text(64, y, title, "ink", 13, "lm")
    canvas.rectangle(260, 76, 360, 284, "paper")
    if page is None:
        canvas.text(440, 218, "no page opened yet", "grey", 14)
    else:
        canvas.text(280, 102, page[0], "ink", 20, "lm")
        canvas.rectangle(280, 120, 320, 2, "sand")
        for i, line in enumerate(_lines(page[1])):
            canvas.text(280, 140 + 22 * i, line, "ink", 14, "lm")
    if verdict is not None:
        canvas.rectangle(260, 320, 360, 40, "green" if verdict else "red")
        canvas.text(440, 340, "right" if verdict else "wrong", "white", 16)
    return canvas.pixels()


def _lines(text: str) -> list[str]:
    """Sentences, broken where they are too long for the picture."""
    sentences = re.split(r"(?<=\.) ", text)
    return [line for sentence in sentences for line in textwrap.wrap(sentence, 44)]
