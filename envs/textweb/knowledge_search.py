"""KnowledgeSearch: answer questions about a fictional world by searching its pages."""

import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from ..kernel import HostEnv, InvalidArgumentError, StateLayout, Unicode, UnparseableActionError
from ..kernel.host import integer
from .corpus import PAGE_FACTS, PAGE_MENTIONS
from .library import PATTERNS, TOP_K, Library, open_library
from .raster import draw_search
from .world import RELATIONS, RELATIONS_PER_TYPE, Question, first_relation

#: Entities an agent has in mind: the one asked about, and those of the pages read last.
KNOWN = 2 + PAGE_MENTIONS
#: Pages an agent remembers having opened.
REMEMBERED = 8
#: Possible answers that are offered before anything was read.
OFFERED = 4

# The slots of the menu: first searches, then pages to open, then answers.
_OPENS = KNOWN * RELATIONS_PER_TYPE
_ANSWERS = _OPENS + TOP_K
_GUESSES = _ANSWERS + KNOWN
SLOTS = _GUESSES + OFFERED

# The features of a slot.
LEGAL, FIRST, SECOND, ASKED, BRIDGE, SHOWN, RANK, OPENED, SUPPORTED, READ = range(10)
FEATURES = 10

MESSAGE_LENGTH, TEXT_LENGTH, _QUERY_LENGTH = 4096, 2048, 64
_MESSAGE = re.compile(r"^\s*(search|open|answer)\s*:\s*(\S.*)$", re.IGNORECASE | re.MULTILINE)
_HELP = "Say search: words, or open: number, or answer: name."
_WRONG, _RIGHT = 1, 2
_PLAN_STEPS = 5

_LAYOUT = StateLayout(
    [("question", np.int32), ("offered", np.int32, (OFFERED,))],
    [
        ("known", np.int32, (KNOWN,)),
        ("query", f"U{_QUERY_LENGTH}"),
        ("shown", np.int32, (2,)),  # the entity and relation that the query asks for, or -1
        ("results", np.int32, (TOP_K,)),
        ("opened", np.int32, (REMEMBERED,)),
        ("misunderstood", np.int8),
        ("verdict", np.int8),
        ("success", np.int8),
    ],
)


