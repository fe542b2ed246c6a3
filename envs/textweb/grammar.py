"""What an agent says: one `Call` of a tool, read from tagged text, a JSON tool call or a line.

Tagged text is `<think>…</think>` if you like, then `<tool>…</tool>`; with the tool `summary`
enabled, `<summary>…</summary>` may stand between the two. The parameters stand in the tag in the
order of the table, separated by white space: `<verify>3 Plosen works for Drumen</verify>`. A `<` in
a tag must not be followed by a letter or `/`. JSON is
`{"name": "search", "arguments": {"queries": ["employer of Plosen"]}}`, in `<tool_call>` tags if you
like. A line is `search: employer of Plosen`, with `|` for line breaks; the first line that begins
with an enabled tool counts, whatever stands around it.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from .plain import LONGEST, WORD_BREAKS, clean
from .tools import LARGEST, TOOLS, WORDS, Parameter, Tool, enabled_tools

Notation = Literal["tagged", "json", "line"]
ALL_TOOLS: frozenset[str] = frozenset(TOOLS)

# A `<` in running text is followed by no letter and no `/`, so that tags cannot nest.
_ELEMENT = re.compile(rf"<([a-z]+)>([^<]*(?:<(?![A-Za-z/])[^<]*)*)</\1>[{WORD_BREAKS}]*")
_OPENING = re.compile(r"<([a-z]+)>")
_LINE = re.compile(r"^[ \t]*([A-Za-z]+)[ \t]*:[ \t]*(\S.*)$", re.MULTILINE)
_GAP = re.compile(rf"[{WORD_BREAKS}]+")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_FLAGS = {"yes": True, "no": False}


@dataclass(frozen=True)
class Call:
    """A tool and its arguments by name: strings, integers, booleans, or lists of such.

    Strings are cleaned as `plain.clean` does and hold nothing that looks like a tag.
    """

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Malformed:
    """A message that is no call; `reason` says what was wrong and what is accepted."""

    reason: str


class Preface(NamedTuple):
    """What stands before the action: thoughts and a new report, None where there is none."""

    think: str | None
    summary: str | None


class _Wrong(Exception):
    """What is wrong with a message."""


def parse(text: str, enabled: Collection[str] = ALL_TOOLS) -> Call | Malformed:
    """The call that a message makes; never raises, whatever the message.

    Args:
        text: the message. More than `plain.LONGEST` characters are malformed.
        enabled: the names of the tools that can be called.
    """
    try:
        return _read(text, enabled)
    except _Wrong as wrong:
        return Malformed(f"{wrong} {_accepted(enabled)}")


def read_call(name: str, body: str, enabled: Collection[str] = ALL_TOOLS) -> Call | Malformed:
    """The call of a tool whose parameters are written as in a tag."""
    try:
        return _with_body(name, body, enabled)
    except _Wrong as wrong:
        return Malformed(f"{wrong} {_accepted(enabled)}")


def preface(text: str) -> Preface:
    """The thoughts and the report that stand before the action of a message, cleaned."""
    if not isinstance(text, str) or len(text) > LONGEST:
        return Preface(None, None)
    think, summary, _ = _split(text, ALL_TOOLS)
    return Preface(
        *(None if s is None else clean(s, LONGEST, lines=True) for s in (think, summary))
    )


def say(call: Call, notation: Notation = "tagged") -> str:
    """A message that makes a call; `parse` gives the call back.

    In a line, `|` in the text of a call becomes a space.
    """
    if notation == "json":
        return json.dumps(
            {"name": call.tool, "arguments": dict(call.arguments)}, ensure_ascii=False
        )
    written = [
        _write(call.arguments[p.name])
        for p in TOOLS[call.tool].parameters
        if p.name in call.arguments
    ]
    if notation == "tagged":
        return f"<{call.tool}>{' '.join(written)}</{call.tool}>"
    body = " ".join(part.replace("|", " ") for part in written)
    return f"{call.tool}: {body.replace(chr(10), ' | ')}"


def _write(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ("\n" if isinstance(value[0], str) else " ").join(str(entry) for entry in value)
    return str(value)


# --- notations ---


def _read(text: str, enabled: Collection[str]) -> Call:
    if not isinstance(text, str):
        raise _Wrong(f"a message must be a text, not {type(text).__name__}.")
    if len(text) > LONGEST:
        raise _Wrong(f"the message has {len(text)} characters; at most {LONGEST} are read.")
    _, _, rest = _split(text, enabled)
    if not rest:
        raise _Wrong("the message has no action.")
    if rest.startswith("<tool_call>") and rest.endswith("</tool_call>"):
        return _json(rest[len("<tool_call>") : -len("</tool_call>")], enabled)
    if rest.startswith("<"):
        return _tagged(rest, enabled)
    if rest.startswith(("{", "[")):
        return _json(rest, enabled)
    return _line(rest, enabled)


def _split(text: str, enabled: Collection[str]) -> tuple[str | None, str | None, str]:
    """Thoughts, report and the rest of a message."""
    rest, think, summary = text.strip(WORD_BREAKS), None, None
    found = _ELEMENT.match(rest)
    if found and found[1] == "think":
        think, rest = found[2], rest[found.end() :]
        found = _ELEMENT.match(rest)
    if (
        found
        and found[1] == "summary"
        and "summary" in enabled
        and found.end() < len(rest)
        and clean(found[2], 1)
    ):
        summary, rest = found[2], rest[found.end() :]
    return think, summary, rest


def _tagged(text: str, enabled: Collection[str]) -> Call:
    found = _ELEMENT.match(text)
    if found is None:
        opening = _OPENING.match(text)
        if opening is None:
            raise _Wrong(f"{_shown(text)} does not begin with a tag.")
        if f"</{opening[1]}>" not in text:
            raise _Wrong(f"<{_shown(opening[1], '')}> is not closed.")
        raise _Wrong(f"there is a tag inside <{_shown(opening[1], '')}>.")
    if found.end() < len(text):
        raise _Wrong(f"{_shown(text[found.end() :])} follows </{found[1][:_SHOWN]}>.")
    return _with_body(found[1], found[2], enabled)


def _json(text: str, enabled: Collection[str]) -> Call:
    try:
        call = json.loads(text, parse_constant=_refuse, object_pairs_hook=_unique)
        if isinstance(call, dict) and isinstance(call.get("arguments"), str):
            call["arguments"] = json.loads(
                call["arguments"], parse_constant=_refuse, object_pairs_hook=_unique
            )
    except (ValueError, RecursionError) as error:
        raise _Wrong(f"this is no JSON: {_shown(str(error), '')}.") from error
    if not isinstance(call, dict) or call.keys() != {"name", "arguments"}:
        raise _Wrong('a tool call is one object with "name" and "arguments".')
    tool = _tool(call["name"], enabled)
    given = call["arguments"]
    if not isinstance(given, dict):
        raise _Wrong(f"the arguments of {tool.name} must be an object.")
    names = [p.name for p in tool.parameters]
    if unknown := given.keys() - set(names):
        raise _Wrong(f"{tool.name} has no argument {_shown(min(unknown))}; it has {names}.")
    return _call(tool, given)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key stands twice in an object")
    return dict(pairs)


def _line(text: str, enabled: Collection[str]) -> Call:
    for found in _LINE.finditer(text):
        if found[1].isascii() and found[1].lower() in enabled:
            return _with_body(found[1].lower(), found[2].replace("|", "\n"), enabled)
    if clean(text, 1) == "<":
        raise _Wrong("a tag is written with < itself, not with a character that looks like it.")
    raise _Wrong(f"{_shown(text)} names no action.")


# --- arguments ---


def _with_body(name: str, body: str, enabled: Collection[str]) -> Call:
    tool, given = _tool(name, enabled), {}
    rest = body.strip(WORD_BREAKS)
    for p in tool.parameters:
        if not rest:
            break
        if p.kind in ("number", "flag", "choice"):
            head, *tail = _GAP.split(rest, maxsplit=1)
            given[p.name], rest = _value(p, head), "".join(tail)
        else:
            given[p.name], rest = _value(p, rest), ""
    if rest:
        raise _Wrong(f"{_shown(rest)} is too much for {tool.name}.")
    return _call(tool, given)


def _value(p: Parameter, text: str) -> Any:
    """What is written for a parameter, as JSON would have it."""
    if p.kind == "lines":
        return [line for line in text.split("\n") if clean(line, 1)]
    if p.kind == "numbers":
        return [int(part) if _NUMBER.fullmatch(part) else part for part in _GAP.split(text)]
    if p.kind == "number" and _NUMBER.fullmatch(text):
        return int(text)
    lower = text.lower() if text.isascii() else text
    if p.kind == "flag":
        return _FLAGS.get(lower, text)
    return lower if p.kind == "choice" else text


def _call(tool: Tool, given: Mapping[str, Any]) -> Call:
    arguments = {}
    for p in tool.parameters:
        if p.name in given:
            arguments[p.name] = _checked(p, given[p.name])
        elif p.required:
            raise _Wrong(f"{tool.name} needs {p.name}, {p.description}.")
    return Call(tool.name, arguments)


def _checked(p: Parameter, value: Any) -> Any:
    if p.kind in ("words", "text"):
        return _text(p, value, p.limit)
    if p.kind in ("lines", "numbers"):
        if not isinstance(value, list) or not 1 <= len(value) <= p.limit:
            raise _Wrong(f"{p.name} must be a list of 1 to {p.limit}.")
        return [_text(p, v, WORDS) if p.kind == "lines" else _number(p, v) for v in value]
    if p.kind == "number":
        return _number(p, value)
    if p.kind == "flag":
        if not isinstance(value, bool):
            raise _Wrong(f"{p.name} must be yes or no (true or false in JSON).")
    elif value not in p.options:
        raise _Wrong(f"{p.name} must be one of {list(p.options)}.")
    return value


def _text(p: Parameter, value: Any, limit: int) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"{p.name} must be text.")
    plain = clean(value, limit, lines=p.kind == "text")
    if not plain:
        raise _Wrong(f"{p.name} is empty.")
    return plain


def _number(p: Parameter, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        raise _Wrong(f"{p.name} must be a whole number from 0 to {LARGEST}.")
    return value


def _tool(name: Any, enabled: Collection[str]) -> Tool:
    if not isinstance(name, str):
        raise _Wrong("the name of a tool must be text.")
    if name not in enabled or name not in TOOLS:
        raise _Wrong(f"there is no tool {_shown(name)} here.")
    return TOOLS[name]


# --- messages ---

_SHOWN = 40


def _shown(text: str, mark: str = "'") -> str:
    """The beginning of a text, made harmless."""
    return f"{mark}{clean(text, _SHOWN)}{mark}"


def _accepted(enabled: Collection[str]) -> str:
    names = ", ".join(tool.name for tool in enabled_tools(ALL_TOOLS & set(enabled)))
    return (
        f"Accepted: one <tool>…</tool>, one JSON tool call or one line tool: …, of the tools "
        f"{names}."
    )
