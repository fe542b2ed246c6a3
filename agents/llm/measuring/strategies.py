"""Strategies in what a language model writes: behaviours, strategic grams, semantic entropy.

Texts are of a model's making and may be anything; every function is linear in their length.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ....envs.kernel.errors import InvalidArgumentError

#: A gram's words in their normal form, and the number of right solutions it was found in.
Grams = dict[tuple[str, ...], int]

_SIZES = (3, 4, 5)
_WORDS = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+(?:\.\d+)?")
_BREAKS = re.compile(r"</?\w+>|\n|[.!?;:](?=\s|$)")


def _pattern(*phrases: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(phrases)})\b", re.IGNORECASE)


#: What to look for, by behaviour; the first three and the last are those of Gandhi et al. 2025,
#: "Cognitive behaviors that enable self-improving reasoners".
BEHAVIOURS: Mapping[str, re.Pattern[str]] = {
    "backtrack": _pattern(
        "undo", "backtrack", "go back", "start over", "dead end", "try again",
        "try (?:another|a different|something else)", "wait",
    ),
    "verify": _pattern("check", "checking", "verify", "verifying", "double-check", "make sure"),
    "subgoal": _pattern("first", "next", "step \\d+", "sub-?goal"),
    "plan": re.compile(r"<plan>", re.IGNORECASE),
    "critique": re.compile(r"<critique>", re.IGNORECASE),
    "backward": _pattern("work(?:ing)? backwards?", "to (?:get|reach) \\d+"),
}  # fmt: skip


def count_behaviours(
    texts: Sequence[str], patterns: Mapping[str, re.Pattern[str]] = BEHAVIOURS
) -> dict[str, np.ndarray[Any, np.dtype[np.int64]]]:
    """How often each behaviour shows in each text.

    Args:
        texts: responses.
        patterns: a regular expression for each behaviour, whose matches are counted.

    Returns:
        For each behaviour (texts,) `int64`.
    """
    return {
        name: np.array([sum(1 for _ in pattern.finditer(text)) for text in texts], np.int64)
        for name, pattern in patterns.items()
    }


def mine_grams(texts: Sequence[str], correct: Sequence[bool], share: float = 0.2) -> Grams:
    """Strategic grams: phrases that right solutions have in common (Wang et al. 2025, HICRA).

    Phrases of 3 to 5 words of right solutions are put into clusters, clusters are ranked by how
    many of these solutions hold one of their phrases, and the top share is kept. The paper clusters
    sentence embeddings; here, without a model of embeddings, phrases are one cluster if they are
    equal in small letters and with every number written alike, so that paraphrases stay apart. A
    cluster of a single solution is never kept, as nothing says that it can be used again.

    Mine training solutions only: grams of the test set leak it.

    Args:
        texts: solutions.
        correct: (texts,) whether each is right.
        share: of the clusters, the part that is kept; in (0, 1].

    Returns:
        The clusters kept with their document frequency, highest first, then by words.

    Raises:
        InvalidArgumentError: the lengths differ, or the share is outside.
    """
    if len(texts) != len(correct):
        raise InvalidArgumentError(f"{len(texts)} texts came with {len(correct)} verdicts")
    if not 0 < share <= 1:
        raise InvalidArgumentError(f"share must be in (0, 1]; got {share}")
    frequency: Counter[tuple[str, ...]] = Counter()
    for text, right in zip(texts, correct, strict=True):
        if right:
            frequency.update({gram for gram, _, _ in _grams(text)})
    ranked = sorted(frequency.items(), key=lambda item: (-item[1], item[0]))
    kept = ranked[: math.ceil(share * len(ranked))]
    return {gram: count for gram, count in kept if count > 1}


def planning_spans(text: str, grams: Collection[tuple[str, ...]]) -> list[tuple[int, int]]:
    """Where a text holds strategic grams.

    Args:
        text: a response.
        grams: their words, as `mine_grams` finds them; a set or a dictionary.

    Returns:
        Disjoint ranges [start, end) of characters in rising order; overlapping grams are joined.
    """
    spans: list[tuple[int, int]] = []
    for start, end in sorted((start, end) for gram, start, end in _grams(text) if gram in grams):
        if spans and start <= spans[-1][1]:
            start, end = spans[-1][0], max(end, spans.pop()[1])
        spans.append((start, end))
    return spans


def semantic_entropy(texts: Sequence[str], grams: Collection[tuple[str, ...]]) -> float:
    """The Shannon entropy (nats) of the strategic grams' frequencies over all texts.

    Args:
        texts: responses.
        grams: as in `planning_spans`.

    Returns:
        0 if the texts hold no gram.
    """
    found = Counter(gram for text in texts for gram, _, _ in _grams(text) if gram in grams)
    n = found.total()
    if not n:
        return 0.0
    return max(0.0, math.log(n) - sum(c * math.log(c) for c in found.values()) / n)


def _grams(text: str) -> list[tuple[tuple[str, ...], int, int]]:
    """The phrases of a text, in normal form, with where they start and end.

    None crosses the end of a sentence or a tag, and none is of numbers alone.
    """
    found = []
    for begin, stop in _sentences(text):
        words = [
            ("0" if match[0][0].isdigit() else match[0].lower(), match.start(), match.end())
            for match in _WORDS.finditer(text, begin, stop)
        ]
        for size in _SIZES:
            for i in range(len(words) - size + 1):
                gram = tuple(word for word, _, _ in words[i : i + size])
                if set(gram) != {"0"}:
                    found.append((gram, words[i][1], words[i + size - 1][2]))
    return found


def _sentences(text: str) -> list[tuple[int, int]]:
    breaks = [match.span() for match in _BREAKS.finditer(text)]
    starts = [0, *(end for _, end in breaks)]
    ends = [*(start for start, _ in breaks), len(text)]
    return list(zip(starts, ends, strict=True))
