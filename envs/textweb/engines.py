"""The search engines of a world, by name."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..kernel import InvalidArgumentError
from .corpus import TRUSTED, Corpus
from .degraded import Part, chosen_pages
from .dense import DenseIndex, HashedEncoder, train_encoder
from .graph import Graph
from .retrievers import Retriever
from .schema import COLUMNS, RELATIONS_PER_TYPE, TYPES, column_word
from .simulated_search import SimulatedSearch

Array = np.ndarray[Any, Any]
#: Makes the retriever over a corpus.
MakeRetriever = Callable[[Corpus], Retriever]

ENGINES = ("bm25", "dense", "hybrid", "reranked", "simulated")
SOURCES = ("single", "local+web")
#: The name of the folder with the index of words.
INDEX = "index"

_ENCODER = Path(__file__).parents[2] / "assets" / "text_encoder.npz"
#: The worlds that the encoder is trained on, and the pages of each.
_TRAINING_SEEDS, _TRAINING_PAGES = range(101, 109), 2000


def make_engines(
    corpus: Corpus, retriever: str | MakeRetriever, sources: str, folder: Path | None = None
) -> dict[str, Retriever]:
    """The engines of a world, by the tool that asks them.

    With one source `"search"` finds all pages. With `"local+web"` it finds those that can be
    trusted, and `"web"` the others.

    Args:
        corpus: what is searched.
        retriever: `"bm25"`, `"dense"` (vectors of a small encoder trained on other worlds),
            `"hybrid"` (both, by reciprocal rank), `"reranked"` (what BM25 finds, ranked by the
            vectors), `"simulated"` (pages made up to suit the query), or a function that makes a
            retriever over the corpus.
        sources: `"single"`, or with the first three engines `"local+web"`.
        folder: where the corpus' index of words has been saved; None where it has not.

    Raises:
        InvalidArgumentError: there is no such engine or source, or a source has no page.
    """
    if sources not in SOURCES:
        raise InvalidArgumentError(f"sources must be in {SOURCES}; got {sources!r}")
    if not isinstance(retriever, str) and callable(retriever):
        return _alone(retriever(corpus), sources)
    if retriever not in ENGINES:
        raise InvalidArgumentError(
            f"retriever must be in {ENGINES}, or make one over a corpus; got {retriever!r}"
        )
    if retriever == "simulated":
        return _alone(simulate(corpus.graph), sources)
    if folder is not None and (retriever, sources) == ("bm25", "single"):
        from .bm25 import BM25

        return {"search": BM25.load(folder / INDEX, corpus.vocabulary)}
    ids, offsets = corpus.tokens()
    if sources == "single":
        return {"search": _engine(corpus, retriever, ids, offsets)}
    if retriever == "reranked":
        raise InvalidArgumentError(f'sources must be "single" with {retriever!r}; got {sources!r}')
    trusted = np.isin(corpus.kinds, TRUSTED)
    engines: dict[str, Retriever] = {}
    for tool, mask in (("search", trusted), ("web", ~trusted)):
        some = chosen_pages(ids, offsets, mask)
        engines[tool] = Part(_engine(corpus, retriever, *some), np.flatnonzero(mask))
    return engines


def _alone(engine: Retriever, sources: str) -> dict[str, Retriever]:
    """An engine that finds all pages."""
    if sources != "single":
        raise InvalidArgumentError(f'sources must be "single" with this retriever; got {sources!r}')
    return {"search": engine}


def _engine(corpus: Corpus, name: str, ids: Array, offsets: Array) -> Retriever:
    from .bm25 import BM25  # here, because its library takes long to import
    from .fusion import Hybrid, Reranked

    if name == "bm25":
        return BM25(ids, offsets, corpus.vocabulary)
    encoder = open_encoder()
    dense = DenseIndex(encoder, encoder.encode_ids(ids, offsets, corpus.vocabulary.word))
    if name == "dense":
        return dense
    words = BM25(ids, offsets, corpus.vocabulary)
    return Hybrid([words, dense]) if name == "hybrid" else Reranked(words, dense.compare)


def simulate(graph: Graph) -> SimulatedSearch:
    """A simulated engine that knows all facts of a graph, under their own numbers."""
    heads, columns = np.divmod(np.arange(graph.n * COLUMNS), COLUMNS)
    relations = graph.types[heads].astype(np.int64) * COLUMNS + columns
    tails = np.concatenate([graph.tails, graph.values], axis=1).ravel()
    return SimulatedSearch(
        np.stack([heads, relations, tails], axis=1),
        [column_word(type_, column) for type_ in range(len(TYPES)) for column in range(COLUMNS)],
        np.tile(np.arange(COLUMNS) < RELATIONS_PER_TYPE, len(TYPES)),
        graph.read_name,
        graph.name,
    )


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