class KnowledgeSearch(HostEnv):
    """
    ## Description
    The agent answers questions about a fictional world by searching and reading its pages. It is
    asked "What is the seat of the employer of Plosen?", searches (BM25) and opens what is found.
    The world has persons, cities and companies, a short page for each, and distractor pages that
    mention them but tell nothing. A fact stands on the page of its subject or of its object, in
    varying words. All names are made up, so that nothing can be known beforehand.

    Every question has one answer and can be answered: a search for "employer of Plosen" lists a
    page that states who that is, and likewise for the second step.

    ## Observation Space
    - `actions="menu"`: `Box(0, 1, (41, 10), float32)`, a row for each slot of the menu, all zeros
      where the slot is empty. What an agent could tell from the text it has been shown, where
      "read" means on one of the last 8 pages opened:
        0. the slot can be chosen
        1. search: it asks for the first relation of the question (the one next to the entity);
           open: the search whose results are shown did
        2. the same for the second relation of the question
        3. search: it asks about the entity of the question; open: the search shown did; answer: it
           is the entity of the question
        4. the entity that feature 3 speaks of was read to be the first relation of the question's
           entity
        5. search: its results are those shown
        6. open: 1 / place in the list of results
        7. open: the page was read
        8. answer: it was read to be the second relation of an entity for which 4 holds
        9. answer: it was read of, rather than offered
    - `actions="text"`: `Unicode(2048)`, what `describe()` says: the question, the results of the
      last search, the page opened last, and a line of help after a message that was not understood.

    ## Action Space
    - `actions="menu"`: `Discrete(41)`, masked.
        - 0 to 23: search. Slot 3 i + j asks for relation j (of its type) of the i-th entity in
          mind: the entity of the question, then up to 7 of those read last.
        - 24 to 28: open a page of the list of results.
        - 29 to 36: answer with the i-th entity in mind, if it is of the type asked for.
        - 37 to 40: answer with one of 4 entities of the right type that are offered from the start
          (drawn at random: the answer need not be among them).
    - `actions="text"`: `Unicode(4096)`. The first line of the form `search: words`, `open: number`
      or `answer: name` counts, in any case. Any other text is a no-op that costs the step and is
      answered by a line of help, as is opening a page that is not listed. `parse` raises instead.

    ## Rewards
    1 for the right answer, otherwise 0.

    ## Starting State
    The question and the entities offered are drawn uniformly by the reset seed; the world depends
    on `world_seed` alone.

    ## Episode End
    Terminated by any answer; truncated after `max_episode_steps` steps.

    ## Arguments
    - `world_seed`: of the world, its pages and its questions (default 0).
    - `documents`: number of pages, ≥ 40 (default 400: 300 entities, 100 of each type; 2,586
      questions in world 0). A quarter of them are distractors.
    - `questions`: the patterns of the questions asked, of `("chain",)`.
    - `actions`: `"menu"` or `"text"`.
    - `max_episode_steps`: the time limit (default 20); −1 for none.

    ## Reference Scores
    `spelunk.reference("spelunk/KnowledgeSearch-v0")`: the random policy, and the evidence chain
    followed, which always scores 1.

    ## Version History
    - v0: first version.
    """

    best_source = "the evidence chain of each question, checked when the world is built"

    def __init__(
        self,
        world_seed: int = 0,
        documents: int = 400,
        questions: Sequence[str] = ("chain",),
        actions: Literal["menu", "text"] = "menu",
        max_episode_steps: int = 20,
        render_mode: str | None = None,
    ):
        if isinstance(world_seed, bool) or not isinstance(world_seed, int) or world_seed < 0:
            raise InvalidArgumentError(f"world_seed must be an integer ≥ 0; got {world_seed!r}")
        if isinstance(documents, bool) or not isinstance(documents, int) or documents < 40:
            raise InvalidArgumentError(f"documents must be an integer ≥ 40; got {documents!r}")
        if isinstance(questions, str) or not questions or not set(questions) <= set(PATTERNS):
            raise InvalidArgumentError(
                f"questions must be a sequence of patterns from {PATTERNS}; got {questions!r}"
            )
        if actions not in ("menu", "text"):
            raise InvalidArgumentError(f'actions must be "menu" or "text"; got {actions!r}')
        self._menu = menu = actions == "menu"
        super().__init__(
            layout=_LAYOUT,
            observation_space=spaces.Box(0, 1, (SLOTS, FEATURES), np.float32)
            if menu
            else Unicode(TEXT_LENGTH),
            action_space=spaces.Discrete(SLOTS) if menu else Unicode(MESSAGE_LENGTH),
            max_episode_steps=max_episode_steps,
            metrics=("success",),
            masked=menu,
            render_mode=render_mode,
        )
        #: The world, its pages and its questions, shared by all environments of its seed and size.
        self.library: Library = open_library(world_seed, documents)

    def question(self, state: Any) -> Question:
        """The question asked in a state."""
        return self.library.questions[state["question"]]

    def candidates(self, state: Any) -> list[str]:
        """What a guess can be: the names offered in the menu, in text all of the right type."""
        question, world = self.question(state), self.library.world
        every = world.by_type[RELATIONS[question.second].tail]
        return [world.names[entity] for entity in (state["offered"] if self._menu else every)]

    # --- dynamics ---

    def reset_state(self, state: Any) -> None:
        state["question"] = integer(state, len(self.library.questions))
        question = self.question(state)
        possible = self.library.world.by_type[RELATIONS[question.second].tail]
        offered: list[int] = []
        while len(offered) < OFFERED:
            entity = possible[integer(state, len(possible))]
            if entity not in offered:
                offered.append(entity)
        state["offered"] = offered
        state["known"] = _padded([question.entity], KNOWN)
        state["query"] = ""
        state["shown"], state["results"], state["opened"] = -1, -1, -1
        state["misunderstood"], state["verdict"], state["success"] = 0, 0, 0

    def step_state(self, state: Any, action: Any) -> tuple[float, bool]:
        message = self._slot_message(state, int(action)) if self._menu else _read(action)
        state["misunderstood"] = 0
        if message is None:
            state["misunderstood"] = 1
        elif message[0] == "search":
            state["query"] = message[1][:_QUERY_LENGTH]
            state["shown"] = self.library.queries.get(message[1], (-1, -1))
            state["results"] = _padded(self.library.search(message[1]), TOP_K)
        elif message[0] == "open":
            self._open(state, message[1])
        else:
            right = self.library.world.names[self.library.answer(self.question(state))]
            state["success"] = message[1].casefold() == right.casefold()
            state["verdict"] = _RIGHT if state["success"] else _WRONG
            return float(state["success"]), True
        return 0.0, False

    def observe_states(self, states: Any) -> Any:
        if self._menu:
            return self._features(states)
        return [self.describe_state(state)[:TEXT_LENGTH] for state in states]

    def legal_states(self, states: Any) -> np.ndarray[Any, np.dtype[np.int8]]:
        known, offered = states["known"], states["offered"]
        second = self.library.question_table[states["question"], 2]
        wanted = self.library.world.types[known] == _TAIL_TYPES[second][:, None]
        mask = np.empty((len(states), SLOTS), np.int8)
        mask[:, :_OPENS] = np.repeat(known >= 0, RELATIONS_PER_TYPE, axis=1)
        mask[:, _OPENS:_ANSWERS] = states["results"] >= 0
        mask[:, _ANSWERS:_GUESSES] = wanted & (known >= 0)
        mask[:, _GUESSES:] = (offered[:, :, None] != known[:, None, :]).all(axis=2)
        return mask

    def sample_state(self, state: Any, rng: np.random.Generator) -> str:
        """A message that the menu has in a state, drawn uniformly."""
        slots = np.flatnonzero(self.legal_states(np.array([state])))
        return self._slot_words(state, int(rng.choice(slots)))

    def _open(self, state: Any, number: str) -> None:
        results = _listed(state["results"])
        if not number.isdecimal() or not 1 <= int(number) <= len(results):
            state["misunderstood"] = 1
            return
        page = results[int(number) - 1]
        read = [n for n in _listed(state["opened"]) if n != page]
        state["opened"] = _padded([*read, page][-REMEMBERED:], REMEMBERED)
        asked, *others = _listed(state["known"])
        mentioned = [entity for entity in self.library.pages[page].mentions if entity != asked]
        others = [entity for entity in others if entity not in mentioned] + mentioned
        state["known"] = _padded([asked, *others[1 - KNOWN :]], KNOWN)

    def _slot_message(self, state: Any, slot: int) -> tuple[str, str]:
        """What a slot of the menu says."""
        world = self.library.world
        if slot < _OPENS:
            entity = int(state["known"][slot // RELATIONS_PER_TYPE])
            relation = first_relation(int(world.types[entity])) + slot % RELATIONS_PER_TYPE
            return "search", self.library.query(entity, relation)
        if slot < _ANSWERS:
            return "open", str(slot - _OPENS + 1)
        listed, first = ("known", _ANSWERS) if slot < _GUESSES else ("offered", _GUESSES)
        return "answer", world.names[state[listed][slot - first]]

    def _features(self, states: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
        """(n, SLOTS, FEATURES); see the class."""
        library, column = self.library, np.s_[:, None]
        entity, first, second = library.question_table[states["question"]].T
        known, results, opened = states["known"], states["results"], states["opened"]
        head, relation, tail = np.moveaxis(library.fact_table[opened], -1, 0).reshape(
            3, len(states), REMEMBERED * PAGE_FACTS
        )
        # A relation has one object in this world, so that at most one entity was read to be it.
        read = (head == entity[column]) & (relation == first[column])
        bridge = np.where(read, tail, -1).max(axis=1)
        read = (head == bridge[column]) & (relation == second[column])
        answer = np.where(read, tail, -1).max(axis=1)
        shown_entity, shown_relation = states["shown"].T

        rows = np.zeros((len(states), SLOTS, FEATURES), np.float32)
        searches = rows[:, :_OPENS].reshape(-1, KNOWN, RELATIONS_PER_TYPE, FEATURES)
        start = library.world.types[known].astype(np.int64) * RELATIONS_PER_TYPE
        asks = start[:, :, None] + np.arange(RELATIONS_PER_TYPE)
        searches[..., FIRST] = asks == first[:, None, None]
        searches[..., SECOND] = asks == second[:, None, None]
        searches[..., ASKED] = (known == entity[column])[:, :, None]
        searches[..., BRIDGE] = (known == bridge[column])[:, :, None]
        searches[..., SHOWN] = (known == shown_entity[column])[:, :, None] & (
            asks == shown_relation[:, None, None]
        )
        opens = rows[:, _OPENS:_ANSWERS]
        opens[..., FIRST] = (shown_relation == first)[column]
        opens[..., SECOND] = (shown_relation == second)[column]
        opens[..., ASKED] = (shown_entity == entity)[column]
        opens[..., BRIDGE] = (shown_entity == bridge)[column]
        opens[..., RANK] = _RANKS
        opens[..., OPENED] = (results[:, :, None] == opened[:, None, :]).any(axis=2)
        answers = rows[:, _ANSWERS:_GUESSES]
        answers[..., ASKED] = known == entity[column]
        answers[..., BRIDGE] = known == bridge[column]
        answers[..., SUPPORTED] = known == answer[column]
        answers[..., READ] = 1
        legal = self.legal_states(states)
        rows *= legal[:, :, None]
        rows[..., LEGAL] = legal
        return rows

    # --- words ---

    def describe_state(self, state: Any) -> str:
        library = self.library
        lines = [f"Question: {library.ask(self.question(state))}"]
        results, opened = _listed(state["results"]), _listed(state["opened"])
        if state["query"]:
            lines.append(f"Results for {state['query']}:" + ("" if results else " none"))
        for i, number in enumerate(results):
            read = " (read)" if number in opened else ""
            lines.append(f"{i + 1} {library.pages[number].title}{read}")
        if opened:
            page = library.pages[opened[-1]]
            lines.append(f"Page {page.title}: {page.text}")
        if self._menu:
            lines.append(f"Offered: {', '.join(library.world.names[e] for e in state['offered'])}")
        if state["verdict"]:
            lines.append("Right." if state["verdict"] == _RIGHT else "Wrong.")
        elif state["misunderstood"] or not state["query"]:
            lines.append(_HELP)
        return "\n".join(lines)

    def show_state(self, state: Any) -> str:
        return self.describe_state(state)

    def action_words(self, action: Any) -> str:
        if not self._menu:
            return str(action)
        if not self.legal_states(self._states)[0, action]:
            return f"slot {action} is empty"
        return self._slot_words(self.state, int(action))

    def parse(self, text: str) -> Any:
        """The action a text names: in the menu, a slot that can be chosen in the present state.

        Raises:
            UnparseableActionError: the text names none.
        """
        message = _read(text)
        if message is None:
            raise UnparseableActionError(f"{text[:80]!r} names no action. {_HELP}")
        words = ": ".join(message)
        if not self._menu:
            return words
        slots = np.flatnonzero(self.legal_states(self._states)).tolist()
        for slot in slots:
            if self._slot_words(self.state, slot).casefold() == words.casefold():
                return slot
        raise UnparseableActionError(
            f"{words[:80]!r} is not on the menu here; say for example "
            f"{self._slot_words(self.state, slots[0])!r}"
        )

    def _slot_words(self, state: Any, slot: int) -> str:
        return ": ".join(self._slot_message(state, slot))

    # --- pictures and scores ---

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        library, opened = self.library, _listed(state["opened"])
        return draw_search(
            library.ask(self.question(state)),
            str(state["query"]),
            [
                (library.pages[number].title, number in opened, opened[-1:] == [number])
                for number in _listed(state["results"])
            ],
            library.pages[opened[-1]] if opened else None,
            bool(state["success"]) if state["verdict"] else None,
        )

    def best_return(self, seed: int) -> float | None:
        limit = self.definition.max_episode_steps
        return 1.0 if limit < 0 or limit >= _PLAN_STEPS else None


_TAIL_TYPES = np.array([relation.tail for relation in RELATIONS])
_RANKS = 1 / np.arange(1, TOP_K + 1, dtype=np.float32)


def _read(text: str) -> tuple[str, str] | None:
    """The kind and the words of a message, or None."""
    found = _MESSAGE.search(text)
    if found is None:
        return None
    kind, words = found[1].lower(), " ".join(found[2].split())
    return (kind, words.rstrip(".")) if kind == "answer" else (kind, words)


def _listed(values: Any) -> list[int]:
    """The entries of a padded field."""
    return [n for n in values.tolist() if n >= 0]


def _padded(values: Sequence[int], length: int) -> list[int]:
    return [*values, *[-1] * (length - len(values))]
