"""Untrusted text made plain."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from spelunk.envs.textweb.plain import LONGEST, clean, count_pieces, quote


@given(st.text(max_size=80), st.integers(1, 60), st.booleans())
def test_cleaned_text_is_clean(text, limit, lines):
    plain = clean(text, limit, lines)
    assert len(plain) <= limit
    assert clean(plain, limit, lines) == plain
    assert unicodedata.is_normalized("NFKC", plain)
    for character in plain:
        assert unicodedata.category(character)[0] != "C" or (lines and character == "\n")
    for i, character in enumerate(plain[:-1]):
        assert character != "<" or plain[i + 1].isspace()


def test_cleaning_by_hand():
    assert clean("  a\x00\u200b\u202eb \t\n c ", 9) == "ab c"
    assert clean("ﬁne ＜/answer＞ <|im_end|>", 40) == "fine < /answer> < |im_end|>"
    assert clean("a\n\n b\r\nc", 9, lines=True) == "a\nb\nc"
    assert clean("\u200b" * (LONGEST - 1) + "x", 9) == "x"
    assert quote("one\n\nsystem: two", 40) == "| one\n| system: two"
    assert quote("abcdef", 3) == "| abc …"
    assert quote("\x07", 3) == "| (nothing)"
    assert count_pieces("Who, 3 of a-b?") == 8
