"""Combinators of rewards, the sum that logs its parts, and what holds for every term."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spelunk.agents.core.schedules import anneal
from spelunk.agents.llm.training.terms.reward import combine
from spelunk.agents.llm.training.terms.reward.registry import REWARDS, reward
from spelunk.envs.kernel import InvalidArgumentError

from .episodes import JUDGE, RUBRICS, SEARCHES, call, calls, episode, value

# --- combinators ---


def numbers(*values):
    return [combine.constant(v) for v in values]


def test_combinators_by_hand():
    trace = calls(2)
    a, b = numbers(0.25, 0.5)
    assert combine.gate(a, b)(trace, JUDGE) == 0.125
    assert combine.remainder(a, b)(trace, JUDGE) == 0.375
    assert combine.residual(a, b, 0.2)(trace, JUDGE) == pytest.approx(0.25 + 0.2 * 0.375)
    assert combine.if_correct(REWARDS["em"], a, b)(trace, JUDGE) == 0.25
    assert combine.if_correct(REWARDS["em"], a, b)(calls(2, "Bo"), JUDGE) == 0.5
    assert combine.if_correct(REWARDS["em"], a)(calls(2, "Bo"), JUDGE) == 0
    assert [combine.clip(a, *bounds)(trace, JUDGE) for bounds in ((0, 0.1), (0.3, 1), (0, 1))] == [
        0.1,
        0.3,
        0.25,
    ]
    credit = reward("geometric_credit", gamma=0.5)
    np.testing.assert_allclose(combine.gate(credit, b)(trace, JUDGE), [0.125, 0.25, 0.5])
    np.testing.assert_allclose(combine.clip(credit, 0.3, 0.6)(trace, JUDGE), [0.3, 0.5, 0.6])


def test_no_utility_buys_back_a_broken_bottom_line():
    good, fair, broken, much, little = numbers(1, 0.64, 0, 0.9, 0.3)
    both = {much: 1.0, little: 2.0}
    trace = calls(1)
    assert combine.gated_soft_and([good, fair], both)(trace, JUDGE) == pytest.approx(0.8 * 0.5)
    gated = combine.gated_soft_and([good, broken], both, delta=0.01)
    assert gated(trace, JUDGE) == pytest.approx(0.1 * 0.5)
    for wrong in (([], both, 0.1), ([good], {}, 0.1), ([good], both, 0)):
        with pytest.raises(InvalidArgumentError, match="bottom lines"):
            combine.gated_soft_and(*wrong)


def test_a_sum_logs_its_parts():
    total = combine.Sum(
        {
            "thought": (anneal(0.5, 0), combine.constant(0.8)),
            "answer": (anneal(0.5, 1), REWARDS["em"]),
            "steps": (0.1, REWARDS["step_score"]),
        }
    )
    trace = episode(SEARCHES[:2])
    found = total(trace, JUDGE, progress=0.5)
    assert found.parts == pytest.approx({"thought": 0.2, "answer": 0.75, "steps": 0.2})
    np.testing.assert_allclose(found.turns, [0.1, 0, 0.1 + 0.2 + 0.75])
    assert found.total == pytest.approx(1.15)
    assert total(trace, JUDGE, progress=1).parts["thought"] == 0


@given(
    st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2), st.booleans()), min_size=1, max_size=5),
    st.integers(0, 3),
)
def test_parts_sum_up_to_the_total(parts, n):
    def term(number, spread):
        return lambda trace, judge: np.full(trace.turns, number) if spread else number

    total = combine.Sum({str(i): (w, term(v, s)) for i, (w, v, s) in enumerate(parts)})
    found = total(calls(n), JUDGE)
    assert found.total == pytest.approx(sum(found.parts.values()))
    assert found.turns.shape == (n + 1,)


def test_wrong_sums_are_refused():
    with pytest.raises(InvalidArgumentError, match="at least one"):
        combine.Sum({})
    with pytest.raises(InvalidArgumentError, match="without turns"):
        combine.Sum({"em": (1, REWARDS["em"])})(episode(answer=None), JUDGE)
    with pytest.raises(InvalidArgumentError, match="odd must be"):
        combine.Sum({"odd": (1, lambda trace, judge: np.zeros(7))})(calls(1), JUDGE)


# --- the table ---

RANGES = {
    "harness": (-0.5, 3.2),
    "call_bonus": (0, 0.6),
    "turn_ramp": (-0.15, 0),
    "earliness": (0, 0.1),
    "tool_coverage": (0, 0.1),
    "judge_match": (-0.05, 0.1),
    "step_score": (-1, 1),
    "crop_diversity": (0, 0.8),
    "tool_match": (-3, 3),
    "rank_piecewise": (-1, 4),
}
EXTRAS = {
    "size": [4, 4],
    "points": [[1, 1]],
    "crops": [[0, 0, 1, 1]] * 9,
    "calls": [call("f")],
    "gold_calls": [call("g", x=1)],
    "sql": {
        "query": "a b",
        "gold": "",
        "right": True,
        "runs": True,
        "used": [],
        "gold_used": ["t"],
    },
}
some_pages = st.lists(st.integers(0, 4), max_size=4).map(tuple)
some_words = st.text("ab ", max_size=6)
some_results = st.fixed_dictionaries(
    {
        "queries": st.tuples(some_words),
        "pages": st.tuples(some_pages),
        "covered": st.integers(0, 15),
        "tool": st.sampled_from(["search", "open"]),
    }
)


@given(
    st.lists(some_results, max_size=6),
    st.sampled_from([None, "Ax", "Bo", "Ax Bo"]),
    st.sets(st.integers(0, 6)),
    some_pages,
    st.floats(0, 100),
)
def test_every_term_keeps_its_range(results, answer, malformed, pages, cost):
    task = replace(RUBRICS, evidence=4, relevant=(1, 2), answer_pages=(2,), tools=("search",))
    trace = episode(
        results, answer, task, malformed, cost=cost, curated=pages, citations=pages, extras=EXTRAS
    )
    for name, term in REWARDS.items():
        low, high = RANGES.get(name, (0, 1))
        found = np.asarray(term(trace, JUDGE))
        assert found.shape in ((), (trace.turns,)), name
        assert (found >= low - 1e-9).all(), name
        assert (found <= high + 1e-9).all(), name


def test_terms_are_made_by_name():
    assert value("step_discount", calls(3), beta=0.5, free=3) == 0.5
    with pytest.raises(InvalidArgumentError, match="unknown reward 'ems'"):
        reward("ems")
    with pytest.raises(InvalidArgumentError, match=r"\['beta', 'free'\]"):
        reward("step_discount", gamma=1)
