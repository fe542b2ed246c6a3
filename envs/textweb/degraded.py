"""Retrieval that is worse than it could be: wrong pages, noisy queries, a noisy second source."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..kernel import InvalidArgumentError
from .bm25 import BM25, Vocabulary
from .fusion import reciprocal_rank
from .retrievers import Found, Retriever, cut_query

Array = np.ndarray[Any, np.dtype[Any]]


def query_rng(seed: int, query: str) -> np.random.Generator:
    """A generator that depends on a seed and the text of a query only."""
    text = cut_query(query).encode("utf-8", "surrogatepass")
    return np.random.default_rng([seed, zlib.crc32(text), len(text)])


def probability(name: str, value: float) -> float:
    """A number from 0 to 1.

    Raises:
        InvalidArgumentError: it is none.
    """
    if not 0 <= value <= 1:
        raise InvalidArgumentError(f"{name} must be from 0 to 1; got {value!r}")
    return float(value)


class Degraded:
    """A retriever some of whose pages are replaced by random others (RE-Searcher, ZeroSearch).

    A replaced page keeps its place and score, so that nothing tells it from the rest. The same
    query always gets the same pages, and as p grows more and more of its pages are replaced: what
    was wrong at a small p is wrong in the same way at a larger one.

    Args:
        retriever: finds the pages.
        pages: how many pages there are.
        p: the probability that a page is replaced; may be set at any time, as curricula do.
        seed: of the replacements.
    """

    def __init__(self, retriever: Retriever, pages: int, p: float, seed: int = 0):
        self.retriever = retriever
        self.pages = pages
        self.p = p
        self.seed = seed

    @property
    def p(self) -> float:
        """The probability that a page is replaced."""
        return self._p

    @p.setter
    def p(self, value: float) -> None:
        self._p = probability("p", value)

    def search(self, queries: Sequence[str], k: int) -> Found:
        best = self.retriever.search(queries, k)
        for query, row in zip(queries, best.pages, strict=True):
            true = row[row >= 0]
            others = min(len(true), self.pages - len(true))
            if others <= 0:
                continue
            rng = query_rng(self.seed, query)
            wrong = _others(np.sort(true), rng.choice(self.pages - len(true), others, False))
            row[:others] = np.where(rng.random(others) < self.p, wrong, row[:others])
        return best


def _others(held: Array, drawn: Array) -> Array:
    """The pages with numbers `drawn` among those that are not in `held`, which rise."""
    for page in held:
        drawn = drawn + (drawn >= page)
    return drawn


class NoisyQueries:
    """A retriever that is asked something slightly different, to measure how fragile an agent is.

    Each word of a query is first replaced by a synonym, then dropped, each with a probability of
    its own; one word is kept at least. Then a word that was not asked for may be put somewhere. The
    same query is always changed in the same way.

    Args:
        retriever: finds the pages.
        swap: the probability that a word which has synonyms is replaced by one of them.
        drop: the probability that a word is dropped.
        extra: the probability that a word is added.
        synonyms: those of a word in lower case.
        extras: the words that may be added; needed if `extra` > 0.
        seed: of the changes.
    """

    def __init__(
        self,
        retriever: Retriever,
        swap: float = 0.0,
        drop: float = 0.0,
        extra: float = 0.0,
        synonyms: Mapping[str, Sequence[str]] | None = None,
        extras: Sequence[str] = (),
        seed: int = 0,
    ):
        self.retriever = retriever
        self.swap = probability("swap", swap)
        self.drop = probability("drop", drop)
        self.extra = probability("extra", extra)
        if extra > 0 and not extras:
            raise InvalidArgumentError("extra > 0 needs extras, the words that may be added")
        self.synonyms = dict(synonyms or {})
        self.extras = tuple(extras)
        self.seed = seed

    def search(self, queries: Sequence[str], k: int) -> Found:
        return self.retriever.search([self.perturb(query) for query in queries], k)

    def perturb(self, query: str) -> str:
        """What is asked instead of a query."""
        words = cut_query(query).split()
        if not words:
            return query
        rng = query_rng(self.seed, query)
        for i, word in enumerate(words):
            same = self.synonyms.get(word.lower(), ())
            if rng.random() < self.swap and same:
                words[i] = same[int(rng.integers(len(same)))]
        stay = rng.random(len(words)) >= self.drop
        if not stay.any():
            stay[rng.integers(len(words))] = True
        words = [word for word, kept in zip(words, stay, strict=True) if kept]
        if rng.random() < self.extra:
            word = self.extras[int(rng.integers(len(self.extras)))]
            words.insert(int(rng.integers(len(words) + 1)), word)
        return " ".join(words)


class Part:
    """A retriever over some of the pages, under the numbers that they have among all.

    Args:
        retriever: over the chosen pages only, numbered from 0.
        pages: (n,) the numbers of these pages, rising.
    """

    def __init__(self, retriever: Retriever, pages: Array):
        self.retriever = retriever
        # The last entry stands for −1.
        self.pages = np.append(pages, -1).astype(np.int32)

    def search(self, queries: Sequence[str], k: int) -> Found:
        best = self.retriever.search(queries, k)
        return Found(self.pages[best.pages], best.scores)


def chosen_pages(ids: Array, offsets: Array, mask: Array) -> tuple[Array, Array]:
    """The words of some pages as `ids, offsets`.

    Args:
        ids, offsets: those of all pages; see `BM25`.
        mask: (pages,) `bool`, which pages.
    """
    if mask.shape != (len(offsets) - 1,) or mask.dtype != np.bool_ or not mask.any():
        raise InvalidArgumentError(
            f"a mask must be {len(offsets) - 1} bool, one true at least; "
            f"got {mask.dtype} {mask.shape}"
        )
    lengths = np.diff(offsets)
    some = np.zeros(int(mask.sum()) + 1, np.int64)
    np.cumsum(lengths[mask], out=some[1:])
    return ids[np.repeat(mask, lengths)], some


class DualSources:
    """A small index of trusted pages beside a large one of the noisy web (HierSearch 2025).

    Each is a tool of its own; `search` asks both and fuses what they find by reciprocal rank, since
    the scores of two indices do not compare.

    Args:
        ids, offsets, vocabulary: of all pages; see `BM25`.
        trusted: (pages,) `bool`, the pages that are in `local`; the rest is in `web`.

    Attributes:
        local: finds trusted pages.
        web: finds the others.
    """

    def __init__(self, ids: Array, offsets: Array, vocabulary: Vocabulary, trusted: Array):
        self.local, self.web = (
            Part(BM25(*chosen_pages(ids, offsets, mask), vocabulary), np.flatnonzero(mask))
            for mask in (trusted, ~trusted)
        )

    def search(self, queries: Sequence[str], k: int) -> Found:
        return reciprocal_rank([one.search(queries, k) for one in (self.local, self.web)], k)
