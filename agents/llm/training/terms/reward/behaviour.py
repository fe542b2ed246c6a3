"""Behaviour: variety of queries, tools, looks and findings."""

from ....searching import scorers
from ....searching.judges import Judge
from ....searching.trace import Trace
from .outcome import f1
from .retrieval import Similarity

_QUERIES = 20
_FINDINGS = 100
_LONG_QUERY = 8


def query_diversity(
    trace: Trace, judge: Judge, *, similarity: Similarity = scorers.cosine
) -> float:
    """The mean of (1 − cosᵢⱼ) · min(1, max(0.1, wordsᵢ / 8)) over i and j ≠ i, times weight(n).

    In [0, 1], for the first 20 queries (O²-Searcher, 2025). weight(n) is 0.5 up to n = 5, then
    rises by 0.05 a query to 1 at 15; from 16 it is 0.9 − 0.02 (n − 15). 0 below two queries.
    """
    queries = trace.queries[:_QUERIES]
    n = len(queries)
    if n < 2:
        return 0.0
    weight = 0.5 + 0.05 * min(10, max(0, n - 5)) if n <= 15 else 0.9 - 0.02 * (n - 15)
    total = 0.0
    for i, query in enumerate(queries):
        apart = sum(1 - similarity(query, other) for j, other in enumerate(queries) if j != i)
        total += apart / (n - 1) * min(1.0, max(0.1, len(query.split()) / _LONG_QUERY))
    return weight * total / n


def tool_coverage(trace: Trace, judge: Judge, *, weight: float = 0.1) -> float:
    """The weight · |tools used| / |tools there are| where the answer is wrong (HierSearch, 2025).

    In [0, 0.1]; 0 for an answer with F1 above 0, for none, and for malformed messages.
    """
    tools = set(trace.task.tools)
    wrong = trace.ending.answer is not None and f1(trace, judge) == 0
    if not tools or not wrong or not all(trace.ending.well_formed):
        return 0.0
    return weight * len(tools & {result.tool for result in trace.results}) / len(tools)


def report_format(trace: Trace, judge: Judge, *, similarity: Similarity = scorers.cosine) -> float:
    """How well a list of n findings is laid out, in [0, 1] (O²-Searcher, 2025).

    (0.5 b + 0.3 min(1, n / 10) + 0.5 max(0, 1 − s^1.5)) / 1.3 − 3 d, clipped. b is the share of
    the answer's lines that start with a bullet, d the share of findings that repeat another, and s
    0.5 max + 0.6 (share of pairs above 0.6) + 0.2 mean of the similarities of pairs. 0 where there
    are no findings; of more than 100, the first 100 count.
    """
    lines = [line.strip() for line in (trace.ending.answer or "").splitlines() if line.strip()]
    findings = trace.items[:_FINDINGS]
    if not lines or not findings:
        return 0.0
    n = len(findings)
    bullets = sum(line.startswith(("-", "*", "•")) for line in lines) / len(lines)
    repeated = 1 - len({scorers.normalise(finding) for finding in findings}) / n
    pairs = [similarity(findings[i], findings[j]) for i in range(n) for j in range(i)]
    alike = 0.0
    if pairs:
        close = sum(pair > 0.6 for pair in pairs) / len(pairs)
        alike = 0.5 * max(pairs) + 0.6 * close + 0.2 * sum(pairs) / len(pairs)
    laid_out = 0.5 * bullets + 0.3 * min(1.0, n / 10) + 0.5 * max(0.0, 1 - alike**1.5)
    return min(1.0, max(0.0, laid_out / 1.3 - 3 * repeated))


def valid_points(trace: Trace, judge: Judge) -> float:
    """1 if there are points to look at and all lie in the picture, else 0 (ViGoRL, 2025).

    Reads the extras `"points"`, a list of [x, y], and `"size"`, [width, height], in pixels.
    """
    width, height = trace.extra("size")
    points = trace.extra("points")
    return float(bool(points) and all(0 <= x < width and 0 <= y < height for x, y in points))


def crop_diversity(trace: Trace, judge: Judge, *, each: float = 0.2, most: int = 4) -> float:
    """0.2 for each different crop, up to four, in [0, 0.8] (ViGoRL, 2025).

    Reads the extra `"crops"`, a list of [x, y, width, height] in pixels.
    """
    return each * min(most, len({tuple(crop) for crop in trace.extra("crops")}))
