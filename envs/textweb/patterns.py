"""Patterns of questions: each proposes questions of one kind about a world."""

from typing import Any, NamedTuple

import numpy as np

from .graph import Graph
from .questions import Edge, Kind, Question, type_name, word
from .schema import (
    ATTRIBUTES,
    ATTRIBUTES_PER_TYPE,
    COLUMNS,
    PLURALS,
    RELATIONS,
    RELATIONS_PER_TYPE,
    TYPES,
)

Array = np.ndarray[Any, Any]


def alone(keys: Array) -> Array:
    """The places of those keys (n,) that occur once."""
    _, first, counts = np.unique(keys, return_index=True, return_counts=True)
    return first[counts == 1]


def all_different(rows: Array) -> Array:
    """In which rows (n, m) all entries differ, (n,) `bool`."""
    ordered = np.sort(rows, axis=1)
    return (ordered[:, 1:] != ordered[:, :-1]).all(axis=1)


def some(rows: Array, count: int, rng: np.random.Generator) -> Array:
    """At most so many of the rows, drawn without replacement."""
    return rows[rng.permutation(len(rows))[:count]]


def relations_from(type_: int) -> range:
    """The indices into `RELATIONS` of those of a type."""
    return range(type_ * RELATIONS_PER_TYPE, (type_ + 1) * RELATIONS_PER_TYPE)


def objects(graph: Graph, type_: int) -> Array:
    """The objects of all entities of a type, (entities, RELATIONS_PER_TYPE)."""
    return graph.tails[graph.bounds[type_] : graph.bounds[type_ + 1]]


# --- one entity after the other ---


def chain(graph: Graph, count: int, rng: np.random.Generator, hops: int) -> list[Question]:
    """What is the relation of the relation of … of an entity?"""
    path: list[Array] = [rng.integers(graph.n, size=2 * count)]
    columns = rng.integers(RELATIONS_PER_TYPE, size=(2 * count, hops))
    for column in columns.T:
        path.append(graph.tails[path[-1], column])
    rows = np.stack(path, axis=1)
    name = {1: "lookup", 2: "chain"}.get(hops, f"chain{hops}")
    questions = []
    for i in np.flatnonzero(all_different(rows))[:count]:
        entities, relations = rows[i].tolist(), columns[i].tolist()
        asked = " of the ".join(
            word(graph, *pair) for pair in zip(entities[-2::-1], relations[::-1], strict=True)
        )
        # Variable 0 is the answer; from 1 on they follow the way to it.
        nodes = (entities[-1], *entities[:-1])
        edges = tuple(
            Edge(j, column, (j + 1) % (hops + 1)) for j, column in enumerate(relations, 1)
        )
        words = f"What is the {asked} of {graph.name(entities[0])}?"
        questions.append(Question(name, words, "entity", nodes[:1], nodes, (1,), edges))
    return questions


# --- figures with one unknown at the top ---


def constraints(
    graph: Graph, count: int, rng: np.random.Generator, number: int
) -> list[tuple[int, tuple[int, ...]]]:
    """Entities that share so many relations with nobody else, though each of them with somebody.

    Returns:
        Entities with the columns of these relations.
    """
    found = []
    for type_ in range(len(TYPES)):
        tails, first = objects(graph, type_).astype(np.int64), int(graph.bounds[type_])
        several = [
            column for column, index in enumerate(relations_from(type_))
            if RELATIONS[index].cardinality == "n-1"
        ]  # fmt: skip
        if len(several) < number:
            continue
        columns = sorted(rng.permutation(several)[:number].tolist())
        key = np.zeros(len(tails), np.int64)
        for column in columns:
            key = np.unique(key * graph.n + tails[:, column], return_inverse=True)[1]
        single = alone(key)
        for column in columns:
            # Each alone leaves more than one entity.
            shared = np.bincount(tails[:, column], minlength=graph.n)[tails[single, column]] > 1
            single = single[shared]
        found += [(first + int(i), tuple(columns)) for i in single]
    return [found[i] for i in rng.permutation(len(found))[:count]]


