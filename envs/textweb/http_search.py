"""Search over HTTP: OpenSearch and Elasticsearch, and SearXNG and those like it."""

import html
import math
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple

from ..kernel import InvalidArgumentError
from ..kernel.http import JsonClient, ServiceError
from .plain import clean
from .retrievers import Found, cut_query, listed

# Requests that run at a time.
_AT_ONCE = 8
_TAG = re.compile(r"<[^<>]*>")
# What float32 cannot hold is no score.
_HIGHEST = 1e30


class Document(NamedTuple):
    """What a service says about one page, cleaned (see `clean_text`).

    Attributes:
        address: its URL, or its identifier in the index.
        title: at most 200 characters.
        text: at most `max_text` characters.
    """

    address: str
    title: str
    text: str


class HttpSearch:
    """A search service on the network, as a retriever.

    Pages get numbers in the order in which they were first found; `documents[page]` is what the
    service said about them then. So numbers depend on what was asked before, and results on the
    service: episodes over it cannot be repeated by seed. With `numbered` they are the identifiers
    that the service has, for an index to which the pages of a `Corpus` were uploaded.

    Answers are untrusted: their size is bounded while they are read, their text is cleaned and cut,
    and hits that are not of the expected form are an error and not a crash.

    Args:
        url: of OpenSearch the `…/<index>/_search` endpoint, of SearXNG `…/search`; http or https.
        api: which of them.
        fields: of OpenSearch's documents the fields with title and text, which are searched.
        headers: sent along, for instance `{"Authorization": "…"}`.
        timeout, retries, max_bytes: of each request; see `JsonClient`.
        max_text: the characters of a document's text that are kept.
        numbered: how many pages the index holds, whose identifiers are their numbers; None
            (default) where identifiers are of any kind.
    """

    def __init__(
        self,
        url: str,
        api: Literal["opensearch", "searxng"] = "opensearch",
        fields: tuple[str, str] = ("title", "text"),
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        retries: int = 2,
        max_bytes: int = 4_000_000,
        max_text: int = 20_000,
        numbered: int | None = None,
    ):
        if api not in ("opensearch", "searxng"):
            raise InvalidArgumentError(f'api must be "opensearch" or "searxng"; got {api!r}')
        if max_text < 0:
            raise InvalidArgumentError(f"max_text must be ≥ 0; got {max_text!r}")
        self.client = JsonClient(url, timeout, retries, max_bytes)
        self.api = api
        self.fields = fields
        self.headers = dict(headers or {})
        self.max_text = max_text
        self.numbered = numbered
        self.documents: list[Document] = []
        self._numbers: dict[str, int] = {}

    def search(self, queries: Sequence[str], k: int) -> Found:
        """The at most `k` best pages for each query, in the service's order.

        Raises:
            ServiceError: the service is not there, too slow, or its answer is too long or not
                of the expected form, or a page has no number where all should have one.
        """
        empty = listed([[] for _ in queries], k)
        asked = [cut_query(query).encode("utf-8", "replace").decode() for query in queries]
        asked = [" ".join(query.split()) for query in asked]
        if not any(asked):
            return empty
        with ThreadPoolExecutor(min(_AT_ONCE, len(asked))) as pool:
            rows = list(pool.map(lambda query: self._ask(query, k) if query else [], asked))
        numbered = []
        for row in rows:  # in the order of the queries, whichever was answered first
            scores: dict[int, float] = {}
            for document, score in row:
                scores.setdefault(self._number(document), score)
            numbered.append(list(scores.items()))
        return listed(numbered, k)

    def title(self, page: int) -> str:
        """The title of a page that was found before."""
        return self.documents[page].title

    def text(self, page: int) -> str:
        """The text of a page that was found before."""
        return self.documents[page].text

    def _number(self, document: Document) -> int:
        if self.numbered is not None:
            digits = document.address.isascii() and document.address.isdigit()
            if not digits or int(document.address[:12]) >= self.numbered:
                raise ServiceError(
                    f"{self.client.url} found {document.address[:80]!r}, which is not the number "
                    f"of one of {self.numbered} pages"
                )
            return int(document.address)
        number = self._numbers.setdefault(document.address, len(self.documents))
        if number == len(self.documents):
            self.documents.append(document)
        return number

    def _ask(self, query: str, k: int) -> list[tuple[Document, float]]:
        """The documents for one query and their scores."""
        if self.api == "searxng":
            answer = self.client.ask(query={"q": query, "format": "json"}, headers=self.headers)
            return self._hits(answer, ("results",), "url", "title", "content", k)
        title, text = self.fields
        body = {
            "size": k,
            "query": {"multi_match": {"query": query, "fields": [title, text]}},
            "_source": [title, text],
        }
        answer = self.client.ask(body, headers=self.headers)
        return self._hits(answer, ("hits", "hits"), "_id", title, text, k)

    def _hits(
        self, answer: Any, path: tuple[str, ...], address: str, title: str, text: str, k: int
    ) -> list[tuple[Document, float]]:
        """The first k hits of an answer, which lie at a path in it."""
        try:
            for name in path:
                answer = answer[name]
            hits = []
            for rank, hit in enumerate(answer[:k], 1):
                said = hit.get("_source", hit)
                score = float(hit.get("_score", hit.get("score")) or 1 / rank)
                document = Document(
                    clean(str(hit[address]), 2000),
                    clean_text(said.get(title) or "", 200),
                    clean_text(said.get(text) or "", self.max_text),
                )
                fits = math.isfinite(score) and abs(score) < _HIGHEST
                hits.append((document, score if fits else 1 / rank))
            return hits
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ServiceError(
                f"the answer of {self.client.url} is not of the form of {self.api}: "
                f"{type(error).__name__} {error}"
            ) from error


def clean_text(text: Any, length: int) -> str:
    """Untrusted HTML as one line of plain text of at most `length` characters; see `clean`.

    Character references are resolved first and tags taken out then, so that no tag is left.

    Args:
        text: anything; what is no `str` counts as what `str` makes of it.
        length: the characters that are kept.
    """
    return clean(_TAG.sub(" ", html.unescape(str(text)[: 4 * length])), length)
