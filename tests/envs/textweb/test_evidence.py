import numpy as np
import pytest

from spelunk.envs.textweb.corpus import Corpus
from spelunk.envs.textweb.evidence import read_facts, solutions
from spelunk.envs.textweb.graph import Graph
from spelunk.envs.textweb.patterns import PATTERNS

MIX = {"gossip": 0.3, "rumour": 0.3, "outdated": 0.2, "copy": 0.2}


@pytest.fixture(scope="module")
def corpus():
    return Corpus(Graph(1500, 4), 2000, 4, MIX, alias_rate=0.3)


def test_the_pages_that_can_be_trusted_tell_all_facts(corpus):
    graph = corpus.graph
    facts = np.concatenate([graph.tails, graph.values], axis=1)
    np.testing.assert_array_equal(read_facts(corpus), facts)


def test_contradictions_are_seen():
    corpus = Corpus(Graph(300, 1), 400, 1, {"copy": 1.0})
    facts = read_facts(corpus)
    page = int(np.flatnonzero(corpus.kinds != 0)[0])
    row = corpus.starts[page]
    fact = int(corpus.fact[row])
    corpus.second[row] = (corpus.second[row] + 1) % 60 + 60
    changed = read_facts(corpus)
    assert changed.ravel()[fact] == -2
    assert (changed != facts).sum() == 1


@pytest.mark.parametrize("pattern", ["chain3", "intersection", "ring", "diamond", "clique", "mask"])
def test_one_answer_is_left(corpus, pattern):
    facts = read_facts(corpus)
    for question in PATTERNS[pattern](corpus.graph, 30, np.random.default_rng(0)):
        assert solutions(question, facts, corpus.graph) == set(question.answers)
