"""Degraded retrieval: rates, repeatability, the dial, query noise, two sources."""

import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.textweb.bm25 import BM25, WordNumbers
from spelunk.envs.textweb.degraded import (
    Degraded,
    DualSources,
    NoisyQueries,
    Part,
    chosen_pages,
)
from spelunk.envs.textweb.retrievers import Found

QUERIES = [f"query {i}" for i in range(2000)]


class Counting:
    """Finds the pages 10, 11, … for every query, and notes the queries."""

    def __init__(self, most=5):
        self.most, self.queries = most, []

    def search(self, queries, k):
        self.queries = list(queries)
        pages = np.full((len(queries), k), -1, np.int32)
        pages[:, : self.most] = np.arange(10, 10 + self.most)[:k]
        return Found(pages, np.ones((len(queries), k), np.float32))


def test_pages_are_replaced_at_the_rate_given():
    clean = np.arange(10, 15)
    for p in (0.0, 0.3, 1.0):
        pages = Degraded(Counting(), 1000, p).search(QUERIES, 5).pages
        assert (pages != clean).mean() == pytest.approx(p, abs=0.02)
        assert all(len(set(row)) == 5 for row in pages.tolist()), "no page twice"
        wrong = pages[pages != clean]
        assert not np.isin(wrong, clean).any(), "replaced by others"
    assert wrong.min() >= 0
    assert wrong.max() < 1000
    share = np.bincount(wrong, minlength=1000) / len(wrong)
    assert share.max() < 0.004, "and evenly"


def test_a_query_is_always_degraded_in_the_same_way():
    one, two = Degraded(Counting(), 99, 0.5, seed=3), Degraded(Counting(), 99, 0.5, seed=3)
    first = one.search(QUERIES[:50], 5).pages
    np.testing.assert_array_equal(first, one.search(QUERIES[:50], 5).pages)
    np.testing.assert_array_equal(first[7], two.search([QUERIES[7]], 5).pages[0])
    assert (first != Degraded(Counting(), 99, 0.5, seed=4).search(QUERIES[:50], 5).pages).any()


def test_more_is_replaced_as_the_dial_is_turned():
    degraded = Degraded(Counting(), 500, 0.2)
    small = degraded.search(QUERIES[:200], 5).pages
    degraded.p = 0.6
    large = degraded.search(QUERIES[:200], 5).pages
    changed = small != np.arange(10, 15)
    np.testing.assert_array_equal(small[changed], large[changed])
    assert (large != small).any()
    with pytest.raises(InvalidArgumentError, match="p must be"):
        degraded.p = 1.5
    with pytest.raises(InvalidArgumentError, match="p must be"):
        Degraded(Counting(), 500, float("nan"))


def test_empty_places_stay_and_few_pages_do():
    pages = Degraded(Counting(2), 500, 1.0).search(["x"], 4).pages
    assert (pages[0, :2] >= 0).all()
    assert pages[0, 2:].tolist() == [-1, -1]
    index = BM25.of_texts(["red", "red", "fox"])
    assert Degraded(index, 3, 1.0).search(["red"], 2).pages.tolist() == [[2, 1]]
    assert Degraded(index, 3, 1.0).search(["red fox"], 3).pages[0].tolist() == [2, 0, 1]


def test_queries_are_swapped_dropped_and_added_to():
    inner = Counting()
    same = {"boss": ("chief",)}

    def noisy(**kwargs):
        return NoisyQueries(inner, synonyms=same, extras=("fog",), **kwargs)

    assert noisy().perturb("the Boss of x") == "the Boss of x"
    assert noisy(swap=1).perturb("the Boss of x") == "the chief of x"
    for query in QUERIES[:50]:
        assert noisy(drop=1).perturb(query) in query.split(), "one word stays"
        assert sorted([*query.split(), "fog"]) == sorted(noisy(extra=1).perturb(query).split())
    long = " ".join(f"w{i}" for i in range(60))
    kept = np.mean([len(noisy(drop=0.25, seed=s).perturb(long).split()) for s in range(100)])
    assert kept == pytest.approx(45, abs=1.5)
    noisy(swap=1).search(["boss", "", "boss x"], 2)
    assert inner.queries == ["chief", "", "chief x"]
    one = noisy(drop=0.5, extra=0.5)
    assert [one.perturb(q) for q in QUERIES] == [one.perturb(q) for q in QUERIES]
    assert one.perturb("\ud800 \x00")
    with pytest.raises(InvalidArgumentError, match="extras"):
        NoisyQueries(inner, extra=0.1)
    with pytest.raises(InvalidArgumentError, match="drop"):
        NoisyQueries(inner, drop=-0.1)


def test_two_sources_share_the_numbers_of_pages():
    vocabulary = WordNumbers()
    ids, offsets = vocabulary.number(["red fox", "red", "", "blue fox", "red red dog"])
    trusted = np.array([False, True, False, True, False])
    sources = DualSources(ids, offsets, vocabulary, trusted)
    assert sources.local.search(["red", "fox"], 2).pages.tolist() == [[1, -1], [3, -1]]
    assert set(sources.web.search(["red"], 3).pages[0].tolist()) == {0, 4, -1}
    assert set(sources.search(["red"], 3).pages[0].tolist()) == {0, 1, 4}
    alone = BM25.of_texts(["red", "blue fox"]).search(["red fox"], 2)
    np.testing.assert_array_equal(sources.local.search(["red fox"], 2).scores, alone.scores)


def test_parts_of_a_corpus():
    vocabulary = WordNumbers()
    ids, offsets = vocabulary.number(["a b", "", "c", "a c"])
    some, starts = chosen_pages(ids, offsets, np.array([False, True, False, True]))
    assert some.tolist() == [0, 2]
    assert starts.tolist() == [0, 0, 2]
    part = Part(BM25(some, starts, vocabulary), np.array([1, 3]))
    assert part.search(["a", "b"], 2).pages.tolist() == [[3, -1], [-1, -1]]
    for bad in (np.zeros(4, bool), np.ones(3, bool), np.ones(4)):
        with pytest.raises(InvalidArgumentError, match="a mask must be 4 bool"):
            chosen_pages(ids, offsets, bad)