def intersection(graph: Graph, count: int, rng: np.random.Generator) -> list[Question]:
    """Which entity has these two relations?"""
    questions = []
    for head, columns in constraints(graph, count, rng, 2):
        tails = [int(graph.tails[head, column]) for column in columns]
        has = " and ".join(
            f"the {word(graph, head, column)} {graph.name(tail)}"
            for column, tail in zip(columns, tails, strict=True)
        )
        edges = tuple(Edge(0, column, i + 1) for i, column in enumerate(columns))
        questions.append(
            Question("intersection", f"Which {type_name(graph, head)} has {has}?", "entity",
                     (head,), (head, *tails), (1, 2), edges)
        )  # fmt: skip
    return questions


class Figure(NamedTuple):
    """A closed figure of variables 0, 1, …; the last is named.

    Attributes:
        edges: which variable is related to which, each to later ones only.
        name: of the pattern.
    """

    edges: tuple[tuple[int, int], ...]
    name: str


RING = Figure(((0, 1), (0, 2), (1, 2)), "ring")
DIAMOND = Figure(((0, 1), (0, 2), (1, 3), (2, 3)), "diamond")
CLIQUE = Figure(((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)), "clique")


def figure(graph: Graph, count: int, rng: np.random.Generator, form: Figure) -> list[Question]:
    """Which entity stands at the top of a closed figure whose bottom is named?"""
    rows: list[tuple[list[int], tuple[int, ...]]] = []
    for type_ in range(len(TYPES)):
        heads = np.arange(graph.bounds[type_], graph.bounds[type_ + 1])
        size = 1 + max(tail for _, tail in form.edges)
        nodes = np.full((len(heads), size), -1)
        nodes[:, 0] = heads
        _match(graph, form, 0, nodes, (), rows)
    questions = []
    for i in rng.permutation(len(rows))[:count]:
        nodes, columns = rows[i]
        questions.append(_ask_figure(graph, form, tuple(nodes), columns))
    return questions


def _match(
    graph: Graph,
    form: Figure,
    edge: int,
    nodes: Array,
    columns: tuple[int, ...],
    found: list[tuple[list[int], tuple[int, ...]]],
) -> None:
    """Follow one edge after the other from all entities of a type, by every relation there is.

    What is `found` are the entities of all variables, with the relations along the edges.
    """
    if len(nodes) == 0:
        return
    if edge == len(form.edges):
        # No other entity stands at the top, whether or not two variables are one entity there.
        nodes = nodes[alone(nodes[:, -1])]
        found += [(row, columns) for row in nodes[all_different(nodes)].tolist()]
        return
    head, tail = form.edges[edge]
    known = nodes[0, tail] >= 0
    for column in range(RELATIONS_PER_TYPE):
        # Edges from one variable to two others are taken in one order only.
        again = [
            c for (h, t), c in zip(form.edges, columns, strict=False) if h == head and t != tail
        ]
        if column in again:
            continue
        reached = graph.tails[nodes[:, head], column]
        if known:
            _match(
                graph, form, edge + 1, nodes[reached == nodes[:, tail]], (*columns, column), found
            )
        else:
            after = nodes.copy()
            after[:, tail] = reached
            _match(graph, form, edge + 1, after, (*columns, column), found)


