"""A search engine that makes its pages up, so that nothing has to be written or indexed."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..kernel import InvalidArgumentError
from .degraded import probability, query_rng
from .neighbours import ReadName, entities_in
from .pages import Triple
from .retrievers import Found, listed, query_words

Array = np.ndarray[Any, np.dtype[Any]]

# How a fact is said; {h} is its head, {r} the word for its relation, {t} its tail.
_TEMPLATES = (
    "The {r} of {h} is {t}.",
    "{h} has {t} as {r}.",
    "As for {h}, the {r} is {t}.",
    "{t} is known as the {r} of {h}.",
)
# Wrong tails that a fact can be given.
_LIES = 15
# Ways to write a page about a fact.
_VARIANTS = len(_TEMPLATES) * (1 + _LIES)
# Other facts that are looked at for a wrong tail.
_TRIES = 16


class MadeUp(NamedTuple):
    """What a page made up says.

    Attributes:
        fact: the row of the fact that it is about.
        tail: what it says the fact's tail to be.
        template: in which of the sentences.
    """

    fact: int
    tail: int
    template: int


class SimulatedSearch:
    """A simulated search engine (ZeroSearch 2025), with templates in place of a language model.

    A page answers a query that names an entity: it states one fact about the entity, those first
    whose relation the query names too. A noisy page looks the same and states a wrong tail, that of
    another fact of the relation. Whether a page is useful or noisy is decided page by page with one
    probability. The same query always gets the same pages, and more of them are noisy as it grows.

    Pages are not kept. A page's number says which fact it states, in which sentence, and with which
    tail, and so what the page says: the engine is at the same time the `Pages` that it finds.

    Args:
        facts: (n, 3) head, relation and tail of each fact.
        relations: the words for relations, in lower case.
        links: (relations,) `bool`, whether the tails of a relation are entities or plain numbers.
        read_name: tells entities from other words.
        name: the name of an entity.
        noise: the probability that a page is noisy; may be set at any time, as curricula do.
        seed: of what is made up.

    Raises:
        InvalidArgumentError: a fact has no relation, or there are too many facts to number pages.
    """

    def __init__(
        self,
        facts: Array,
        relations: Sequence[str],
        links: Array,
        read_name: ReadName,
        name: Callable[[int], str],
        noise: float = 0.0,
        seed: int = 0,
    ):
        most = np.iinfo(np.int32).max // _VARIANTS
        if facts.ndim != 2 or facts.shape[1] != 3 or not 0 < len(facts) <= most:
            raise InvalidArgumentError(f"facts must be 1 to {most} rows of 3; got {facts.shape}")
        if not 0 <= facts[:, 1].min() <= facts[:, 1].max() < len(relations):
            raise InvalidArgumentError(
                f"facts must have relations from 0 to {len(relations) - 1}; "
                f"got {facts[:, 1].min()} to {facts[:, 1].max()}"
            )
        self.known = facts
        self.relations = relations
        self.links = links
        self.read_name = read_name
        self.name = name
        self.noise = noise
        self.seed = seed
        self._by_head, self._by_relation = (
            np.argsort(facts[:, column], kind="stable") for column in (0, 1)
        )
        self._heads = facts[self._by_head, 0]
        self._sorted_relations = facts[self._by_relation, 1]

    @property
    def noise(self) -> float:
        """The probability that a page is noisy."""
        return self._noise

    @noise.setter
    def noise(self, value: float) -> None:
        self._noise = probability("noise", value)

    def search(self, queries: Sequence[str], k: int) -> Found:
        return listed([self._row(query, k) for query in queries], k)

    def read(self, page: int) -> MadeUp:
        """What a page says.

        Raises:
            InvalidArgumentError: there is no such page.
        """
        if not 0 <= page < len(self.known) * _VARIANTS:
            raise InvalidArgumentError(
                f"page must be from 0 to {len(self.known) * _VARIANTS - 1}; got {page!r}"
            )
        fact, variant = divmod(int(page), _VARIANTS)
        template, lie = divmod(variant, 1 + _LIES)
        tail = self._wrong_tail(fact, lie) if lie else int(self.known[fact, 2])
        return MadeUp(fact, tail, template)

    # --- what pages say; see `Pages` ---

    def title(self, page: int) -> str:
        """The name of the entity that a page is about."""
        return self.name(self.subject(page))

    def subject(self, page: int) -> int:
        """The entity that a page is about."""
        return int(self.known[self.read(page).fact, 0])

    def lines(self, page: int) -> list[str]:
        """The one sentence of a page."""
        [(head, relation, tail)] = self.triples(page)
        return [_TEMPLATES[self.read(page).template].format(h=head, r=relation, t=tail)]

    def triples(self, page: int) -> list[Triple]:
        """What a page tells, true or not."""
        fact, tail, _ = self.read(page)
        head, relation, _ = self.known[fact].tolist()
        value = self.name(tail) if self.links[relation] else str(tail)
        return [(self.name(head), self.relations[int(relation)], value)]

    def facts(self, page: int) -> list[int]:
        """The fact that a page states, where it states it as it is."""
        fact, tail, _ = self.read(page)
        return [fact] if tail == self.known[fact, 2] else []

    def mentions(self, page: int) -> list[int]:
        """The entities that a page names."""
        fact, tail, _ = self.read(page)
        head, relation, _ = self.known[fact].tolist()
        return [head, tail] if self.links[relation] else [head]

    def pages_stating(self, fact: int) -> Array:
        """The pages that state a fact, one for each sentence."""
        return fact * _VARIANTS + np.arange(len(_TEMPLATES)) * (1 + _LIES)

    def tell(self, listed: Array, facts: Array) -> Array:
        """In which rows a page states the row's fact; see `Pages`."""
        fact, variant = np.divmod(listed, _VARIANTS)
        return np.any((fact == facts[:, None]) & (variant % (1 + _LIES) == 0), axis=1)

    def _row(self, query: str, k: int) -> list[tuple[int, float]]:
        """The pages for a query and how many of its words, the name and the relation, they meet."""
        asked = set(query_words(query))
        scored = []
        for entity in entities_in(query, self.read_name):
            start, end = np.searchsorted(self._heads, [entity, entity + 1])
            for fact in self._by_head[start:end].tolist():
                scored.append((1.0 + (self.relations[self.known[fact, 1]] in asked), fact))
        scored.sort(key=lambda pair: (-pair[0], pair[1]))
        rng = query_rng(self.seed, query)
        row = []
        for score, fact in scored[:k]:
            template, lie = rng.integers([0, 1], [len(_TEMPLATES), 1 + _LIES]).tolist()
            noisy = rng.random() < self.noise
            row.append((fact * _VARIANTS + template * (1 + _LIES) + (lie if noisy else 0), score))
        return row

    def _wrong_tail(self, fact: int, lie: int) -> int:
        """What another fact of the relation has as tail; the right one where all seem to agree."""
        _, relation, tail = self.known[fact].tolist()
        start, end = np.searchsorted(self._sorted_relations, [relation, relation + 1])
        rng = np.random.default_rng([self.seed, fact, lie])
        others = self.known[self._by_relation[rng.integers(start, end, _TRIES)], 2]
        return next((other for other in others.tolist() if other != tail), tail)
