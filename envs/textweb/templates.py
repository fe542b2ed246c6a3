"""Every sentence and title a page can hold, as text and as tokens."""

import functools
import re
from typing import Any, NamedTuple

import numpy as np

from .schema import ATTRIBUTES, ATTRIBUTES_PER_TYPE, RELATIONS, RELATIONS_PER_TYPE, TYPES

Array = np.ndarray[Any, Any]

#: What a token that is no word stands for.
FIRST, SECOND, NUMBER = -1, -2, -3
_PLACEHOLDERS = {"{h}": FIRST, "{t}": SECOND, "{v}": NUMBER}
_PIECE = re.compile(r"\{[htv]\}|\w+")

#: Titles of pages; `{h}` is the entity that the page is about.
TITLES = {
    "entity": ("{h}",),
    "gossip": ("Gossip about {h}", "News from {h}", "Seen and heard: {h}"),
    "outdated": ("{h} in the year {v}", "Almanac of {v}: {h}"),
    "rumour": ("Rumours on {h}", "What they do not tell you about {h}"),
    "copy": ("{h} at a glance", "All about {h}"),
    "namesake": ("{h} (river)", "{h} (song)"),
}
_GOSSIP = (
    "{h} was seen with {t}.",
    "{h} and {t} are not on speaking terms.",
    "{h} sent greetings to {t}.",
    "{t} will not hear a word against {h}.",
)
_GOSSIP_ON = ("Nobody knows the %s of {h}.", "The %s of {h} had no comment.")
_NAMESAKE = (
    "{h} is a river of {v} miles.", "{h} flows into the sea.", "{h} was a song of the year {v}.",
    "Nobody remembers the words of {h}.", "The banks of {h} are steep.",
)  # fmt: skip
_ALIAS = ("{h} is also called {t}.", "Some say {t} and mean {h}.")


class Span(NamedTuple):
    """Consecutive templates."""

    start: int
    count: int


class Templates:
    """All templates under one numbering.

    Attributes:
        texts: with `{h}`, `{t}` and `{v}` for the first name, the second name and the number.
        words: the words that templates use, in lower case.
        tokens: templates as indices into `words`, or `FIRST`, `SECOND`, `NUMBER`; one after the
            other.
        starts: (templates + 1,) where each begins.
        forward, inverse: for each relation, sentences for the page of its subject or object.
        attribute: for each attribute, its sentences.
        columns: (templates,) which column of its first name's type a sentence tells; −1 for none.
        titles: by kind of page.
        gossip, namesake, alias: sentences that tell no fact.
    """

    def __init__(self):
        self.texts: list[str] = []
        self.forward = [self._add(relation.forward) for relation in RELATIONS]
        self.inverse = [self._add(relation.inverse) for relation in RELATIONS]
        self.attribute = [self._add(attribute.sentences) for attribute in ATTRIBUTES]
        self.titles = {kind: self._add(texts) for kind, texts in TITLES.items()}
        words = [relation.word for relation in RELATIONS]
        on = tuple(text % word for text in _GOSSIP_ON for word in words)
        # As many that name nobody else as there are that do.
        self.gossip = self._add(_GOSSIP * (len(on) // len(_GOSSIP)) + on)
        self.namesake, self.alias = self._add(_NAMESAKE), self._add(_ALIAS)
        self.columns: Array = np.full(len(self.texts), -1)
        for spans, count, offset in (
            (self.forward, RELATIONS_PER_TYPE, 0),
            (self.inverse, RELATIONS_PER_TYPE, 0),
            (self.attribute, ATTRIBUTES_PER_TYPE, RELATIONS_PER_TYPE),
        ):
            for i, span in enumerate(spans):
                self.columns[span.start : span.start + span.count] = offset + i % count
        pieces = [_PIECE.findall(text.lower()) for text in self.texts]
        known = {piece for row in pieces for piece in row} - _PLACEHOLDERS.keys()
        asked = {*words, *(attribute.word for attribute in ATTRIBUTES), *TYPES}
        self.words: tuple[str, ...] = tuple(sorted(known | asked))
        numbers = {**{word: i for i, word in enumerate(self.words)}, **_PLACEHOLDERS}
        self.tokens: Array = np.array([numbers[p] for row in pieces for p in row], np.int32)
        self.starts: Array = np.cumsum([0, *map(len, pieces)]).astype(np.int32)

    def _add(self, texts: tuple[str, ...]) -> Span:
        span = Span(len(self.texts), len(texts))
        self.texts += texts
        return span


@functools.cache
def templates() -> Templates:
    """The templates, made once."""
    return Templates()
