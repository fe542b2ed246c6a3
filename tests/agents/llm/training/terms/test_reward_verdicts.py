"""Rewards for verdicts, rubrics and structure, on episodes worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spelunk.agents.llm.searching.trace import TraceBuilder
from spelunk.agents.llm.training.terms.reward import judging, structure

from .episodes import CLOSED, RUBRICS, SEARCHES, call, calls, episode, value

# --- judging ---


def with_tags(answer, *verdicts):
    """A useful result and its tag, a useless one and its tag, and so on; then the answer."""
    builder = TraceBuilder(CLOSED)
    builder.say("yes", "judge", verdict=True)  # of no result: does not count
    builder.end_turn()
    for i, verdict in enumerate(verdicts):
        builder.say("…", "search")
        builder.show("…", "search", covered=1 if i == 0 else 0)
        builder.end_turn()
        builder.say("…", "judge", verdict=verdict)
        builder.end_turn()
    builder.say(str(answer), "answer")
    builder.end_turn()
    return builder.finish(answer)


@pytest.mark.parametrize(
    ("answer", "verdicts", "expected", "agreement"),
    [
        ("Ax", (True, True), (0.1, 0.1), 1 / 2),
        ("Bo", (True, True), (-0.025, -0.05), 1 / 2),
        ("Bo", (False, False), (-0.05, 0.02), 1 / 2),
        ("Ax", (True, False), (0.1, 0.02), 1),
        (None, (True, False), (0, 0), 1),
        ("Ax", (), (), 0),
    ],
)
def test_verdicts_on_results(answer, verdicts, expected, agreement):
    trace = with_tags(answer, *verdicts)
    found = value("judge_match", trace)
    assert found.shape == (trace.turns,)
    assert found[2:-1:2] == pytest.approx(list(expected))
    assert found.sum() == pytest.approx(sum(expected))
    assert value("judge_agreement", trace) == agreement


def test_step_scores():
    trace = episode(SEARCHES[:2])
    np.testing.assert_array_equal(value("step_score", trace), [1, 0, 1])


def test_atoms_of_thought():
    builder = TraceBuilder(CLOSED)
    builder.say("early", "think", claims=(3,))  # not yet seen
    builder.show("…", "search", pages=((3, 4),))
    builder.end_turn()
    builder.say("right", "think", claims=(3, 4))
    builder.say("half right", "think", claims=(3, 5))
    builder.say("hm", "think")
    builder.end_turn()
    assert value("atomic_thought", builder.finish()) == pytest.approx((0 + 1 + 0 + 0.5) / 4)
    assert value("atomic_thought", episode()) == 0


@pytest.mark.parametrize(
    ("answer", "cited", "expected"),
    [
        ("Ax, Bo, Cy, Dy", (11, 12, 13, 14), 1),
        ("Ax, Bo, Cy, Dy", (12, 11), 1 / 2),
        ("Ax, Bo, Cy, Dy", (12, 13, 14), 0),  # nothing links them with the answer
        ("Ax, Bo, Dy", (11, 12, 13, 14), 1 / 4),
        ("Bo, Cy, Dy", (11, 12, 13, 14), 0),
        ("Ax, Bo, Cy, Dy", (), 0),
    ],
)
def test_rubrics_must_hang_together_with_the_answer(answer, cited, expected):
    results = [{"pages": ((11, 12, 13, 14),)}]
    assert value("rubric", episode(results, answer, RUBRICS, citations=cited)) == expected


def test_rubrics_want_pages_that_were_returned_and_few_of_them():
    results = [{"pages": ((11, 12, *range(20, 50)),)}]

    def found(*cited):
        return value("rubric", episode(results, "Ax, Bo, Cy, Dy", RUBRICS, citations=cited))

    assert found(11, 12, 13) == 1 / 2
    assert found(*range(20, 39), 11, 12) == 1 / 4
    assert judging.over_group_maximum([0.25, 0.5, 0]) == [0.5, 1, 0]
    assert judging.over_group_maximum([0.0, 0.0]) == [0, 0]


# --- structure ---


def called(made, gold, **extras):
    return episode(extras={"calls": made, "gold_calls": gold, **extras})


def test_calls_are_matched_part_by_part():
    gold = [call("f", x=1, y="Bo"), call("g")]
    # At most 1 + (1 + 2) + (1 + 0) = 5. Names agree in 1 of 3, parameters in 1 of 3, one value.
    made = [call("f", x=1.0, z=2), call("h")]
    score = (1 / 3 + 1 / 3 + 1) / 5
    assert structure.partial_match(made, gold) == pytest.approx(score)
    assert value("tool_match", called(made, gold)) == pytest.approx(6 * score - 3)
    assert value("tool_match", called(gold[::-1], gold)) == 3
    assert value("tool_match", called([call("f", x="1", y=" bo"), call("g")], gold)) == 3
    assert value("tool_match", called([], [])) == 3
    assert value("tool_match", called([], gold)) == value("tool_match", called(None, gold)) == -3


def test_the_best_matching_is_found():
    """The first call fits both, the second only the first reference."""
    gold = [call("f", x=1), call("f", x=1, y=2)]
    made = [call("f", x=1, y=2), call("f", x=1)]
    assert structure.partial_match(made, gold) == pytest.approx(1)


def deep(levels):
    arguments = 0
    for _ in range(levels):
        arguments = [arguments]
    return [call("f", x=arguments)]


@pytest.mark.parametrize(
    "calls", [None, "f()", {}, [1], [{"name": 3}], [{"name": "f"}], deep(30), deep(100_000)]
)
def test_unreadable_calls_score_the_least(calls):
    assert value("tool_match", called(calls, [call("f")])) == -3
    assert value("ast_match", called(calls, [call("f")])) == 0
    assert value("ast_match", called(deep(29), deep(29))) == 1


@given(st.lists(st.tuples(st.sampled_from("fg"), st.integers(0, 2)), max_size=4), st.randoms())
def test_call_order_does_not_matter(pairs, random):
    gold = [call(name, x=x) for name, x in pairs]
    shuffled = random.sample(gold, len(gold))
    assert structure.partial_match(shuffled, gold) == pytest.approx(1)
    assert value("ast_match", called(shuffled, gold)) == 1
    assert 0 <= structure.partial_match(gold[:1], gold) <= 1


def test_trees_of_calls():
    gold = [call("f", x=call("g", y=[1, 2]), z=0)]
    same = [{"arguments": {"z": 0, "x": call("g", y=[1.0, "2"])}, "name": "f"}]
    assert value("ast_match", called(same, gold)) == 1
    assert value("ast_match", called([call("f", x=call("g", y=[2, 1]), z=0)], gold)) == 0
    assert value("ast_match", called(gold * 2, gold)) == 0
    short = [call("f", x=call("g", y=[1, 2]))]
    assert value("ast_match", called(short, gold)) == 0
    assert value("ast_match", called(short, gold, defaults={"f": {"z": 0}})) == 1
    assert value("ast_match", called([call("f", x=True)], [call("f", x=1)])) == 0
    malformed = episode(malformed=(0,), extras={"calls": gold, "gold_calls": gold})
    assert value("ast_match", malformed) == 0


def test_sql():
    sql = {
        "query": "SELECT a FROM t",
        "gold": "select a from u",
        "right": False,
        "runs": True,
        "used": ["t.a", "t"],
        "gold_used": ["t.a", "u"],
    }
    # Bigrams "select a", "a from" of 4; names "t.a" of 3.
    trace = episode(extras={"sql": sql})
    assert value("sql_partial", trace) == pytest.approx((0 + 1 + 1 / 3 + 2 / 4 + 1) / 7)
    right = {**sql, "right": True}
    assert value("sql_partial", episode(extras={"sql": right})) == pytest.approx(
        (3 + 1 + 1 / 3 + 2 / 4 + 1) / 7
    )


def test_ranks():
    assert [structure.rank_value(r) for r in (1, 4, 10, 55, 100, 500)] == pytest.approx(
        [2, 5 / 3, 1, 0.5, 0, 0]
    )
    pages = (*range(10, 19), 2, 1)  # page 2 at rank 10, page 1 at rank 11
    trace = episode([{"pages": ((1,),)}, {"pages": (pages,)}])
    assert value("rank_piecewise", trace) == pytest.approx(1 + 89 / 90)
    assert value("rank_piecewise", trace, eta=0.5) == pytest.approx(1 + 89 / 180)
    assert value("rank_piecewise", episode()) == 0
    assert value("rank_piecewise", calls(1, malformed=(0,))) == -1
