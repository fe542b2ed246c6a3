"""Behaviours and strategic grams in texts written for the test."""

import math
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spelunk.agents.llm.measuring.strategies import (
    count_behaviours,
    mine_grams,
    planning_spans,
    semantic_entropy,
)
from spelunk.envs.kernel.errors import InvalidArgumentError

SOLUTIONS = [
    "<plan>Let us try the largest number first</plan> 3 + 4 = 7",
    "We let us try 12 now. Let us try the sum.",
    "LET US TRY THE product: 6 * 7 = 42",
    "let us try the wrong way",
]


def test_behaviours_by_hand():
    texts = [
        "<plan>First 3</plan> Wait, go back. Undo and try another way; waiting",
        "check 3 + 4 = 7, double-check it. <PLAN> Checkmate",
        "",
    ]
    found = {name: counts.tolist() for name, counts in count_behaviours(texts).items()}
    assert found["backtrack"] == [4, 0, 0]
    assert found["verify"] == [0, 2, 0]
    assert found["subgoal"] == [1, 0, 0]
    assert found["plan"] == [1, 1, 0]
    assert found["critique"] == found["backward"] == [0, 0, 0]
    own = count_behaviours(["aXbX"], {"cross": re.compile("X")})
    assert own["cross"].tolist() == [2]


def test_grams_of_right_solutions():
    grams = mine_grams(SOLUTIONS, [True, True, True, False], share=1)
    # in all three right ones; twice in the second, which counts once
    assert grams == {
        ("let", "us", "try"): 3,
        ("let", "us", "try", "the"): 3,
        ("us", "try", "the"): 3,
    }
    assert list(grams) == [("let", "us", "try"), ("let", "us", "try", "the"), ("us", "try", "the")]


def test_the_top_share_is_kept():
    texts = ["one two three four", "one two three five", "one two three four"]
    # clusters by frequency: 123 (3), then 1234 and 234 (2), then 1235 and 235 (1)
    assert mine_grams(texts, [True] * 3) == {("one", "two", "three"): 3}
    assert len(mine_grams(texts, [True] * 3, share=0.3)) == 2
    assert len(mine_grams(texts, [True] * 3, share=1)) == 3
    assert mine_grams(texts, [False] * 3) == {}


def test_numbers_are_alike_and_never_alone():
    texts = ["add 3 and 4.5 1 2 3", "Add 17 and 2"]
    assert mine_grams(texts, [True, True], share=1) == {
        ("add", "0", "and"): 2,
        ("add", "0", "and", "0"): 2,
        ("0", "and", "0"): 2,
    }


def test_grams_stay_within_sentences_and_tags():
    texts = ["let us. try it", "let us\ntry it", "let us<plan>try it", "let us; try it"]
    assert mine_grams(texts, [True] * 4, share=1) == {}
    assert mine_grams(["it's a-b 3.5x"] * 2, [True] * 2, share=1)[("it's", "a", "b")] == 2


def test_spans_cover_the_grams():
    text = "So let us try the sum, LET us\nTry. Now Let  us, try 5"
    grams = {("let", "us", "try"), ("us", "try", "the"), ("sum", "let", "us")}
    spans = planning_spans(text, grams)
    assert [text[start:end] for start, end in spans] == [
        "let us try the", "sum, LET us", "Let  us, try"
    ]  # fmt: skip
    assert planning_spans(text, {}) == []


def test_semantic_entropy_by_hand():
    grams = {("a", "b", "c"), ("d", "e", "f")}
    assert semantic_entropy(["a b c", "A b c. a B c"], grams) == 0
    assert semantic_entropy(["a b c. d e f", "x y z"], grams) == pytest.approx(math.log(2))
    quarters = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert semantic_entropy(["a b c\na b c", "a b c\nd e f"], grams) == pytest.approx(quarters)
    assert semantic_entropy(["x y z"], grams) == semantic_entropy([], grams) == 0


def test_refuses():
    with pytest.raises(InvalidArgumentError, match="1 texts came with 2 verdicts"):
        mine_grams(["a b c"], [True, False])
    with pytest.raises(InvalidArgumentError, match="share"):
        mine_grams(["a b c"], [True], share=0)


@given(st.lists(st.text(max_size=60), max_size=4))
def test_any_text_is_taken(texts):
    grams = mine_grams(texts * 2, [True] * len(texts) * 2, share=1)
    assert 0 <= semantic_entropy(texts, grams) <= math.log(max(1, len(grams))) + 1e-9
    count_behaviours(texts)
    for text in texts:
        spans = planning_spans(text, grams)
        flat = [place for span in spans for place in span]
        assert flat == sorted(set(flat))
        assert all(0 <= place <= len(text) for place in flat)


@pytest.mark.parametrize("unit", [".", "<", "<a", "1", "step 1", "try ", "\n", "a'", "wait"])
def test_long_texts_take_linear_time(unit):
    text = unit * (200_000 // len(unit))
    start = time.process_time()
    mine_grams([text, text], [True, True])
    count_behaviours([text])
    assert time.process_time() - start < 5
