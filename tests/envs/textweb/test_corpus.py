import re

import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.textweb.corpus import ENTITY, KINDS, TRUSTED, Corpus
from spelunk.envs.textweb.graph import Graph
from spelunk.envs.textweb.retrievers import words_of
from spelunk.envs.textweb.schema import (
    ATTRIBUTES,
    ATTRIBUTES_PER_TYPE,
    COLUMNS,
    RELATIONS,
    RELATIONS_PER_TYPE,
)

ALL = {"gossip": 0.3, "outdated": 0.2, "rumour": 0.2, "copy": 0.2, "namesake": 0.1}


@pytest.fixture(scope="module")
def pages():
    return Corpus(Graph(600, 2), 1000, 2, ALL, alias_rate=0.3)


def readings():
    """Regular expressions of all sentences that tell a fact, with what they tell."""
    found = []
    for i, relation in enumerate(RELATIONS):
        for text in (*relation.forward, *relation.inverse):
            found.append((pattern(text), relation.head, i % RELATIONS_PER_TYPE))
    for i, attribute in enumerate(ATTRIBUTES):
        for text in attribute.sentences:
            column = RELATIONS_PER_TYPE + i % ATTRIBUTES_PER_TYPE
            found.append((pattern(text), attribute.head, column))
    return found


def pattern(text):
    words = re.escape(text).replace(r"\{h\}", "(?P<h>[A-Z][a-z]+)")
    words = words.replace(r"\{t\}", "(?P<t>[A-Z][a-z]+)").replace(r"\{v\}", r"(?P<v>\d+)")
    return re.compile(words)


def read(graph, sentence, table):
    """What a sentence says, as (head, column, value); None where it tells no fact."""
    for expression, type_, column in table:
        found = expression.fullmatch(sentence)
        if found is None:
            continue
        head = graph.read_name(found["h"])
        if head < 0 or graph.types[head] != type_:
            continue
        said = found.groupdict()
        value = int(said["v"]) if said.get("v") else graph.read_name(said["t"])
        return head, column, value
    return None


def test_a_reader_of_the_texts_alone_learns_all_facts_and_no_others(pages):
    graph, table, known = pages.graph, readings(), {}
    for page in range(len(pages)):
        if pages.kinds[page] not in TRUSTED:
            continue
        for sentence in re.split(r"(?<=\.) ", pages.text(page)):
            told = read(graph, sentence, table)
            if told is not None:
                known.setdefault(told[:2], set()).add(told[2])
    assert len(known) == graph.n * COLUMNS
    for (head, column), values in known.items():
        assert values == {graph.value(head * COLUMNS + column)}


def test_every_fact_stands_where_it_is_said_to_stand(pages):
    graph = pages.graph
    for fact in range(0, graph.n * COLUMNS, 7):
        stating = pages.pages_stating(fact)
        own = [page for page in stating if pages.kinds[page] == ENTITY]
        assert len(own) == 1
        head, column = divmod(fact, COLUMNS)
        ends = {head, graph.value(fact)} if column < RELATIONS_PER_TYPE else {head}
        assert int(pages.about[own[0]]) in ends
        for page in stating:
            assert fact in pages.facts(int(page))
            names = [head, graph.value(fact)] if column < RELATIONS_PER_TYPE else [head]
            for entity in names:
                called = {graph.name(entity), graph.name(graph.n + entity)}
                assert called & set(pages.text(int(page)).replace(".", "").replace(",", "").split())


def test_pages_that_mislead_do(pages):
    graph, table = pages.graph, readings()
    for kind in ("outdated", "rumour"):
        for page in np.flatnonzero(pages.kinds == KINDS.index(kind)):
            assert pages.facts(int(page)) == []
            for sentence in re.split(r"(?<=\.) ", pages.text(int(page))):
                told = read(graph, sentence, table)
                assert told is not None
                head, column, value = told
                assert graph.value(head * COLUMNS + column) != value
                assert graph.types[value] == graph.types[graph.value(head * COLUMNS + column)]
            assert graph.name(int(pages.about[page])) in pages.title(int(page))


def test_tokens_are_those_of_the_texts(pages):
    ids, offsets = pages.tokens()
    vocabulary = pages.vocabulary
    for page in range(len(pages)):
        words = words_of(f"{pages.title(page)} {pages.text(page)}")
        assert ids[offsets[page] : offsets[page + 1]].tolist() == list(
            map(vocabulary.word_id, words)
        )
    assert ids.max() < len(vocabulary)
    for word in ("", "zzz", "007", "123456", "٣", pages.graph.name(5 * pages.graph.n).lower()):
        assert vocabulary.word_id(word) == -1


def test_kinds_come_as_asked_for(pages):
    counts = np.bincount(pages.kinds, minlength=len(KINDS))
    assert counts.tolist() == [600, 120, 80, 80, 80, 40]
    plain = Corpus(Graph(30, 0), 40, 0)
    assert set(plain.kinds.tolist()) == {0, 1}
    assert not plain.aliased.any()


def test_one_seed_one_corpus(pages):
    again = Corpus(Graph(600, 2), 1000, 2, ALL, alias_rate=0.3)
    assert [again.text(i) for i in range(50)] == [pages.text(i) for i in range(50)]
    other = Corpus(Graph(600, 2), 1000, 3, ALL, alias_rate=0.3)
    assert [other.text(i) for i in range(50)] != [pages.text(i) for i in range(50)]


@pytest.mark.parametrize("mix", [{}, {"gossip": 0.0}, {"gossip": -1.0, "copy": 2.0}, {"spam": 1.0}])
def test_a_mix_that_is_none(mix):
    with pytest.raises(InvalidArgumentError, match="mix must give weights"):
        Corpus(Graph(30, 0), 40, 0, mix)


def test_too_few_pages():
    with pytest.raises(InvalidArgumentError, match="at least the 30 entities; got 29"):
        Corpus(Graph(30, 0), 29, 0)
