"""Dense retrieval: pages by the inner product of their vectors with that of the query."""

import math
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..kernel import InvalidArgumentError
from .retrievers import Found, cut_query, nothing, words_of

Array = np.ndarray[Any, np.dtype[Any]]

#: Texts to vectors: n texts to (n, dimension) `float32`.
Encoder = Callable[[Sequence[str]], Array]

# Pages and queries that are compared at a time.
_BLOCK, _QUERIES = 16_384, 128
# Pages whose words are looked up at a time.
_PAGES = 2_048
# Entries of vectors are multiples of this: see `DenseIndex`.
_GRID = 2.0**-11
# Words whose vectors an encoder remembers.
_REMEMBERED = 100_000


class DenseIndex:
    """The pages whose vectors have the largest cosine with the query's, found exactly.

    Vectors are brought to length 1 and rounded to multiples of 2⁻¹¹. Then half precision holds
    them without loss, and every sum of products is a multiple of 2⁻²² of at most about 1, which
    single precision holds without loss: a query has the same scores to the last bit in any batch,
    with any number of threads. Ties go to the lower page number.

    Args:
        encode: makes vectors of queries.
        vectors: (pages, dimension), those of the pages, of the same encoder; `encode(texts)`.
        half: keep them in `float16`, half the memory for slower searches.

    Raises:
        InvalidArgumentError: the vectors are no matrix of finite numbers.
    """

    def __init__(self, encode: Encoder, vectors: Array, half: bool = False):
        if vectors.ndim != 2 or not len(vectors) or not np.isfinite(vectors).all():
            raise InvalidArgumentError(
                f"vectors must be a matrix of finite numbers, a row a page; got {vectors.shape}"
            )
        self.encode = encode
        self.vectors = np.empty(vectors.shape, np.float16 if half else np.float32)
        for start in range(0, len(vectors), _BLOCK):
            self.vectors[start : start + _BLOCK] = _unit(vectors[start : start + _BLOCK])

    @property
    def nbytes(self) -> int:
        """The size of the index in bytes."""
        return self.vectors.nbytes

    def search(self, queries: Sequence[str], k: int) -> Found:
        best = nothing(len(queries), k)
        for start in range(0, len(queries), _QUERIES):
            batch = slice(start, start + _QUERIES)
            asked = _unit(self.encode([cut_query(query) for query in queries[batch]]))
            pages, scores = self._nearest(asked, k)
            there = (pages >= 0) & asked.any(axis=1, keepdims=True)
            best.pages[batch] = np.where(there, pages, -1)
            best.scores[batch] = np.where(there, scores, 0)
        return best

    def compare(self, query: str, pages: Array) -> Array:
        """The cosines of some pages with a query, (m,) `float32`."""
        return self.vectors[pages].astype(np.float32) @ _unit(self.encode([cut_query(query)]))[0]

    def _nearest(self, asked: Array, k: int) -> tuple[Array, Array]:
        """The k best pages of each row and their cosines, −1 and −∞ where there are no more."""
        pages = np.full((len(asked), k), -1, np.int32)
        scores = np.full((len(asked), k), -np.inf, np.float32)
        for start in range(0, len(self.vectors), _BLOCK):
            block = self.vectors[start : start + _BLOCK].astype(np.float32, copy=False)
            numbers = np.arange(start, start + len(block), dtype=np.int32)
            pages, scores = _merge(pages, scores, numbers, asked @ block.T, k)
        return pages, scores


def _unit(vectors: Array) -> Array:
    """Vectors of length 1 on the grid, `float32`; zeros stay zeros."""
    vectors = np.asarray(vectors, np.float32)
    length = np.sqrt((vectors * vectors).sum(axis=1, keepdims=True))
    return np.round(vectors / np.maximum(length, 1e-12) / _GRID) * np.float32(_GRID)


