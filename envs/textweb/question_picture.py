"""A question's graph as a picture: its entities, the facts between them, and what is asked."""

import math
from typing import Any

import numpy as np

from ..kernel.render import Canvas
from .questions import Question, type_name, word
from .schema import RELATIONS_PER_TYPE
from .world import KnowledgeWorld

WIDTH, HEIGHT = 760, 520


def draw_question(world: KnowledgeWorld, question: Question) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(HEIGHT, WIDTH, 3) pixels: named entities are blue, hidden ones yellow, the answer green.

    Arrows go from subject to object and bear the relation; numbers stand beside their entity.
    """
    graph, canvas = world.graph, Canvas(WIDTH, HEIGHT, "paper")
    used = sorted({v for edge in question.edges for v in (edge.head, edge.tail) if v >= 0})
    places = {}
    for i, variable in enumerate(used):
        angle = 2 * math.pi * i / len(used) - math.pi / 2
        places[variable] = (
            WIDTH / 2 + 0.36 * WIDTH * math.cos(angle),
            HEIGHT / 2 + 0.36 * HEIGHT * math.sin(angle),
        )
    numbers: dict[int, list[str]] = {}
    for edge in question.edges:
        entity = question.nodes[edge.head]
        name = word(graph, entity, edge.column)
        if edge.tail < 0:
            value = graph.values[entity, edge.column - RELATIONS_PER_TYPE]
            numbers.setdefault(edge.head, []).append(f"{name} {value}")
        else:
            _arrow(canvas, places[edge.head], places[edge.tail], name)
    for variable, (x, y) in places.items():
        entity = question.nodes[variable]
        asked = question.kind != "number" and entity in question.answers
        colour = "blue" if variable in question.known else "green" if asked else "yellow"
        canvas.circle(x, y, 24, colour, "ink", 1.5)
        # Away from the middle, where the arrows are.
        lines = [f"{graph.name(entity)}, {type_name(graph, entity)}", *numbers.get(variable, [])]
        top = y + 36 if y > HEIGHT / 2 else y - 20 - 16 * len(lines)
        for i, line in enumerate(lines):
            canvas.text(x, top + 16 * i, line, "stone" if i else "ink", 14)
    return canvas.pixels()


def _arrow(canvas: Canvas, start: tuple[float, float], end: tuple[float, float], name: str) -> None:
    """An arrow between two discs, with a word on it."""
    angle = math.atan2(end[1] - start[1], end[0] - start[0])
    dx, dy = math.cos(angle), math.sin(angle)
    tail = start[0] + 26 * dx, start[1] + 26 * dy
    tip = end[0] - 26 * dx, end[1] - 26 * dy
    canvas.line([tail, tip], "stone", 2)
    barbs = [
        (tip[0] - 12 * math.cos(angle + turn), tip[1] - 12 * math.sin(angle + turn))
        for turn in (0.4, -0.4)
    ]
    canvas.polygon([tip, *barbs], "stone")
    # Beyond the middle, so that words on crossing arrows do not meet.
    x, y = start[0] + 0.42 * (end[0] - start[0]), start[1] + 0.42 * (end[1] - start[1])
    canvas.rectangle(x - 4.2 * len(name), y - 10, 8.4 * len(name), 20, "paper")
    canvas.text(x, y, name, "ink", 14)
