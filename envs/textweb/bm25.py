"""BM25 over token ids: an index of `bm25s` that is built and searched by compiled loops."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..kernel import InvalidArgumentError
from ..kernel.compile import compiled, compiled_with_arrays
from .retrievers import MAX_WORDS, Found, nothing, query_words, words_of

Array = np.ndarray[Any, np.dtype[Any]]

# More than float32 sums of MAX_WORDS scores can be off by, relative to the sum.
_SLACK = 1e-5
# A look-up in a list of pages costs about as much as adding the scores of so many of them.
_LOOK_UP = 32


class Vocabulary(Protocol):
    """Which number a word has."""

    def word_id(self, word: str) -> int:
        """The number of a word in lower case, −1 if it has none."""
        ...

    def __len__(self) -> int: ...


class WordNumbers(dict[str, int]):
    """The smallest vocabulary: words in the order in which they were first seen."""

    def word_id(self, word: str) -> int:
        """The number of a word in lower case, −1 if it has none."""
        return self.get(word, -1)

    def number(self, texts: Sequence[str]) -> tuple[Array, Array]:
        """The words of texts as `ids, offsets` (see `BM25`); new words get the next numbers."""
        rows = [[self.setdefault(w, len(self)) for w in words_of(text)] for text in texts]
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        return np.array([word for row in rows for word in row], np.int32), offsets


class BM25:
    """Okapi BM25 (Robertson & Zaragoza 2009) in the form of Lucene, as `bm25s` (Lù 2024) has it.

    The score of every word on every page is computed when the index is built, and `index` is a
    `bm25s.BM25` over them, whose own methods work too. Measured on 200,000 pages of 40 words, the
    library's Numba back end answers a few thousand queries of three words a second after six
    seconds of compiling in every process, and leaves open which of several equally good pages it
    returns. So the queries run here: rare words come first, and a page that has none of them is
    not looked at once the words left cannot lift it among the best k (MaxScore, Turtle & Flood
    1995). That leaves out only what does not count: pages and scores are those of a full ranking
    that adds up the words of a query from the rarest.

    Args:
        ids: (total,) `int32`, the words of all pages, one page after the other.
        offsets: (pages + 1,) `int64`, where each page starts in `ids`, and the end.
        vocabulary: the numbers of words.
        k1: how slowly a repeated word stops counting, > 0.
        b: how much long pages are held back, 0 to 1.

    Raises:
        InvalidArgumentError: the arrays do not fit together, or a number is out of range.
    """

    def __init__(
        self,
        ids: Array,
        offsets: Array,
        vocabulary: Vocabulary,
        k1: float = 1.2,
        b: float = 0.75,
    ):
        if not k1 > 0 or not 0 <= b <= 1:
            raise InvalidArgumentError(f"k1 must be > 0 and b from 0 to 1; got {k1!r} and {b!r}")
        _check(ids, offsets, len(vocabulary))
        n = len(vocabulary)
        counts, last = np.zeros(n, np.int64), np.full(n, -1, np.int32)
        _count(ids, offsets, last, counts)
        indptr = np.zeros(n + 1, np.int64)
        np.cumsum(counts, out=indptr[1:])
        indices, data = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.float32)
        _fill(ids, offsets, indptr, indptr[:-1].copy(), indices, data)
        ceilings = np.zeros(n, np.float32)
        _score(indptr, indices, data, offsets, float(k1), float(b), ceilings)
        pages = len(offsets) - 1
        scores = {"data": data, "indices": indices, "indptr": indptr, "num_docs": pages}
        self._adopt(_library(k1, b, scores), ceilings, vocabulary)

    def _adopt(self, index: Any, ceilings: Array, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.index = index
        self.pages: int = index.scores["num_docs"]
        # No word has more than this to give to any page.
        self._ceilings = ceilings
        # Room to add up scores in, one for each search that runs at the time.
        self._rooms: list[tuple[Array, Array]] = []

    @property
    def nbytes(self) -> int:
        """The size of the index in bytes, without the vocabulary."""
        arrays = (self.index.scores[name] for name in ("data", "indices", "indptr"))
        return sum(array.nbytes for array in arrays) + self._ceilings.nbytes

    def search(self, queries: Sequence[str], k: int) -> Found:
        word_id = self.vocabulary.word_id
        rows = [[word_id(word) for word in query_words(query)] for query in queries]
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        return self.search_ids(np.array([w for row in rows for w in row], np.int32), offsets, k)

    def search_ids(self, ids: Array, offsets: Array, k: int) -> Found:
        """What `search` finds for queries that are given as `ids` and `offsets`, like pages.

        Numbers that are not in the vocabulary are words that no page has. Runs without the
        interpreter's lock, so that several threads can search at once.
        """
        best = nothing(len(offsets) - 1, k)
        try:
            room = self._rooms.pop()
        except IndexError:
            room = np.zeros(self.pages, np.float32), np.empty(self.pages, np.int32)
        scores = self.index.scores
        postings = scores["data"], scores["indices"], scores["indptr"], self._ceilings
        words = np.empty(MAX_WORDS, np.int32)
        _search(postings, ids, offsets, words, *room, best.pages, best.scores)
        self._rooms.append(room)
        return best

    def save(self, folder: str | Path) -> None:
        """Write the index, without the vocabulary, in the files of `bm25s` and one of our own."""
        self.index.save(folder, show_progress=False)
        np.save(Path(folder) / "ceilings.npy", self._ceilings, allow_pickle=False)

    @classmethod
    def load(cls, folder: str | Path, vocabulary: Vocabulary) -> "BM25":
        """The index that was saved in a folder; its arrays stay on the disk and are mapped.

        Raises:
            InvalidArgumentError: the index is of a vocabulary of another size.
            OSError: a file is missing.
        """
        import bm25s

        index = bm25s.BM25.load(folder, mmap=True, load_vocab=False)
        ceilings = np.load(Path(folder) / "ceilings.npy", allow_pickle=False)
        if len(ceilings) != len(vocabulary):
            raise InvalidArgumentError(
                f"the index in {folder} is of {len(ceilings)} words; "
                f"got a vocabulary of {len(vocabulary)}"
            )
        # Views of the mapped files as plain arrays, for Numba.
        for name in ("data", "indices", "indptr"):
            index.scores[name] = np.asarray(index.scores[name])
        loaded = cls.__new__(cls)
        loaded._adopt(index, ceilings, vocabulary)
        return loaded

    @classmethod
    def of_texts(cls, texts: Sequence[str]) -> "BM25":
        """The index of a few texts."""
        vocabulary = WordNumbers()
        ids, offsets = vocabulary.number(texts)
        return cls(ids, offsets, vocabulary)


def _library(k1: float, b: float, scores: dict[str, Any]) -> Any:
    import bm25s  # here, because its import takes longer than most worlds take to build

    index: Any = bm25s.BM25(k1=k1, b=b, method="lucene", backend="numba")
    index.scores, index.vocab_dict, index.nonoccurrence_array = scores, {}, None
    index.unique_token_ids_set = range(len(scores["indptr"]) - 1)
    return index


def _check(ids: Array, offsets: Array, n: int) -> None:
    """Compiled loops read and write where these numbers tell them to."""
    if ids.dtype != np.int32 or offsets.dtype != np.int64 or ids.ndim != 1 or offsets.ndim != 1:
        raise InvalidArgumentError(
            "ids must be a row of int32 and offsets one of int64; got "
            f"{ids.dtype} {ids.shape} and {offsets.dtype} {offsets.shape}"
        )
    rising = len(offsets) > 1 and offsets[0] == 0 and bool((np.diff(offsets) >= 0).all())
    if not rising or offsets[-1] != len(ids):
        raise InvalidArgumentError(
            f"offsets must rise from 0 to the {len(ids)} ids and speak of one page at least"
        )
    if len(ids) and not 0 <= ids.min() <= ids.max() < n:
        raise InvalidArgumentError(f"ids must be from 0 to {n - 1}; got {ids.min()} to {ids.max()}")


# --- building ---


@compiled
def _count(ids: Array, offsets: Array, last: Array, counts: Array) -> None:
    """On how many pages each word is; `last` holds −1."""
    for page in range(len(offsets) - 1):
        for i in range(offsets[page], offsets[page + 1]):
            word = ids[i]
            if last[word] != page:
                last[word] = page
                counts[word] += 1


@compiled
def _fill(
    ids: Array, offsets: Array, indptr: Array, heads: Array, indices: Array, data: Array
) -> None:
    """The pages of each word in rising order, and how often it is there."""
    for page in range(len(offsets) - 1):
        for i in range(offsets[page], offsets[page + 1]):
            word = ids[i]
            at = heads[word]
            if at > indptr[word] and indices[at - 1] == page:
                data[at - 1] += 1
            else:
                indices[at], data[at] = page, 1
                heads[word] = at + 1


@compiled
def _score(
    indptr: Array,
    indices: Array,
    data: Array,
    offsets: Array,
    k1: float,
    b: float,
    ceilings: Array,
) -> None:
    """Turn counts into scores, rounded where `bm25s` rounds, and note the highest of each word."""
    pages = len(offsets) - 1
    mean = offsets[pages] / pages
    for word in range(len(ceilings)):
        start, end = indptr[word], indptr[word + 1]
        held = end - start
        idf = np.float32(math.log(1 + (pages - held + 0.5) / (held + 0.5)))
        highest = np.float32(0.0)
        for i in range(start, end):
            length = offsets[indices[i] + 1] - offsets[indices[i]]
            count = float(data[i])
            score = np.float32(idf * (count / (k1 * ((1 - b) + b * length / mean) + count)))
            data[i] = score
            highest = max(highest, score)
        ceilings[word] = highest


# --- searching ---


@compiled_with_arrays
def _search(
    postings: tuple[Array, ...],
    ids: Array,
    offsets: Array,
    words: Array,
    scores: Array,
    touched: Array,
    pages: Array,
    values: Array,
) -> None:
    """The best pages of each query; `scores` holds zeros before and after."""
    for query in range(len(offsets) - 1):
        m = _arrange(postings[2], ids, offsets[query], offsets[query + 1], words)
        n = _add_up(postings, words, m, scores, touched, pages[query], values[query])
        _best(scores, touched, n, pages[query], values[query])
        for i in range(n):
            scores[touched[i]] = 0.0


@compiled_with_arrays
def _arrange(indptr: Array, ids: Array, start: int, end: int, words: Array) -> int:
    """The first words of a query from the rarest to the most frequent; how many they are."""
    m = 0
    for i in range(start, min(end, start + len(words))):
        word = ids[i]
        if 0 <= word < len(indptr) - 1:
            held = indptr[word + 1] - indptr[word]
            at = m
            while at > 0:
                before = words[at - 1]
                other = indptr[before + 1] - indptr[before]
                if other < held or (other == held and before <= word):
                    break
                words[at] = before
                at -= 1
            words[at] = word
            m += 1
    return m


@compiled_with_arrays
def _add_up(
    postings: tuple[Array, ...],
    words: Array,
    m: int,
    scores: Array,
    touched: Array,
    pages: Array,
    values: Array,
) -> int:
    """Add up the scores of all pages that may be among the best; how many were `touched`."""
    data, indices, indptr, ceilings = postings
    left = 0.0  # the most that the words from here on can give to a page
    for i in range(m):
        left += ceilings[words[i]]
    n, closed, floor = 0, False, 0.0
    for i in range(m):
        start, end = indptr[words[i]], indptr[words[i] + 1]
        if not closed and len(pages) <= n < end - start:
            _best(scores, touched, n, pages, values)
            floor = float(values[len(values) - 1]) * (1 - _SLACK)
            closed = left < floor
        if not closed:
            for j in range(start, end):
                page = indices[j]
                if scores[page] == 0.0:
                    touched[n] = page
                    n += 1
                scores[page] += data[j]
        else:
            n = _drop(scores, touched, n, floor - left)
            if n * _LOOK_UP < end - start:
                for j in range(n):
                    at = _find(indices, start, end, touched[j])
                    if at >= 0:
                        scores[touched[j]] += data[at]
            else:
                for j in range(start, end):
                    if scores[indices[j]] > 0.0:
                        scores[indices[j]] += data[j]
        left -= ceilings[words[i]]
    return n


@compiled_with_arrays
def _drop(scores: Array, touched: Array, n: int, least: float) -> int:
    """Forget pages that score less than `least`; how many are left."""
    kept = 0
    for i in range(n):
        page = touched[i]
        if scores[page] < least:
            scores[page] = 0.0
        else:
            touched[kept] = page
            kept += 1
    return kept


@compiled_with_arrays
def _find(indices: Array, start: int, end: int, page: int) -> int:
    """Where a page stands in `indices[start:end]`, which rise; −1 if it is not there."""
    stop = end
    while start < end:
        middle = (start + end) // 2
        if indices[middle] < page:
            start = middle + 1
        else:
            end = middle
    return start if start < stop and indices[start] == page else -1


@compiled_with_arrays
def _best(scores: Array, touched: Array, n: int, pages: Array, values: Array) -> None:
    """Write the best of the n pages `touched`, best first, ties by number."""
    k, filled = len(pages), 0
    for i in range(n):
        page = touched[i]
        score = scores[page]
        if filled == k:
            worst = values[k - 1]
            if score < worst or (score == worst and page > pages[k - 1]):
                continue
        at = min(filled, k - 1)
        while at > 0 and (
            values[at - 1] < score or (values[at - 1] == score and pages[at - 1] > page)
        ):
            values[at], pages[at] = values[at - 1], pages[at - 1]
            at -= 1
        values[at], pages[at] = score, page
        filled = min(filled + 1, k)
