"""A world with its pages, their index, and questions that can be answered from them."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..kernel import InvalidArgumentError
from .corpus import MIX, Corpus
from .engines import INDEX, MakeRetriever, make_engines
from .graph import Graph
from .kept import WORTH, kept_folder
from .pages import Pages
from .patterns import PATTERNS
from .questions import Question, cover
from .retrievers import Found, query_words
from .schema import COLUMNS, TYPES, column_word
from .simulated_search import SimulatedSearch

Array = np.ndarray[Any, Any]

#: Pages in a list of results.
TOP_K = 5
#: One page in so many is about no entity of its own.
_OTHERS = 4


#: The type and the column that a word for a relation or attribute stands for.
_COLUMN_OF = {
    column_word(type_, column): (type_, column)
    for type_ in range(len(TYPES))
    for column in range(COLUMNS)
}


class Step(NamedTuple):
    """A step of a plan that answers a question.

    Attributes:
        query: what to search for.
        page: the page to open, one of the results.
        facts: what is learned from it that the answer needs.
    """

    query: str
    page: int
    facts: tuple[int, ...]


class KnowledgeWorld:
    """All that an agent is asked about, and where it can look it up.

    A question is kept only if for each fact that answers it a query made of what is known by then
    (the word for the relation and the name of an entity) lists a page that states the fact: every
    question can be answered. Pages and index of large worlds are kept on disk; see `kept`.

    Args:
        seed: of the world.
        documents: the number of pages.
        mix: see `Corpus`.
        alias_rate: see `Corpus`.
        retriever: see `make_engines`.
        sources: see `make_engines`.
        names_seed: see `Graph`.

    Attributes:
        graph: the facts.
        corpus: what is written of them.
        engines: what finds pages, by tool.
        pages: those that are found: of the corpus, or made up by a simulated engine.
    """

    def __init__(
        self,
        seed: int,
        documents: int,
        mix: Mapping[str, float] = MIX,
        alias_rate: float = 0.0,
        retriever: str | MakeRetriever = "bm25",
        sources: str = "single",
        names_seed: int | None = None,
    ):
        self.seed, self.documents = seed, documents
        entities = documents - documents // _OTHERS
        self.graph = Graph(entities, seed, names_seed)
        folder = None
        if documents >= WORTH:
            settings = (seed, names_seed, documents, sorted(mix.items()), alias_rate)
            folder = kept_folder(settings, functools.partial(self._write, mix, alias_rate))
        if folder is None:
            self.corpus = Corpus(self.graph, documents, seed, mix, alias_rate)
        else:
            self.corpus = Corpus.load(folder, self.graph)
        self.engines = make_engines(self.corpus, retriever, sources, folder)
        self.pages: Pages = self.corpus
        if isinstance(engine := self.engines["search"], SimulatedSearch):
            self.pages = engine
        self._questions: dict[tuple[str, int], tuple[Question, ...]] = {}

    def _write(self, mix: Mapping[str, float], alias_rate: float, folder: Path) -> None:
        """Make the pages and their index, and write them into a folder."""
        from .bm25 import BM25

        corpus = Corpus(self.graph, self.documents, self.seed, mix, alias_rate)
        corpus.save(folder)
        BM25(*corpus.tokens(), corpus.vocabulary).save(folder / INDEX)

    def query(self, entity: int, fact: int) -> str:
        """The words that look up a fact by one of the entities in it."""
        head, column = divmod(fact, COLUMNS)
        word = column_word(int(self.graph.types[head]), column)
        return f"{word} of {self.graph.name(entity)}"

    def asked(self, query: str) -> tuple[int, int]:
        """The entity and the column of its type that a query asks for; −1, −1 for other queries."""
        words = query_words(query)
        if len(words) == 3 and words[1] == "of":
            entity = self.graph.read_name(words[2])
            column = _COLUMN_OF.get(words[0], (-1, -1))
            if entity >= 0 and column[0] == self.graph.types[entity]:
                return entity, column[1]
        return -1, -1

    def search(self, queries: Sequence[str], k: int = TOP_K) -> Found:
        """The at most `k` best pages for each query."""
        return self.engines["search"].search(queries, k)

    def questions(self, pattern: str, count: int) -> tuple[Question, ...]:
        """At most so many questions of a pattern, always the same ones.

        Raises:
            InvalidArgumentError: there is no such pattern, or no such question in this world.
        """
        if pattern not in PATTERNS:
            raise InvalidArgumentError(f"pattern must be in {list(PATTERNS)}; got {pattern!r}")
        if (pattern, count) not in self._questions:
            rng = np.random.default_rng([self.seed, count, list(PATTERNS).index(pattern)])
            proposed = PATTERNS[pattern](self.graph, 2 * count + 50, rng)
            kept = [q for q, ok in zip(proposed, self.answerable(proposed), strict=True) if ok]
            if not kept:
                raise InvalidArgumentError(
                    f"a world of {len(self.corpus)} pages has no question of pattern {pattern!r} "
                    "that can be answered"
                )
            self._questions[pattern, count] = tuple(kept[:count])
        return self._questions[pattern, count]

    def answerable(self, questions: Sequence[Question]) -> Array:
        """Which questions the pages answer, (questions,) `bool`."""
        lookups = sorted({look for question in questions for look in question.lookups()})
        found = dict(zip(lookups, self._found(lookups), strict=True))
        return np.array([all(found[look] for look in q.lookups()) for q in questions], bool)

    def plan(self, question: Question) -> list[Step]:
        """Searches, and pages to open, that bring up all that the answer needs.

        Facts that a page opened before has stated are not looked up again.
        """
        steps: list[Step] = []
        needed, learned = set(question.facts()), set[int]()
        for entity, fact in question.lookups():
            if fact in learned:
                continue
            query = self.query(entity, fact)
            listed = self.search([query]).pages[0]
            page = next(int(p) for p in listed if self.states(int(p), fact))
            told = needed & set(self.pages.facts(page))
            steps.append(Step(query, page, tuple(sorted(told))))
            learned |= told
        return steps

    def states(self, page: int, fact: int) -> bool:
        """Whether a page states a fact as it is."""
        return page >= 0 and fact in self.pages.facts(page)

    def dispersion(self, question: Question) -> int:
        """The least number of pages that state all that the answer needs."""
        return cover([frozenset(self.pages.pages_stating(f).tolist()) for f in question.facts()])

    def _found(self, lookups: Sequence[tuple[int, int]]) -> Array:
        """For which pairs of entity and fact the query lists a page that states the fact."""
        listed = self.search([self.query(*look) for look in lookups]).pages
        return self.pages.tell(listed, np.array([fact for _, fact in lookups], np.int64))


@functools.lru_cache(maxsize=8)
def open_worlds(
    seeds: range,
    documents: int,
    mix: tuple[tuple[str, float], ...],
    alias_rate: float,
    retriever: str | MakeRetriever,
    sources: str,
    names_seed: int | None = None,
) -> tuple[KnowledgeWorld, ...]:
    """The worlds of these settings, which all environments of a process share."""
    return tuple(
        KnowledgeWorld(seed, documents, dict(mix), alias_rate, retriever, sources, names_seed)
        for seed in seeds
    )
