"""The automaton and the parser hold each other to the same language."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.textweb import compact
from spelunk.envs.textweb.automaton import DEAD, Grammar, TokenMask
from spelunk.envs.textweb.grammar import ALL_TOOLS, Call, _split, parse
from spelunk.envs.textweb.plain import LONGEST
from spelunk.envs.textweb.tools import TOOLS

GRAMMAR = Grammar(TOOLS)
FEW = frozenset({"search", "answer"})
CHARACTERS = [chr(i) for i in range(128)] + list("é１＜\u200b\ud800\u3000̈ﬁ\xa0")
PIECES = ["</", "<", ">", "search", "think", "answer", " answer", "high", "no", "yes", "é", "a b",
          "\n", "x\ny", "<<", "3", "12", "0", "", "\ufffd", "summary>", "\u200b"]  # fmt: skip


def finished(grammar: Grammar, state: int, characters: list[str]) -> str:
    """The shortest way to the end."""
    text = ""
    while not grammar.ends(state):
        states = {c: grammar.advance(state, c) for c in characters if grammar.allows(state, c)}
        best = min(states, key=lambda c: grammar.needs(states[c]))
        assert grammar.needs(states[best]) == grammar.needs(state) - 1
        text, state = text + best, states[best]
    return text


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 10**6), max_size=60), st.sampled_from([ALL_TOOLS, FEW]))
def test_whatever_is_allowed_parses_in_the_end(choices, enabled):
    grammar = GRAMMAR if enabled is ALL_TOOLS else Grammar(FEW)
    text, state = "", grammar.start
    for choice in choices:
        possible = [c for c in CHARACTERS if grammar.allows(state, c)]
        # Rare characters first, for else most of a text would be letters.
        if not possible:
            break
        text += possible[-1 - choice % len(possible)]
        state = grammar.advance(state, text[-1])
        assert set(grammar.allowed(state)) == {
            c for c in CHARACTERS[:128] if grammar.allows(state, c)
        }
    text += finished(grammar, state, CHARACTERS)
    assert grammar.format_ok(text)
    assert isinstance(parse(text, enabled), Call), (text, parse(text, enabled))


NAMES = [f"<{n}>" for n in TOOLS] + [f"</{n}>" for n in TOOLS] + ["<think>", "</think>"]
BODIES = ["x", "3", " ", "\n", "<", "/", "yes", "NO", "High", "0", "00", "é", "\u200b", "\x00",
          "１", "a b", "＜", ">", "999999999", "1234567890", "\u2028", "\xa0"]  # fmt: skip


@st.composite
def nearly_right(draw):
    """Tagged text with anything in the tags, and now and then a tag out of place."""
    body = st.lists(st.sampled_from(BODIES), max_size=14).map("".join)
    names = draw(st.lists(st.sampled_from(["think", "summary", *TOOLS]), min_size=1, max_size=3))
    parts = [
        f"<{name}>{draw(body)}</{name}>{draw(st.sampled_from(['', ' ', 'x']))}" for name in names
    ]
    return "".join(parts) + draw(st.sampled_from(["", "", "\n", *NAMES]))


@settings(max_examples=1500, deadline=None)
@given(nearly_right() | st.lists(st.sampled_from(NAMES + BODIES), max_size=8).map("".join))
def test_tagged_text_parses_just_where_the_automaton_accepts(text):
    tagged = _split(text, ALL_TOOLS)[2].startswith("<")
    assert GRAMMAR.format_ok(text) == (tagged and isinstance(parse(text), Call))


@pytest.mark.parametrize(
    ("text", "ok"),
    [
        ("<search>a\n\u3000\n b </search>\n", True),
        ("<search>1\n2\n3\n4\n5\n \n</search>", True),
        ("<search>1\n2\n3\n4\n5\n6</search>", False),
        ("<think>1 <2 << </think><summary>x</summary><answer><</answer>", True),
        ("<summary> </summary><answer>x</answer>", False),
        ("<summary>x</summary>", True),
        ("<open>3\t2</open>", True),
        ("<open>03</open>", False),
        ("<open>123456789</open>", True),
        ("<open>1234567890</open>", False),
        ("<curate>LOW 1 2 3 4 5 6 7 8 9 10</curate>", True),
        ("<curate>low 1 2 3 4 5 6 7 8 9 10 11</curate>", False),
        ("<verify>3 it is so</verify>", True),
        ("<verify>3</verify>", False),
        ("<answer>\u200b</answer>", False),
        ("<answer>é</answer>", True),
        ("<answer>x</answer><answer>y</answer>", False),
    ],
)
def test_by_hand(text, ok):
    assert GRAMMAR.format_ok(text) == ok
    assert isinstance(parse(text), Call) == ok


def test_a_message_that_is_too_long_is_not_ok():
    text = f"<answer>{'x' * (LONGEST - 17)}</answer>"
    assert len(text) == LONGEST
    assert GRAMMAR.format_ok(text)
    assert not GRAMMAR.format_ok(text + " ")


def test_only_enabled_tools_can_begin():
    grammar = Grammar(FEW)
    state = grammar.advance(grammar.start, " <")
    assert grammar.allowed(state) == "ast"  # answer, search, think
    assert not grammar.allows(state, "é")
    assert grammar.needs(grammar.start) == len("<answer>x</answer>")
    assert grammar.advance(state, "open>") == DEAD
    assert grammar.needs(DEAD) == -1
    assert grammar.allowed(DEAD) == ""
    with pytest.raises(InvalidArgumentError, match="tools must be among"):
        Grammar(["fly"])


def masks(pieces=PIECES):
    tokens = ["<end>", *pieces, *"abcdefghijklmnopqrstuvwxyz</>01 "]
    return TokenMask(GRAMMAR, tokens, end=0)


MASKS = masks()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 10**6), max_size=25))
def test_the_token_mask_is_that_of_the_characters(choices):
    state, text = GRAMMAR.start, ""
    for choice in choices:
        mask = MASKS.mask(state)
        for i, token in enumerate(MASKS.tokens):
            if i == MASKS.end:
                assert mask[i] == GRAMMAR.ends(state)
            else:
                fine = token != "" and "\ufffd" not in token
                assert mask[i] == (fine and GRAMMAR.advance(state, token) != DEAD)
        tokens = np.flatnonzero(mask)
        token = int(tokens[choice % len(tokens)])
        if token == MASKS.end:
            break
        text, state = text + MASKS.tokens[token], MASKS.advance(state, token)
        assert MASKS.mask(state) is not MASKS.mask(state)  # the caller may write into it


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 60), st.integers(0, 2**32))
def test_messages_end_within_their_room(room, seed):
    rng = np.random.default_rng(seed)
    state, said = GRAMMAR.start, []
    for left in reversed(range(max(room, GRAMMAR.needs(GRAMMAR.start)))):
        token = int(rng.choice(np.flatnonzero(MASKS.mask(state, room=left))))
        if token == MASKS.end:
            break
        said.append(MASKS.tokens[token])
        state = MASKS.advance(state, token)
    assert isinstance(parse("".join(said)), Call)


def test_without_enough_room_the_shortest_way_is_taken():
    state = GRAMMAR.advance(GRAMMAR.start, "<answer>x")
    assert [MASKS.tokens[i] for i in np.flatnonzero(MASKS.mask(state, room=0))] == ["</"]
    assert not MASKS.mask(state, room=0)[MASKS.end]
    whole = GRAMMAR.advance(state, "</answer>")
    assert np.flatnonzero(MASKS.mask(whole, room=0)).tolist() == [
        i for i, token in enumerate(MASKS.tokens) if i == MASKS.end or token in ("\n", " ")
    ]


COMPACT = Grammar(TOOLS, "compact")
WORDS = [*TOOLS, "x", "a_b", "3", "0", "03", "yes", "low", "_", "é", "<", "", "1234567890", "NO"]


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=19), st.sampled_from([ALL_TOOLS, FEW]))
def test_compact_actions_that_are_accepted_are_read(words, enabled):
    grammar = COMPACT if enabled is ALL_TOOLS else Grammar(FEW, "compact")
    text = " ".join(words)
    fine = isinstance(compact.parse(text, enabled), Call)
    plain = "é" not in text and not any(w[:1] in ("_", "<", "") for w in words[words[0] == "" :])
    assert grammar.format_ok(text) == (fine and plain)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 10**6), max_size=60))
def test_whatever_is_allowed_is_a_compact_action_in_the_end(choices):
    text, state = "", COMPACT.start
    for choice in choices:
        if not (possible := COMPACT.allowed(state)):
            break
        text += possible[choice % len(possible)]
        state = COMPACT.advance(state, text[-1])
    text += finished(COMPACT, state, [chr(i) for i in range(32, 127)])
    assert isinstance(compact.parse(text), Call), text


@pytest.mark.parametrize(
    ("text", "ok"),
    [
        ("search employer plosen", True),
        ("Search employer plosen", True),
        (" open 3", True),
        ("open 3 2", True),
        ("open x", False),
        ("search a b c", True),
        ("search a b c d", False),
        ("search  a", False),
        ("search", False),
        ("answer " + " ".join("abcdefghijklmnop"), True),
        ("answer " + " ".join("abcdefghijklmnopq"), False),
        ("verify 3 a b", True),
        ("verify 3 a b c", False),
        ("curate low 1 2 3", True),
        ("judge yes", True),
        ("judge maybe", False),
        ("answer __", False),
    ],
)
def test_compact_actions_by_hand(text, ok):
    assert COMPACT.format_ok(text) == ok


def test_there_are_two_dialects():
    with pytest.raises(InvalidArgumentError, match="dialect must be one of"):
        Grammar(TOOLS, "dutch")


def test_the_end_must_be_a_token():
    with pytest.raises(InvalidArgumentError, match="end must be"):
        TokenMask(GRAMMAR, ["a"], end=1)
