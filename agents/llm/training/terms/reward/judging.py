"""Judging: verdicts of the model on its own results, of a judge on the model's steps."""

from collections.abc import Sequence

import numpy as np

from ....searching import scorers
from ....searching.judges import Judge
from ....searching.trace import Rubric, Segment, Trace
from .combine import Turns
from .outcome import em


def _judgements(trace: Trace) -> list[tuple[Segment, int]]:
    """The tags with a verdict that follow a result, with the turn of the result they speak of."""
    found, last = [], None
    for segment in trace.segments:
        if segment.tool is not None:
            last = segment.turn
        elif segment.verdict is not None and last is not None:
            found.append((segment, last))
    return found


def judge_agreement(trace: Trace, judge: Judge) -> float:
    """The share of tags that agree with the judge on the last result (RE-Searcher, 2025).

    In [0, 1], 0 without a judge or reflect tag.
    """
    agree = [tag.verdict == judge.useful(trace, turn) for tag, turn in _judgements(trace)]
    return sum(agree) / len(agree) if agree else 0.0


def judge_match(
    trace: Trace, judge: Judge, *, reward: float = 0.1, penalty: float = -0.05
) -> Turns:
    """What each judge tag is worth, at its turn, (turns,) (ReSeek, 2025).

    "Useful": the reward if the answer is right; else the penalty, half of it where the judge finds
    the result useful too. "Useless": 0.2 of the reward where the judge agrees, else the penalty.
    All 0 without an answer. Each in [penalty, reward].
    """
    values = np.zeros(trace.turns)
    if trace.ending.answer is None:
        return values
    right = em(trace, judge) == 1
    for tag, turn in _judgements(trace):
        useful = judge.useful(trace, turn)
        if tag.verdict:
            value = reward if right else penalty / 2 if useful else penalty
        else:
            value = penalty if useful else 0.2 * reward
        values[tag.turn] += value
    return values


def step_score(trace: Trace, judge: Judge) -> Turns:
    """The judge's score of each turn, −1, 0 or 1, (turns,) (SLATE, 2026)."""
    return np.array([judge.score(trace, turn) for turn in range(trace.turns)], np.float64)


def atomic_thought(trace: Trace, judge: Judge) -> float:
    """The mean score of the atoms of thought, in [0, 1] (Atom-Searcher, 2025); 0 without any.

    An atom is a thought segment. It scores 1 if the judge finds that pages returned before support
    all its claims, 0 if not, and ½ without a claim that could be checked.
    """
    scores, seen = [], []
    for segment in trace.segments:
        seen += [page for row in segment.pages for page in row]
        if segment.kind == "think":
            kept = all(
                any(judge.supports(trace, page, claim) for page in seen) for claim in segment.claims
            )
            scores.append(float(kept) if segment.claims else 0.5)
    return sum(scores) / len(scores) if scores else 0.0


def rubric(trace: Trace, judge: Judge, *, max_citations: int = 20) -> float:
    """The share of rubrics that are met and linked to the answer, in [0, 1] (CaRR, 2026).

    A rubric is met if the answer names all its entities and the judge finds its fact on a page that
    is cited and was returned. It counts if it hangs together with the answer, entity 0, through
    rubrics that are met. 0 without rubrics.
    """
    text = " ".join([trace.ending.answer or "", *trace.ending.items])
    named = {
        number
        for number, spellings in enumerate(trace.task.entities)
        if scorers.sub_exact_match(text, spellings)
    }
    returned = set(trace.pages)
    cited = [p for p in dict.fromkeys(trace.ending.citations) if p in returned][:max_citations]
    met = [
        entry
        for entry in trace.task.rubrics
        if named.issuperset(entry.entities)
        and any(judge.supports(trace, page, entry.fact) for page in cited)
    ]
    linked = _linked(met) if 0 in named else []
    return len(linked) / len(trace.task.rubrics) if trace.task.rubrics else 0.0


def _linked(met: Sequence[Rubric]) -> list[Rubric]:
    """The rubrics that are reached from entity 0 through each other."""
    reached, linked, rest = {0}, [], list(met)
    while hit := [entry for entry in rest if reached.intersection(entry.entities)]:
        linked += hit
        rest = [entry for entry in rest if entry not in hit]
        reached.update(entity for entry in hit for entity in entry.entities)
    return linked


def over_group_maximum(values: Sequence[float]) -> list[float]:
    """Values of a group over the greatest one; all 0 where that is not positive (CaRR, 2026)."""
    most = max(values, default=0.0)
    return [value / most if most > 0 else 0.0 for value in values]
