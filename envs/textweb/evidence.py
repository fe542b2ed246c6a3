"""What a reader learns from the pages alone, and which answers that leaves open."""

from typing import Any

import numpy as np

from .corpus import TRUSTED, Corpus
from .graph import Graph
from .questions import Question
from .schema import COLUMNS, RELATIONS_PER_TYPE
from .templates import templates

Array = np.ndarray[Any, Any]


def read_facts(corpus: Corpus) -> Array:
    """What the sentences of trusted pages say of each column of each entity.

    It goes by the words of a sentence (its template and names), not by the facts that the corpus
    knows it to state.

    Returns:
        (entities, COLUMNS) `int64`: an entity or a number, −1 where nothing is said, −2 where
        pages contradict each other.
    """
    graph = corpus.graph
    page = np.repeat(np.arange(len(corpus)), np.diff(corpus.starts))
    column = templates().columns[corpus.template]
    rows = (column >= 0) & np.isin(corpus.kinds[page], TRUSTED)
    heads, columns, said = corpus.first[rows] % graph.n, column[rows], corpus.second[rows]
    said = np.where(columns < RELATIONS_PER_TYPE, said % graph.n, said).astype(np.int64)
    facts = np.full((graph.n, COLUMNS), -1, np.int64)
    facts[heads, columns] = said
    differs = facts[heads, columns] != said
    facts[heads[differs], columns[differs]] = -2
    return facts


def solutions(question: Question, facts: Array, graph: Graph) -> set[int]:
    """The entities that variable 0 can stand for, by facts as `read_facts` gives them.

    Every way to fill in the variables that are not named is tried, edge by edge.
    """
    ways = [{v: question.nodes[v] for v in question.known}]
    for edge in question.edges:
        if edge.tail < 0:
            continue
        after: list[dict[int, int]] = []
        for way in ways:
            if edge.head in way:
                tail = int(facts[way[edge.head], edge.column])
                if way.get(edge.tail, tail) == tail:
                    after.append({**way, edge.tail: tail})
            else:
                of_type = graph.of_type(int(graph.types[question.nodes[edge.head]]))
                column = facts[of_type.start : of_type.stop, edge.column]
                heads = of_type.start + np.flatnonzero(column == way[edge.tail])
                after += [{**way, edge.head: int(head)} for head in heads]
        ways = after
    return {way[0] for way in ways if 0 in way}
