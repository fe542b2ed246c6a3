"""What all retrievers share: what is asked, and what is found."""

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..kernel import InvalidArgumentError

#: The words and characters of a query that count; what is longer is cut.
MAX_WORDS, MAX_CHARACTERS = 64, 4096

_WORD = re.compile(r"[^\W_]+")


class Found(NamedTuple):
    """What n queries have found, best first; ties go to the lower page number.

    Attributes:
        pages: (n, k) `int32`, page numbers, −1 where nothing more was found.
        scores: (n, k) `float32`, higher is better, 0 where nothing more was found.
    """

    pages: np.ndarray[Any, np.dtype[np.int32]]
    scores: np.ndarray[Any, np.dtype[np.float32]]


class Retriever(Protocol):
    """Whatever finds pages. The same query finds the same pages, whatever it is asked along with.

    Queries are untrusted text: what they say raises nothing, and only the first `MAX_CHARACTERS`
    characters and `MAX_WORDS` words of one count.
    """

    def search(self, queries: Sequence[str], k: int) -> Found:
        """The at most `k` best pages for each query."""
        ...


def words_of(text: str) -> list[str]:
    """The words of a text: runs of letters and digits, in lower case."""
    return _WORD.findall(text.lower())


def query_words(query: str) -> list[str]:
    """The words of a query that count."""
    return words_of(query[:MAX_CHARACTERS])[:MAX_WORDS]


def cut_query(query: str) -> str:
    """The part of a query that counts, for engines that have words of their own."""
    text = query[:MAX_CHARACTERS]
    ends = [word.end() for word in itertools.islice(_WORD.finditer(text), MAX_WORDS)]
    return text[: ends[-1]] if len(ends) == MAX_WORDS else text


def ranked(rows: Sequence[Iterable[tuple[int, float]]], k: int) -> Found:
    """What n queries have found, from pairs of page and score that stand in any order."""
    return listed([sorted(row, key=lambda pair: (-pair[1], pair[0])) for row in rows], k)


def listed(rows: Sequence[Sequence[tuple[int, float]]], k: int) -> Found:
    """What n queries have found, from pairs of page and score, best first."""
    best = nothing(len(rows), k)
    for i, row in enumerate(rows):
        if row:
            m = min(k, len(row))
            best.pages[i, :m], best.scores[i, :m] = zip(*row[:k], strict=True)
    return best


def nothing(n: int, k: int) -> Found:
    """What n queries have found that found nothing.

    Raises:
        InvalidArgumentError: k is not a positive integer.
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise InvalidArgumentError(f"k must be an integer ≥ 1; got {k!r}")
    return Found(np.full((n, k), -1, np.int32), np.zeros((n, k), np.float32))
