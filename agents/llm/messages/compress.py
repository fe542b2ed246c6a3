"""Observations made short: the sentences that matter, and none that was shown before."""

import re
from functools import lru_cache
from zlib import crc32

import numpy as np

_END = re.compile(r"(?<=[.!?])\s+|\n+")
_WORD = re.compile(r"\w+")
#: The most characters of an observation that are looked at, and the most sentences.
_LOOKED_AT, _SENTENCES = 65_536, 512
_K1, _B = 1.2, 0.75
_SHINGLE = 3


def sentences(text: str) -> list[str]:
    """The sentences of a text: what ends in a full stop, a question or exclamation mark, or a line.

    Only the first 65,536 characters and 512 sentences count.
    """
    return [part for part in _END.split(text[:_LOOKED_AT]) if part.strip()][:_SENTENCES]


def words(text: str) -> list[str]:
    """The words of a text in lower case."""
    return _WORD.findall(text.lower())


@lru_cache(maxsize=4096)
def best_sentences(text: str, query: str, k: int = 4) -> tuple[str, ...]:
    """The k sentences of a text that fit a query best by BM25 (k1 = 1.2, b = 0.75), in their order.

    The sentences are the collection; of equal scores the earlier wins.
    """
    rows = sentences(text)
    if len(rows) <= k:
        return tuple(rows)
    bags = [words(row) for row in rows]
    lengths = np.array([len(bag) for bag in bags], float)
    norm = _K1 * (1 - _B + _B * lengths / max(lengths.mean(), 1.0))
    scores = np.zeros(len(rows))
    for word in set(words(query)):
        counts = np.array([bag.count(word) for bag in bags], float)
        found = int((counts > 0).sum())
        idf = np.log(1 + (len(rows) - found + 0.5) / (found + 0.5))
        scores += idf * counts * (_K1 + 1) / (counts + norm)
    best = np.argsort(-scores, kind="stable")[:k]
    return tuple(rows[i] for i in sorted(best))


class NearDuplicates:
    """Remembers texts, and knows those that it has seen nearly word for word.

    Two texts are alike as far as their sets of three successive words overlap (Jaccard), which is
    estimated by MinHash (Broder, "On the resemblance and containment of documents" (1997)).

    Args:
        threshold: from which similarity on a text counts as seen.
        hashes: more of them estimate better; the standard error is at most 1 / (2 √hashes).
    """

    def __init__(self, threshold: float = 0.85, hashes: int = 128):
        self._threshold, self._hashes = threshold, hashes
        self._signatures: list[np.ndarray] = []

    def similarity(self, first: str, second: str) -> float:
        """The estimated overlap of two texts."""
        return float((_signature(first, self._hashes) == _signature(second, self._hashes)).mean())

    def seen(self, text: str) -> bool:
        """Whether a text is nearly one of those before; if not, it is remembered."""
        signature = _signature(text, self._hashes)
        if self._signatures:
            alike = (np.stack(self._signatures) == signature).mean(axis=1)
            if alike.max() >= self._threshold:
                return True
        self._signatures.append(signature)
        return False


@lru_cache(maxsize=8)
def _family(hashes: int) -> tuple[np.ndarray, np.ndarray]:
    """Odd factors and shifts of multiply-shift hashing, (hashes, 1) `uint64` each."""
    draws = np.random.default_rng(0).integers(2**63, size=(2, hashes, 1), dtype=np.uint64)
    return draws[0] * np.uint64(2) + np.uint64(1), draws[1]


@lru_cache(maxsize=8192)  # a renderer folds the same turns again at each turn
def _signature(text: str, hashes: int) -> np.ndarray:
    """The MinHash of a text, (hashes,) `uint64`."""
    row = ["", "", *words(text), "", ""]  # so that short texts have shingles too
    shingles = {" ".join(row[i : i + _SHINGLE]) for i in range(len(row) - _SHINGLE + 1)}
    numbers = np.array([crc32(shingle.encode()) for shingle in shingles], np.uint64)
    factors, shifts = _family(hashes)
    return ((factors * numbers + shifts) >> np.uint64(32)).min(axis=1)
