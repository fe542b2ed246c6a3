"""Scorers on cases worked out by hand, and what holds for every input."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spelunk.agents.llm.searching import scorers

texts = st.text("ab N.o", max_size=12)
items = st.lists(st.integers(0, 6), max_size=6)


def test_answers_are_normalised():
    assert scorers.normalise("  The Owl's  nest, an AREA!") == "owls nest area"
    assert scorers.exact_match("The Bo.", ["ax", "bo"]) == 1
    assert scorers.exact_match("bo ax", ["bo"]) == 0


def test_sub_exact_match_wants_whole_words():
    assert scorers.sub_exact_match("It is Bo Ax, I think", ["bo ax"]) == 1
    assert scorers.sub_exact_match("north", ["no"]) == 0
    assert scorers.sub_exact_match("anything", ["the", ""]) == 0


@pytest.mark.parametrize(
    ("answer", "gold", "expected"),
    [
        ("bo ax", ["bo"], 2 / 3),
        ("bo", ["cy", "bo dy"], 2 / 3),
        ("bo bo", ["bo"], 2 / 3),
        ("yes", ["Yes!"], 1),
        ("yes it is", ["yes"], 0),
        ("no", ["no one"], 0),
        ("", ["bo"], 0),
        ("bo", [], 0),
    ],
)
def test_token_f1(answer, gold, expected):
    assert scorers.token_f1(answer, gold) == pytest.approx(expected)


@given(texts, texts)
def test_token_f1_is_symmetric_and_bounded(one, other):
    found = scorers.token_f1(one, [other])
    assert found == scorers.token_f1(other, [one])
    assert 0 <= found <= 1
    assert found >= scorers.exact_match(one, [other]) * (scorers.normalise(one) != "")


def test_sets_by_hand():
    assert scorers.set_precision([1, 2, 2, 3, 4], [1, 9]) == 1 / 4
    assert scorers.set_recall([1, 2, 3, 4], [1, 9]) == 1 / 2
    assert scorers.set_f_beta([1, 2, 3, 4], [1, 9]) == pytest.approx(1 / 3)
    # 5 · (1/4 · 1/2) / (4 · 1/4 + 1/2)
    assert scorers.set_f_beta([1, 2, 3, 4], [1, 9], beta=2) == pytest.approx(5 / 12)
    assert scorers.set_f_beta([], []) == 1
    assert scorers.set_f_beta([1], []) == scorers.set_f_beta([], [1]) == 0


@given(items, items, st.randoms())
def test_sets_ignore_order_and_f1_is_symmetric(found, gold, random):
    before = scorers.set_f_beta(found, gold)
    assert before == pytest.approx(scorers.set_f_beta(gold, found))
    random.shuffle(found)
    assert scorers.set_f_beta(found, gold) == before
    assert 0 <= before <= 1
    assert scorers.set_precision(found, gold) == scorers.set_recall(gold, found)


def test_matching_makes_as_many_pairs_as_possible():
    """Greedy would pair 5 with 5, which leaves 4 without a partner."""

    def near(one, other):
        return 1 - abs(one - other) / 4

    assert scorers.matched_f1([5, 6], [5, 4], near, tau=0.75) == 1
    assert scorers.matched_f1([5, 5, 9], [5], near) == pytest.approx(0.5)
    assert scorers.matched_f1([], [], near) == 1
    assert scorers.matched_f1([1], [], near) == scorers.matched_f1([], [1], near) == 0


@given(items, items, st.randoms())
def test_matching_ignores_order(found, gold, random):
    def near(one, other):
        return 1 - abs(one - other) / 4

    before = scorers.matched_f1(found, gold, near)
    random.shuffle(found)
    random.shuffle(gold)
    assert scorers.matched_f1(found, gold, near) == pytest.approx(before)
    assert scorers.matched_f1(gold, found, near) == pytest.approx(before)
    assert 0 <= before <= 1


def test_jaccard_counts_occurrences():
    assert scorers.multiset_jaccard("aab", "abb") == 2 / 4
    assert scorers.multiset_jaccard("", "") == 1
    assert scorers.multiset_jaccard("a", "") == 0
    assert scorers.multiset_jaccard({"a": 9, "b": "x"}, {"a": 2}) == 1 / 2


def test_cosine_by_hand():
    assert scorers.cosine("bo ax", "Ax!") == pytest.approx(1 / math.sqrt(2))
    assert scorers.cosine("bo bo ax", "bo") == pytest.approx(2 / math.sqrt(5))
    assert scorers.cosine("bo ax", "bo cy") == pytest.approx(1 / 2)
    assert scorers.cosine("", "bo") == 0


def test_ndcg_by_hand():
    gains = {1: 1.0, 2: 1.0}
    ideal = 1 + 1 / math.log2(3)
    assert scorers.ndcg([9, 1, 9, 2], gains) == pytest.approx(
        (1 / math.log2(3) + 1 / math.log2(4)) / ideal
    )
    assert scorers.ndcg([9, 1, 2], gains, k=2) == pytest.approx(1 / math.log2(3) / ideal)
    assert scorers.ndcg([2, 1], {1: 1.0, 2: 3.0}) == 1
    assert scorers.ndcg([1, 1, 1], {1: 1.0}) == 1
    assert scorers.ndcg([1], {}) == 0


@given(items, items)
def test_ranked_lists_stay_in_bounds_and_the_ideal_scores_1(ranked, relevant):
    gains = dict.fromkeys(relevant, 1.0)
    assert 0 <= scorers.ndcg(ranked, gains) <= 1 + 1e-12
    assert 0 <= scorers.mrr(ranked, relevant) <= 1
    assert 0 <= scorers.recall_at(ranked, relevant, 3) <= scorers.recall_at(ranked, relevant) <= 1
    if relevant:
        assert scorers.ndcg(relevant, gains) == pytest.approx(1)
        assert scorers.mrr(relevant, relevant) == 1


def test_mrr_and_recall_by_hand():
    assert scorers.mrr([9, 9, 8, 1], [1]) == 1 / 3
    assert scorers.mrr([9, 8, 1], [1], k=2) == 0
    assert scorers.recall_at([9, 1, 2], [1, 2], k=2) == 1 / 2
    assert scorers.recall_at([9, 1, 2], [1, 2]) == 1
    assert scorers.recall_at([9], []) == 0


def test_behaviour_by_hand():
    assert scorers.coverage(0b1011, 4) == 3 / 4
    assert scorers.coverage(0, 0) == 1
    assert scorers.format_ok([True, False]) == 0
    assert scorers.format_ok([True, True]) == 1
    # Unaided: questions 0 and 1; known: 1 and 2. One of two, both ways.
    assert scorers.decision_f1([False, False, True], [False, True, True]) == 1 / 2
    assert scorers.decision_f1([True, True], [True, False]) == 0
