"""The world written down: pages that state its facts, and pages that mislead.

A page is a title and sentences, each a template with names and numbers to fill in. They are kept
as such: texts are rendered when they are read, and token ids come straight from the templates, so
that a million pages take seconds.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import numpy as np

from ..kernel.compile import compiled
from ..kernel.errors import InvalidArgumentError
from .graph import Graph
from .pages import Triple
from .schema import COLUMNS, RELATIONS, RELATIONS_PER_TYPE, column_word
from .templates import FIRST, NUMBER, SECOND, Span, templates
from .vocabulary import Vocabulary

Array = np.ndarray[Any, Any]

KINDS = ("entity", "gossip", "outdated", "rumour", "copy", "namesake")
ENTITY, GOSSIP, OUTDATED, RUMOUR, COPY, NAMESAKE = range(len(KINDS))
#: Pages that are to be trusted: they state facts as they are.
TRUSTED = (ENTITY, COPY)

#: How often a fact stands on the page of its object instead of that of its subject.
INVERSE_RATE = 0.3
#: The most facts that a page is told by its subjects.
_RECEIVED = 4
#: Sentences of a page that is not about facts.
_FILLERS = 3
#: How pages that state no fact of their own are shared out where nothing else is asked for.
MIX: Mapping[str, float] = MappingProxyType({"gossip": 1.0})


class Sentence(NamedTuple):
    """One sentence.

    Attributes:
        template: its number in `Templates.texts`.
        first, second: what `{h}` and `{t}` or `{v}` stand for.
        fact: the fact it states; −1 where it states none, or a wrong one.
    """

    template: int
    first: int
    second: int
    fact: int


#: The arrays that a corpus is made of.
_ARRAYS = ("kinds", "about", "years", "page_of", "starts", "aliased", *Sentence._fields)


class Corpus:
    """All pages of a world.

    Args:
        graph: the facts. Each stands on one page, or on two where there are copies.
        documents: how many pages; at least as many as there are entities.
        seed: all that is drawn is drawn from it.
        mix: how the pages that are not about facts are shared out, weights by kind.
        alias_rate: the share of entities with another name, which pages of others use at times.

    Raises:
        InvalidArgumentError: there are fewer pages than entities, or the mix is no mix.

    Attributes:
        kinds: (documents,) `int8`, indices into `KINDS`.
        about: (documents,) `int32`, the entity that a page is about.
        years: (documents,) `int32`, of outdated pages; 0 for others.
        page_of: (entities,) `int32`, each entity's own page.
        starts: (documents + 1,) where the sentences of each page begin.
        template, first, second, fact: (sentences,) `int32`; see `Sentence`.
        aliased: (entities,) `bool`, which have another name.
    """

    def __init__(
        self,
        graph: Graph,
        documents: int,
        seed: int,
        mix: Mapping[str, float] = MIX,
        alias_rate: float = 0.0,
    ):
        if documents < graph.n:
            raise InvalidArgumentError(
                f"documents must be at least the {graph.n} entities; got {documents}"
            )
        unknown = mix.keys() - set(KINDS[1:])
        if unknown or any(weight < 0 for weight in mix.values()) or not sum(mix.values()):
            raise InvalidArgumentError(
                f"mix must give weights ≥ 0, not all 0, to some of {KINDS[1:]}; got {dict(mix)}"
            )
        self.graph, self.vocabulary = graph, Vocabulary(graph)
        rng = np.random.default_rng([seed, documents, 1])
        order = rng.permutation(documents).astype(np.int32)
        self.page_of = order[: graph.n]
        self.kinds, self.about = np.zeros(documents, np.int8), np.zeros(documents, np.int32)
        self.years = np.zeros(documents, np.int32)
        self.about[self.page_of] = np.arange(graph.n)
        self.aliased = rng.random(graph.n) < alias_rate
        rows = [self._facts(rng), *self._others(order[graph.n :], mix, rng)]
        page, template, first, second, fact = (
            np.concatenate(part).astype(np.int32) for part in zip(*rows, strict=True)
        )
        order = np.argsort(page * 2.0 + rng.random(len(page)))
        self.template, self.first, self.second, self.fact = (
            part[order] for part in (template, first, second, fact)
        )
        self.starts = np.searchsorted(page[order], np.arange(documents + 1))

    def __len__(self) -> int:
        return len(self.kinds)

    def save(self, folder: Path) -> None:
        """Write the pages into a folder, an .npy file for each array."""
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, graph: Graph) -> Self:
        """The pages that were saved in a folder, of the same graph; the files are mapped.

        Raises:
            OSError: a file is missing.
        """
        loaded = cls.__new__(cls)
        loaded.graph, loaded.vocabulary = graph, Vocabulary(graph)
        for name in _ARRAYS:
            mapped = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            setattr(loaded, name, np.asarray(mapped))
        return loaded

    # --- making pages ---

    def _facts(self, rng: np.random.Generator) -> tuple[Array, ...]:
        """Sentences that state each fact once, on the page of its subject or of its object."""
        graph = self.graph
        heads, columns = np.divmod(np.arange(graph.n * COLUMNS), COLUMNS)
        heads = heads.astype(np.int32)
        relations = columns < RELATIONS_PER_TYPE
        second = np.concatenate([graph.tails, graph.values], axis=1).ravel()
        asked = np.flatnonzero(relations & (rng.random(len(heads)) < INVERSE_RATE))
        asked = asked[second[asked] != heads[asked]]
        # The first few that ask for a page get onto it.
        by_page = asked[np.argsort(second[asked], kind="stable")]
        pages = second[by_page]
        turn = np.arange(len(pages)) - np.searchsorted(pages, pages)
        inverse = np.zeros(len(heads), bool)
        inverse[by_page[turn < _RECEIVED]] = True
        page = self.page_of[np.where(inverse, second, heads)]
        template = self._fact_templates(heads, columns, inverse, rng)
        first = self._called(heads, inverse, rng)
        called = self._called(second, relations & ~inverse, rng)
        rows = [(page, template, first, called, np.arange(len(heads)))]
        aliased = np.flatnonzero(self.aliased)
        span = templates().alias
        rows.append(
            (self.page_of[aliased], _draw(span, len(aliased), rng), aliased, graph.n + aliased,
             np.full(len(aliased), -1))
        )  # fmt: skip
        return tuple(np.concatenate(part) for part in zip(*rows, strict=True))

    def _called(self, entities: Array, elsewhere: Array, rng: np.random.Generator) -> Array:
        """Names for entities: on pages of others, half of those that have another name use it."""
        if not self.aliased.any():
            return entities
        known = np.zeros(len(entities), bool)
        known[elsewhere] = self.aliased[entities[elsewhere]]
        return np.where(
            known & (rng.random(len(entities)) < 0.5), self.graph.n + entities, entities
        )

    def _fact_templates(
        self, heads: Array, columns: Array, inverse: Array, rng: np.random.Generator
    ) -> Array:
        """A sentence for each fact."""
        forms = templates()
        types = self.graph.types[heads].astype(np.int64)
        relation = types * RELATIONS_PER_TYPE + columns
        attribute = types * (COLUMNS - RELATIONS_PER_TYPE) + columns - RELATIONS_PER_TYPE
        u, found = rng.random(len(heads)), np.empty(len(heads), np.int64)
        for rows, which, spans in (
            ((columns < RELATIONS_PER_TYPE) & ~inverse, relation, forms.forward),
            (inverse, relation, forms.inverse),
            (columns >= RELATIONS_PER_TYPE, attribute, forms.attribute),
        ):
            starts, counts = np.array(spans).T
            here = which[rows]
            found[rows] = starts[here] + (u[rows] * counts[here]).astype(np.int64)
        return found

    def _others(
        self, pages: Array, mix: Mapping[str, float], rng: np.random.Generator
    ) -> list[tuple[Array, ...]]:
        """Sentences of the pages that are not an entity's own."""
        weights = np.array([mix.get(kind, 0.0) for kind in KINDS])
        edges = (np.cumsum(weights) / weights.sum() * len(pages)).round().astype(int)
        parts = np.split(pages, edges[:-1])
        rows = []
        for kind, part in enumerate(parts):
            if len(part) == 0:
                continue
            self.kinds[part] = kind
            self.about[part] = rng.integers(self.graph.n, size=len(part))
            if kind == OUTDATED:
                self.years[part] = rng.integers(1950, 1990, len(part))
            make = {
                GOSSIP: self._gossip, OUTDATED: self._wrong, RUMOUR: self._wrong,
                COPY: self._copy, NAMESAKE: self._namesake,
            }[kind]  # fmt: skip
            rows.append(make(np.repeat(part, _FILLERS), rng))
        return rows

    def _gossip(self, page: Array, rng: np.random.Generator) -> tuple[Array, ...]:
        template = _draw(templates().gossip, len(page), rng)
        other = rng.integers(self.graph.n, size=len(page))
        return page, template, self.about[page], other, np.full(len(page), -1)

    def _namesake(self, page: Array, rng: np.random.Generator) -> tuple[Array, ...]:
        template = _draw(templates().namesake, len(page), rng)
        number = rng.integers(3, 900, len(page))
        return page, template, self.about[page], number, np.full(len(page), -1)

    def _copy(self, page: Array, rng: np.random.Generator) -> tuple[Array, ...]:
        """What is true of an entity, in other words."""
        heads, columns = self.about[page], _different(len(page), COLUMNS, rng)
        template = self._fact_templates(heads, columns, np.zeros(len(page), bool), rng)
        both = np.concatenate([self.graph.tails, self.graph.values], axis=1)
        return (
            page,
            template,
            heads,
            both[heads, columns],
            heads.astype(np.int64) * COLUMNS + columns,
        )

    def _wrong(self, page: Array, rng: np.random.Generator) -> tuple[Array, ...]:
        """What is not true of an entity, or no longer: another object of the right type."""
        graph, heads = self.graph, self.about[page]
        columns = _different(len(page), RELATIONS_PER_TYPE, rng)
        template = self._fact_templates(heads, columns, np.zeros(len(page), bool), rng)
        tails = np.array([relation.tail for relation in RELATIONS])
        type_ = tails[graph.types[heads].astype(np.int64) * RELATIONS_PER_TYPE + columns]
        low, size = graph.bounds[type_], np.diff(graph.bounds)[type_]
        wrong = low + (rng.random(len(page)) * size).astype(np.int64)
        true = graph.tails[heads, columns]
        wrong = np.where(wrong == true, low + (wrong - low + 1) % size, wrong)
        return page, template, heads, wrong, np.full(len(page), -1)

    # --- reading pages ---

    def sentences(self, page: int) -> list[Sentence]:
        """The sentences of a page."""
        where = slice(self.starts[page], self.starts[page + 1])
        columns = (self.template, self.first, self.second, self.fact)
        return [Sentence(*row) for row in zip(*(c[where].tolist() for c in columns), strict=True)]

    def facts(self, page: int) -> list[int]:
        """The facts that a page states."""
        found = self.fact[self.starts[page] : self.starts[page + 1]]
        return found[found >= 0].tolist()

    def mentions(self, page: int) -> list[int]:
        """The entities that a page names, in the order of the text, each once."""
        found = [int(self.about[page])]
        for sentence in self.sentences(page):
            found.append(sentence.first % self.graph.n)
            if "{t}" in templates().texts[sentence.template]:
                found.append(sentence.second % self.graph.n)
        return list(dict.fromkeys(found))

    def title(self, page: int) -> str:
        """The title of a page; not unique."""
        kind = KINDS[self.kinds[page]]
        span = templates().titles[kind]
        text = templates().texts[span.start + page % span.count]
        return text.format(h=self.graph.name(int(self.about[page])), v=self.years[page])

    def triples(self, page: int) -> list[Triple]:
        """What the sentences of a page tell, true or not."""
        found = []
        for sentence in self.sentences(page):
            column = int(templates().columns[sentence.template])
            if column < 0:
                continue
            type_ = int(self.graph.types[sentence.first % self.graph.n])
            value = str(sentence.second)
            if column < RELATIONS_PER_TYPE:
                value = self.graph.name(sentence.second)
            found.append((self.graph.name(sentence.first), column_word(type_, column), value))
        return found

    def say(self, sentence: Sentence) -> str:
        """A sentence in words."""
        text, second = templates().texts[sentence.template], sentence.second
        name = self.graph.name(second) if "{t}" in text else ""
        return text.format(h=self.graph.name(sentence.first), t=name, v=second)

    def lines(self, page: int) -> list[str]:
        """The sentences of a page in words."""
        return [self.say(sentence) for sentence in self.sentences(page)]

    def text(self, page: int) -> str:
        """A page in words, without its title."""
        return " ".join(self.lines(page))

    def subject(self, page: int) -> int:
        """The entity that a page is about."""
        return int(self.about[page])

    def tokens(self) -> tuple[Array, Array]:
        """Titles and texts as words of `vocabulary`: all ids, and where each page begins."""
        forms = templates()
        spans = np.array([forms.titles[kind] for kind in KINDS])
        start, count = spans[self.kinds].T
        title = (start + np.arange(len(self)) % count).astype(np.int32)
        lengths = np.diff(forms.starts).astype(np.int64)
        each = np.concatenate([[0], np.cumsum(lengths[self.template])])
        sizes = lengths[title] + np.diff(each[self.starts])
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        ids = np.empty(offsets[-1], np.int32)
        _write_tokens(
            ids, offsets, forms.tokens, forms.starts, title, self.about, self.years, self.starts,
            self.template, self.first, self.second, self.vocabulary.first_number,
            self.vocabulary.first_name,
        )  # fmt: skip
        return ids, offsets

    @functools.cached_property
    def stating(self) -> tuple[Array, Array]:
        """For each fact the pages that state it: all pages, and where those of a fact begin."""
        rows = np.flatnonzero(self.fact >= 0)
        rows = rows[np.argsort(self.fact[rows], kind="stable")]
        pages = np.searchsorted(self.starts, rows, side="right") - 1
        starts = np.searchsorted(self.fact[rows], np.arange(self.graph.n * COLUMNS + 1))
        return pages.astype(np.int32), starts

    def pages_stating(self, fact: int) -> Array:
        """The pages that state a fact, ascending."""
        pages, starts = self.stating
        return pages[starts[fact] : starts[fact + 1]]

    def tell(self, listed: Array, facts: Array) -> Array:
        """In which rows a page states the row's fact; see `Pages`."""
        key = listed.astype(np.int64) * (self.graph.n * COLUMNS) + facts[:, None]
        place = np.searchsorted(self._statements, key).clip(max=len(self._statements) - 1)
        return np.any((listed >= 0) & (self._statements[place] == key), axis=1)

    @functools.cached_property
    def _statements(self) -> Array:
        """Every pair of a page and a fact that it states, as one number, sorted."""
        pages, starts = self.stating
        facts = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        return np.sort(pages.astype(np.int64) * (len(starts) - 1) + facts)


def _draw(span: Span, n: int, rng: np.random.Generator) -> Array:
    return rng.integers(span.start, span.start + span.count, n)


def _different(n: int, high: int, rng: np.random.Generator) -> Array:
    """Numbers below `high`, those of the sentences of one page different, (n,)."""
    first = np.repeat(rng.integers(high, size=n // _FILLERS), _FILLERS)
    return (first + np.tile(np.arange(_FILLERS), n // _FILLERS)) % high


@compiled
def _write_tokens(
    ids, offsets, tokens, starts, title, about, years, sentences, template, first, second,
    first_number, first_name,
):  # fmt: skip
    for page in range(len(title)):
        at = offsets[page]
        for i in range(starts[title[page]], starts[title[page] + 1]):
            ids[at] = _token(tokens[i], about[page], years[page], first_number, first_name)
            at += 1
        for s in range(sentences[page], sentences[page + 1]):
            for i in range(starts[template[s]], starts[template[s] + 1]):
                ids[at] = _token(tokens[i], first[s], second[s], first_number, first_name)
                at += 1


@compiled
def _token(token, first, second, first_number, first_name):
    if token == FIRST:
        return first_name + first
    if token == SECOND:
        return first_name + second
    if token == NUMBER:
        return first_number + second
    return token