def _ask_figure(
    graph: Graph, form: Figure, nodes: tuple[int, ...], columns: tuple[int, ...]
) -> Question:
    """A question for a figure; its hidden variables are called by letters."""
    last = len(nodes) - 1
    said = [f"{type_name(graph, e)} {letter}" for e, letter in zip(nodes, "ABC", strict=False)]
    calls = [*"ABC"[:last], graph.name(nodes[last])]
    seen, parts = {0}, []
    for (head, tail), column in zip(form.edges, columns, strict=True):
        other = calls[tail] if tail in seen or tail == last else f"a {said[tail]}"
        seen.add(tail)
        parts.append(f"the {word(graph, nodes[head], column)} of {calls[head]} is {other}")
    edges = [
        Edge(head, column, tail) for (head, tail), column in zip(form.edges, columns, strict=True)
    ]
    # From the bottom up: what is related to what is known comes first.
    order, found = [], {last}
    while edges:
        edge = next(e for e in reversed(edges) if e.head in found or e.tail in found)
        edges.remove(edge)
        order.append(edge)
        found |= {edge.head, edge.tail}
    asked = f"Which {said[0]} is it, if {', '.join(parts[:-1])} and {parts[-1]}?"
    return Question(form.name, asked, "entity", (nodes[0],), nodes, (last,), tuple(order))


# --- numbers and sets ---


def comparison(graph: Graph, count: int, rng: np.random.Generator) -> list[Question]:
    """Which of two entities, neither of them named, has more of something?"""
    questions = []
    while len(questions) < count:
        first, second = rng.integers(graph.n, size=2).tolist()
        a, b = rng.integers(RELATIONS_PER_TYPE, size=2).tolist()
        left, right = int(graph.tails[first, a]), int(graph.tails[second, b])
        if graph.types[left] != graph.types[right] or len({first, second, left, right}) < 4:
            continue
        kind = int(rng.integers(ATTRIBUTES_PER_TYPE))
        values = graph.values[[left, right], kind].tolist()
        if values[0] == values[1]:
            continue
        attribute = ATTRIBUTES[graph.types[left] * ATTRIBUTES_PER_TYPE + kind]
        more = bool(rng.integers(2))
        best = left if (values[0] > values[1]) == more else right
        nodes = (best, first, second, left + right - best)
        variable = {left: nodes.index(left), right: nodes.index(right)}
        column = RELATIONS_PER_TYPE + kind
        edges = (
            Edge(1, a, variable[left]), Edge(2, b, variable[right]),
            Edge(variable[left], column, -1), Edge(variable[right], column, -1),
        )  # fmt: skip
        words = (
            f"Which is {attribute.more if more else attribute.less}: the {word(graph, first, a)} "
            f"of {graph.name(first)} or the {word(graph, second, b)} of {graph.name(second)}?"
        )
        questions.append(Question("comparison", words, "entity", (best,), nodes, (1, 2), edges))
    return questions


#: How many entities a set has, at the least and at the most.
FEWEST, MOST = 2, 4


