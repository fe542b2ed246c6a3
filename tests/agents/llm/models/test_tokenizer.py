"""Tokenizers: what is one token, and that nothing but case and white space is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spelunk.agents.llm.models.tokenizer import END, PAD, UNKNOWN, build_tokenizer
from spelunk.envs.kernel import InvalidArgumentError

TEXTS = ["Pull the left lever", "pull the light lever: 7", "left, right", "leverage"]
UNITS = {unit: build_tokenizer(TEXTS, unit) for unit in ("word", "character", "bpe")}


def pieces(unit, text):
    tokenizer = UNITS[unit]
    return tokenizer.convert_ids_to_tokens(tokenizer(text, add_special_tokens=False)["input_ids"])


def test_a_word_is_a_token():
    assert pieces("word", "Pull the left lever: 99") == [
        "pull",
        "the",
        "left",
        "lever",
        "##:",
        "99",
    ]
    assert pieces("word", "let 100") == ["l", "##e", "##t", "10", "##0"], "unknown words are spelt"


def test_a_character_is_a_token():
    assert pieces("character", "left 12") == ["l", "##e", "##f", "##t", "1", "##2"]


def test_frequent_pairs_are_merged():
    """By hand, of a vocabulary: "lo" comes in all three words, "low" in two, "er" in two."""
    tokenizer = build_tokenizer(["low lower loner"], "bpe")
    words = tokenizer("low lower loner slow", add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(words) == [
        "▁low", "▁low", "er", "▁lo", "n", "er", "▁", "s", "lo", "w"
    ]  # fmt: skip
    characters = len(build_tokenizer([""], "bpe"))
    assert len(build_tokenizer(["low lower loner"], "bpe", size=characters + 2)) == characters + 2


@pytest.mark.parametrize("unit", UNITS)
@given(text=st.text("abelrtgh 0123456789.,:+", max_size=30))
def test_nothing_but_white_space_is_lost(unit, text):
    tokenizer = UNITS[unit]
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(tokens) == " ".join(text.split())


@pytest.mark.parametrize("unit", UNITS)
def test_special_tokens(unit):
    tokenizer = UNITS[unit]
    assert tokenizer.convert_tokens_to_ids([PAD, END, UNKNOWN]) == [0, 1, 2]
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (0, 1)
    assert pieces(unit, "é")[-1] == UNKNOWN
    again = build_tokenizer(reversed(TEXTS), unit)
    assert again.get_vocab() == tokenizer.get_vocab(), "whatever the order of the texts"


def test_an_unknown_unit():
    with pytest.raises(InvalidArgumentError, match="unit must be one of"):
        build_tokenizer(TEXTS, "syllable")
