"""The menu of a search: all that can be done at a time as numbered slots, with features."""

from typing import Any

import numpy as np

from ..kernel import InvalidArgumentError
from .grammar import Call
from .schema import COLUMNS, RELATIONS, RELATIONS_PER_TYPE
from .search_desk import KNOWN, OFFERED, SearchDesk
from .world import TOP_K

Array = np.ndarray[Any, Any]

#: The longest chain that a menu knows, and the patterns that are such chains.
HOPS = 4
MENU_PATTERNS = ("lookup", "chain", "chain3", "chain4")

# The slots: searches, then pages to open, then answers.
OPENS = KNOWN * RELATIONS_PER_TYPE
ANSWERS = OPENS + TOP_K
GUESSES = ANSWERS + KNOWN
SLOTS = GUESSES + OFFERED

# The features of a slot: five of their own, one for each hop, and one for each entity of a chain.
LEGAL, SHOWN, RANK, READ, OFFER = range(5)
HOP, NODE = 5, 5 + HOPS
FEATURES = NODE + HOPS + 1

_RANKS = 1 / np.arange(1, TOP_K + 1, dtype=np.float32)


class Menu:
    """Slots and features for questions that are chains.

    Args:
        desk: whose questions are asked.
    """

    def __init__(self, desk: SearchDesk):
        self.desk, world = desk, desk.world
        count = len(desk.questions)
        #: By question: where its chain starts, its relations (−1 behind the end), its hops and the
        #: type of its answer.
        self.starts = np.array([q.nodes[1] for q in desk.questions], np.int64)
        self.columns = np.full((count, HOPS), -1)
        for i, question in enumerate(desk.questions):
            self.columns[i, : len(question.edges)] = [edge.column for edge in question.edges]
        self.hops = (self.columns >= 0).sum(axis=1)
        self.answer_types = world.graph.types[[q.answers[0] for q in desk.questions]]
        if world.pages is not world.corpus:
            raise InvalidArgumentError('retriever="simulated" needs actions="text"')
        pages = world.corpus
        rows = np.flatnonzero(pages.fact >= 0)
        page = np.searchsorted(pages.starts, rows, side="right") - 1
        place = np.arange(len(rows)) - np.searchsorted(page, page)
        #: The facts of each page, −1 behind the last; the last row is that of no page.
        self.facts = np.full((len(pages) + 1, place.max() + 1), -1)
        self.facts[page, place] = pages.fact[rows]

    def legal(self, states: Any) -> Array:
        """Which slots hold something, (n, SLOTS) `int8`."""
        known, offered = states["known"], states["offered"]
        wanted = self.desk.world.graph.types[known] == self.answer_types[states["question"], None]
        mask = np.empty((len(states), SLOTS), np.int8)
        mask[:, :OPENS] = np.repeat(known >= 0, RELATIONS_PER_TYPE, axis=1)
        mask[:, OPENS:ANSWERS] = states["results"][:, :TOP_K] >= 0
        mask[:, ANSWERS:GUESSES] = wanted & (known >= 0)
        mask[:, GUESSES:] = (offered[:, :, None] != known[:, None, :]).all(axis=2)
        return mask

    def call(self, state: Any, slot: int) -> Call:
        """What a slot does."""
        world = self.desk.world
        if slot < OPENS:
            entity, column = (
                int(state["known"][slot // RELATIONS_PER_TYPE]),
                slot % RELATIONS_PER_TYPE,
            )
            return Call("search", {"queries": [world.query(entity, entity * COLUMNS + column)]})
        if slot < ANSWERS:
            return Call("open", {"page": int(state["results"][slot - OPENS])})
        names, first = ("known", ANSWERS) if slot < GUESSES else ("offered", GUESSES)
        return Call("answer", {"text": world.graph.name(int(state[names][slot - first]))})

    def chains(self, states: Any) -> Array:
        """The entities of each question's chain, as far as the pages read tell; (n, HOPS + 1), −1
        for those not known yet.
        """
        graph, question = self.desk.world.graph, states["question"]
        read = self.facts[states["opened"]].reshape(len(states), -1)
        chain = np.full((len(states), HOPS + 1), -1)
        chain[:, 0] = self.starts[question]
        for hop in range(HOPS):
            entity, column = chain[:, hop], self.columns[question, hop]
            fact = entity * COLUMNS + column
            told = (entity >= 0) & (column >= 0) & (read == fact[:, None]).any(axis=1)
            chain[told, hop + 1] = graph.tails[entity[told], column[told]]
        return chain

    def features(self, states: Any) -> Array:
        """(n, SLOTS, FEATURES) `float32`; see `KnowledgeSearch`."""
        question, known, results = states["question"], states["known"], states["results"][:, :TOP_K]
        graph, chain = self.desk.world.graph, self.chains(states)
        types = graph.types.astype(np.int64)
        # Relations are told apart by their types too: those of a chain are asked of its entities.
        each = types[known][:, :, None] * RELATIONS_PER_TYPE + np.arange(RELATIONS_PER_TYPE)
        hops = self._relations(states)
        entity, column = states["asked"].T
        shown = np.where(entity >= 0, types[entity] * RELATIONS_PER_TYPE + column, -2)
        entity = np.where(entity >= 0, entity, -2)

        rows = np.zeros((len(states), SLOTS, FEATURES), np.float32)
        searches = rows[:, :OPENS].reshape(-1, KNOWN, RELATIONS_PER_TYPE, FEATURES)
        searches[..., HOP:NODE] = each[..., None] == hops[:, None, None, :]
        nodes = known[:, :, None] == chain[:, None, :]
        searches[..., NODE:] = nodes[:, :, None, :]
        searches[..., SHOWN] = (known == entity[:, None])[:, :, None] & (
            each == shown[:, None, None]
        )
        opens = rows[:, OPENS:ANSWERS]
        opens[..., HOP:NODE] = (shown[:, None] == hops)[:, None, :]
        opens[..., NODE:] = (entity[:, None] == chain)[:, None, :]
        opens[..., RANK] = _RANKS
        opens[..., READ] = (results[:, :, None] == states["opened"][:, None, :]).any(axis=2)
        answers = rows[:, ANSWERS:GUESSES]
        answers[..., NODE:] = nodes
        # The last entity of the chain, however long it is.
        answers[..., READ] = known == chain[np.arange(len(states)), self.hops[question]][:, None]
        rows[:, GUESSES:, OFFER] = 1
        legal = self.legal(states)
        rows *= legal[:, :, None]
        rows[..., LEGAL] = legal
        return rows

    def _relations(self, states: Any) -> Array:
        """The relations of each question's chain (indices into `RELATIONS`), (n, HOPS), or −1."""
        question = states["question"]
        found = np.full((len(states), HOPS), -1)
        type_ = self.desk.world.graph.types[self.starts[question]].astype(np.int64)
        for hop in range(HOPS):
            column = self.columns[question, hop]
            relation = type_ * RELATIONS_PER_TYPE + column
            found[:, hop] = np.where(column >= 0, relation, -1)
            type_ = np.where(column >= 0, _TAILS[relation], type_)
        return found


_TAILS = np.array([relation.tail for relation in RELATIONS])
