"""KnowledgeSearch: answer questions about a fictional world by searching its pages."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding

from ..kernel import HostEnv, InvalidArgumentError, Unicode, UnparseableActionError
from ..kernel.host import integer
from ..kernel.seeds import draw_key
from .answers import gold, guess
from .corpus import MIX
from .degraded import Degraded
from .grammar import Call, Malformed
from .neighbours import EntityNeighbours
from .patterns import PATTERNS
from .questions import Question
from .raster import draw_search
from .retrievers import Retriever
from .schema import COLUMNS, RELATIONS_PER_TYPE, TYPES, column_word
from .search_desk import OFFERED, RIGHT, TOOLS, SearchDesk, complain, layout, listed
from .search_menu import FEATURES, MENU_PATTERNS, SLOTS, Menu
from .search_words import DIALECTS
from .world import KnowledgeWorld, open_world

MESSAGE_LENGTH, TEXT_LENGTH = 4096, 4096
#: The tools that every agent has.
BASIC = ("search", "open", "answer")
#: The words for the columns of each type.
_WORDS = [[column_word(type_, i) for i in range(COLUMNS)] for type_ in range(len(TYPES))]


class KnowledgeSearch(HostEnv):
    """
    ## Description
    The agent answers questions about a fictional world by searching and reading its pages. It is
    asked "What is the seat of the employer of Plosenat?", searches (BM25) and opens what is found.
    The world has persons, cities, companies, books and schools, a page for each, and pages that
    mention them but tell nothing, or nothing true. A fact stands on the page of its subject or of
    its object, in varying words that often do not name the relation. All names are made up, so that
    nothing can be known beforehand.

    Every question has one answer and can be answered: for each fact that is needed, a search for
    what is known by then ("employer of Plosenat") lists a page that states it.

    ## Observation Space
    - `actions="menu"`: `Box(0, 1, (69, 14), float32)`, a row for each slot of the menu, all zeros
      where the slot is empty. What an agent could tell from the text it has been shown, where
      "read" means on one of the last 16 pages opened:
        0. the slot can be chosen
        1. search: its results are those shown
        2. open: 1 / place in the list of results
        3. open: the page was read; answer: the name was read to be the end of the question's chain
        4. answer: it was offered, rather than read
        5. to 8. the relation asked for (of an open: by the search shown) is the first, …, fourth
           relation of the question
        9. to 13. the entity asked about (of an answer: the one named) is the one in the question,
           or was read to be the first, …, fourth that follows
    - `actions="text"`: `Unicode(4096)`, what `describe()` says: the question, notes, the results of
      the last search, the page opened last, and what was wrong with the last message.

    ## Action Space
    - `actions="menu"`: `Discrete(69)`, masked.
        - 0 to 47: search. Slot 4 i + j asks for relation j (of its type) of the i-th entity in
          mind: the entity of the question, then up to 11 of those read last.
        - 48 to 52: open a page of the list of results.
        - 53 to 64: answer with the i-th entity in mind, if it is of the type asked for.
        - 65 to 68: answer with one of 4 entities of the right type that are offered from the start
          (drawn at random: the answer need not be among them).
    - `actions="text"`: `Unicode(4096)`, a call of one of the `tools`: as a line (`search: words`),
      as tagged text (`<search>words</search>`) or as JSON (`{"name": "search", "arguments":
      {"queries": ["words"]}}`); see `envs/textweb/tools.py` for all tools. Any other text is a
      no-op that costs the step and is answered by a line on what is accepted, as is a call that
      cannot be carried out. `parse` raises instead.

    ## Rewards
    What the answer is worth: 1 for the right name or number, otherwise 0; of sets the F1 score, of
    reports the share of the facts told. The infos hold `success` (the same), `coverage` (the share
    of the facts needed that were read) and `searches`.

    ## Starting State
    The question and the entities offered are drawn uniformly by the reset seed; the world depends
    on the arguments alone.

    ## Episode End
    Terminated by any answer; truncated after `max_episode_steps` steps.

    ## Arguments
    - `world_seed`: of the world, its pages and its questions (default 0).
    - `documents`: number of pages, ≥ 40 (default 400: 300 entities, 60 of each type). A quarter of
      them are about no fact of their own.
    - `questions`: the patterns of the questions asked (default `("chain",)`), of `"lookup"`,
      `"chain"` (2 hops), `"chain3"`, `"chain4"`, `"intersection"`, `"ring"`, `"diamond"`,
      `"clique"`, `"comparison"`, `"count"`, `"aggregate"`, `"list"`, `"report"`, `"mask"`; the menu
      knows the first four.
    - `per_pattern`: how many questions of each pattern are asked at most, ≥ 1 (default 2,000).
    - `actions`: `"menu"` (default) or `"text"`.
    - `tools`: what can be done in text besides `"search"`, `"open"` and `"answer"`: of `"web"`
      (with two sources), `"neighbours"` (pages of what is related to a name), `"find"`, `"goal"`,
      `"reflect"`, `"judge"`, `"note"`, `"curate"`, `"verify"`, `"cite"`, `"summary"` (default
      none).
    - `dialect`: `"english"` (default), or `"compact"`: questions, pages and calls as a few words
      without punctuation, for very small models; see `envs/textweb/compact.py`.
    - `mix`: the weights of the pages that are about no fact of their own, by kind: `"gossip"`
      (tells nothing), `"outdated"` and `"rumour"` (tell what is not true), `"copy"` (repeats
      facts), `"namesake"`; None (default) for gossip only.
    - `alias_rate`: the share of entities with a second name (default 0).
    - `retriever`: `"bm25"` (default), `"dense"` or `"hybrid"`; questions are those that can be
      answered with it.
    - `sources`: `"single"` (default), or `"local+web"`: `search` finds the pages that can be
      trusted only, `web` the others.
    - `degraded`: the share of the pages found that are replaced by others at random (default 0):
      with it not every question can be answered.
    - `max_episode_steps`: the time limit (default 20); −1 for none.

    ## Reference Scores
    `spelunk.reference("spelunk/KnowledgeSearch-v0")`: the random policy, and the evidence followed,
    which always scores 1.

    ## Version History
    - v0: first version.
    """

    best_source = "the evidence of each question, checked when the world is built"

    def __init__(
        self,
        world_seed: int = 0,
        documents: int = 400,
        questions: Sequence[str] = ("chain",),
        per_pattern: int = 2000,
        actions: Literal["menu", "text"] = "menu",
        tools: Sequence[str] = (),
        dialect: str = "english",
        mix: Mapping[str, float] | None = None,
        alias_rate: float = 0.0,
        retriever: str = "bm25",
        sources: str = "single",
        degraded: float = 0.0,
        max_episode_steps: int = 20,
        render_mode: str | None = None,
    ):
        if isinstance(world_seed, bool) or not isinstance(world_seed, int) or world_seed < 0:
            raise InvalidArgumentError(f"world_seed must be an integer ≥ 0; got {world_seed!r}")
        if isinstance(documents, bool) or not isinstance(documents, int) or documents < 40:
            raise InvalidArgumentError(f"documents must be an integer ≥ 40; got {documents!r}")
        if isinstance(per_pattern, bool) or not isinstance(per_pattern, int) or per_pattern < 1:
            raise InvalidArgumentError(f"per_pattern must be an integer ≥ 1; got {per_pattern!r}")
        if actions not in ("menu", "text"):
            raise InvalidArgumentError(f'actions must be "menu" or "text"; got {actions!r}')
        if not 0 <= alias_rate <= 1:
            raise InvalidArgumentError(f"alias_rate must be from 0 to 1; got {alias_rate!r}")
        if dialect not in DIALECTS:
            raise InvalidArgumentError(f"dialect must be in {list(DIALECTS)}; got {dialect!r}")
        self._tell, self._parse, self._say = DIALECTS[dialect]
        menu = actions == "menu"
        patterns, further = _read_patterns(questions, menu), _read_tools(tools, menu, sources)
        #: What can be done in text.
        self.tools = (*BASIC, *further)
        super().__init__(
            layout=layout(self.tools),
            observation_space=spaces.Box(0, 1, (SLOTS, FEATURES), np.float32)
            if menu
            else Unicode(TEXT_LENGTH),
            action_space=spaces.Discrete(SLOTS) if menu else Unicode(MESSAGE_LENGTH),
            max_episode_steps=max_episode_steps,
            metrics=("success", "coverage", "searches"),
            masked=menu,
            render_mode=render_mode,
        )
        #: All that is searched, shared by all environments of a process with the same arguments.
        self.world: KnowledgeWorld = open_world(
            world_seed,
            documents,
            tuple((mix or MIX).items()),
            float(alias_rate),
            retriever,
            sources,
        )
        every = [q for pattern in patterns for q in self.world.questions(pattern, per_pattern)]
        self.desk = SearchDesk(self.world, every, self.tools, self._engines(degraded))
        self._menu = Menu(self.desk) if menu else None

    def _engines(self, degraded: float) -> dict[str, Retriever]:
        """What finds pages, by tool."""
        world, engines = self.world, dict(self.world.engines)
        if degraded:
            for tool, engine in self.world.engines.items():
                engines[tool] = Degraded(engine, len(world.corpus), degraded, world.seed)
        if "neighbours" in self.tools:
            graph = world.graph
            starts = np.arange(graph.n + 1) * RELATIONS_PER_TYPE
            engines["neighbours"] = EntityNeighbours(
                graph.read_name, graph.tails.ravel(), starts, world.corpus.page_of
            )
        return engines

    def question(self, state: Any) -> Question:
        """The question asked in a state."""
        return self.desk.question(state)

    def plan(self, state: Any) -> list[str]:
        """The messages that answer a state's question from its start, one step after the other."""
        question, calls = self.question(state), []
        for step in self.world.plan(question):
            calls += [Call("search", {"queries": [step.query]}), Call("open", {"page": step.page})]
        answer = gold(self.world, question)
        if question.kind == "set":
            answer = answer.replace(", ", "\n")
        return [self._say(call) for call in (*calls, Call("answer", {"text": answer}))]

    def guess(self, state: Any, rng: np.random.Generator) -> str:
        """An answer drawn uniformly: in the menu from those offered, in text from all there are."""
        if self._menu is not None:
            return self.world.graph.name(int(rng.choice(state["offered"])))
        return guess(self.world, self.question(state), rng)

    # --- dynamics ---

    def reset_state(self, state: Any) -> None:
        state["question"] = integer(state, len(self.desk.questions))
        graph = self.world.graph
        possible = graph.of_type(int(graph.types[self.question(state).nodes[0]]))
        offered: list[int] = []
        while len(offered) < OFFERED:
            entity = possible[integer(state, len(possible))]
            if entity not in offered:
                offered.append(entity)
        state["offered"] = offered
        self.desk.begin(state)

    def step_state(self, state: Any, action: Any) -> tuple[float, bool]:
        call = self._call(state, action)
        if isinstance(call, Malformed):
            complain(state, call.reason)
        elif call.tool == "answer":
            return self.desk.answer(state, call.arguments["text"]), True
        else:
            self.desk.use(state, call)
        return 0.0, False

    def _call(self, state: Any, action: Any) -> Call | Malformed:
        if self._menu is not None:
            return self._menu.call(state, int(action))
        return self._parse(action, self.tools)

    def observe_states(self, states: Any) -> Any:
        if self._menu is not None:
            return self._menu.features(states)
        return [self.describe_state(state)[:TEXT_LENGTH] for state in states]

    def legal_states(self, states: Any) -> np.ndarray[Any, np.dtype[np.int8]]:
        assert self._menu is not None
        return self._menu.legal(states)

    def sample_state(self, state: Any, rng: np.random.Generator) -> str:
        """A message: a search for something in mind, a page to open, or an answer."""
        graph, known = self.world.graph, listed(state["known"])
        pages, choice = listed(state["listed"]), int(rng.integers(8))
        if choice == 0:
            return self._say(Call("answer", {"text": self.guess(state, rng)}))
        if choice < 4 and pages:
            return self._say(Call("open", {"page": int(rng.choice(pages))}))
        entity = int(rng.choice(known))
        query = f"{rng.choice(_WORDS[graph.types[entity]])} of {graph.name(entity)}"
        return self._say(Call("search", {"queries": [query]}))

    # --- words ---

    def describe_state(self, state: Any) -> str:
        return self._tell(self.desk, state, self._menu is not None)

    def show_state(self, state: Any) -> str:
        return self.describe_state(state)

    def action_words(self, action: Any) -> str:
        if self._menu is None:
            return str(action)
        if not self.legal_states(self._states)[0, action]:
            return f"slot {action} is empty"
        return self._say(self._menu.call(self.state, int(action)))

    def parse(self, text: str) -> Any:
        """The action a text names: in the menu, a slot that can be chosen in the present state.

        Raises:
            UnparseableActionError: the text names none.
        """
        call = self._parse(text, self.tools)
        if isinstance(call, Malformed):
            raise UnparseableActionError(call.reason)
        words = self._say(call)
        if self._menu is None:
            return words
        slots = np.flatnonzero(self.legal_states(self._states)).tolist()
        for slot in slots:
            if self._say(self._menu.call(self.state, slot)).casefold() == words.casefold():
                return slot
        raise UnparseableActionError(
            f"{words[:80]!r} is not on the menu here; say for example "
            f"{self._say(self._menu.call(self.state, slots[0]))!r}"
        )

    # --- pictures and scores ---

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        pages, opened, page = self.world.corpus, listed(state["opened"]), int(state["page"])
        return draw_search(
            self.question(state).words,
            str(state["query"]),
            [
                (pages.title(number), number in opened, number == page)
                for number in listed(state["results"])
            ],
            (pages.title(page), pages.text(page)) if page >= 0 else None,
            bool(state["verdict"] == RIGHT) if state["verdict"] else None,
        )

    def best_return(self, seed: int) -> float | None:
        limit = self.definition.max_episode_steps
        state = self.definition.layout.empty(1)[0]
        state["rng"] = draw_key(seeding.np_random(seed)[0])
        self.begin(state)
        return 1.0 if limit < 0 or limit >= len(self.plan(state)) else None


def _read_patterns(questions: Sequence[str], menu: bool) -> tuple[str, ...]:
    """The patterns asked for.

    Raises:
        InvalidArgumentError: they are none, or none that a menu knows.
    """
    known = MENU_PATTERNS if menu else tuple(PATTERNS)
    if isinstance(questions, str) or not questions or not set(questions) <= set(known):
        raise InvalidArgumentError(
            f"questions must be a sequence of patterns from {known}"
            f"{' with a menu' if menu else ''}; got {questions!r}"
        )
    return tuple(questions)


def _read_tools(tools: Sequence[str], menu: bool, sources: str) -> tuple[str, ...]:
    """The tools besides the basic ones.

    Raises:
        InvalidArgumentError: there is no such tool, or there is a menu.
    """
    known = [name for name in TOOLS if name not in BASIC and (name != "web" or sources != "single")]
    if isinstance(tools, str) or not set(tools) <= set(known) or (menu and tools):
        raise InvalidArgumentError(
            f'tools must be a sequence of {known}, and empty unless actions="text"; got {tools!r}'
        )
    return tuple(name for name in known if name in tools)
