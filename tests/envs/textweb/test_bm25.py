"""BM25: the formula, the library's own numbers, ties, and full rankings against the pruned ones."""

import itertools
import math
import re
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.textweb.bm25 import BM25, WordNumbers
from spelunk.envs.textweb.retrievers import (
    MAX_CHARACTERS,
    MAX_WORDS,
    query_words,
)


class Numbers:
    """A vocabulary of the words w0, w1, …"""

    def __init__(self, n):
        self.n = n

    def word_id(self, word):
        number = int(word[1:]) if re.fullmatch(r"w\d{1,9}", word) else -1
        return number if number < self.n else -1

    def __len__(self):
        return self.n


def random_corpus(pages, words, seed, lengths=(1, 30)):
    """Words with Zipf's law; some words are on no page, and some pages are empty."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(lengths[0], lengths[1], pages)
    counts[rng.random(pages) < 0.02] = 0
    offsets = np.zeros(pages + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    share = 1 / np.arange(1, words + 1)
    ids = rng.choice(words, offsets[-1], p=share / share.sum()).astype(np.int32)
    return ids, offsets


def full_ranking(index, words, k):
    """All pages scored, rare words first, then sorted."""
    scores = index.index.scores
    held = np.diff(scores["indptr"])
    total = np.zeros(index.pages, np.float32)
    for word in sorted(words, key=lambda w: (held[w], w)):
        where = slice(scores["indptr"][word], scores["indptr"][word + 1])
        total[scores["indices"][where]] += scores["data"][where]
    best = np.lexsort((np.arange(index.pages), -total))[:k]
    return [(int(page), total[page]) for page in best if total[page] > 0]


def as_pairs(found, row=0):
    pairs = zip(found.pages[row], found.scores[row], strict=True)
    return [(int(page), score) for page, score in pairs if page >= 0]


def test_scores_are_those_of_the_formula():
    texts = ["red fox", "red red dog house", "blue fox", "the end of it all, at last", "RED fox!"]
    index = BM25.of_texts(texts)
    documents = [re.findall(r"\w+", text.lower()) for text in texts]
    mean = sum(map(len, documents)) / len(documents)

    def score(words, query):
        total = 0.0
        for term in query:
            holding = sum(term in document for document in documents)
            idf = math.log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
            count = words.count(term)
            total += idf * count / (count + 1.2 * (0.25 + 0.75 * len(words) / mean))
        return total

    for query in (["red"], ["fox", "red"], ["blue", "house"], ["fox"], ["red", "red", "fox"]):
        wanted = [score(document, query) for document in documents]
        order = sorted((i for i, s in enumerate(wanted) if s > 0), key=lambda i: -wanted[i])
        found = index.search([" ".join(query)], 10)
        assert found.pages.dtype == np.int32
        assert found.scores.dtype == np.float32
        assert found.pages[0].tolist() == order + [-1] * (10 - len(order))
        np.testing.assert_allclose(found.scores[0, : len(order)], [wanted[i] for i in order], 1e-6)
        assert not found.scores[0, len(order) :].any()


@pytest.mark.parametrize(("seed", "k1", "b"), [(0, 1.2, 0.75), (1, 0.5, 0.0), (2, 2.0, 1.0)])
def test_the_index_is_the_one_the_library_builds(seed, k1, b):
    import bm25s

    ids, offsets = random_corpus(300, 200, seed)
    mine = BM25(ids, offsets, Numbers(200), k1=k1, b=b).index.scores
    theirs = bm25s.BM25(k1=k1, b=b)
    pages = [ids[i:j].tolist() for i, j in itertools.pairwise(offsets)]
    theirs.index((pages, {f"w{i}": i for i in range(200)}), show_progress=False)
    assert mine["num_docs"] == theirs.scores["num_docs"]
    for name in ("indptr", "indices"):
        np.testing.assert_array_equal(mine[name], theirs.scores[name])
        assert mine[name].dtype == theirs.scores[name].dtype
    np.testing.assert_allclose(mine["data"], theirs.scores["data"], rtol=1e-6)


def test_the_library_can_use_the_index():
    ids, offsets = random_corpus(300, 200, 3)
    index = BM25(ids, offsets, Numbers(200))
    scores = index.index.get_scores_from_ids([7, 3])
    assert index.search(["w7 w3"], 1).scores[0, 0] == pytest.approx(scores.max(), rel=1e-6)


@pytest.mark.parametrize("lengths", [(1, 30), (10, 11)])
@pytest.mark.parametrize(("pages", "words"), [(40, 30), (3000, 500)])
def test_queries_find_what_a_full_ranking_finds(pages, words, lengths):
    ids, offsets = random_corpus(pages, words, pages, lengths)  # equal lengths: ties everywhere
    index = BM25(ids, offsets, Numbers(words))
    rng = np.random.default_rng(0)
    for _ in range(150):
        frequent = rng.random() < 0.5
        query = rng.integers(10 if frequent else words, size=rng.integers(1, 6))
        query[0] = rng.integers(words)
        k = int(rng.choice([1, 3, 10, 50]))
        found = index.search([" ".join(f"w{word}" for word in query)], k)
        assert as_pairs(found) == full_ranking(index, query, k)


def test_frequent_words_are_looked_up_for_few_pages_only():
    # A rare word on pages 700 and 200, a frequent one on all but page 700.
    texts = ["common filler words"] * 1000
    texts[200], texts[700] = "common rare filler", "rare odd filler"
    index = BM25.of_texts(texts)
    assert index.search(["common rare"], 2).pages.tolist() == [[200, 700]]
    assert index.search(["common rare"], 4).pages.tolist() == [[200, 700, 0, 1]]


def test_ties_go_to_the_lower_page():
    index = BM25.of_texts(["x y"] * 50)
    assert index.search(["y", "x y"], 4).pages.tolist() == [[0, 1, 2, 3]] * 2


def test_a_query_finds_the_same_in_any_company_and_thread():
    ids, offsets = random_corpus(2000, 300, 5)
    index = BM25(ids, offsets, Numbers(300))
    rng = np.random.default_rng(0)
    queries = [" ".join(f"w{w}" for w in rng.integers(300, size=3)) for _ in range(64)]
    together = index.search(queries, 7)
    alone = [index.search([query], 7) for query in queries]
    for i, one in enumerate(alone):
        np.testing.assert_array_equal(together.pages[i], one.pages[0])
        np.testing.assert_array_equal(together.scores[i], one.scores[0])
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: index.search(queries, 7), range(12)):
            np.testing.assert_array_equal(found.pages, together.pages)


def test_untrusted_queries_are_contained():
    index = BM25.of_texts(["red fox", "naïve café", "a_b"])
    odd = ["", "   ", "\x00\x1b[31m", "?!", "\ud800 lone", "un_heard", "\u202ered\u202c", "<i>FOX"]
    found = index.search(odd, 2)
    assert found.pages[:, 0].tolist() == [-1, -1, -1, -1, -1, -1, 0, 0]
    assert index.search(["CAFÉ"], 1).pages[0, 0] == 1
    assert index.search(["b"], 1).pages[0, 0] == 2, "an underscore is no part of a word"
    assert index.search([], 3).pages.shape == (0, 3)
    started = time.process_time()
    huge = ["red " * 500_000, "x" * 2_000_000, "<" * 2_000_000]
    assert index.search(huge, 1).pages.tolist() == [[0], [-1], [-1]]
    assert time.process_time() - started < 1


def test_the_first_words_of_a_query_count():
    index = BM25.of_texts(["red", "fox"])
    assert index.search([" " * MAX_CHARACTERS + "red"], 1).pages.tolist() == [[-1]]
    filler = "red " * (MAX_WORDS - 1)
    assert index.search([filler + "fox"], 2).pages.tolist() == [[0, 1]]
    assert index.search([filler + "red fox"], 2).pages.tolist() == [[0, -1]]
    assert len(query_words("a " * 100)) == MAX_WORDS
    many = np.zeros(200, np.int32)
    many[-1] = 1
    found = index.search_ids(many, np.array([0, 200]), 2)
    assert found.pages.tolist() == [[0, -1]], "numbers are cut like words"
    stray = np.array([-1, 99, 1, 2**31 - 1, -(2**31)], np.int32)
    assert index.search_ids(stray, np.array([0, 5]), 1).pages.tolist() == [[1]]


def test_a_saved_index_is_mapped_and_finds_the_same(tmp_path):
    ids, offsets = random_corpus(500, 100, 8)
    index = BM25(ids, offsets, Numbers(100))
    index.save(tmp_path)
    assert not list(tmp_path.rglob("*.pkl"))
    again = BM25.load(tmp_path, Numbers(100))
    assert isinstance(again.index.scores["data"].base, np.memmap)
    assert again.pages == 500
    assert again.nbytes == index.nbytes
    queries = ["w0 w5", "w50", "w1 w2 w3 w4"]
    for mine, theirs in zip(index.search(queries, 9), again.search(queries, 9), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(InvalidArgumentError, match="100 words"):
        BM25.load(tmp_path, Numbers(101))


def test_arrays_that_do_not_fit_are_refused():
    ids, offsets = np.array([0, 1, 2], np.int32), np.array([0, 2, 3])
    assert BM25(ids, offsets, Numbers(3)).pages == 2
    with pytest.raises(InvalidArgumentError, match="from 0 to 1"):
        BM25(ids, offsets, Numbers(2))
    with pytest.raises(InvalidArgumentError, match="from 0 to 2"):
        BM25(np.array([0, -1, 2], np.int32), offsets, Numbers(3))
    for bad in ([0, 2], [0, 3, 2, 3], [1, 3], [0]):
        with pytest.raises(InvalidArgumentError, match="offsets must rise"):
            BM25(ids, np.array(bad), Numbers(3))
    with pytest.raises(InvalidArgumentError, match="int32"):
        BM25(ids.astype(np.int64), offsets, Numbers(3))
    with pytest.raises(InvalidArgumentError, match="k1"):
        BM25(ids, offsets, Numbers(3), k1=0)
    for k in (0, -1, 1.5, True):
        with pytest.raises(InvalidArgumentError, match="k must be"):
            BM25(ids, offsets, Numbers(3)).search(["w0"], k)


def test_pages_may_be_empty():
    index = BM25(np.zeros(0, np.int32), np.zeros(4, np.int64), Numbers(3))
    assert index.search(["w0"], 2).pages.tolist() == [[-1, -1]]


def test_numbers_of_words_go_on_growing():
    vocabulary = WordNumbers()
    ids, offsets = vocabulary.number(["a b", "", "B c"])
    assert ids.tolist() == [0, 1, 1, 2]
    assert offsets.tolist() == [0, 2, 2, 4]
    assert [vocabulary.word_id(word) for word in "abcd"] == [0, 1, 2, -1]
