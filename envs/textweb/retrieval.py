"""Ranking pages by the words of a query."""

import re
from collections.abc import Sequence

import numpy as np

_WORD = re.compile(r"\w+")


class BM25Index:
    """BM25 (Robertson & Zaragoza 2009) over texts, through `bm25s`.

    Words are runs of letters and digits, in lower case. The same texts and query always give the
    same pages: ties go to the text that comes first.

    Args:
        texts: what is searched.
        k1: how quickly a repeated word stops counting.
        b: how much long texts are held back, 0 to 1.
    """

    def __init__(self, texts: Sequence[str], k1: float = 1.2, b: float = 0.75):
        import bm25s  # here, because its import takes longer than most worlds take to build

        self._vocabulary: dict[str, int] = {}
        tokens = [
            [self._vocabulary.setdefault(w, len(self._vocabulary)) for w in _words(text)]
            for text in texts
        ]
        # Measured: bm25s's Numba back end scores no faster, and its top k leaves ties open.
        self._index = bm25s.BM25(k1=k1, b=b, backend="numpy")
        self._index.index((tokens, self._vocabulary), show_progress=False)

    def search(self, query: str, k: int) -> list[int]:
        """The at most `k` texts that share a word with the query, best first."""
        known = [self._vocabulary[w] for w in _words(query) if w in self._vocabulary]
        scores = self._index.get_scores_from_ids(known)
        found = np.flatnonzero(scores > 0)
        if len(found) > k:
            least = np.partition(scores[found], -k)[-k]
            found = found[scores[found] >= least]
        return found[np.argsort(-scores[found], kind="stable")][:k].tolist()


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
