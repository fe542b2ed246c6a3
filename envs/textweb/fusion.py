"""Retrievers made of others: lists of pages fused into one, and lists ranked once more."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..kernel import InvalidArgumentError
from .retrievers import Found, Retriever, listed, ranked

#: Fuses what several retrievers have found for the same n queries, and keeps k pages of each.
Fusion = Callable[[Sequence[Found], int], Found]
#: Scores the pages found for a query, (m,) `int32` to (m,), higher is better.
Reranker = Callable[[str, np.ndarray[Any, np.dtype[np.int32]]], Any]

# The constant of reciprocal rank fusion that its authors settled on.
_RRF = 60


def reciprocal_rank(lists: Sequence[Found], k: int) -> Found:
    """Reciprocal rank fusion (Cormack et al. 2009): scores are Σ 1 / (60 + rank).

    Args:
        lists: one or more, each of the same n queries; fused query by query.
        k: how many pages to keep.
    """
    return ranked(
        [
            [(page, sum(1 / (_RRF + rank) for rank, _ in places)) for page, places in row.items()]
            for row in _places(lists)
        ],
        k,
    )


def rank_score(lists: Sequence[Found], k: int) -> Found:
    """Rank-score fusion (ACQO 2026): by 1 / Σ 1 / rank ascending, then by the best score.

    The scores are Σ 1 / rank, so that higher is better.

    Args:
        lists: one or more, each of the same n queries; fused query by query.
        k: how many pages to keep.
    """
    rows = []
    for row in _places(lists):
        keys = {
            page: (sum(1 / rank for rank, _ in places), max(score for _, score in places))
            for page, places in row.items()
        }
        best = sorted(keys, key=lambda page: (-keys[page][0], -keys[page][1], page))
        rows.append([(page, keys[page][0]) for page in best])
    return listed(rows, k)


def _places(lists: Sequence[Found]) -> list[dict[int, list[tuple[int, float]]]]:
    """For each query the rank and score that each page has in the lists which have it."""
    if not lists or len({len(one.pages) for one in lists}) > 1:
        raise InvalidArgumentError("fusion takes one or more lists of the same number of queries")
    rows: list[dict[int, list[tuple[int, float]]]] = [{} for _ in range(len(lists[0].pages))]
    for one in lists:
        for row, pages, scores in zip(rows, one.pages.tolist(), one.scores.tolist(), strict=True):
            for rank, (page, score) in enumerate(zip(pages, scores, strict=True), 1):
                if page >= 0:
                    row.setdefault(page, []).append((rank, score))
    return rows


class Hybrid:
    """Several retrievers asked the same, and their lists fused.

    Args:
        retrievers: at least one, over the same pages.
        fusion: `reciprocal_rank` or `rank_score`.
        depth: how many pages each of them finds; at least as many as are asked for.
    """

    def __init__(
        self,
        retrievers: Sequence[Retriever],
        fusion: Fusion = reciprocal_rank,
        depth: int = 50,
    ):
        if not retrievers:
            raise InvalidArgumentError("a hybrid takes at least one retriever")
        self.retrievers = tuple(retrievers)
        self.fusion = fusion
        self.depth = depth

    def search(self, queries: Sequence[str], k: int) -> Found:
        depth = max(k, self.depth)
        return self.fusion([one.search(queries, depth) for one in self.retrievers], k)


class Reranked:
    """The best pages of a retriever, ranked once more by something slower.

    Args:
        retriever: finds the pages.
        rerank: scores them.
        depth: how many pages are scored; at least as many as are asked for.
    """

    def __init__(self, retriever: Retriever, rerank: Reranker, depth: int = 50):
        self.retriever = retriever
        self.rerank = rerank
        self.depth = depth

    def search(self, queries: Sequence[str], k: int) -> Found:
        first = self.retriever.search(queries, max(k, self.depth))
        rows = []
        for query, row in zip(queries, first.pages, strict=True):
            pages = row[row >= 0]
            scores = self.rerank(query, pages) if len(pages) else ()
            rows.append([(int(p), float(s)) for p, s in zip(pages, scores, strict=True)])
        return ranked(rows, k)
