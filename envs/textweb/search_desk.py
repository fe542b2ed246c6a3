"""An episode of searching as a record, and what tools do to it."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..kernel import InvalidArgumentError, StateLayout
from ..kernel.state import Field
from .answers import grade
from .degraded import Degraded, probability
from .grammar import Call
from .neighbours import EntityNeighbours
from .plain import clean
from .questions import Question
from .retrievers import Retriever, words_of
from .schema import RELATIONS_PER_TYPE
from .simulated_search import SimulatedSearch
from .tools import LEVELS
from .world import TOP_K, KnowledgeWorld

#: Entities an agent has in mind: those of the question, and those of the pages read last.
KNOWN = 12
#: Pages on a list of results, those that can be opened, and those an agent remembers reading.
RESULTS, LISTED, OPENED = 10, 64, 16
#: Pages in the curated set, checks and citations that are kept.
CURATED, CHECKED = 32, 16
#: Names that are offered as answers before anything was read.
OFFERED = 4
QUERY_LENGTH, PROBLEM_LENGTH = 128, 240
RIGHT, WRONG = 2, 1

#: The tools that there are, in the order of their table.
TOOLS = (
    "search", "web", "neighbours", "open", "find", "goal", "reflect", "judge", "note", "curate",
    "verify", "cite", "summary", "answer",
)  # fmt: skip
#: The fields that tools need besides those that all episodes have.
TOOL_FIELDS: dict[str, list[Field]] = {
    "find": [("wanted", "U64")],
    "goal": [("goal", "U256"), ("met", np.int8)],
    "judge": [("useful", np.int8)],
    "note": [("note", "U512")],
    "summary": [("report", "U1024")],
    "curate": [("curated", np.int32, (CURATED,)), ("levels", np.int8, (CURATED,))],
    "verify": [("checked", np.int32, (CHECKED,)), ("passed", np.int8, (CHECKED,))],
    "cite": [("cited", np.int32, (CHECKED,))],
}


def layout(tools: Sequence[str]) -> StateLayout:
    """The record of an episode with these tools."""
    extra = [field for tool in tools for field in TOOL_FIELDS.get(tool, [])]
    return StateLayout(
        [("world", np.int32), ("question", np.int32), ("offered", np.int32, (OFFERED,))],
        [
            ("known", np.int32, (KNOWN,)),
            ("query", f"U{QUERY_LENGTH}"),
            ("asked", np.int32, (2,)),  # the entity and the column that the query asks for, or −1
            ("results", np.int32, (RESULTS,)),
            ("listed", np.int32, (LISTED,)),
            ("opened", np.int32, (OPENED,)),
            ("page", np.int32),
            ("covered", np.int64),  # a bit for each fact of the question that was read
            ("problem", f"U{PROBLEM_LENGTH}"),
            ("verdict", np.int8),
            ("searches", np.int32),
            ("coverage", np.float32),
            ("success", np.float32),
            *extra,
        ],
    )


class SearchDesk:
    """What happens to the record of an episode.

    Args:
        world: what is searched.
        questions: what can be asked.
        tools: those that can be used.
    """

    def __init__(
        self,
        world: KnowledgeWorld,
        questions: Sequence[Question],
        tools: Sequence[str],
    ):
        self.world, self.questions, self.tools = world, questions, tuple(tools)
        if "neighbours" in tools and world.pages is not world.corpus:
            raise InvalidArgumentError('the tool "neighbours" needs pages that are not made up')
        self.degraded = 0.0
        self._uses: dict[str, Callable[[Any, Any], None]] = {
            tool: getattr(self, f"_{tool}") for tool in tools if tool != "answer"
        }

    @property
    def degraded(self) -> float:
        """The share of the pages found that are wrong."""
        return self._degraded

    @degraded.setter
    def degraded(self, share: float) -> None:
        self._degraded = probability("degraded", share)
        #: What finds pages, by tool.
        self.engines: dict[str, Retriever] = dict(self.world.engines)
        if share:
            pages, seed = len(self.world.corpus), self.world.seed
            for tool, engine in self.world.engines.items():
                if isinstance(engine, SimulatedSearch):
                    self.engines[tool] = noisy = copy.copy(engine)
                    noisy.noise = share
                else:
                    self.engines[tool] = Degraded(engine, pages, share, seed)
        if "neighbours" in self.tools:
            graph = self.world.graph
            starts = np.arange(graph.n + 1) * RELATIONS_PER_TYPE
            self.engines["neighbours"] = EntityNeighbours(
                graph.read_name, graph.tails.ravel(), starts, self.world.corpus.page_of
            )

    def question(self, state: Any) -> Question:
        """The question asked in a state."""
        return self.questions[state["question"]]

    def begin(self, state: Any) -> None:
        """Nothing has been searched for; the caller has set what is asked."""
        question = self.question(state)
        for name in ("query", "problem", "wanted", "goal", "note", "report"):
            if name in state.dtype.names:
                state[name] = ""
        for name in ("asked", "results", "listed", "opened", "page", "curated", "checked", "cited"):
            if name in state.dtype.names:
                state[name] = -1
        for name in ("covered", "verdict", "searches", "coverage", "success", "met", "useful",
                     "levels", "passed"):  # fmt: skip
            if name in state.dtype.names:
                state[name] = 0
        state["known"] = padded([question.nodes[v] for v in question.known], KNOWN)

    def use(self, state: Any, call: Call) -> None:
        """Use a tool; what cannot be done is said in `problem`."""
        state["problem"] = ""
        self._uses[call.tool](state, call.arguments)

    def answer(self, state: Any, text: str) -> float:
        """Give an answer; what it is worth."""
        state["problem"] = ""
        worth = grade(self.world, self.question(state), text)
        state["success"] = worth
        state["verdict"] = RIGHT if worth == 1 else WRONG
        return worth

    # --- tools ---

    def _search(self, state: Any, arguments: Any) -> None:
        self._look_up(state, "search", arguments["queries"])

    def _web(self, state: Any, arguments: Any) -> None:
        self._look_up(state, "web", arguments["queries"])

    def _neighbours(self, state: Any, arguments: Any) -> None:
        self._look_up(state, "neighbours", [arguments["entity"]])

    def _look_up(self, state: Any, tool: str, queries: Sequence[str]) -> None:
        queries = [query[:QUERY_LENGTH] for query in queries]
        found = self.engines[tool].search(queries, TOP_K).pages
        pages = list(dict.fromkeys(found[found >= 0].tolist()))[:RESULTS]
        state["query"] = " | ".join(queries)
        state["asked"] = self.world.asked(queries[0]) if len(queries) == 1 else (-1, -1)
        state["results"] = padded(pages, RESULTS)
        state["listed"] = padded(latest(state["listed"], pages, LISTED), LISTED)
        state["searches"] += 1

    def _open(self, state: Any, arguments: Any) -> None:
        page = arguments["page"]
        if not self._is_listed(state, page):
            return
        if arguments.get("part", 0) != 0:
            state["problem"] = f"Page {page} has one part only."
            return
        self.read(state, page)

    def read(self, state: Any, page: int) -> None:
        """Show a page, and take in what it tells."""
        question = self.question(state)
        state["page"] = page
        state["opened"] = padded(latest(state["opened"], [page], OPENED), OPENED)
        pages, needed = self.world.pages, question.facts()
        facts = set(pages.facts(page))
        for i, fact in enumerate(needed):
            if fact in facts:
                state["covered"] |= 1 << i
        state["coverage"] = int(state["covered"]).bit_count() / len(needed)
        asked = [question.nodes[v] for v in question.known]
        read = [e for e in pages.mentions(page) if e not in asked]
        others = latest(state["known"][len(asked) :], read, KNOWN - len(asked))
        state["known"] = padded([*asked, *others], KNOWN)

    def _find(self, state: Any, arguments: Any) -> None:
        if state["page"] < 0:
            state["problem"] = "No page has been opened yet."
        state["wanted"] = arguments["words"]

    def _goal(self, state: Any, arguments: Any) -> None:
        state["goal"], state["met"] = arguments["goal"], 0

    def _reflect(self, state: Any, arguments: Any) -> None:
        if "goal" in self.tools:
            state["met"] = arguments["met"]

    def _judge(self, state: Any, arguments: Any) -> None:
        state["useful"] = 1 if arguments["useful"] else -1

    def _note(self, state: Any, arguments: Any) -> None:
        state["note"] = arguments["text"]

    def _summary(self, state: Any, arguments: Any) -> None:
        state["report"] = arguments["text"]

    def _curate(self, state: Any, arguments: Any) -> None:
        level = LEVELS.index(arguments["level"])
        for page in arguments["pages"]:
            if not self._is_listed(state, page):
                return
            kept = state["curated"] != page
            pages, levels = state["curated"][kept], state["levels"][kept]
            known = pages >= 0
            pages, levels = pages[known].tolist(), levels[known].tolist()
            if LEVELS[level] != "drop":
                pages, levels = [*pages, page], [*levels, level]
            state["curated"] = padded(pages[-CURATED:], CURATED)
            state["levels"] = [*levels[-CURATED:], *[0] * (CURATED - len(levels[-CURATED:]))]

    def _verify(self, state: Any, arguments: Any) -> None:
        page = arguments["page"]
        if not self._is_listed(state, page):
            return
        passed = self.supports(page, arguments["claim"])
        kept = listed(state["checked"])[-CHECKED + 1 :]
        marks = state["passed"].tolist()[: len(listed(state["checked"]))][-CHECKED + 1 :]
        state["checked"] = padded([*kept, page], CHECKED)
        state["passed"] = [*marks, int(passed), *[0] * (CHECKED - len(marks) - 1)]

    def _cite(self, state: Any, arguments: Any) -> None:
        if self._is_listed(state, arguments["page"]):
            state["cited"] = padded(latest(state["cited"], [arguments["page"]], CHECKED), CHECKED)

    def supports(self, page: int, claim: str) -> bool:
        """Whether all words of a claim stand in one sentence of a page."""
        wanted = set(words_of(claim))
        lines = self.world.pages.lines(page)
        return bool(wanted) and any(wanted <= set(words_of(line)) for line in lines)

    def _is_listed(self, state: Any, page: int) -> bool:
        """Whether a page was found in this episode; says so where it was not."""
        if page in state["listed"]:
            return True
        state["problem"] = f"Page {page} is on no list of results so far."
        return False


def complain(state: Any, reason: str) -> None:
    """Say what was wrong with a message."""
    state["problem"] = clean(reason, PROBLEM_LENGTH)


def listed(values: Any) -> list[int]:
    """The entries of a padded field."""
    return [n for n in values.tolist() if n >= 0]


def padded(values: Sequence[int], length: int) -> list[int]:
    """A field's value: entries, then −1."""
    return [*values, *[-1] * (length - len(values))]


def latest(values: Any, new: Sequence[int], length: int) -> list[int]:
    """The entries of a padded field, then new ones; each once, the last `length` of them."""
    return [*(v for v in listed(values) if v not in new), *dict.fromkeys(new)][-length:]
