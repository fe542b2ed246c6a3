"""What answers are worth."""

import re

from .questions import FEWEST, MOST, Question
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


def guesses(world: KnowledgeWorld, question: Question) -> list[str]:
    """All answers that are possible for who knows nothing of the world but its names and ranges.

    Of a set these are single entities, of a total the numbers of one entity.
    """
    graph = world.graph
    of_type = graph.of_type(int(graph.types[question.nodes[0]]))
    if question.pattern == "count":
        return [str(number) for number in range(FEWEST, MOST + 1)]
    if question.kind == "number":
        column = question.edges[-1].column - RELATIONS_PER_TYPE
        return [str(value) for value in graph.values[of_type.start : of_type.stop, column]]
    if question.kind == "report":
        return ["I do not know"]
    return [graph.name(entity) for entity in of_type]


def _object(world: KnowledgeWorld, fact: int) -> str:
    """What a fact tells, in a word."""
    value = world.graph.value(fact)
    return world.graph.name(value) if fact % COLUMNS < RELATIONS_PER_TYPE else str(value)


def _is_named(world: KnowledgeWorld, fact: int, words: set[str]) -> bool:
    names = {_object(world, fact).lower()}
    if fact % COLUMNS < RELATIONS_PER_TYPE:
        names.add(world.graph.name(world.graph.n + world.graph.value(fact)).lower())
    return bool(names & words)
