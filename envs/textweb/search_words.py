"""The record of an episode in words: a dialect for readers, and one for very small models."""

from collections.abc import Callable
from typing import Any

from . import compact
from .grammar import Call, Malformed, parse, say
from .questions import Question, word
from .retrievers import words_of
from .schema import RELATIONS_PER_TYPE
from .search_desk import RIGHT, SearchDesk, listed
from .tools import LEVELS

#: What hidden entities are called in the compact dialect; the first is what is asked for.
_HIDDEN = "?xyzuvw"


def english(desk: SearchDesk, state: Any, offered: bool) -> str:
    """The question, and all that is on the desk, in sentences and lines.

    Args:
        desk: whose record it is.
        state: the record.
        offered: whether the names on offer are told.
    """
    names, pages = state.dtype.names, desk.world.pages
    lines = [f"Question: {desk.question(state).words}"]
    for name, says in (("goal", "Goal"), ("note", "Note"), ("report", "Report")):
        if name in names and state[name]:
            lines.append(f"{says}: {state[name]}")
    if "curated" in names and state["curated"][0] >= 0:
        kept = zip(listed(state["curated"]), state["levels"].tolist(), strict=False)
        lines.append("Curated: " + ", ".join(f"{p} ({LEVELS[level]})" for p, level in kept))
    if "checked" in names and state["checked"][0] >= 0:
        marks = zip(listed(state["checked"]), state["passed"].tolist(), strict=False)
        said = ", ".join(f"{p} {'states it' if ok else 'does not state it'}" for p, ok in marks)
        lines.append(f"Checked: {said}")
    results, opened = listed(state["results"]), listed(state["opened"])
    if state["query"]:
        lines.append(f"Results for {state['query']}:" + ("" if results else " none"))
    lines += [
        f"{page} {pages.title(page)}{' (read)' if page in opened else ''}" for page in results
    ]
    page = int(state["page"])
    if page >= 0:
        lines.append(f"Page {page} {pages.title(page)}: {' '.join(pages.lines(page))}")
        if "wanted" in names and state["wanted"]:
            lines.append(f"Found: {_sentences_with(desk, page, str(state['wanted']))}")
    if offered:
        lines.append(f"Offered: {', '.join(map(desk.world.graph.name, state['offered']))}")
    if state["verdict"]:
        lines.append("Right." if state["verdict"] == RIGHT else "Wrong.")
    elif state["problem"]:
        lines.append(str(state["problem"]))
    elif not state["searches"]:
        lines.append(_help(desk))
    return "\n".join(lines)


def _help(desk: SearchDesk) -> str:
    more = [tool for tool in desk.tools if tool not in ("search", "open", "answer")]
    also = f" There are also: {', '.join(more)}." if more else ""
    return f"Say search: words, or open: number, or answer: name.{also}"


def _sentences_with(desk: SearchDesk, page: int, words: str) -> str:
    """The sentences of a page that hold all of some words."""
    wanted, lines = set(words_of(words)), desk.world.pages.lines(page)
    return " ".join(s for s in lines if wanted <= set(words_of(s))) or "nothing"


def terse(desk: SearchDesk, state: Any, offered: bool) -> str:
    """The same in the compact dialect; see `compact`.

    A line each for the question, the numbers and subjects of the pages found, and what the page
    opened last tells: at most four facts, those that share most words with the last query first.
    """
    names, world = state.dtype.names, desk.world
    lines = [_graph(desk, desk.question(state))]
    for name in ("goal", "note", "report"):
        if name in names and state[name]:
            lines.append(f"{name} {' '.join(words_of(str(state[name])))}")
    if state["query"]:
        found = [
            f"{page} {compact.word(world.graph.name(world.pages.subject(page)))}"
            for page in listed(state["results"])
        ]
        lines.append(" ".join(["found", *found]))
    page = int(state["page"])
    if page >= 0:
        asked = set(words_of(str(state["query"])))
        told = sorted(
            world.pages.triples(page),
            key=lambda triple: -len(asked & {name.lower() for name in triple}),
        )
        lines.append(f"page {page} {compact.facts(told)}".rstrip())
    if offered:
        lines.append(" ".join(["offered", *map(world.graph.name, state["offered"])]))
    if state["verdict"]:
        lines.append("right" if state["verdict"] == RIGHT else "wrong")
    elif state["problem"]:
        lines.append("bad")
    return "\n".join(lines).lower()


def _graph(desk: SearchDesk, question: Question) -> str:
    """A question as its facts, what is hidden being called by letters."""
    graph = desk.world.graph
    hidden = [v for v in range(len(question.nodes)) if v not in question.known]
    calls = {v: graph.name(question.nodes[v]) for v in question.known}
    calls |= dict(zip(hidden, _HIDDEN, strict=False))
    triples = []
    for edge in question.edges:
        relation = word(graph, question.nodes[edge.head], edge.column)
        tail = "n" if edge.column >= RELATIONS_PER_TYPE else calls[edge.tail]
        triples.append((calls[edge.head], relation, tail))
    return compact.question(question.pattern, triples)


def _line(call: Call) -> str:
    return say(call, "line")


def _action(call: Call) -> str:
    """A call in the compact dialect."""
    parts = [str(p) for v in call.arguments.values() for p in (v if isinstance(v, list) else [v])]
    return " ".join([call.tool, *" ".join(parts).lower().split()])


#: By name: how a record is told, how a message is read, and how a call is written.
DIALECTS: dict[
    str,
    tuple[
        Callable[[SearchDesk, Any, bool], str],
        Callable[[str, tuple[str, ...]], Call | Malformed],
        Callable[[Call], str],
    ],
] = {"english": (english, parse, _line), "compact": (terse, compact.parse, _action)}
