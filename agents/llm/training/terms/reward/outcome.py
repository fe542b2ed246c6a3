"""Outcome: is the answer right, and did the messages keep the format?"""

from ....searching import scorers
from ....searching.judges import Judge
from ....searching.trace import Spellings, Trace


def em(trace: Trace, judge: Judge) -> float:
    """Normalised exact match with the gold answer, 0 or 1 (Search-R1, 2025).

    Where the answer has several items, they must be given in any order and nothing else.
    """
    return float(_matched(trace, scorers.exact_match, 1.0) == 1)


def sub_em(trace: Trace, judge: Judge) -> float:
    """1 if the answer contains a spelling of every gold item, else 0."""
    answer = _answer(trace)
    return min((scorers.sub_exact_match(answer, item) for item in trace.task.gold), default=0.0)


def f1(trace: Trace, judge: Judge) -> float:
    """Token F1 with the gold answer, in [0, 1] (DeepResearcher, 2025; ZeroSearch, 2025).

    Where the answer has several items, it is `set_f1`.
    """
    gold = trace.task.gold
    return scorers.token_f1(_answer(trace), gold[0]) if len(gold) == 1 else set_f1(trace, judge)


def set_f1(trace: Trace, judge: Judge) -> float:
    """F1 of the items of the answer, matched by exact match, in [0, 1] (KARL, 2026)."""
    return _matched(trace, scorers.exact_match, 1.0)


def fact_f1(trace: Trace, judge: Judge, *, tau: float = 0.75) -> float:
    """F1 of the items of the answer, matched by cosine ≥ tau, in [0, 1] (O²-Searcher, 2025)."""

    def similarity(item: str, spellings: Spellings) -> float:
        return max((scorers.cosine(item, spelling) for spelling in spellings), default=0.0)

    return _matched(trace, similarity, tau)


def judged(trace: Trace, judge: Judge) -> float:
    """1 if the judge finds the answer right, else 0 (VRAG-RL, 2025)."""
    return float(judge.correct(trace))


def well_formed(trace: Trace, judge: Judge) -> float:
    """1 if every message kept the format, else 0 (ToolRL, 2025).

    The −1 of DeepResearcher and IKEA is `if_correct(well_formed, …, otherwise=-1)`.
    """
    return scorers.format_ok(trace.ending.well_formed)


def well_formed_share(trace: Trace, judge: Judge) -> float:
    """The share of messages that kept the format, in [0, 1]; 0 if there were none."""
    return sum(trace.ending.well_formed) / trace.turns if trace.turns else 0.0


def _answer(trace: Trace) -> str:
    return trace.ending.answer or ""


def _matched(trace: Trace, similarity: scorers.Similarity, tau: float) -> float:
    """F1 of matched items; 0 where nothing is gold."""
    if not trace.task.gold:
        return 0.0
    return scorers.matched_f1(trace.items, trace.task.gold, similarity, tau)
