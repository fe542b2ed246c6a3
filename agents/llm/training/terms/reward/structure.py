"""Structure: calls, queries and lists that are compared with a reference part by part."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ....searching.judges import Judge
from ....searching.scorers import multiset_jaccard
from ....searching.trace import Trace
from .outcome import well_formed

Call = Mapping[str, Any]

_DEPTH = 32


def partial_match(calls: Sequence[Call], gold: Sequence[Call]) -> float:
    """How much of a list of calls agrees with a reference, in [0, 1]; order does not matter.

    (J(names) + Σ over the best one-to-one matching of calls of one name [J(parameter names) +
    number of equal values]) / (1 + Σ over gold calls (1 + number of parameters)), J the Jaccard
    index (ToolRL, 2025). Numbers are equal whatever their type, texts whatever their case.

    Args:
        calls: each with a `"name"` and `"arguments"` by name.
        gold: likewise.
    """
    from scipy.optimize import linear_sum_assignment

    score = multiset_jaccard([c["name"] for c in calls], [c["name"] for c in gold])
    if calls and gold:
        pairs = np.array([[_call_match(call, other) for other in gold] for call in calls])
        score += float(pairs[linear_sum_assignment(pairs, maximize=True)].sum())
    return score / (1 + sum(1 + len(call["arguments"]) for call in gold))


def _call_match(call: Call, gold: Call) -> float:
    if call["name"] != gold["name"]:
        return 0.0
    given, wanted = call["arguments"], gold["arguments"]
    equal = sum(name in given and _plain(given[name]) == _plain(wanted[name]) for name in wanted)
    return multiset_jaccard(given, wanted) + equal


def tool_match(trace: Trace, judge: Judge) -> float:
    """6 · `partial_match` − 3, in [−3, 3]; −3 where no call could be read (ToolRL, 2025).

    Reads the extras `"calls"`, what the model called, and `"gold_calls"`: lists of objects with a
    `name` and `arguments`; anything else, and what is nested more than 32 deep, counts as
    unreadable. The paper adds `well_formed`.
    """
    calls, gold = trace.extra("calls"), trace.extra("gold_calls")
    return 6 * partial_match(calls, gold) - 3 if _readable(calls) else -3.0


def ast_match(trace: Trace, judge: Judge) -> float:
    """1 if the format is kept and the calls are those of the reference, else 0 (FunRL, 2025).

    The order of calls and of arguments does not matter, arguments may be calls, and one that is
    left out has its default. Reads the extras of `tool_match` and, if there, `"defaults"`: values
    by parameter by tool.
    """
    calls, gold = trace.extra("calls"), trace.extra("gold_calls")
    defaults = trace.ending.extras.get("defaults", {})
    if not _readable(calls) or well_formed(trace, judge) < 1:
        return 0.0
    trees = [
        sorted((_plain(_filled(call, defaults)) for call in side), key=repr)
        for side in (calls, gold)
    ]
    return float(trees[0] == trees[1])


def sql_partial(
    trace: Trace,
    judge: Judge,
    *,
    weights: Sequence[float] = (3.0, 1.0, 1.0, 1.0, 1.0),
    n: int = 2,
) -> float:
    """The weighted mean of five marks on a query, in [0, 1] (Reasoning-SQL, 2025).

    Right result, runs at all, Jaccard index of the tables and columns used with the reference's,
    that of the n-grams of words, format kept. The default weights let no sum of partial marks
    exceed a right result. Reads the extra `"sql"` with `query`, `gold`, `right`, `runs`, `used` and
    `gold_used`.
    """
    sql = trace.extra("sql")
    marks = (
        float(sql["right"]),
        float(sql["runs"]),
        multiset_jaccard(set(sql["used"]), set(sql["gold_used"])),
        multiset_jaccard(_ngrams(sql["query"], n), _ngrams(sql["gold"], n)),
        well_formed(trace, judge),
    )
    return float(np.dot(weights, marks) / sum(weights))


def rank_piecewise(
    trace: Trace, judge: Judge, *, eta: float = 1.0, malformed: float = -1.0
) -> float:
    """Σᵢ ηⁱ Φ(rankᵢ) over the relevant pages of the last result (ACQO, 2026).

    Φ falls from 2 at rank 1 to 1 at rank 10 and on to 0 at rank 100, each in a straight line; a
    page that is not there is worth 0. The best-ranked page is i = 0. From `malformed`, for
    malformed messages, to 2 · the number of relevant pages.
    """
    if well_formed(trace, judge) < 1:
        return malformed
    last = trace.results[-1].pages if trace.results else ()
    order = list(dict.fromkeys(page for row in last for page in row))
    ranks = [rank for rank, page in enumerate(order, 1) if page in trace.task.relevant]
    return float(sum(eta**i * rank_value(rank) for i, rank in enumerate(ranks)))


def rank_value(rank: int) -> float:
    """Φ of `rank_piecewise`: 2 at rank 1, 1 at 10, 0 at 100 and below."""
    return float(np.interp(rank, (1, 10, 100), (2, 1, 0)))


def _readable(calls: Any) -> bool:
    """Whether this is a list of calls, nested no deeper than `_DEPTH`."""
    return (
        isinstance(calls, list | tuple)
        and _nested(calls, _DEPTH)
        and all(
            isinstance(call, Mapping)
            and isinstance(call.get("name"), str)
            and isinstance(call.get("arguments"), Mapping)
            for call in calls
        )
    )


def _nested(value: Any, depth: int) -> bool:
    entries = value.values() if isinstance(value, Mapping) else value
    if not isinstance(value, Mapping | list | tuple):
        return True
    return depth > 0 and all(_nested(entry, depth - 1) for entry in entries)


def _ngrams(text: str, n: int) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def _filled(value: Any, defaults: Mapping[str, Mapping[str, Any]]) -> Any:
    """A call with its defaults, and so in its arguments; other values as they are."""
    if isinstance(value, Mapping) and value.keys() == {"name", "arguments"}:
        given = {**defaults.get(value["name"], {}), **value["arguments"]}
        arguments = {name: _filled(entry, defaults) for name, entry in given.items()}
        return {"name": value["name"], "arguments": arguments}
    if isinstance(value, list):
        return [_filled(entry, defaults) for entry in value]
    return value


def _plain(value: Any) -> Any:
    """A value in a form that is equal where types differ without meaning."""
    if isinstance(value, Mapping):
        return sorted((str(name), _plain(entry)) for name, entry in value.items())
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, bool) or value is None:
        return str(value).casefold()
    try:
        number = float(value)
    except (ValueError, OverflowError):
        number = math.nan
    return number if math.isfinite(number) else " ".join(str(value).casefold().split())
