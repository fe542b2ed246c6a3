"""What answers are worth."""

import re

import numpy as np

from .patterns import FEWEST, MOST
from .questions import Question
from .retrievers import words_of
from .schema import COLUMNS, RELATIONS_PER_TYPE
from .world import KnowledgeWorld

_SEPARATORS = re.compile(r"[\n,;]|\band\b")


def grade(world: KnowledgeWorld, question: Question, answer: str) -> float:
    """What an answer to a question is worth, from 0 to 1.

    - One entity: 1 for its name (or its other name), and nothing else than that.
    - A number: 1 for the number in digits.
    - A set: the F1 score of the names, which commas, semicolons, "and" or line breaks separate.
      Names that are no entity's count as wrong ones.
    - A report: the share of the facts whose object or number it names.
    """
    if question.kind == "report":
        said = set(words_of(answer))
        told = [_is_named(world, fact, said) for fact in question.answers]
        return sum(told) / len(told)
    if question.kind == "number":
        return float(answer.strip().rstrip(".") == str(question.answers[0]))
    names = {name.strip(" .").casefold() for name in _SEPARATORS.split(answer)} - {""}
    given = {world.graph.read_name(name) for name in names}
    if question.kind == "entity":
        return float(len(names) == 1 and given == set(question.answers))
    right = len(given & set(question.answers))
    wrong = len(names) - right
    return 2 * right / (right + wrong + len(question.answers))


def gold(world: KnowledgeWorld, question: Question) -> str:
    """An answer that is worth 1."""
    if question.kind == "number":
        return str(question.answers[0])
    if question.kind == "report":
        return ", ".join(_object(world, fact) for fact in question.answers)
    return ", ".join(world.graph.name(entity) for entity in question.answers)


def guess(world: KnowledgeWorld, question: Question, rng: np.random.Generator) -> str:
    """An answer of who knows nothing of the world but its names and ranges, drawn uniformly.

    Of a set it is one entity, of a total the number of one.
    """
    graph = world.graph
    of_type = graph.of_type(int(graph.types[question.nodes[0]]))
    entity = of_type[int(rng.integers(len(of_type)))]
    if question.pattern == "count":
        return str(rng.integers(FEWEST, MOST + 1))
    if question.kind == "number":
        return str(graph.values[entity, question.edges[-1].column - RELATIONS_PER_TYPE])
    return "I do not know" if question.kind == "report" else graph.name(entity)


def _object(world: KnowledgeWorld, fact: int) -> str:
    """What a fact tells, in a word."""
    value = world.graph.value(fact)
    return world.graph.name(value) if fact % COLUMNS < RELATIONS_PER_TYPE else str(value)


def _is_named(world: KnowledgeWorld, fact: int, words: set[str]) -> bool:
    names = {_object(world, fact).lower()}
    if fact % COLUMNS < RELATIONS_PER_TYPE:
        names.add(world.graph.name(world.graph.n + world.graph.value(fact)).lower())
    return bool(names & words)
