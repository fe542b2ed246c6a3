"""KnowledgeSearch: answer questions about a fictional world by searching its pages."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding

from ..kernel import HostEnv, InvalidArgumentError, Unicode, UnparseableActionError
from ..kernel.host import integer
from ..kernel.seeds import draw_key
from .answers import gold, guess
from .corpus import MIX
from .engines import MakeRetriever
from .grammar import Call, Malformed
from .patterns import PATTERNS
from .questions import Question
from .raster import draw_search
from .schema import COLUMNS, TYPES, column_word
from .search_desk import OFFERED, RIGHT, TOOLS, SearchDesk, complain, layout, listed
from .search_menu import FEATURES, MENU_PATTERNS, SLOTS, Menu
from .search_words import DIALECTS
from .world import KnowledgeWorld, open_worlds

Array = np.ndarray[Any, Any]

#: The longest observation of texts, in characters.
TEXT_LENGTH = 4096
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
    - `actions="text"`: `Unicode(None)`, a call of one of the `tools`: as a line (`search: words`),
      as tagged text (`<search>words</search>`) or as JSON (`{"name": "search", "arguments":
      {"queries": ["words"]}}`); see `envs/textweb/tools.py` for all tools. Any other text, and any
      of more than 16,384 characters, is a no-op that costs the step and is answered by a line on
      what is accepted, as is a call that cannot be carried out. `parse` raises instead.

    ## Rewards
    What the answer is worth: 1 for the right name or number, otherwise 0; of sets the F1 score, of
    reports the share of the facts told. The infos hold `success` (the same), `coverage` (the share
    of the facts needed that were read) and `searches`.

    ## Starting State
    The world, the question and the entities offered are drawn uniformly by the reset seed; what the
    worlds are depends on the arguments alone. `reset(options={"task": i})` chooses the i-th world,
    in a batch one for each lane, which keeps it.

    ## Episode End
    Terminated by any answer; truncated after `max_episode_steps` steps.

    ## Arguments
    - `world_seed`: of the world, its pages and its questions (default 0).
    - `worlds`: how many worlds, ≥ 1 (default 1); the others have the seeds that follow.
    - `names_seed`: of the names; None (default) for names of each world's own. Worlds that share it
      tell other facts of the same names, so that a small model can know all words and no fact.
    - `documents`: number of pages of a world, ≥ 40 (default 400: 300 entities, 60 of each type). A
      quarter of them are about no fact of their own.
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
    - `retriever`: `"bm25"` (default), `"dense"`, `"hybrid"`, `"reranked"` (BM25's pages ranked by
      vectors), with text `"simulated"` (pages made up to suit each query), or a function that makes
      a retriever over a `Corpus`; questions are those that can be answered with it.
    - `sources`: `"single"` (default), or `"local+web"`: `search` finds the pages that can be
      trusted only, `web` the others.
    - `degraded`: the share of the pages found that are replaced by others at random, or, of a
      simulated engine, that state something wrong (default 0): with it not every question can be
      answered. The attribute of this name can be set at any time (`env.unwrapped.degraded = 0.3`,
      of a batch `env.unwrapped.prototype.degraded`), as curricula do.
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
        worlds: int = 1,
        names_seed: int | None = None,
        documents: int = 400,
        questions: Sequence[str] = ("chain",),
        per_pattern: int = 2000,
        actions: Literal["menu", "text"] = "menu",
        tools: Sequence[str] = (),
        dialect: str = "english",
        mix: Mapping[str, float] | None = None,
        alias_rate: float = 0.0,
        retriever: str | MakeRetriever = "bm25",
        sources: str = "single",
        degraded: float = 0.0,
        max_episode_steps: int = 20,
        render_mode: str | None = None,
    ):
        for name, given, least in (
            ("world_seed", world_seed, 0),
            ("worlds", worlds, 1),
            ("names_seed", 0 if names_seed is None else names_seed, 0),
            ("documents", documents, 40),
            ("per_pattern", per_pattern, 1),
        ):
            if isinstance(given, bool) or not isinstance(given, int) or given < least:
                raise InvalidArgumentError(f"{name} must be an integer ≥ {least}; got {given!r}")
        if actions not in ("menu", "text"):
            raise InvalidArgumentError(f'actions must be "menu" or "text"; got {actions!r}')
        if not 0 <= alias_rate <= 1:
            raise InvalidArgumentError(f"alias_rate must be from 0 to 1; got {alias_rate!r}")
        if dialect not in DIALECTS:
            raise InvalidArgumentError(f"dialect must be in {list(DIALECTS)}; got {dialect!r}")
        self.dialect = dialect
        self._tell, self._parse, self._say = DIALECTS[dialect]
        menu = actions == "menu"
        patterns, further = _read_patterns(questions, menu), _read_tools(tools, menu, sources)
        #: What can be done in text.
        self.tools = (*BASIC, *further)
        super().__init__(
            layout=layout(self.tools),
            tasks=worlds,
            observation_space=spaces.Box(0, 1, (SLOTS, FEATURES), np.float32)
            if menu
            else Unicode(TEXT_LENGTH),
            action_space=spaces.Discrete(SLOTS) if menu else Unicode(None),
            max_episode_steps=max_episode_steps,
            metrics=("success", "coverage", "searches"),
            masked=menu,
            render_mode=render_mode,
        )
        seeds, mixed = range(world_seed, world_seed + worlds), tuple((mix or MIX).items())
        settings = documents, mixed, float(alias_rate), retriever, sources, names_seed
        #: What happens in each world.
        self.desks = []
        for world in open_worlds(seeds, *settings):
            every = [q for pattern in patterns for q in world.questions(pattern, per_pattern)]
            self.desks.append(SearchDesk(world, every, self.tools))
        self.degraded = degraded
        self._menus = [Menu(desk) for desk in self.desks] if menu else None

    @property
    def degraded(self) -> float:
        """The share of the pages found that are wrong; see the arguments."""
        return self.desks[0].degraded

    @degraded.setter
    def degraded(self, share: float) -> None:
        for desk in self.desks:
            desk.degraded = share

    def desk_of(self, state: Any) -> SearchDesk:
        """The desk of a state's world."""
        return self.desks[state["world"]]

    @property
    def desk(self) -> SearchDesk:
        """The desk of the present world."""
        return self.desk_of(self.state)

    @property
    def world(self) -> KnowledgeWorld:
        """The present world."""
        return self.desk.world

    def question(self, state: Any) -> Question:
        """The question asked in a state."""
        return self.desk_of(state).question(state)

    def plan(self, state: Any) -> list[str]:
        """The messages that answer a state's question from its start, one step after the other."""
        world, question, calls = self.desk_of(state).world, self.question(state), []
        for step in world.plan(question):
            calls += [Call("search", {"queries": [step.query]}), Call("open", {"page": step.page})]
        answer = gold(world, question)
        if question.kind == "set":
            answer = answer.replace(", ", "\n")
        return [self._say(call) for call in (*calls, Call("answer", {"text": answer}))]

    def guess(self, state: Any, rng: np.random.Generator) -> str:
        """An answer drawn uniformly: in the menu from those offered, in text from all there are."""
        world = self.desk_of(state).world
        if self._menus is not None:
            return world.graph.name(int(rng.choice(state["offered"])))
        return guess(world, self.question(state), rng)

    # --- dynamics ---

    def reset_state(self, state: Any) -> None:
        state["world"] = state["task"]
        if state["task"] < 0:
            state["world"] = integer(state, len(self.desks)) if len(self.desks) > 1 else 0
        desk = self.desk_of(state)
        state["question"] = integer(state, len(desk.questions))
        graph = desk.world.graph
        possible = graph.of_type(int(graph.types[self.question(state).nodes[0]]))
        offered: list[int] = []
        while len(offered) < OFFERED:
            entity = possible[integer(state, len(possible))]
            if entity not in offered:
                offered.append(entity)
        state["offered"] = offered
        desk.begin(state)

    def step_state(self, state: Any, action: Any) -> tuple[float, bool]:
        call = self._call(state, action)
        if isinstance(call, Malformed):
            complain(state, call.reason)
        elif call.tool == "answer":
            return self.desk_of(state).answer(state, call.arguments["text"]), True
        else:
            self.desk_of(state).use(state, call)
        return 0.0, False

    def _slot(self, slot: int) -> Call:
        """What a slot does in the present state."""
        call = self._call(self.state, slot)
        assert isinstance(call, Call)
        return call

    def _call(self, state: Any, action: Any) -> Call | Malformed:
        if self._menus is not None:
            return self._menus[state["world"]].call(state, int(action))
        return self.read_message(action)

    def read_message(self, message: str) -> Call | Malformed:
        """The call that a message makes, in the dialect of the environment."""
        return self._parse(message, self.tools)

    def observe_states(self, states: Any) -> Any:
        if self._menus is not None:
            return self._by_world(states, [menu.features for menu in self._menus])
        return [self.describe_state(state)[:TEXT_LENGTH] for state in states]

    def legal_states(self, states: Any) -> Array:
        assert self._menus is not None
        return self._by_world(states, [menu.legal for menu in self._menus])

    def _by_world(self, states: Any, see: Sequence[Callable[[Any], Array]]) -> Array:
        """What each world's function makes of its states, in the order of the states."""
        if len(see) == 1 or not len(states):
            return see[0](states)
        order = np.argsort(states["world"], kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(states["world"][order])) + 1)
        seen = np.concatenate([see[states["world"][part[0]]](states[part]) for part in parts])
        return seen[np.argsort(order)]

    def sample_state(self, state: Any, rng: np.random.Generator) -> str:
        """A message: a search for something in mind, a page to open, or an answer."""
        graph, known = self.desk_of(state).world.graph, listed(state["known"])
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
        return self._tell(self.desk_of(state), state, self._menus is not None)

    def show_state(self, state: Any) -> str:
        return self.describe_state(state)

    def action_words(self, action: Any) -> str:
        if self._menus is None:
            return str(action)
        if not self.legal_states(self._states)[0, action]:
            return f"slot {action} is empty"
        return self._say(self._slot(int(action)))

    def parse(self, text: str) -> Any:
        """The action a text names: in the menu, a slot that can be chosen in the present state.

        Raises:
            UnparseableActionError: the text names none.
        """
        call = self.read_message(text)
        if isinstance(call, Malformed):
            raise UnparseableActionError(call.reason)
        words = self._say(call)
        if self._menus is None:
            return words
        slots = np.flatnonzero(self.legal_states(self._states)).tolist()
        for slot in slots:
            if self._say(self._slot(slot)).casefold() == words.casefold():
                return slot
        raise UnparseableActionError(
            f"{words[:80]!r} is not on the menu here; say for example "
            f"{self._say(self._slot(slots[0]))!r}"
        )

    # --- pictures and scores ---

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        pages, opened = self.desk_of(state).world.pages, listed(state["opened"])
        page = int(state["page"])
        return draw_search(
            self.question(state).words,
            str(state["query"]),
            [
                (pages.title(number), number in opened, number == page)
                for number in listed(state["results"])
            ],
            (pages.title(page), " ".join(pages.lines(page))) if page >= 0 else None,
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
