"""A fictional world: typed entities, the relations between them, and questions about them.

Names are random syllables, so that nothing about the world can be known beforehand. One seed
rebuilds it.
"""

import functools
import itertools
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

TYPES = ("person", "city", "company")
PERSON, CITY, COMPANY = range(len(TYPES))


class Relation(NamedTuple):
    """A relation every entity of one type has to exactly one entity of another.

    Attributes:
        word: its name, one lower-case word.
        head: the type of its subjects.
        tail: the type of its objects.
        cardinality: `"n-1"`, or `"1-1"` where no two subjects share an object.
    """

    word: str
    head: int
    tail: int
    cardinality: Literal["n-1", "1-1"] = "n-1"


#: Sorted by head; every type has `RELATIONS_PER_TYPE` of them.
RELATIONS = (
    Relation("birthplace", PERSON, CITY),
    Relation("employer", PERSON, COMPANY),
    Relation("mentor", PERSON, PERSON),
    Relation("mayor", CITY, PERSON, "1-1"),
    Relation("twin", CITY, CITY, "1-1"),
    Relation("sponsor", CITY, COMPANY),
    Relation("founder", COMPANY, PERSON),
    Relation("seat", COMPANY, CITY),
    Relation("supplier", COMPANY, COMPANY),
)
RELATIONS_PER_TYPE = 3

_ONSETS = (*"bdfghjklmnprstvz", "br", "dr", "fl", "gr", "kr", "pl", "tr", "st", "sk")
_VOWELS = "aeiou"
_CODAS = "lmnrsktx"


class Fact(NamedTuple):
    """`relation` of `head` is `tail`: indices into `RELATIONS` and `World.names`."""

    head: int
    relation: int
    tail: int


class Question(NamedTuple):
    """A closed chain question: the `second` relation of the `first` relation of `entity`."""

    entity: int
    first: int
    second: int


@dataclass(frozen=True)
class World:
    """A knowledge graph in which every entity has every relation of its type once.

    Attributes:
        names: of the entities.
        types: (entities,) `int8`, indices into `TYPES`; entities of a type stand together.
        tails: (entities, RELATIONS_PER_TYPE) `int32`, the objects of each entity's relations.
    """

    names: tuple[str, ...]
    types: np.ndarray[Any, np.dtype[np.int8]]
    tails: np.ndarray[Any, np.dtype[np.int32]]

    def fact(self, head: int, relation: int) -> Fact:
        """The fact that tells the object of a relation of `head`."""
        column = relation - first_relation(int(self.types[head]))
        return Fact(head, relation, int(self.tails[head, column]))

    def facts(self) -> list[Fact]:
        """Every fact, entity by entity."""
        return [
            self.fact(head, first_relation(int(self.types[head])) + column)
            for head in range(len(self.names))
            for column in range(RELATIONS_PER_TYPE)
        ]

    @functools.cached_property
    def by_type(self) -> tuple[range, ...]:
        """The entities of each type."""
        bounds = np.searchsorted(self.types, range(len(TYPES) + 1)).tolist()
        return tuple(range(*pair) for pair in itertools.pairwise(bounds))

    def evidence(self, question: Question) -> tuple[Fact, Fact]:
        """The two facts that answer a question; the last one's object is the answer."""
        bridge = self.fact(question.entity, question.first)
        return bridge, self.fact(bridge.tail, question.second)

    def chains(self) -> list[Question]:
        """Every question whose entity, bridge and answer are three different entities."""
        questions = []
        for head, relation, tail in self.facts():
            start = first_relation(RELATIONS[relation].tail)
            for second in range(start, start + RELATIONS_PER_TYPE):
                if len({head, tail, self.fact(tail, second).tail}) == 3:
                    questions.append(Question(head, relation, second))
        return questions


def first_relation(type_: int) -> int:
    """The index of the first relation whose subjects are of a type."""
    return type_ * RELATIONS_PER_TYPE


def make_world(entities: int, rng: np.random.Generator) -> World:
    """Draw a world.

    Args:
        entities: how many; they are shared out evenly among the types.
        rng: all that it is drawn from.
    """
    types = np.sort(np.arange(entities) % len(TYPES)).astype(np.int8)
    world = World(_names(entities, rng), types, np.empty((entities, RELATIONS_PER_TYPE), np.int32))
    for index, relation in enumerate(RELATIONS):
        heads, tails = world.by_type[relation.head], world.by_type[relation.tail]
        if relation.cardinality == "1-1":
            drawn = rng.permutation(len(tails))[np.arange(len(heads)) % len(tails)]
        else:
            drawn = rng.integers(len(tails), size=len(heads))
        world.tails[heads, index % RELATIONS_PER_TYPE] = tails.start + drawn
    return world


def _names(n: int, rng: np.random.Generator) -> tuple[str, ...]:
    """`n` different names, of as many syllables as it takes to find them quickly."""
    syllables = 2
    while (len(_ONSETS) * len(_VOWELS)) ** syllables * len(_CODAS) < 8 * n:
        syllables += 1
    taken = set(TYPES) | {relation.word for relation in RELATIONS}
    names: list[str] = []
    while len(names) < n:
        parts = [_ONSETS[rng.integers(len(_ONSETS))] + _VOWELS[rng.integers(len(_VOWELS))]
                 for _ in range(syllables)]  # fmt: skip
        name = "".join(parts) + _CODAS[rng.integers(len(_CODAS))]
        if name not in taken:
            taken.add(name)
            names.append(name.capitalize())
    return tuple(names)
