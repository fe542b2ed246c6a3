"""The grammar: three notations, one call; whatever else is said gets an answer, never an error."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.textweb.grammar import Call, Malformed, parse, preface, say
from spelunk.envs.textweb.plain import clean
from spelunk.envs.textweb.tools import LARGEST, LEVELS, TOOLS, describe_tools, tool_schemas

WORDS = st.text(min_size=1, max_size=40).map(lambda t: clean(t, 40)).filter(bool)
LINES = st.text(min_size=1, max_size=60).map(lambda t: clean(t, 60, lines=True)).filter(bool)
NUMBERS = st.integers(0, LARGEST)
BY_KIND = {
    "words": lambda p: WORDS,
    "text": lambda p: LINES,
    "lines": lambda p: st.lists(WORDS, min_size=1, max_size=p.limit),
    "number": lambda p: NUMBERS,
    "numbers": lambda p: st.lists(NUMBERS, min_size=1, max_size=p.limit),
    "flag": lambda p: st.booleans(),
    "choice": lambda p: st.sampled_from(p.options),
}


def arguments(tool):
    required = {p.name: BY_KIND[p.kind](p) for p in tool.parameters if p.required}
    optional = {p.name: BY_KIND[p.kind](p) for p in tool.parameters if not p.required}
    return st.fixed_dictionaries(required, optional=optional)


CALLS = st.sampled_from(list(TOOLS.values())).flatmap(
    lambda tool: arguments(tool).map(lambda given: Call(tool.name, given))
)


@pytest.mark.parametrize(
    ("text", "tool", "arguments"),
    [
        ("<search>employer of Plosen</search>", "search", {"queries": ["employer of Plosen"]}),
        ("<search>a b\n\n c \n</search>", "search", {"queries": ["a b", "c"]}),
        ("<think>2 < 3</think>\n<open>7</open>\n", "open", {"page": 7}),
        ("<open> 7  2 </open>", "open", {"page": 7, "part": 2}),
        ("<summary>all</summary><open>7</open>", "open", {"page": 7}),
        ("<summary>line\n\n two</summary>", "summary", {"text": "line\ntwo"}),
        ("<judge>No</judge>", "judge", {"useful": False}),
        ("<curate>high 3 11</curate>", "curate", {"level": "high", "pages": [3, 11]}),
        ("<verify>3\n A works for B.</verify>", "verify", {"page": 3, "claim": "A works for B."}),
        ("search: a | b", "search", {"queries": ["a", "b"]}),
        ("Let me see.\n  ANSWER : Vel Plosen\nopen: 3", "answer", {"text": "Vel Plosen"}),
        ('{"name": "reflect", "arguments": {"met": true}}', "reflect", {"met": True}),
        ('<tool_call>{"name": "open", "arguments": "{\\"page\\": 1}"}</tool_call>', "open",
         {"page": 1}),
        ('<think>so</think>{"name": "find", "arguments": {"words": "a\\n<b>"}}', "find",
         {"words": "a < b>"}),
    ],
)  # fmt: skip
def test_what_is_said_is_understood(text, tool, arguments):
    assert parse(text) == Call(tool, arguments)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no action"),
        ("<think>hm</think>", "no action"),
        ("Plosen, I guess", "names no action"),
        ("fly: away", "names no action"),
        ("<fly>away</fly>", "no tool 'fly'"),
        ("<web>x</web>", "no tool 'web'"),
        ("<search>x", "<search> is not closed"),
        ("<think>x <search>y</search>", "<think> is not closed"),
        ("<search>x</open>", "<search> is not closed"),
        ("<search>x <b>y</b></search>", "tag inside <search>"),
        ("<think><think>x</think></think><open>1</open>", "tag inside <think>"),
        ("<open>1</open><open>2</open>", "follows </open>"),
        ("<open>1</open> I hope", "follows </open>"),
        ("<Open>1</Open>", "does not begin with a tag"),
        ("＜open＞1＜/open＞", "looks like"),
        ("<open>one</open>", "page must be a whole number"),
        ("<open>１</open>", "page must be a whole number"),
        ("<open>-1</open>", "page must be a whole number"),
        ("<open>9999999999</open>", "page must be a whole number"),
        ("<open>1 2 3</open>", "'3' is too much"),
        ("<open></open>", "open needs page"),
        ("<search>\u200b \x00</search>", "queries"),
        ("<search>1\n2\n3\n4\n5\n6</search>", "1 to 5"),
        ("<judge>maybe</judge>", "yes or no"),
        ("<curate>top 3</curate>", "one of ['high'"),
        ("<curate>high</curate>", "needs pages"),
        ("<verify>3</verify>", "needs claim"),
        ("{", "no JSON"),
        ("[" * 10_000, "no JSON"),
        ('{"name": "open", "arguments": {"page": 1}} {}', "no JSON"),
        ('{"name": "open", "arguments": ' + '{"page":' * 1500, "no JSON"),
        ('{"name": "open", "arguments": {"page": NaN}}', "NaN is no number"),
        ('{"name": "open", "arguments": {"page": 1e999}}', "page must be"),
        ('{"name": "open", "arguments": {"page": 1.0}}', "page must be"),
        ('{"name": "open", "arguments": {"page": true}}', "page must be"),
        ('{"name": "open", "arguments": {"page": ' + "9" * 4000 + "}}", "page must be"),
        ('{"name": "open", "arguments": {"page": ' + "9" * 5000 + "}}", "no JSON"),
        ('{"name": "open", "arguments": {"page": 1, "page": 2}}', "twice"),
        ('{"name": "open", "arguments": {"page": 1, "speed": 2}}', "no argument 'speed'"),
        ('{"name": "open", "arguments": {}}', "needs page"),
        ('{"name": "open", "arguments": [1]}', "must be an object"),
        ('{"name": ["open"], "arguments": {}}', "must be text"),
        ('{"name": "open"}', '"name" and "arguments"'),
        ('[{"name": "open", "arguments": {"page": 1}}]', "one object"),
        ('{"name": "search", "arguments": {"queries": "x"}}', "list of 1 to 5"),
        ('{"name": "search", "arguments": {"queries": ["x", 1]}}', "must be text"),
        ('{"name": "search", "arguments": {"queries": ["x", " "]}}', "is empty"),
        ('{"name": "curate", "arguments": {"level": [], "pages": [1]}}', "one of"),
        ("<search>" + "x" * 2**20 + "</search>", "at most 16384"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(text, why):
    answer = parse(text, TOOLS.keys() - {"web"})
    assert isinstance(answer, Malformed)
    assert why in answer.reason
    assert "Accepted: one <tool>" in answer.reason
    assert "web" not in answer.reason.split("Accepted")[1]
    assert len(answer.reason) < 500


@given(CALLS)
def test_a_call_can_be_said_in_every_notation(call):
    assert parse(say(call)) == call
    assert parse(say(call, "json")) == call
    line = say(call, "line")
    if "|" not in json.dumps(dict(call.arguments)):
        assert parse(line) == call


@given(CALLS)
def test_schemas_accept_what_is_accepted(call):
    validate = pytest.importorskip("jsonschema").validate
    schema = {s["function"]["name"]: s["function"]["parameters"] for s in tool_schemas(TOOLS)}
    validate(dict(call.arguments), schema[call.tool])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.sampled_from(list(TOOLS)), st.data())
def test_schemas_refuse_what_is_refused(name, data):
    jsonschema = pytest.importorskip("jsonschema")
    schema = next(s["function"] for s in tool_schemas([name]))["parameters"]
    given = {p.name: data.draw(JSON) for p in TOOLS[name].parameters}
    text = json.dumps({"name": name, "arguments": given})
    understood = isinstance(parse(text), Call)
    try:
        jsonschema.validate(given, schema)
    except jsonschema.ValidationError:
        assert not understood
    else:  # floats such as 3.0 are integers to a schema, and blank text is text
        floats = any(isinstance(v, float) for v in given.values()) or "." in text
        assert understood or floats or any(not clean(t, 9) for t in _texts(given))


def _texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


TAGS = st.sampled_from([*(f"<{n}>" for n in TOOLS), *(f"</{n}>" for n in TOOLS), "<think>",
                        "</think>", "<tool_call>", "</tool_call>", '{"name":', '"arguments":',
                        "{", "}", "[", "search:", "\n", "<", "\x00", "\ud800", "＜"])  # fmt: skip


@settings(max_examples=400)
@given(st.lists(TAGS | st.text(max_size=6), max_size=12).map("".join))
def test_junk_is_answered(text):
    answer = parse(text)
    assert isinstance(answer, Call | Malformed)
    preface(text)
    if isinstance(answer, Call):
        assert parse(say(answer)) == answer


@pytest.mark.parametrize("junk", [None, 3, b"<open>1</open>", ["open: 1"]])
def test_what_is_no_text_is_answered(junk):
    assert "must be a text" in parse(junk).reason
    assert preface(junk) == (None, None)


def test_thoughts_and_report_can_be_read():
    text = "<think>a\n b</think> <summary>so far</summary> <open>1</open>"
    assert preface(text) == ("a\nb", "so far")
    assert preface("<summary>it</summary>") == (None, None)
    assert preface("<open>1</open>") == (None, None)


def test_descriptions_name_each_tool():
    text = describe_tools(["answer", "search"])
    assert [line.split(">")[0] for line in text.splitlines()[1:]] == ["<search", "<answer"]
    levels = tool_schemas(["curate"])[0]["function"]["parameters"]["properties"]["level"]
    assert levels["enum"] == list(LEVELS)
    for wrong in (["fly"], [], ["search", "fly"]):
        with pytest.raises(InvalidArgumentError, match="tools must be among"):
            tool_schemas(wrong)
