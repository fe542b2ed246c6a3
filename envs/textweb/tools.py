"""The tools of a search agent: the one table that parsers, schemas and automata are made from."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from ..kernel.errors import InvalidArgumentError

#: The most characters of a query, a name or a claim, and of a longer text.
WORDS, TEXT = 256, 2048
#: The largest number of a page or part; it has nine digits.
LARGEST = 999_999_999
#: The levels at which pages are curated, the highest first; "drop" takes them out again.
LEVELS = ("high", "medium", "low", "drop")

Kind = Literal["words", "text", "lines", "number", "numbers", "flag", "choice"]


@dataclass(frozen=True)
class Parameter:
    """An argument of a tool.

    Attributes:
        name: of the argument.
        kind: `"words"` (a line of text), `"text"` (lines of text), `"lines"` (a list of lines),
            `"number"` (0 to `LARGEST`), `"numbers"` (a list of such), `"flag"` (a boolean, in words
            yes or no) or `"choice"` (one of `options`).
        description: what it means, in a few words.
        limit: the most characters of a text, or entries of a list. Longer texts are cut, longer
            lists are refused.
        options: what a choice can be.
        required: whether it must be given. Only a number that comes last need not.
    """

    name: str
    kind: Kind
    description: str
    limit: int = 0
    options: tuple[str, ...] = ()
    required: bool = True

    def schema(self) -> dict[str, Any]:
        """The argument's JSON schema."""
        text = {"type": "string", "minLength": 1}
        number = {"type": "integer", "minimum": 0, "maximum": LARGEST}
        many = {"type": "array", "minItems": 1, "maxItems": self.limit}
        kinds: dict[Kind, dict[str, Any]] = {
            "words": text | {"maxLength": self.limit},
            "text": text | {"maxLength": self.limit},
            "lines": many | {"items": text | {"maxLength": WORDS}},
            "number": number,
            "numbers": many | {"items": number},
            "flag": {"type": "boolean"},
            "choice": {"type": "string", "enum": list(self.options)},
        }
        return {"description": self.description} | kinds[self.kind]


@dataclass(frozen=True)
class Tool:
    """What an agent can do in one message.

    Attributes:
        name: lower-case letters.
        description: one line.
        parameters: in the order in which they are written.
    """

    name: str
    description: str
    parameters: tuple[Parameter, ...]


_PAGE = Parameter("page", "number", "number of the page")
_CLAIM = Parameter("claim", "words", "what the page states, in one sentence", WORDS)
_QUERIES = Parameter("queries", "lines", "the words to look for, one query a line", 5)

#: All tools by name.
TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool("search", "Search the pages.", (_QUERIES,)),
        Tool("web", "Search the web, which may be wrong or out of date.", (_QUERIES,)),
        Tool(
            "neighbours",
            "List what is linked to a name.",
            (Parameter("entity", "words", "the name", WORDS),),
        ),
        Tool(
            "open",
            "Read a page.",
            (_PAGE, Parameter("part", "number", "part of a long page", required=False)),
        ),
        Tool(
            "find",
            "Find words in the page read last.",
            (Parameter("words", "words", "the words", WORDS),),
        ),
        Tool(
            "goal",
            "State what has to be found out next.",
            (Parameter("goal", "words", "the goal", WORDS),),
        ),
        Tool(
            "reflect",
            "Say whether the goal has been reached.",
            (Parameter("met", "flag", "whether it has"),),
        ),
        Tool(
            "judge",
            "Say whether the last result was of use.",
            (Parameter("useful", "flag", "whether it was"),),
        ),
        Tool(
            "note",
            "Write down what is known.",
            (Parameter("text", "text", "the note", WORDS * 2),),
        ),
        Tool(
            "curate",
            "Put pages into the curated set, or take them out.",
            (
                Parameter("level", "choice", "how important they are", options=LEVELS),
                Parameter("pages", "numbers", "numbers of the pages", 10),
            ),
        ),
        Tool("verify", "Check whether a page states a claim.", (_PAGE, _CLAIM)),
        Tool("cite", "Name a page as evidence for a claim.", (_PAGE, _CLAIM)),
        Tool(
            "summary",
            "Replace the report of all that is known.",
            (Parameter("text", "text", "the new report", TEXT),),
        ),
        Tool(
            "answer",
            "Answer the question; this ends the search.",
            (Parameter("text", "text", "the answer; of several things, one a line", TEXT),),
        ),
    )
}


def enabled_tools(names: Iterable[str]) -> tuple[Tool, ...]:
    """The tools of some names, in the order of the table.

    Raises:
        InvalidArgumentError: there is no tool of a name, or no name is given.
    """
    wanted = {names} if isinstance(names, str) else set(names)
    if not wanted or not wanted <= TOOLS.keys():
        raise InvalidArgumentError(f"tools must be among {list(TOOLS)}; got {sorted(wanted)}")
    return tuple(tool for tool in TOOLS.values() if tool.name in wanted)


def tool_schemas(enabled: Iterable[str]) -> list[dict[str, Any]]:
    """The enabled tools in the form that chat models with function calls expect.

    Each is `{"type": "function", "function": {"name", "description", "parameters"}}`, the
    parameters as a JSON schema.

    Raises:
        InvalidArgumentError: there is no tool of a name.
    """
    schemas = []
    for tool in enabled_tools(enabled):
        parameters = {
            "type": "object",
            "properties": {p.name: p.schema() for p in tool.parameters},
            "required": [p.name for p in tool.parameters if p.required],
            "additionalProperties": False,
        }
        function = {"name": tool.name, "description": tool.description, "parameters": parameters}
        schemas.append({"type": "function", "function": function})
    return schemas


_FORMS: dict[Kind, str] = {
    "words": "{name}",
    "text": "{name}",
    "lines": "{name}, at most {limit}, one a line",
    "number": "{name}",
    "numbers": "{name}, at most {limit}",
    "flag": "yes or no",
    "choice": "{options}",
}


def describe_tools(enabled: Iterable[str]) -> str:
    """How to use the enabled tools as tagged text, a line each, for a prompt.

    Raises:
        InvalidArgumentError: there is no tool of a name.
    """
    lines = ["Answer with one action, after <think>your thoughts</think> if you like:"]
    for tool in enabled_tools(enabled):
        forms = []
        for p in tool.parameters:
            form = _FORMS[p.kind].format(name=p.name, limit=p.limit, options=" or ".join(p.options))
            forms.append(form if p.required else f"[{form}]")
        lines.append(f"<{tool.name}>{' '.join(forms)}</{tool.name}> {tool.description}")
    return "\n".join(lines)
