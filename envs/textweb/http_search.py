"""Search over HTTP: OpenSearch and Elasticsearch, and SearXNG and those like it."""

import html
import http.client
import json
import math
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple

from ..kernel import InvalidArgumentError
from ..kernel.errors import SpelunkError
from .plain import clean
from .retrievers import Found, cut_query, listed

_AGENT = "spelunk"
_CHUNK = 65_536
# Requests that run at a time.
_AT_ONCE = 8
# Answers that are worth another try: too many requests, and faults of the server.
_PASSING = (429, 500, 502, 503, 504)
# Seconds before the first retry; doubled before each further one.
_PAUSE = 0.2
_TAG = re.compile(r"<[^<>]*>")
# What float32 cannot hold is no score.
_HIGHEST = 1e30


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Makes a redirection an error: it could take the headers, and with them keys, elsewhere."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


class SearchServiceError(SpelunkError, ConnectionError):
    """A search service that cannot be reached or does not answer as it should."""


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
        timeout: seconds for one try, from connecting to the last byte.
        retries: further tries after a time-out, a refused connection, or an answer that may pass
            (429, 500, 502, 503, 504), after pauses of 0.2 s, 0.4 s, ….
        max_bytes: the longest answer that is read.
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
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise InvalidArgumentError(f"url must be one of http or https; got {url!r}")
        if api not in ("opensearch", "searxng"):
            raise InvalidArgumentError(f'api must be "opensearch" or "searxng"; got {api!r}')
        if not timeout > 0 or retries < 0 or max_bytes < 1 or max_text < 0:
            raise InvalidArgumentError(
                "timeout and max_bytes must be > 0, retries and max_text ≥ 0; "
                f"got {timeout!r}, {max_bytes!r}, {retries!r}, {max_text!r}"
            )
        self.url = url
        self.api = api
        self.fields = fields
        self.headers = {"User-Agent": _AGENT, "Accept": "application/json", **(headers or {})}
        self.timeout = timeout
        self.retries = retries
        self.max_bytes = max_bytes
        self.max_text = max_text
        self.numbered = numbered
        self.documents: list[Document] = []
        self._numbers: dict[str, int] = {}

    def search(self, queries: Sequence[str], k: int) -> Found:
        """The at most `k` best pages for each query, in the service's order.

        Raises:
            SearchServiceError: the service is not there, too slow, or its answer is too long or
                not of the expected form, or a page has no number where all should have one.
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
                raise SearchServiceError(
                    f"{self.url} found {document.address[:80]!r}, which is not the number of one "
                    f"of {self.numbered} pages"
                )
            return int(document.address)
        number = self._numbers.setdefault(document.address, len(self.documents))
        if number == len(self.documents):
            self.documents.append(document)
        return number

    def _ask(self, query: str, k: int) -> list[tuple[Document, float]]:
        """The documents for one query and their scores."""
        if self.api == "searxng":
            mark = "&" if "?" in self.url else "?"
            parameters = urllib.parse.urlencode({"q": query, "format": "json"})
            request = urllib.request.Request(self.url + mark + parameters, headers=self.headers)
            return self._hits(self._fetch(request), ("results",), "url", "title", "content", k)
        title, text = self.fields
        body = {
            "size": k,
            "query": {"multi_match": {"query": query, "fields": [title, text]}},
            "_source": [title, text],
        }
        headers = {**self.headers, "Content-Type": "application/json"}
        data = json.dumps(body).encode()
        request = urllib.request.Request(self.url, data=data, headers=headers, method="POST")
        return self._hits(self._fetch(request), ("hits", "hits"), "_id", title, text, k)

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
            raise SearchServiceError(
                f"the answer of {self.url} is not of the form of {self.api}: "
                f"{type(error).__name__} {error}"
            ) from error

    def _fetch(self, request: urllib.request.Request) -> Any:
        """The JSON of an answer, after as many tries as it takes or are allowed."""
        for tried in range(self.retries + 1):
            if tried:
                time.sleep(_PAUSE * 2 ** (tried - 1))
            try:
                return self._parse(self._read(request))
            except SearchServiceError:
                raise
            except urllib.error.HTTPError as error:
                error.close()
                said = f"status {error.code} {error.reason}"
                if error.code not in _PASSING:
                    break
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, "reason", error)
                slow = isinstance(reason, TimeoutError)
                said = f"no answer within {self.timeout} s" if slow else repr(reason)
        raise SearchServiceError(f"{self.url}: {said} (tries: {tried + 1})")

    def _parse(self, data: bytes) -> Any:
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise SearchServiceError(
                f"the answer of {self.url} is no JSON: {type(error).__name__}"
            ) from error

    def _read(self, request: urllib.request.Request) -> bytes:
        """The bytes of an answer, within the time and size allowed."""
        deadline = time.monotonic() + self.timeout
        parts, size = [], 0
        with _OPENER.open(request, timeout=self.timeout) as response:
            while part := response.read1(_CHUNK):
                size += len(part)
                if size > self.max_bytes:
                    raise SearchServiceError(
                        f"{self.url}: the answer is longer than {self.max_bytes} bytes"
                    )
                if time.monotonic() > deadline:
                    raise TimeoutError
                parts.append(part)
        return b"".join(parts)


def clean_text(text: Any, length: int) -> str:
    """Untrusted HTML as one line of plain text of at most `length` characters; see `clean`.

    Character references are resolved first and tags taken out then, so that no tag is left.

    Args:
        text: anything; what is no `str` counts as what `str` makes of it.
        length: the characters that are kept.
    """
    return clean(_TAG.sub(" ", html.unescape(str(text)[: 4 * length])), length)
