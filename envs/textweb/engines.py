"""The search engines of a world, by name."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..kernel import InvalidArgumentError
from .corpus import TRUSTED, Corpus
from .degraded import Part, chosen_pages
from .dense import DenseIndex, HashedEncoder, train_encoder
from .graph import Graph
from .retrievers import Retriever
from .schema import COLUMNS, column_word

Array = np.ndarray[Any, Any]

ENGINES = ("bm25", "dense", "hybrid")
SOURCES = ("single", "local+web")

_ENCODER = Path(__file__).parents[2] / "assets" / "text_encoder.npz"
#: The worlds that the encoder is trained on, and the pages of each.
_TRAINING_SEEDS, _TRAINING_PAGES = range(101, 109), 2000


def make_engines(corpus: Corpus, name: str, sources: str) -> dict[str, Retriever]:
    """The engines of a world, by the tool that asks them.

    With one source `"search"` finds all pages. With `"local+web"` it finds those that can be
    trusted, and `"web"` the others.

    Args:
        corpus: what is searched.
        name: `"bm25"`, `"dense"` (vectors of a small encoder trained on other worlds) or `"hybrid"`
            (both, by reciprocal rank).
        sources: `"single"` or `"local+web"`.

    Raises:
        InvalidArgumentError: there is no such engine or source, or a source has no page.
    """
    if name not in ENGINES:
        raise InvalidArgumentError(f"retriever must be in {ENGINES}; got {name!r}")
    if sources not in SOURCES:
        raise InvalidArgumentError(f"sources must be in {SOURCES}; got {sources!r}")
    ids, offsets = corpus.tokens()
    if sources == "single":
        return {"search": _engine(corpus, name, ids, offsets)}
    trusted = np.isin(corpus.kinds, TRUSTED)
    engines: dict[str, Retriever] = {}
    for tool, mask in (("search", trusted), ("web", ~trusted)):
        some = chosen_pages(ids, offsets, mask)
        engines[tool] = Part(_engine(corpus, name, *some), np.flatnonzero(mask))
    return engines


def _engine(corpus: Corpus, name: str, ids: Array, offsets: Array) -> Retriever:
    from .bm25 import BM25  # here, because its library takes long to import
    from .fusion import Hybrid

    parts: list[Retriever] = []
    if name != "dense":
        parts.append(BM25(ids, offsets, corpus.vocabulary))
    if name != "bm25":
        encoder = open_encoder()
        vectors = encoder.encode_ids(ids, offsets, corpus.vocabulary.word)
        parts.append(DenseIndex(encoder, vectors))
    return parts[0] if len(parts) == 1 else Hybrid(parts)


@functools.cache
def open_encoder() -> HashedEncoder:
    """The encoder that comes with the package; `make_encoder` trains it."""
    return HashedEncoder.load(_ENCODER)


def make_encoder() -> HashedEncoder:
    """Train the encoder on queries for facts of eight worlds and the pages that state them.

    Half a minute on one core. No world of these seeds (101 to 108) is a fair test of it.
    """
    pairs = [pair for seed in _TRAINING_SEEDS for pair in _pairs(seed)]
    order = np.random.default_rng(0).permutation(len(pairs))
    return train_encoder([pairs[i] for i in order])


def _pairs(seed: int) -> Iterator[tuple[str, str]]:
    """A query for each fact of a world, with each page that states it."""
    graph = Graph(_TRAINING_PAGES * 3 // 4, seed)
    corpus = Corpus(graph, _TRAINING_PAGES, seed)
    for fact in range(graph.n * COLUMNS):
        head, column = divmod(fact, COLUMNS)
        query = f"{column_word(int(graph.types[head]), column)} of {graph.name(head)}"
        for page in corpus.pages_stating(fact).tolist():
            yield query, f"{corpus.title(page)} {corpus.text(page)}"
