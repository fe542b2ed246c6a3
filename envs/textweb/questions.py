"""Questions about a world: sub-graphs of its facts with something left out.

A question names some entities and asks for another one, for a number, for a set or for a report.
Its variables stand for entities; variable 0 is what is asked for wherever that is one entity.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from .graph import Graph
from .schema import COLUMNS, TYPES, column_word

Kind = Literal["entity", "number", "set", "report"]


class Edge(NamedTuple):
    """A fact between variables.

    Attributes:
        head: the variable of its subject.
        column: the relation or attribute of the subject's type.
        tail: the variable of its object; −1 for an attribute.
    """

    head: int
    column: int
    tail: int


class Question(NamedTuple):
    """A question with its gold answer.

    Attributes:
        pattern: its name in `patterns.PATTERNS`.
        words: the question in English.
        kind: what an answer is.
        answers: the entities that are right, the number, or of a report the facts it must tell.
        nodes: the entity of each variable.
        known: the variables that the question names.
        edges: the facts that answer it, in an order in which they can be found: one end of each
            is known by then.
    """

    pattern: str
    words: str
    kind: Kind
    answers: tuple[int, ...]
    nodes: tuple[int, ...]
    known: tuple[int, ...]
    edges: tuple[Edge, ...]

    def facts(self) -> tuple[int, ...]:
        """The facts that answer it, as numbers; see `Graph`."""
        return tuple(self.nodes[edge.head] * COLUMNS + edge.column for edge in self.edges)

    def lookups(self) -> tuple[tuple[int, int], ...]:
        """For each fact, the entity by which it is looked up, and the fact."""
        found, looks = set(self.known), []
        for edge, fact in zip(self.edges, self.facts(), strict=True):
            start = edge.head if edge.head in found else edge.tail
            assert start in found, f"{self.pattern}: an edge that cannot be reached"
            looks.append((self.nodes[start], fact))
            found |= {edge.head, edge.tail}
        return tuple(looks)


def word(graph: Graph, entity: int, column: int) -> str:
    """The name of a column of an entity."""
    return column_word(int(graph.types[entity]), column)


def type_name(graph: Graph, entity: int) -> str:
    """What an entity is."""
    return TYPES[graph.types[entity]]


def cover(sets_of: Sequence[frozenset[int]]) -> int:
    """The least number of pages that state all facts, given the pages that state each (MSD).

    Exact, by dynamic programming over sets of facts; 0 where a fact stands nowhere.
    """
    pages: dict[int, int] = {}
    for i, stating in enumerate(sets_of):
        for page in stating:
            pages[page] = pages.get(page, 0) | 1 << i
    whole = (1 << len(sets_of)) - 1
    reached, steps = {0}, 0
    while whole not in reached:
        after = {done | mask for done in reached for mask in set(pages.values())}
        if after == reached:
            return 0
        reached, steps = after, steps + 1
    return steps
