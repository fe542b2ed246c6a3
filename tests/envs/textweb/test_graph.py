import numpy as np
import pytest

from spelunk.envs.textweb.graph import Graph
from spelunk.envs.textweb.schema import (
    ATTRIBUTES,
    ATTRIBUTES_PER_TYPE,
    COLUMNS,
    RELATIONS,
    RELATIONS_PER_TYPE,
    TYPES,
)


@pytest.fixture(scope="module")
def graph():
    return Graph(3000, 5)


def test_the_schema_is_in_order():
    assert [r.head for r in RELATIONS] == np.repeat(range(len(TYPES)), RELATIONS_PER_TYPE).tolist()
    types = np.repeat(range(len(TYPES)), ATTRIBUTES_PER_TYPE).tolist()
    assert [a.head for a in ATTRIBUTES] == types
    words = [r.word for r in RELATIONS] + [a.word for a in ATTRIBUTES]
    assert len(set(words)) == len(words)


@pytest.mark.parametrize("index", range(len(RELATIONS)), ids=[r.word for r in RELATIONS])
def test_relations_have_their_types_and_cardinalities(graph, index):
    relation = RELATIONS[index]
    heads = np.array(graph.of_type(relation.head))
    tails = graph.tails[heads, index % RELATIONS_PER_TYPE]
    assert (graph.types[tails] == relation.tail).all()
    assert (tails != heads).all()
    counts = np.bincount(tails, minlength=graph.n)
    if relation.cardinality == "1-1":
        assert counts.max() == 1
    else:
        assert counts.max() > 5  # Some are far more popular than others.
    for tail in (tails[0], tails[-1], graph.of_type(relation.tail)[0]):
        assert graph.subjects(index, int(tail)).tolist() == heads[tails == tail].tolist()


def test_attributes_are_in_their_ranges(graph):
    for i, attribute in enumerate(ATTRIBUTES):
        heads = graph.of_type(attribute.head)
        values = graph.values[heads.start : heads.stop, i % ATTRIBUTES_PER_TYPE]
        assert attribute.low <= values.min() <= values.max() < attribute.high


def test_one_seed_one_world(graph):
    again, other = Graph(3000, 5), Graph(3000, 6)
    assert (again.tails == graph.tails).all()
    assert (again.values == graph.values).all()
    assert (other.tails != graph.tails).mean() > 0.9
    assert other.name(0) != graph.name(0)


def test_facts_and_names(graph):
    fact = 17 * COLUMNS
    assert graph.value(fact) == graph.tails[17, 0]
    assert graph.value(fact + RELATIONS_PER_TYPE) == graph.values[17, 0]
    assert graph.read_name(graph.name(17).upper()) == 17
    assert graph.read_name(graph.name(graph.n + 17)) == 17
    assert graph.read_name(graph.name(2 * graph.n)) == -1
    assert graph.read_name("nobody") == -1
