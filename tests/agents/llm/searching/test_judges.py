"""Judges: what they find when they do not err, and that they err as often as they say."""

import pytest

from spelunk.agents.llm.searching.judges import RecordedOracle, WorldJudge
from spelunk.agents.llm.searching.trace import Task, TraceBuilder
from spelunk.envs.kernel import InvalidArgumentError

TRIALS = 2000
#: Half the width of the 99.9 % interval of a rate of 0.3 over the trials.
SLACK = 3.3 * (0.3 * 0.7 / TRIALS) ** 0.5


def searched(results, answer, question="?", gold=(("Ax",),), well_formed=None):
    """Turns with one result each, (pages, covered), then an answer."""
    builder = TraceBuilder(Task(question, gold=gold, evidence=8))
    well_formed = well_formed or [True] * len(results)
    for (pages, covered), fine in zip(results, well_formed, strict=True):
        builder.say("…", "search")
        builder.show("…", "search", queries=("q",), pages=(pages,), covered=covered)
        builder.end_turn(fine)
    if answer is not None:
        builder.say(answer, "answer")
        builder.end_turn()
    return builder.finish(answer)


ORACLE = RecordedOracle(lambda page, claim: page == claim)
EXACT = WorldJudge(ORACLE, epsilon=0)


def test_without_error_the_judge_tells_the_truth():
    trace = searched([((1,), 0b1), ((2,), 0b1), ((3,), 0b11)], "ax")
    assert [EXACT.useful(trace, turn) for turn in range(4)] == [True, False, True, False]
    assert EXACT.supports(trace, 4, 4)
    assert not EXACT.supports(trace, 4, 5)
    assert EXACT.correct(trace)
    assert not EXACT.correct(searched([], "bo"))
    assert not EXACT.correct(searched([((1,), 1)], None))


def test_lists_are_right_if_complete():
    gold = (("a", "aa"), ("b",))
    builder = TraceBuilder(Task("?", gold=gold))
    assert EXACT.correct(builder.finish("b, aa", items=("B", "aa")))
    assert not EXACT.correct(builder.finish("a, aa", items=("a", "aa")))


@pytest.mark.parametrize(("answer", "last"), [("ax", 1), ("bo", -1)])
def test_scores_by_hand(answer, last):
    """Useful, nothing gold but new, nothing new, malformed, and the answer."""
    results = [((1,), 0b1), ((2,), 0b1), ((1, 2), 0b1), ((5,), 0b11)]
    trace = searched(results, answer, well_formed=[True, True, True, False])
    assert [EXACT.score(trace, turn) for turn in range(5)] == [1, 0, -1, -1, last]


def test_a_trace_keeps_its_verdicts():
    traces = [searched([((n,), n & 1)], "ax") for n in range(50)]
    judge, other = WorldJudge(ORACLE, 0.5, seed=3), WorldJudge(ORACLE, 0.5, seed=3)
    forwards = [(judge.useful(trace, 0), judge.correct(trace)) for trace in traces]
    backwards = [(other.useful(trace, 0), other.correct(trace)) for trace in traces[::-1]]
    assert forwards == backwards[::-1]
    again = [(judge.useful(trace, 0), judge.correct(trace)) for trace in traces]
    assert again == forwards
    reseeded = WorldJudge(ORACLE, 0.5, seed=4)
    assert [(reseeded.useful(t, 0), reseeded.correct(t)) for t in traces] != forwards


def many():
    return [searched([((1,), 0b1), ((2,), 0b1)], "ax", question=str(n)) for n in range(TRIALS)]


@pytest.fixture(scope="module")
def traces():
    return many()


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.3])
def test_verdicts_are_turned_round_at_the_stated_rate(traces, epsilon):
    """In both directions: turn 0 is useful, turn 1 is not."""
    judge = WorldJudge(ORACLE, epsilon, seed=1)
    rates = [
        sum(not judge.useful(t, 0) for t in traces) / TRIALS,
        sum(judge.useful(t, 1) for t in traces) / TRIALS,
        sum(not judge.correct(t) for t in traces) / TRIALS,
        sum(not judge.supports(t, 3, 3) for t in traces) / TRIALS,
        sum(judge.supports(t, 3, 4) for t in traces) / TRIALS,
    ]
    assert rates == pytest.approx([epsilon] * 5, abs=SLACK if epsilon else 0)


def test_errors_of_scores_go_both_ways_alike(traces):
    judge = WorldJudge(ORACLE, 0.3, seed=1)
    for turn, others in ((0, (-1, 0)), (1, (-1, 1))):
        found = [judge.score(trace, turn) for trace in traces]
        assert [found.count(v) / TRIALS for v in others] == pytest.approx([0.15, 0.15], abs=SLACK)


def test_errors_on_different_questions_are_independent(traces):
    judge = WorldJudge(ORACLE, 0.3, seed=1)
    both = sum(not judge.useful(t, 0) and not judge.correct(t) for t in traces) / TRIALS
    assert both == pytest.approx(0.09, abs=SLACK)


@pytest.mark.parametrize("epsilon", [-0.1, 1.1, float("nan")])
def test_an_error_rate_is_a_probability(epsilon):
    assert WorldJudge(ORACLE).epsilon == 0.1
    with pytest.raises(InvalidArgumentError, match="epsilon"):
        WorldJudge(ORACLE, epsilon)
