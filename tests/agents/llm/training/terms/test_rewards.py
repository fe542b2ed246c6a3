"""Rewards for outcome, retrieval, cost and behaviour, on episodes worked out by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from spelunk.agents.llm.searching.trace import Task
from spelunk.agents.llm.training.terms.reward import combine
from spelunk.agents.llm.training.terms.reward.cost import ReferenceCost
from spelunk.agents.llm.training.terms.reward.registry import REWARDS
from spelunk.envs.kernel import InvalidArgumentError

from .episodes import CLOSED, JUDGE, SEARCHES, calls, episode, value

# --- outcome ---


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("the Ax!", (1, 1, 1, 1)), ("Ax Bo", (0, 1, 2 / 3, 0)), ("Bo", (0,) * 4), (None, (0,) * 4)],
)
def test_closed_answers(answer, expected):
    trace = episode(answer=answer)
    names = ("em", "sub_em", "f1", "set_f1")
    assert [value(name, trace) for name in names] == pytest.approx(list(expected))
    assert value("judged", trace) == expected[0]


def test_answers_of_several_items():
    task = Task("?", gold=(("p q", "pq"), ("c",)))
    trace = episode(answer="c, p q", items=("c", "pq"), task=task)
    assert value("em", trace) == value("set_f1", trace) == value("f1", trace) == 1
    trace = episode(answer="c, p, z", items=("c", "p", "z"), task=task)
    assert value("em", trace) == 0
    assert value("sub_em", trace) == 0
    assert value("set_f1", trace) == value("f1", trace) == pytest.approx(2 / 5)
    # cos("p", "p q") = 1 / √2
    assert value("fact_f1", trace, tau=0.7) == pytest.approx(4 / 5)
    assert value("fact_f1", trace) == pytest.approx(2 / 5)
    nothing = episode(answer="a", task=Task("?"))
    assert [value(n, nothing) for n in ("em", "f1", "set_f1", "fact_f1", "sub_em")] == [0] * 5


def test_format():
    trace = calls(3, malformed=(1,))
    assert value("well_formed", trace) == 0
    assert value("well_formed_share", trace) == 3 / 4
    assert value("well_formed", calls(3)) == 1
    deep_researcher = combine.if_correct(REWARDS["well_formed"], REWARDS["f1"], -1)
    assert deep_researcher(trace, JUDGE) == -1
    assert deep_researcher(episode(answer="Ax Bo"), JUDGE) == pytest.approx(2 / 3)


# --- retrieval ---


def test_retrieval_by_hand():
    trace = episode(SEARCHES)
    assert value("retrieval_gain", trace) == 3 / 4
    # In order of arrival 7, 1, 8, 2: relevant at ranks 2 and 4.
    ideal = 1 + 1 / math.log2(3)
    assert value("ndcg", trace) == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)
    assert value("ndcg", trace, k=1) == 0
    assert value("info_density", trace) == pytest.approx(2 / 3)
    assert value("info_density", episode()) == value("retrieval_gain", episode()) == 0


def test_answerability_by_hand():
    results = (
        {
            "queries": ("bo", "ax"),
            "pages": ((1, 2, 3, 4), ()),
            "texts": (("bo", "bo ax", "z", "bo"), ()),
        },
        {"tool": "open", "pages": ((1,),), "texts": (("bo",),)},
        {"queries": ("ax",), "pages": ((5,),)},
    )
    first = (1 + 1 / math.sqrt(2) + 0) / 3
    assert value("answerability", episode(results)) == pytest.approx((first / 2 + 0) / 2)
    assert value("answerability", episode()) == 0


def test_splittability_by_hand():
    task = Task("ax bo")
    half = 1 / math.sqrt(2)
    copied = episode([{"queries": ("bo ax",)}], task=task)
    assert value("splittability", copied) == pytest.approx(0)
    near = episode([{"queries": ("bo",)}], task=task)
    assert value("splittability", near) == pytest.approx(1 - (0.85 - half) / 0.15)
    split = [{"queries": ("ax", "bo")}]
    assert value("splittability", episode(split, task=task)) == pytest.approx(0.5 + 0.5 * half)
    both = [*split, {"queries": ("zz",)}, {"tool": "open"}]
    expected = (0.5 + 0.5 * half + 0) / 2
    assert value("splittability", episode(both, task=task)) == pytest.approx(expected)


def test_curation_and_the_harness():
    trace = episode(SEARCHES[:1], curated=(1, 7, 8))
    # Precision 1/3, recall 1/2: 5 · (1/6) / (4/3 + 1/2).
    assert value("curation", trace) == pytest.approx(5 / 11)
    assert value("harness", trace) == pytest.approx(0.7 * 5 / 11 + 0.3 / 2)
    missed = episode(SEARCHES, curated=(1,))
    # F₂ of precision 1 and recall 1/2 is 5/9; the answer page was found and not curated.
    assert value("harness", missed) == pytest.approx(0.7 * 5 / 9 + 0.3 + 0.4 - 0.35)
    assert value("harness", episode(SEARCHES, curated=(1, 2))) == pytest.approx(3.2)
    assert value("harness", episode(SEARCHES)) == -0.2
    assert value("harness", episode(curated=(9,))) == 0.001
    assert value("harness", calls(1, malformed=(0,))) == -0.5


# --- cost ---


def test_call_bonus():
    assert [value("call_bonus", calls(n)) for n in range(5)] == [0.6, 0.4, 0.2, 0, 0]
    assert [value("call_bonus", calls(n, "Bo")) for n in range(3)] == [0, 0.05, 0.05]


def test_discounts():
    discounts = [value("step_discount", calls(n), beta=0.5) for n in range(4)]
    assert discounts == [1, 1, 0.5, 0.25]
    np.testing.assert_allclose(value("geometric_credit", calls(2), gamma=0.5), [0.25, 0.5, 1])
    np.testing.assert_array_equal(value("geometric_credit", calls(2, "Bo")), [0, 0, 0])


def test_price():
    found = [value("price", episode(cost=c), low=1, high=9) for c in (0, 1, 4, 9, 20)]
    assert found == pytest.approx([1, 1, 0.5, 0, 0])
    with pytest.raises(InvalidArgumentError, match="low < high"):
        value("price", episode(), low=1, high=1)


def test_turns():
    ramp = [value("turn_ramp", calls(n - 1), free=2, limit=6) for n in (1, 2, 3, 4, 6, 9)]
    assert ramp == pytest.approx([0, 0, -0.0375, -0.075, -0.15, -0.15])
    early = [value("earliness", calls(n)) for n in (0, 1, 3, 6)]
    assert early == pytest.approx([0.075, 0.05, 0, 0])
    assert value("earliness", calls(1, None)) == 0


def test_the_reference_cost_is_lowered_by_right_answers_only():
    term = ReferenceCost(start=4)
    assert [term(calls(n), JUDGE) for n in (2, 4, 6, 20)] == [1, 1, 0.75, 0]
    term.tighten(calls(1, "Bo"), JUDGE)
    assert term(calls(4), JUDGE) == 1
    term.tighten(calls(2), JUDGE)
    term.tighten(calls(3), JUDGE)
    assert [term(calls(n), JUDGE) for n in (2, 3, 4)] == [1, 0.75, 0.5]
    assert term(calls(2, "Bo"), JUDGE) == 0
    other = calls(4, task=replace(CLOSED, question="Who?"))
    assert term(other, JUDGE) == 1
    resumed = ReferenceCost(start=4, weight=0.5)
    resumed.load_state(term.state())
    assert resumed(calls(3), JUDGE) == 0.75


# --- behaviour ---


def test_query_diversity_by_hand():
    eight = "a b c d e f g h"

    def found(*queries):
        return value("query_diversity", episode([{"queries": queries}]))

    assert found("a") == 0
    assert found(eight, eight) == pytest.approx(0)
    assert found(eight, eight.upper() + " i") == pytest.approx(0.5 * (1 - 8 / math.sqrt(72)))
    # One word of eight and four of eight, nothing in common.
    assert found("a", "b c d e") == pytest.approx(0.5 * (1 / 8 + 1 / 2) / 2)

    def weight(n):
        return found(*(" ".join(f"w{i}x{j}" for j in range(8)) for i in range(n)))

    assert [weight(n) for n in (5, 6, 15, 16, 20, 25)] == pytest.approx(
        [0.5, 0.55, 1, 0.88, 0.8, 0.8]
    )


def test_tool_coverage():
    task = replace(CLOSED, tools=("search", "open", "find", "cite"))
    results = [{}, {"tool": "open"}, {"tool": "open"}, {"tool": "unknown"}]
    assert value("tool_coverage", episode(results, "Bo", task)) == pytest.approx(0.05)
    assert value("tool_coverage", episode(results, "Ax Bo", task)) == 0
    assert value("tool_coverage", episode(results, None, task)) == 0
    assert value("tool_coverage", episode(results, "Bo", task, malformed=(0,))) == 0
    assert value("tool_coverage", episode(results, "Bo")) == 0


def test_report_format():
    def found(answer, *items):
        return value("report_format", episode(answer=answer, items=items))

    expected = (0.5 / 2 + 0.3 * 2 / 10 + 0.5) / 1.3
    assert found("Found:\n- a\n\n", "a", "b") == pytest.approx(expected)
    # Alike: s = 0.5 + 0.6 + 0.2 > 1, and half of the findings repeat.
    assert found("- a\n- a", "a", "a") == 0
    assert found("") == 0
    # One pair of three words, one shared: cos 1/2, so s = 0.35.
    pair = (0.5 + 0.3 * 0.2 + 0.5 * (1 - 0.35**1.5)) / 1.3
    assert found("- a b\n- a c", "a b", "a c") == pytest.approx(pair)
    many = [f"w{i}" for i in range(25)]
    assert found("\n".join(many), *many) == pytest.approx(0.8 / 1.3)


def test_looks_at_a_picture():
    def seen(points, crops=()):
        return episode(extras={"size": [10, 8], "points": points, "crops": crops})

    assert value("valid_points", seen([[0, 0], [9, 7]])) == 1
    assert value("valid_points", seen([[0, 0], [9, 8]])) == 0
    assert value("valid_points", seen([[-1, 0]])) == 0
    assert value("valid_points", seen([])) == 0
    crops = [[0, 0, n, n] for n in (1, 1, 2, 3)]
    assert value("crop_diversity", seen([], crops)) == pytest.approx(0.6)
    assert value("crop_diversity", seen([], [[0, 0, n, n] for n in range(9)])) == pytest.approx(0.8)
