"""States of planning tasks for people: in words, as text and as pictures."""

import math
from typing import Any

import numpy as np

from ..kernel.render import Canvas
from .pddl_tasks import Atom, words
from .strips_grounding import Task

_WIDTH, _HEIGHT = 960, 640  # pixels
_LINE = 24

Array = np.ndarray[Any, Any]


def flags(sets: Array, facts: int) -> Array:
    """Sets of facts, (…, words) `int64`, as flags, (…, facts) `bool`."""
    bytes_ = np.ascontiguousarray(sets, "<i8").view(np.uint8)
    return np.unpackbits(bytes_, axis=-1, bitorder="little")[..., :facts].astype(bool)


def members(task: Task, words_: Array) -> list[Atom]:
    """The names of the facts of a set, (words,) `int64`."""
    return [task.facts[k] for k in np.flatnonzero(flags(words_, len(task.facts)))]


def goal_words(task: Task, problem: int) -> list[str]:
    """What the goal wants and does not want, as PDDL says it."""
    unwanted = task.goal_care[problem] & ~task.goal[problem]
    return [
        *(words(fact) for fact in members(task, task.goal[problem])),
        *(f"(not {words(fact)})" for fact in members(task, unwanted)),
    ]


def show(task: Task, problem: int, facts: Array) -> str:
    """A line for each predicate that holds of something, and one for the goal."""
    lines: dict[str, list[str]] = {}
    for name, *objects in members(task, facts):
        lines.setdefault(name, []).append(" ".join(objects))
    rows = [f"{name}: {', '.join(held)}" for name, held in lines.items()]
    return "\n".join([*rows, f"goal: {' '.join(goal_words(task, problem))}"])


def draw(task: Task, problem: int, facts: Array) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Every fact in a place of its own, (H, W, 3) `uint8`.

    Blue ones hold; what the goal names is framed, and green where it is as wanted. Names are left
    out where there are too many to be read.
    """
    n = len(task.facts)
    holds, cared, wanted = (
        flags(s, n) for s in (facts, task.goal_care[problem], task.goal[problem])
    )
    longest = max(len(words(fact)) for fact in task.facts)
    columns = max(1, min(n, _WIDTH // (7 * longest + 12)))
    named = math.ceil(n / columns) * _LINE <= _HEIGHT
    if not named:
        columns = math.ceil(math.sqrt(n * _WIDTH / _HEIGHT))
    rows = math.ceil(n / columns)
    width, height = _WIDTH // columns, _LINE if named else _HEIGHT // rows
    canvas = Canvas(columns * width + 8, rows * height + 8, "night")
    for k, fact in enumerate(task.facts):
        # Down the columns, so that facts of one predicate stand below each other.
        x, y = 4 + k // rows * width, 4 + k % rows * height
        if cared[k]:
            canvas.rectangle(x, y, width, height, "yellow")
        colour = "blue" if holds[k] else "ink"
        if cared[k] and holds[k] == wanted[k]:
            colour = "green"
        canvas.rectangle(x + 2, y + 2, width - 4, height - 4, colour)
        if named:
            ink = "grey" if colour == "ink" else "white"
            canvas.text(x + width / 2, y + height / 2, words(fact), ink, 12)
    return canvas.pixels()
