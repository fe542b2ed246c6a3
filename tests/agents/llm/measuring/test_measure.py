"""Measurements of samples: cases worked out by hand, and enumeration of every choice."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spelunk.agents.llm.measuring.measure import (
    Samples,
    SupportChange,
    answer_entropy,
    bootstrap_mean,
    maj_at_k,
    pareto_front,
    pass_at_k,
    pass_curve,
    support,
)
from spelunk.envs.kernel.errors import InvalidArgumentError


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.data())
def test_pass_at_k_is_the_mean_over_all_choices(right, data):
    k = data.draw(st.integers(1, len(right)))
    enumerated = np.mean([any(chosen) for chosen in combinations(right, k)])
    assert pass_at_k(len(right), sum(right), k) == pytest.approx(enumerated, abs=1e-14)


@given(st.integers(1, 2000), st.data())
def test_pass_at_k_is_exact_for_many_samples(n, data):
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    exact = 1 - math.comb(n - c, k) / math.comb(n, k)
    assert pass_at_k(n, c, k) == pytest.approx(exact, abs=1e-12)


def test_pass_at_k_by_hand():
    # 1 - C(2, 2) / C(4, 2) = 5/6, and 1 - C(3, 2) / C(5, 2) = 7/10
    np.testing.assert_allclose(pass_at_k([4, 5], [2, 2], 2), [5 / 6, 7 / 10])
    np.testing.assert_allclose(pass_at_k(4, [0, 1, 4], 1), [0, 1 / 4, 1])
    assert pass_at_k(torch.tensor([4]), torch.tensor([3]), 2).tolist() == [1]


@pytest.mark.parametrize(
    ("n", "c", "k", "message"),
    [
        ([8, 4], [1, 1], 5, r"k must be in \[1, n\], here \[1, 4\]; got 5"),
        (4, 1, 0, "got 0"),
        (4, 5, 1, r"\[0, n\]"),
        (4, -1, 1, r"\[0, n\]"),
        (4, 0.5, 1, "integers"),
        ([], [], 1, "at least one"),
    ],
)
def test_pass_at_k_refuses(n, c, k, message):
    with pytest.raises(InvalidArgumentError, match=message):
        pass_at_k(n, c, k)


def test_pass_curve():
    correct = np.array([[1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]], bool)
    curve = pass_curve(correct, [1, 2, 4])
    assert [curve[k].point for k in (1, 2, 4)] == pytest.approx([7 / 16, 7 / 12, 3 / 4])
    assert all(estimate.low < estimate.point < estimate.high for estimate in curve.values())
    for wrong in (correct.astype(int), correct[0], correct[:, :0]):
        with pytest.raises(InvalidArgumentError, match="truth values"):
            pass_curve(wrong, [1])


def test_bootstrap_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    intervals = [bootstrap_mean(rng.normal(3, 2, 50), reps=400, seed=s) for s in range(400)]
    assert 0.91 < np.mean([low <= 3 <= high for _, low, high in intervals]) < 0.97
    width = np.mean([high - low for _, low, high in intervals])
    assert width == pytest.approx(2 * 1.96 * 2 / math.sqrt(50), rel=0.05)


def test_bootstrap_in_blocks_draws_all(monkeypatch):
    values = np.arange(7.0)
    whole = bootstrap_mean(values, reps=1000)
    monkeypatch.setattr("spelunk.agents.llm.measuring.measure._BLOCK", 70)
    assert bootstrap_mean(values, reps=1000) == whole
    with pytest.raises(InvalidArgumentError, match="at least 2 finite"):
        bootstrap_mean([1.0])
    with pytest.raises(InvalidArgumentError, match="finite"):
        bootstrap_mean([1.0, math.nan])


def samples(*rows, right=frozenset("ab")):
    rows = [list(row) for row in rows]
    return Samples(rows, np.array([[answer in right for answer in row] for row in rows]))


def test_the_majority_by_hand():
    voters = samples("aaxy", "axxy", "axay", "axby", "xyzx")
    assert maj_at_k(voters, 4).tolist() == [1, 0, 1, 1 / 2, 0]


def test_unread_answers_have_no_vote():
    rows = [["a", None, None], [None, None, None], ["x", None, "a"]]
    correct = np.array([[True, False, False], [False] * 3, [False, False, True]])
    assert maj_at_k(Samples(rows, correct), 3).tolist() == [1, 0, 1 / 2]


@given(st.lists(st.sampled_from("abxy"), min_size=1, max_size=6), st.data())
def test_the_majority_is_the_mean_over_all_choices(answers, data):
    k = data.draw(st.integers(1, len(answers)))
    outcomes = []
    for chosen in combinations(answers, k):
        most = max(chosen.count(answer) for answer in chosen)
        winners = {answer for answer in chosen if chosen.count(answer) == most}
        outcomes.append(len(winners & {"a", "b"}) / len(winners))
    found = maj_at_k(samples(answers), k, reps=4000)
    assert found[0] == pytest.approx(np.mean(outcomes), abs=1e-12 if k == len(answers) else 0.04)


def test_support_by_hand():
    base = samples("axb", "xxa", "xxx", "aaa")
    trained = samples("aaa", "bxx", "axx", "xxx")
    # problem 0 keeps a and loses b, 1 has b for a, 2 gains a, 3 loses a
    assert support(base, trained, 3) == SupportChange(preserved=1, expanded=2, shrunk=3)
    assert support(base, trained, 3, "problems") == SupportChange(2, 1, 1)
    # the first two samples of the base model do not show b of problem 0, nor a of problem 1
    assert support(base, trained, 2) == SupportChange(preserved=1, expanded=2, shrunk=1)


def test_rates_of_support_by_hand():
    # the counts of ProRL-1.5B-v2 in the paper's table 1: 0.93, 0.02, 0.04, -0.05
    change = SupportChange(preserved=2388, expanded=48, shrunk=175)
    rates = (change.retention, change.discovery, change.dynamic_score, change.net_change)
    assert [round(rate, 2) for rate in rates] == [0.93, 0.02, 0.04, -0.05]
    assert change.shrinkage == pytest.approx(1 - change.retention)
    assert change.dynamic_score == pytest.approx(
        2 * 2388 * 48 / (2388**2 + 2 * 2388 * 48 + 48 * 175)
    )
    assert math.isnan(SupportChange(0, 3, 0).retention)
    assert SupportChange(0, 3, 0).net_change == 1


answers_of_two = st.lists(st.lists(st.sampled_from("abcxy"), min_size=4, max_size=4), min_size=1)


@given(answers_of_two, st.integers(1, 4))
def test_support_turns_round_with_the_models(rows, k):
    one, other = samples(*rows), samples(*[row[::-1] for row in rows])
    there, back = support(one, other, k), support(other, one, k)
    assert there == SupportChange(back.preserved, back.shrunk, back.expanded)
    assert support(one, one, k)[1:] == (0, 0)


def test_support_refuses():
    with pytest.raises(InvalidArgumentError, match="answers to 1 and to 2"):
        support(samples("ab"), samples("ab", "ab"), 1)
    with pytest.raises(InvalidArgumentError, match=r"\[1, 2\]; got 3"):
        support(samples("ab"), samples("abc"), 3)
    with pytest.raises(InvalidArgumentError, match="level"):
        support(samples("ab"), samples("ab"), 1, "answers")
    with pytest.raises(InvalidArgumentError, match="as many rows"):
        Samples([["a"], ["a", "b"]], np.zeros((2, 2), bool))


def test_answer_entropy_by_hand():
    rows = ["aaaa", "aabb", "aaab", "abcd"]
    quarters = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    expected = np.array([0, math.log(2), quarters, math.log(4)])
    np.testing.assert_allclose(answer_entropy(rows), expected, atol=1e-15)
    corrected = expected + np.array([0, 1, 1, 3]) / 8
    np.testing.assert_allclose(answer_entropy(rows, miller_madow=True), corrected, atol=1e-15)
    with pytest.raises(InvalidArgumentError, match="at least one answer"):
        answer_entropy([["a"], []])


def test_the_correction_lessens_the_bias():
    rows = np.random.default_rng(0).integers(8, size=(2000, 40)).tolist()
    plain = answer_entropy(rows).mean() - math.log(8)
    assert plain < -0.07
    assert abs(answer_entropy(rows, miller_madow=True).mean() - math.log(8)) < -plain / 10


def test_the_front_by_hand():
    costs = [5, 1, 3, 3, 4, 1, 9]
    scores = [0.9, 0.2, 0.4, 0.5, 0.5, 0.2, 0.8]
    assert pareto_front(costs, scores).tolist() == [1, 3, 0]
    with pytest.raises(InvalidArgumentError, match="2 costs came with 1 scores"):
        pareto_front([1, 2], [1])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12))
def test_no_run_beats_one_on_the_front(runs):
    def beats(one, other):
        return one != other and one[0] <= other[0] and one[1] >= other[1]

    front = [runs[i] for i in pareto_front(*zip(*runs, strict=True))]
    assert front == sorted({run for run in runs if not any(beats(other, run) for other in runs)})