def sets(graph: Graph, count: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Relations (indices into `RELATIONS`) with objects that have a few subjects."""
    found = []
    for index, relation in enumerate(RELATIONS):
        if relation.cardinality == "1-1":
            continue
        sizes = np.diff(graph.inverse[index][1])
        tails = np.flatnonzero((sizes >= FEWEST) & (sizes <= MOST)) + graph.bounds[relation.tail]
        found += [(index, int(tail)) for tail in some(tails, count, rng)]
    return [found[i] for i in rng.permutation(len(found))[:count]]


def _set_question(
    graph: Graph, pattern: str, asks: str, kind: Kind, relation: int, tail: int
) -> tuple[Question, list[int]]:
    """A question on all subjects of a relation to an entity, without an answer; and these."""
    heads = graph.subjects(relation, tail).tolist()
    column = relation % RELATIONS_PER_TYPE
    whose = f"whose {RELATIONS[relation].word} is {graph.name(tail)}"
    plural = PLURALS[RELATIONS[relation].head]
    edges = tuple(Edge(i, column, len(heads)) for i in range(len(heads)))
    words = asks.format(plural=plural, whose=whose)
    return Question(pattern, words, kind, (), (*heads, tail), (len(heads),), edges), heads


def listing(graph: Graph, count: int, rng: np.random.Generator) -> list[Question]:
    """Which entities, all of them, have this relation?"""
    questions = []
    for relation, tail in sets(graph, count, rng):
        question, heads = _set_question(
            graph, "list", "Which are the {plural} {whose}?", "set", relation, tail
        )
        questions.append(question._replace(answers=tuple(heads)))
    return questions


def counting(graph: Graph, count: int, rng: np.random.Generator) -> list[Question]:
    """How many entities have this relation?"""
    questions = []
    for relation, tail in sets(graph, count, rng):
        question, heads = _set_question(
            graph, "count", "How many {plural} are there {whose}?", "number", relation, tail
        )
        questions.append(question._replace(answers=(len(heads),)))
    return questions


AGGREGATES = {"total": sum, "largest": max, "smallest": min}


def aggregate(graph: Graph, count: int, rng: np.random.Generator) -> list[Question]:
    """What is the total, largest or smallest number of the entities that have this relation?"""
    questions = []
    for relation, tail in sets(graph, count, rng):
        kind, name = int(rng.integers(ATTRIBUTES_PER_TYPE)), str(rng.choice([*AGGREGATES]))
        head_type = RELATIONS[relation].head
        attribute = ATTRIBUTES[head_type * ATTRIBUTES_PER_TYPE + kind].word
        asks = f"What is the {name} {attribute} of the {{plural}} {{whose}}?"
        question, heads = _set_question(graph, "aggregate", asks, "number", relation, tail)
        column = RELATIONS_PER_TYPE + kind
        edges = question.edges + tuple(Edge(i, column, -1) for i in range(len(heads)))
        answer = int(AGGREGATES[name](graph.values[heads, kind].tolist()))
        questions.append(question._replace(answers=(answer,), edges=edges))
    return questions


def report(graph: Graph, count: int, rng: np.random.Generator) -> list[Question]:
    """Tell all there is to know of an entity."""
    questions = []
    for head in rng.permutation(graph.n)[:count].tolist():
        tails = graph.tails[head].tolist()
        edges = tuple(
            Edge(0, column, column + 1 if column < RELATIONS_PER_TYPE else -1)
            for column in range(COLUMNS)
        )
        facts = tuple(head * COLUMNS + column for column in range(COLUMNS))
        words = f"Write a report on {graph.name(head)}: all that the pages tell of it."
        questions.append(Question("report", words, "report", facts, (head, *tails), (0,), edges))
    return questions


def masked(graph: Graph, count: int, rng: np.random.Generator) -> list[Question]:
    """Which name is left out of these sentences?"""
    questions = []
    for head, columns in constraints(graph, count, rng, 3):
        tails = [int(graph.tails[head, column]) for column in columns]
        first = int(graph.types[head]) * RELATIONS_PER_TYPE
        sentences = []
        for column, tail in zip(columns, tails, strict=True):
            forms = RELATIONS[first + column].forward
            sentences.append(forms[rng.integers(len(forms))].format(h="[MASK]", t=graph.name(tail)))
        words = f"Which {type_name(graph, head)} is [MASK]? {' '.join(sentences)}"
        edges = tuple(Edge(0, column, i + 1) for i, column in enumerate(columns))
        questions.append(
            Question("mask", words, "entity", (head,), (head, *tails), (1, 2, 3), edges)
        )
    return questions


def _chains(hops: int) -> Any:
    return lambda graph, count, rng: chain(graph, count, rng, hops)


def _figures(form: Figure) -> Any:
    return lambda graph, count, rng: figure(graph, count, rng, form)


#: By name: functions from a graph, how many are wanted and a generator to at most so many
#: questions, each with one answer.
PATTERNS = {
    "lookup": _chains(1), "chain": _chains(2), "chain3": _chains(3), "chain4": _chains(4),
    "intersection": intersection, "ring": _figures(RING), "diamond": _figures(DIAMOND),
    "clique": _figures(CLIQUE), "comparison": comparison, "count": counting,
    "aggregate": aggregate, "list": listing, "report": report, "mask": masked,
}  # fmt: skip

#: The treewidth of each pattern's graph: in how many variables at once a solver must think.
TREEWIDTH = {"ring": 2, "diamond": 2, "clique": 3}