def _merge(pages: Array, scores: Array, numbers: Array, more: Array, k: int) -> tuple[Array, Array]:
    """The best k of each row among those so far and those of a block, ties by number."""
    least = scores[:, -1:]
    if np.isinf(least).any() and more.shape[1] > k:
        least = np.partition(more, -k, axis=1)[:, -k, None]
    # All that reach the k-th best so far, so that ties are settled below and not here.
    row, column = np.nonzero(more >= least)
    n = len(pages)
    row = np.concatenate([np.repeat(np.arange(n), k), row])
    page = np.concatenate([pages.ravel(), numbers[column]])
    score = np.concatenate([scores.ravel(), more[row[n * k :], column]])
    order = np.lexsort((page, -score, row))
    starts = np.searchsorted(row[order], np.arange(n))
    kept = order[starts[:, None] + np.arange(k)]
    return page[kept], score[kept]


class HashedEncoder:
    """Vectors of texts as sums of those of their words and letter triples (fastText, 2017).

    A word is itself and the triples of letters in it, with its ends marked; each is hashed to a row
    of one table. So a name that was never seen has a vector too, and one close to that of a name
    spelt alike.

    Args:
        table: (buckets, dimension) `float32`.
    """

    def __init__(self, table: Array):
        if table.ndim != 2 or not table.size:
            raise InvalidArgumentError(f"the table must be a matrix; got {table.shape}")
        self.table = np.asarray(table, np.float32)
        self._words: dict[str, Array] = {}

    @classmethod
    def random(cls, buckets: int = 2**14, dimension: int = 64, seed: int = 0) -> "HashedEncoder":
        """An encoder that was never trained: a random projection of the words and triples."""
        table = np.random.default_rng(seed).standard_normal((buckets, dimension), np.float32)
        return cls(table / np.sqrt(dimension))

    def __call__(self, texts: Sequence[str]) -> Array:
        """The vectors of texts, (n, dimension) `float32`; not of length 1."""
        vectors = np.zeros((len(texts), self.table.shape[1]), np.float32)
        for i, text in enumerate(texts):
            for word in words_of(text):
                vectors[i] += self._word(word)
        return vectors

    def encode_ids(self, ids: Array, offsets: Array, word: Callable[[int], str]) -> Array:
        """The vectors of pages that are given as numbers of words.

        Args:
            ids, offsets: see `BM25`.
            word: the word of a number.
        """
        used, places = np.unique(ids, return_inverse=True)
        each = self([word(int(number)) for number in used])
        vectors = np.zeros((len(offsets) - 1, each.shape[1]), np.float32)
        filled = np.flatnonzero(np.diff(offsets))
        for first in range(0, len(filled), _PAGES):
            rows = filled[first : first + _PAGES]
            start, end = offsets[rows[0]], offsets[rows[-1] + 1]
            vectors[rows] = np.add.reduceat(each[places[start:end]], offsets[rows] - start)
        return vectors

    def save(self, file: str | Path) -> None:
        """Write the table to an .npz file, in half precision."""
        np.savez_compressed(file, table=self.table.astype(np.float16))

    @classmethod
    def load(cls, file: str | Path) -> "HashedEncoder":
        """The encoder that was saved in a file."""
        with np.load(file, allow_pickle=False) as arrays:
            return cls(arrays["table"])

    def _word(self, word: str) -> Array:
        vector = self._words.get(word)
        if vector is None:
            if len(self._words) >= _REMEMBERED:
                self._words.clear()
            vector = self.table[features(word, len(self.table))].sum(axis=0)
            self._words[word] = vector
        return vector


def features(word: str, buckets: int) -> list[int]:
    """The rows of a word and of its letter triples."""
    marked = f"<{word[:32]}>"
    parts = [marked, *(marked[i : i + 3] for i in range(len(marked) - 2))]
    return [zlib.crc32(part.encode("utf-8", "surrogatepass")) % buckets for part in parts]


