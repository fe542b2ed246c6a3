"""Retrieval: what the searches brought to light."""

from collections.abc import Callable

from ....searching import scorers
from ....searching.judges import Judge
from ....searching.trace import Trace

Similarity = Callable[[str, str], float]


def retrieval_gain(trace: Trace, judge: Judge) -> float:
    """The greatest share of gold facts shown by the end of any turn, in [0, 1] (InForage, 2025).

    Facts are counted, not pages, since several pages may state one. 1 if there are none to find.
    """
    return scorers.coverage(trace.covered(trace.turns), trace.task.evidence)


def ndcg(trace: Trace, judge: Judge, *, k: int | None = None) -> float:
    """The nDCG of all pages in order of arrival, each once, in [0, 1] (VRAG-RL, 2025).

    The best order has all relevant pages of the task first.
    """
    return scorers.ndcg(trace.pages, dict.fromkeys(trace.task.relevant, 1.0), k)


def info_density(trace: Trace, judge: Judge) -> float:
    """(1 / M) Σᵢ uᵢ over M results, u = 1 if the judge finds it useful (Search-R2, 2026).

    In [0, 1]; 0 without a result. The paper's reward is EM · (1 + density).
    """
    useful = [judge.useful(trace, result.turn) for result in trace.results]
    return sum(useful) / len(useful) if useful else 0.0


def answerability(
    trace: Trace, judge: Judge, *, similarity: Similarity = scorers.cosine, first: int = 3
) -> float:
    """How much queries and the texts shown for them agree, in [0, 1] (SubSearch, 2026).

    The mean over results of the mean over its queries of the mean similarity with the first texts;
    0 for a query without texts. Results without queries are left out.
    """
    means = []
    for result in trace.results:
        texts = result.texts or ((),) * len(result.queries)
        pairs = zip(result.queries, texts, strict=True) if result.queries else ()
        scores = [_mean([similarity(query, text) for text in row[:first]]) for query, row in pairs]
        if scores:
            means.append(_mean(scores))
    return _mean(means)


def splittability(
    trace: Trace, judge: Judge, *, similarity: Similarity = scorers.cosine, target: float = 0.85
) -> float:
    """How well the queries of each result split the question, in [0, 1] (SubSearch, 2026).

    One query: 1 − |s − target| / (1 − target), s its similarity with the question, so that copying
    is not best. Several: ½ · coverage + ½ · meanᵢ sᵢ (1 − mean similarity with the others), where
    coverage is the similarity of all queries taken together (the paper: their centroid) with the
    question. Each clipped to [0, 1]; the mean over results with queries.
    """
    question = trace.task.question
    scores = []
    for queries in (result.queries for result in trace.results if result.queries):
        near = [similarity(query, question) for query in queries]
        if len(queries) == 1:
            score = 1 - abs(near[0] - target) / (1 - target)
        else:
            parts = [
                own * (1 - _mean([similarity(query, q) for j, q in enumerate(queries) if j != i]))
                for i, (query, own) in enumerate(zip(queries, near, strict=True))
            ]
            score = 0.5 * similarity(" ".join(queries), question) + 0.5 * _mean(parts)
        scores.append(min(1.0, max(0.0, score)))
    return _mean(scores)


def curation(trace: Trace, judge: Judge, *, beta: float = 2.0) -> float:
    """F_β of the pages curated, in [0, 1] (Harness-1, 2026)."""
    return scorers.set_f_beta(trace.ending.curated, trace.task.relevant, beta)


def harness(trace: Trace, judge: Judge) -> float:
    """The sum of Harness-1 (2026) before its turn ramp and tool variety, in [−0.5, 3.2].

    −0.5 for a malformed message, −0.2 if nothing was curated, otherwise the greater of 0.001 and
    0.7 F₂ + 0.3 pool recall + [an answer page was curated] + 0.8 curated answer recall + 0.4 pool
    answer recall − 0.35 max(0, pool answer recall − curated answer recall). The pool is every page
    returned.
    """
    if not all(trace.ending.well_formed):
        return -0.5
    curated, answer = trace.ending.curated, trace.task.answer_pages
    if not curated:
        return -0.2
    kept, found = scorers.recall_at(curated, answer), scorers.recall_at(trace.pages, answer)
    total = 0.7 * curation(trace, judge) + 0.3 * scorers.recall_at(trace.pages, trace.task.relevant)
    total += float(kept > 0) + 0.8 * kept + 0.4 * found - 0.35 * max(0.0, found - kept)
    return max(0.001, total)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
