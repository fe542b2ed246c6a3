"""Fusion and re-ranking, with values computed by hand."""

import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.textweb.bm25 import BM25
from spelunk.envs.textweb.fusion import Hybrid, Reranked, rank_score, reciprocal_rank
from spelunk.envs.textweb.retrievers import Found


def found(*rows):
    k = max(len(row) for row in rows)
    pages, scores = np.full((len(rows), k), -1, np.int32), np.zeros((len(rows), k), np.float32)
    for i, row in enumerate(rows):
        for j, (page, score) in enumerate(row):
            pages[i, j], scores[i, j] = page, score
    return Found(pages, scores)


class Fixed:
    """Finds the same for every query, and notes how much was asked for."""

    def __init__(self, *pairs):
        self.pairs, self.depths = pairs, []

    def search(self, queries, k):
        self.depths.append(k)
        return found(*[self.pairs[:k]] * len(queries))


A = found([(7, 3.0), (2, 2.0), (5, 1.0)], [(1, 1.0)])
B = found([(2, 9.0), (9, 8.0)], [])


def test_reciprocal_rank():
    fused = reciprocal_rank([A, B], 4)
    assert fused.pages.tolist() == [[2, 7, 9, 5], [1, -1, -1, -1]]
    wanted = [1 / 62 + 1 / 61, 1 / 61, 1 / 62, 1 / 63]
    np.testing.assert_allclose(fused.scores[0], wanted, rtol=1e-6)
    assert fused.scores[1].tolist() == [np.float32(1 / 61), 0, 0, 0]
    assert reciprocal_rank([A, B], 2).pages.tolist() == [[2, 7], [1, -1]]
    tied = reciprocal_rank([found([(8, 1.0)]), found([(3, 5.0)])], 2)
    assert tied.pages.tolist() == [[3, 8]]


def test_rank_score():
    # Page 2: ranks 2 and 1, Σ 1/rank = 1.5. Page 7: rank 1. Page 9: rank 2, page 5: rank 3.
    fused = rank_score([A, B], 4)
    assert fused.pages.tolist() == [[2, 7, 9, 5], [1, -1, -1, -1]]
    np.testing.assert_allclose(fused.scores[0], [1.5, 1, 0.5, 1 / 3], rtol=1e-6)
    by_score = rank_score([found([(3, 1.0)]), found([(8, 5.0)])], 2)
    assert by_score.pages.tolist() == [[8, 3]], "equal ranks go by the best score"
    by_page = rank_score([found([(8, 5.0)]), found([(3, 5.0)])], 2)
    assert by_page.pages.tolist() == [[3, 8]]


def test_a_hybrid_asks_deeper_than_it_shows():
    first, second = Fixed((4, 2.0), (6, 1.0)), Fixed((6, 3.0), (4, 2.0), (1, 1.0))
    hybrid = Hybrid([first, second], depth=3)
    assert hybrid.search(["a", "b"], 1).pages.tolist() == [[4], [4]]
    assert hybrid.search(["a"], 5).pages.tolist() == [[4, 6, 1, -1, -1]]
    assert first.depths == second.depths == [3, 5]
    assert Hybrid([first, second], rank_score).search(["a"], 1).pages.tolist() == [[6]]


def test_reranking_sorts_the_best_once_more():
    asked = []

    def rerank(query, pages):
        asked.append((query, pages.tolist()))
        return [1.0 if page != 4 else 7.0 for page in pages]

    reranked = Reranked(Fixed((9, 3.0), (3, 2.0), (4, 1.0)), rerank, depth=3)
    best = reranked.search(["x"], 2)
    assert best.pages.tolist() == [[4, 3]]
    assert best.scores.tolist() == [[7.0, 1.0]]
    assert asked == [("x", [9, 3, 4])]
    assert Reranked(Fixed(), rerank).search(["x"], 1).pages.tolist() == [[-1]]


def test_fusion_of_what_does_not_fit_is_refused():
    with pytest.raises(InvalidArgumentError, match="same number"):
        reciprocal_rank([A, found([(1, 1.0)])], 1)
    with pytest.raises(InvalidArgumentError, match="one or more"):
        rank_score([], 1)
    with pytest.raises(InvalidArgumentError, match="at least one"):
        Hybrid([])


def test_hybrids_take_real_retrievers():
    index = BM25.of_texts(["red fox", "blue fox"])
    assert Hybrid([index, index]).search(["red", "?"], 2).pages.tolist() == [[0, -1], [-1, -1]]
