"""The compact dialect: few words out, the same calls in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spelunk.envs.textweb import compact
from spelunk.envs.textweb.grammar import Call, Malformed

FACTS = [("Vel Plosen", "employer", "Drumen"), ("Drumen", "seat", "Orvik"), ("a", "b", "c")]


def test_what_is_told():
    asked = compact.question("chain", [("Vel Plosen", "employer", "x"), ("x", "seat", "?")])
    assert asked == "chain Vel_Plosen employer x x seat ?"
    assert compact.facts(FACTS[:2]) == "Vel_Plosen employer Drumen Drumen seat Orvik"
    assert len(compact.facts(FACTS * 9).split()) == 12
    assert len(compact.question("ring", FACTS * 9).split()) == 1 + 24
    assert compact.results([(3, FACTS[:1]), (11, [])]) == "3 Vel_Plosen employer Drumen\n11"
    assert compact.results([]) == "none"


@given(st.lists(st.tuples(st.text(), st.text(), st.text()), max_size=6))
def test_a_page_is_always_one_line_of_triples(triples):
    line = compact.facts(triples)
    assert len(line.split()) == 3 * min(4, len(triples))
    assert len(line.splitlines()) <= 1
    assert len(line) <= 12 * 65
    assert "<a" not in compact.facts([("<answer>", "</x>", "<|end|>")])


@pytest.mark.parametrize(
    ("text", "tool", "arguments"),
    [
        ("search employer Vel_Plosen", "search", {"queries": ["employer vel plosen"]}),
        ("open 3", "open", {"page": 3}),
        ("judge no", "judge", {"useful": False}),
        ("answer vel_plosen", "answer", {"text": "vel plosen"}),
        ("answer drumen vel_plosen 12", "answer", {"text": "drumen\nvel plosen\n12"}),
        ("verify 3 plosen drumen", "verify", {"page": 3, "claim": "plosen drumen"}),
        ("curate high 1 2 3 4 5 6 7 8 9 10", "curate",
         {"level": "high", "pages": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}),
    ],
)  # fmt: skip
def test_what_is_said(text, tool, arguments):
    assert compact.parse(text) == Call(tool, arguments)


def test_actions_are_written_as_they_are_read():
    assert compact.action("search", "employer", "Vel Plosen") == "search employer Vel_Plosen"
    call = compact.parse(compact.action("answer", "Vel Plosen", "Drumen"))
    assert call == Call("answer", {"text": "vel plosen\ndrumen"})
    assert compact.parse(compact.action("open", 3)) == Call("open", {"page": 3})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no tool"),
        ("fly away", "no tool 'fly'"),
        ("web x", "no tool 'web'"),
        ("open", "needs page"),
        ("open vel", "whole number"),
        ("search a b c d", "at most 4 words"),
        ("answer " + "a " * 17, "at most 17 words"),
        ("x" * 10**6, "at most 16384"),
        (None, "is a text"),
    ],
)
def test_what_is_wrong(text, why):
    answer = compact.parse(text, {"search", "open", "answer"})
    assert isinstance(answer, Malformed)
    assert why in answer.reason


@given(st.text() | st.lists(st.sampled_from(["open", "answer", "3", "<a>", "x_"])).map(" ".join))
def test_junk_is_answered(text):
    assert isinstance(compact.parse(text), Call | Malformed)
