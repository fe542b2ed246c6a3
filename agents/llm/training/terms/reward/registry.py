"""Every reward term, once, by name."""

from functools import partial
from inspect import signature
from typing import Any

from ......envs.kernel.errors import InvalidArgumentError
from . import behaviour, cost, judging, outcome, retrieval, structure
from .combine import Term

REWARDS: dict[str, Term] = {
    term.__name__: term
    for term in (
        outcome.em,
        outcome.sub_em,
        outcome.f1,
        outcome.set_f1,
        outcome.fact_f1,
        outcome.judged,
        outcome.well_formed,
        outcome.well_formed_share,
        retrieval.retrieval_gain,
        retrieval.ndcg,
        retrieval.info_density,
        retrieval.answerability,
        retrieval.splittability,
        retrieval.curation,
        retrieval.harness,
        cost.call_bonus,
        cost.step_discount,
        cost.geometric_credit,
        cost.price,
        cost.turn_ramp,
        cost.earliness,
        behaviour.query_diversity,
        behaviour.tool_coverage,
        behaviour.report_format,
        behaviour.valid_points,
        behaviour.crop_diversity,
        judging.judge_agreement,
        judging.judge_match,
        judging.step_score,
        judging.atomic_thought,
        judging.rubric,
        structure.tool_match,
        structure.ast_match,
        structure.sql_partial,
        structure.rank_piecewise,
    )
}


def reward(name: str, **settings: Any) -> Term:
    """The term of a name with some of its settings changed.

    Raises:
        InvalidArgumentError: there is no such term, or it has no such setting.
    """
    if name not in REWARDS:
        raise InvalidArgumentError(f"unknown reward {name!r}; there are {', '.join(REWARDS)}")
    known = list(signature(REWARDS[name]).parameters)[2:]
    if wrong := settings.keys() - set(known):
        raise InvalidArgumentError(f"{name} has the settings {known}; got {sorted(wrong)}")
    return partial(REWARDS[name], **settings)