def train_encoder(
    pairs: Sequence[tuple[str, str]],
    buckets: int = 2**14,
    dimension: int = 64,
    epochs: int = 3,
    batch: int = 256,
    learning_rate: float = 0.01,
    temperature: float = 0.05,
    seed: int = 0,
) -> HashedEncoder:
    """Train an encoder so that queries come close to their pages (contrastive, InfoNCE).

    The negatives of a query are the pages of the other queries in its batch (Karpukhin et al.
    2020). 27,000 pairs take about ten seconds on one core.

    Args:
        pairs: a query and a page that it should find.
        temperature: by which cosines are divided before the softmax.

    Raises:
        InvalidArgumentError: there are fewer than two pairs.
    """
    import torch
    from torch.nn import functional

    if len(pairs) < 2:
        raise InvalidArgumentError(f"training takes two pairs at least; got {len(pairs)}")
    rng = np.random.default_rng(seed)
    start = HashedEncoder.random(buckets, dimension, seed).table
    table = torch.nn.EmbeddingBag.from_pretrained(
        torch.from_numpy(start), freeze=False, mode="sum", sparse=True
    )
    optimizer = torch.optim.SparseAdam(table.parameters(), lr=learning_rate)
    numbers: dict[str, int] = {}
    texts = np.array([[numbers.setdefault(text, len(numbers)) for text in pair] for pair in pairs])
    rows = [_all_features(text, buckets) for text in numbers]
    size = min(batch, len(texts))
    for _ in range(epochs):
        order = rng.permutation(len(texts))
        for first in range(0, len(order) - size + 1, size):
            sides = texts[order[first : first + size]].T
            query, page = (
                functional.normalize(_embed(table, [rows[i] for i in side])) for side in sides
            )
            # Another query's page that is this query's own is no negative.
            twins = (sides[1, :, None] == sides[1]) & ~np.eye(size, dtype=bool)
            alike = (query @ page.T / temperature).masked_fill(torch.from_numpy(twins), -math.inf)
            loss = functional.cross_entropy(alike, torch.arange(size))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return HashedEncoder(table.weight.detach().numpy())


def _all_features(text: str, buckets: int) -> Array:
    rows = [row for word in words_of(text) for row in features(word, buckets)]
    return np.array(rows, np.int64)


def _embed(table: Any, rows: Sequence[Array]) -> Any:
    """The sums of rows of a table, (n, dimension)."""
    import torch

    starts = np.cumsum([0, *(len(row) for row in rows[:-1])])
    return table(torch.from_numpy(np.concatenate(rows)), torch.from_numpy(starts))


def sentence_encoder(path: str, batch: int = 1) -> Encoder:
    """The encoder of a sentence-transformers model, which must be installed.

    Nothing is downloaded, weights are read from safetensors only, and code in the model's folder is
    not run. Texts without a word are zeros, as they are for `HashedEncoder`.

    Args:
        path: a folder, or the name of a model that was downloaded before.
        batch: texts that the model is given at a time. More are faster, for pages above all, but
            then the last bits of a vector depend on the texts beside it: queries that are to score
            the same in any company go one by one.

    Raises:
        ImportError: sentence-transformers is not installed.
        OSError: there is no such model, or none with safetensors.
        ValueError: the model asks for code of its own.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ImportError(
            "this encoder needs sentence-transformers: pip install 'spelunk[dense]'"
        ) from error
    model = SentenceTransformer(path, local_files_only=True, model_kwargs={"use_safetensors": True})
    width: Any = model.get_embedding_dimension()

    def encode(texts: Sequence[str]) -> Array:
        vectors = np.zeros((len(texts), width), np.float32)
        spoken = [i for i, text in enumerate(texts) if words_of(text)]
        if spoken:
            # Tokenizers refuse halves of surrogate pairs.
            whole = [texts[i].encode("utf-8", "replace").decode() for i in spoken]
            vectors[spoken] = model.encode(whole, batch_size=batch, show_progress_bar=False)
        return vectors

    return encode
