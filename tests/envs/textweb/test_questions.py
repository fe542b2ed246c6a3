import itertools

import numpy as np
import pytest

from spelunk.envs.textweb.graph import Graph
from spelunk.envs.textweb.patterns import AGGREGATES, PATTERNS, TREEWIDTH
from spelunk.envs.textweb.questions import Question, cover
from spelunk.envs.textweb.schema import COLUMNS, RELATIONS_PER_TYPE

GRAPH = Graph(1500, 4)


def asked(pattern, count=40):
    return PATTERNS[pattern](GRAPH, count, np.random.default_rng(1))


def solutions(question: Question):
    """All ways to fill in the variables that are not named, edge by edge, from the facts alone."""
    ways = [{v: question.nodes[v] for v in question.known}]
    for edge in question.edges:
        if edge.tail < 0:
            continue
        after = []
        for way in ways:
            if edge.head in way:
                tail = int(GRAPH.tails[way[edge.head], edge.column])
                if way.get(edge.tail, tail) == tail:
                    after.append({**way, edge.tail: tail})
            else:
                type_ = GRAPH.types[question.nodes[edge.head]]
                rows = np.array(GRAPH.of_type(int(type_)))
                heads = rows[GRAPH.tails[rows, edge.column] == way[edge.tail]]
                after += [{**way, edge.head: int(head)} for head in heads]
        ways = after
    return ways


@pytest.mark.parametrize("pattern", PATTERNS)
def test_questions_are_told_by_their_facts(pattern):
    questions = asked(pattern)
    assert len(questions) == 40 or pattern == "clique"
    assert len({q.words for q in questions}) > 0.8 * len(questions) > 8
    for question in questions:
        assert question.pattern == pattern
        for edge, fact in zip(question.edges, question.facts(), strict=True):
            assert fact == question.nodes[edge.head] * COLUMNS + edge.column
            assert (edge.tail < 0) == (edge.column >= RELATIONS_PER_TYPE)
            if edge.tail >= 0:
                assert GRAPH.value(fact) == question.nodes[edge.tail]
        for variable in question.known:
            assert GRAPH.name(question.nodes[variable]) in question.words
        hidden = set(range(len(question.nodes))) - set(question.known)
        for variable in hidden - ({*range(1, 5)} if pattern == "report" else set()):
            assert GRAPH.name(question.nodes[variable]) not in question.words
        reached = {question.nodes[v] for v in question.known}
        for entity, fact in question.lookups():
            assert entity in reached
            reached |= {fact // COLUMNS}
            if fact % COLUMNS < RELATIONS_PER_TYPE:
                reached.add(GRAPH.value(fact))


@pytest.mark.parametrize(
    "pattern",
    ["lookup", "chain", "chain3", "chain4", "intersection", "mask", "ring", "diamond", "clique"],
)
def test_there_is_one_answer(pattern):
    for question in asked(pattern):
        assert {way[0] for way in solutions(question)} == set(question.answers)
        assert len(question.answers) == 1
        assert len(set(question.nodes)) == len(question.nodes)


@pytest.mark.parametrize("pattern", ["intersection", "mask"])
def test_no_constraint_alone_tells_the_answer(pattern):
    for question in asked(pattern):
        for edge in question.edges:
            alone = question._replace(edges=(edge,))
            assert len(solutions(alone)) > 1


def everybody(question):
    """The subjects of the first edge's relation to what the question names."""
    edge, tail = question.edges[0], question.nodes[question.known[0]]
    type_ = int(GRAPH.types[question.nodes[edge.head]])
    rows = np.array(GRAPH.of_type(type_))
    return rows[GRAPH.tails[rows, edge.column] == tail].tolist()


def test_sets_are_whole():
    for question in asked("list"):
        assert sorted(question.answers) == everybody(question)
        assert question.kind == "set"
    for question in asked("count"):
        assert question.answers == (len(everybody(question)),)
    for question in asked("aggregate"):
        column = question.edges[-1].column - RELATIONS_PER_TYPE
        values = GRAPH.values[everybody(question), column].tolist()
        name = question.words.split()[3]
        assert question.answers == (AGGREGATES[name](values),)


def test_comparisons():
    for question in asked("comparison"):
        best, _, _, other = question.nodes
        column = question.edges[-1].column - RELATIONS_PER_TYPE
        ours, theirs = GRAPH.values[[best, other], column]
        more = question.words.split()[2].rstrip(":") in (
            "younger", "taller", "larger", "richer", "newer", "longer"
        )  # fmt: skip
        assert (ours > theirs) == more
        assert ours != theirs


def test_reports_are_of_all_facts():
    for question in asked("report"):
        assert question.answers == question.facts()
        assert len(question.answers) == COLUMNS


def test_figures_are_closed():
    sizes = {"ring": 3, "diamond": 4, "clique": 6}
    for pattern, size in sizes.items():
        for question in asked(pattern):
            edges = {frozenset(edge[::2]) for edge in question.edges}
            assert len(edges) == len(question.edges) == size
            assert len(question.nodes) == (3 if pattern == "ring" else 4)
    assert {*TREEWIDTH} == {*sizes}


def test_the_least_cover():
    rng = np.random.default_rng(0)
    for _ in range(50):
        facts = [frozenset(rng.integers(6, size=rng.integers(1, 4)).tolist()) for _ in range(4)]
        pages = {page for fact in facts for page in fact}
        least = next(
            size
            for size in range(1, 5)
            for chosen in itertools.combinations(pages, size)
            if all(fact & set(chosen) for fact in facts)
        )
        assert cover(facts) == least
    assert cover([frozenset({1}), frozenset()]) == 0
