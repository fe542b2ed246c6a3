"""A world with its pages, their index, and the questions that can be answered from them."""

import functools

import numpy as np

from .corpus import PAGE_FACTS, Page, write_corpus
from .retrieval import BM25Index
from .world import RELATIONS, Fact, Question, World, make_world

#: Pages in a list of results.
TOP_K = 5
#: One page in so many is a distractor.
_DISTRACTOR_SHARE = 4

PATTERNS = ("chain",)


class Library:
    """What an agent is asked about and where it can look it up.

    A question is kept only if the pages answer it in one way, and if the query for each fact of
    its evidence brings up a page that states the fact: every question can be answered.

    Args:
        seed: of the world.
        documents: the number of pages.

    Attributes:
        world: the knowledge graph behind the pages.
        pages: the pages; a page's number is its index.
        queries: what `query` gives for every fact: words -> (entity, relation).
        questions: those that can be answered.
        question_table: (questions, 3) `int32`, the fields of each question.
        fact_table: (documents + 1, PAGE_FACTS, 3) `int32`, the facts of each page. Unused rows
            hold −1, as does the last page, so that page −1 states nothing.
    """

    def __init__(self, seed: int, documents: int):
        rng = np.random.default_rng(seed)
        entities = documents - documents // _DISTRACTOR_SHARE
        self.world: World = make_world(entities, rng)
        self.pages: tuple[Page, ...] = write_corpus(self.world, documents, rng)
        self._index = BM25Index([f"{page.title} {page.text}" for page in self.pages])
        self._results: dict[str, list[int]] = {}
        self.queries: dict[str, tuple[int, int]] = {}
        for fact in self.world.facts():
            words = self.query(fact.head, fact.relation)
            self.queries[words] = fact.head, fact.relation
            self._results[words] = self._index.search(words, TOP_K)
        self.questions = self._answerable()
        self.question_table = np.array(self.questions, np.int32)
        self.fact_table = np.full((documents + 1, PAGE_FACTS, 3), -1, np.int32)
        for number, page in enumerate(self.pages):
            if page.facts:
                self.fact_table[number, : len(page.facts)] = page.facts

    def query(self, entity: int, relation: int) -> str:
        """The words that ask for a relation of an entity."""
        return f"{RELATIONS[relation].word} of {self.world.names[entity]}"

    def search(self, words: str) -> list[int]:
        """The numbers of the at most `TOP_K` best pages for a query, best first."""
        known = self._results.get(words)
        return self._index.search(words, TOP_K) if known is None else known

    def ask(self, question: Question) -> str:
        """A question in words."""
        first, second = RELATIONS[question.first].word, RELATIONS[question.second].word
        return f"What is the {second} of the {first} of {self.world.names[question.entity]}?"

    def answer(self, question: Question) -> int:
        """The entity that answers a question."""
        return self.world.evidence(question)[1].tail

    def plan(self, question: Question) -> list[str]:
        """The messages that follow the evidence: search and open a page for each fact, answer."""
        messages = []
        for fact in self.world.evidence(question):
            rank = self._rank(fact)
            assert rank is not None
            messages += [f"search: {self.query(fact.head, fact.relation)}", f"open: {rank + 1}"]
        return [*messages, f"answer: {self.world.names[self.answer(question)]}"]

    def _answerable(self) -> tuple[Question, ...]:
        told: dict[tuple[int, int], set[int]] = {}
        for page in self.pages:
            for head, relation, tail in page.facts:
                told.setdefault((head, relation), set()).add(tail)
        certain = {
            fact
            for fact in self.world.facts()
            if told.get((fact.head, fact.relation)) == {fact.tail} and self._rank(fact) is not None
        }
        chains = self.world.chains()
        return tuple(q for q in chains if certain.issuperset(self.world.evidence(q)))

    def _rank(self, fact: Fact) -> int | None:
        """Where the first page that states a fact stands among the results of its query."""
        results = self.search(self.query(fact.head, fact.relation))
        return next((i for i, n in enumerate(results) if fact in self.pages[n].facts), None)


@functools.lru_cache(maxsize=8)
def open_library(seed: int, documents: int) -> Library:
    """The library of a seed, which all environments of a process share."""
    return Library(seed, documents)
