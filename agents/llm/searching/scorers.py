"""Scorers: how good an answer or a list of pages is, as pure functions with values in [0, 1]."""

import re
import string
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_WORDS = re.compile(r"[^\W_]+")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_WHOLE_ANSWERS = {"yes", "no", "noanswer"}

Similarity = Callable[[Any, Any], float]

# --- answers ---


def normalise(text: str) -> str:
    """Lower case without punctuation, articles and extra spaces (SQuAD, Rajpurkar et al. 2016)."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, gold: Iterable[str]) -> float:
    """1 if the normalised answer is one of the normalised spellings (Rajpurkar et al. 2016)."""
    return float(normalise(answer) in {normalise(spelling) for spelling in gold})


def sub_exact_match(answer: str, gold: Iterable[str]) -> float:
    """1 if the normalised answer contains one of the normalised spellings.

    Contains them as whole words, where the papers' substring finds "no" in "north" too.
    """
    padded = f" {normalise(answer)} "
    return float(any(f" {words} " in padded for words in map(normalise, gold) if words))


def token_f1(answer: str, gold: Iterable[str]) -> float:
    """The best F1 of words over the spellings (Rajpurkar et al. 2016).

    Where the answer or the spelling is yes, no or noanswer and they differ, it is 0 (HotpotQA,
    Yang et al. 2018).
    """
    return max(
        (_token_f1(normalise(answer), normalise(spelling)) for spelling in gold), default=0.0
    )


def _token_f1(answer: str, gold: str) -> float:
    if answer != gold and (answer in _WHOLE_ANSWERS or gold in _WHOLE_ANSWERS):
        return 0.0
    words, gold_words = Counter(answer.split()), Counter(gold.split())
    common = (words & gold_words).total()
    return 2 * common / (words.total() + gold_words.total()) if common else 0.0


# --- sets ---


def set_precision(found: Collection[Hashable], gold: Collection[Hashable]) -> float:
    """The share of what was found that is gold; 1 if both are empty."""
    found, gold = set(found), set(gold)
    return len(found & gold) / len(found) if found else float(not gold)


def set_recall(found: Collection[Hashable], gold: Collection[Hashable]) -> float:
    """The share of gold that was found; 1 if both are empty."""
    return set_precision(gold, found)


def f_beta(precision: float, recall: float, beta: float = 1.0) -> float:
    """The harmonic mean in which recall weighs β² as much as precision (van Rijsbergen 1979)."""
    square = beta * beta
    total = square * precision + recall
    return (1 + square) * precision * recall / total if total else 0.0


def set_f_beta(found: Collection[Hashable], gold: Collection[Hashable], beta: float = 1.0) -> float:
    """`f_beta` of `set_precision` and `set_recall`."""
    return f_beta(set_precision(found, gold), set_recall(found, gold), beta)


def matched_f1(
    found: Sequence[Any], gold: Sequence[Any], similarity: Similarity, tau: float = 0.75
) -> float:
    """F1 after a one-to-one matching of items, as many pairs as possible (O²-Searcher, 2025).

    Args:
        found: n items; an item that is listed twice is matched once.
        gold: m items.
        similarity: of one of each.
        tau: the similarity from which two items may be a pair.
    """
    if not found or not gold:
        return float(not found and not gold)
    from scipy.optimize import linear_sum_assignment

    close = np.array([[similarity(item, other) >= tau for other in gold] for item in found])
    matched = int(close[linear_sum_assignment(close, maximize=True)].sum())
    return f_beta(matched / len(found), matched / len(gold))


def multiset_jaccard(left: Iterable[Hashable], right: Iterable[Hashable]) -> float:
    """Common elements over all, counted as often as they occur; 1 if both are empty."""
    one, other = Counter(iter(left)), Counter(iter(right))  # a mapping's keys, not its counts
    union = (one | other).total()
    return (one & other).total() / union if union else 1.0


def cosine(left: str, right: str) -> float:
    """The cosine of two texts' vectors of word counts; 0 where one has no words."""
    one, other = (Counter(_WORDS.findall(text.lower())) for text in (left, right))
    norms = sum(n * n for n in one.values()) * sum(n * n for n in other.values())
    return sum(n * other[word] for word, n in one.items()) / norms**0.5 if norms else 0.0


# --- ranked lists ---


def ndcg(
    ranked: Iterable[Hashable], gains: Mapping[Hashable, float], k: int | None = None
) -> float:
    """Discounted cumulative gain over that of the best order (Järvelin & Kekäläinen 2002).

    An item counts where it first occurs; the discount of rank i is 1 / log₂(i + 1).

    Args:
        ranked: items, best first.
        gains: of the relevant items, positive.
        k: how many ranks count; None for all.
    """
    got = [gains.get(item, 0.0) for item in dict.fromkeys(ranked)][:k]
    best = sorted(gains.values(), reverse=True)[:k]
    ideal = _discounted(best)
    return _discounted(got) / ideal if ideal else 0.0


def _discounted(gains: Sequence[float]) -> float:
    return float(np.sum(np.array(gains) / np.log2(np.arange(len(gains)) + 2)))


def mrr(ranked: Iterable[Hashable], relevant: Collection[Hashable], k: int | None = None) -> float:
    """1 / rank of the first relevant item; 0 if none is among the first k (Voorhees 1999)."""
    first = list(dict.fromkeys(ranked))[:k]
    return next((1 / rank for rank, item in enumerate(first, 1) if item in relevant), 0.0)


def recall_at(
    ranked: Iterable[Hashable], relevant: Collection[Hashable], k: int | None = None
) -> float:
    """The share of relevant items among the first k; 0 if nothing is relevant."""
    first = list(dict.fromkeys(ranked))[:k]
    return set_recall(first, relevant) if relevant else 0.0


# --- behaviour ---


def coverage(covered: int, evidence: int) -> float:
    """The share of gold facts in a bit mask; 1 if there are none to find."""
    return covered.bit_count() / evidence if evidence else 1.0


def format_ok(well_formed: Iterable[bool]) -> float:
    """1 if every message kept the format."""
    return float(all(well_formed))


def decision_f1(searched: Sequence[bool], known: Sequence[bool]) -> float:
    """F1 of the decision not to search, against what could be answered unaided (AdaSearch, 2025).

    Args:
        searched: for each question, whether a search was made.
        known: for each question, whether the model answers it without searching.
    """
    suffices = {i for i, used in enumerate(searched) if not used}
    return set_f_beta(suffices, {i for i, label in enumerate(known) if label})
