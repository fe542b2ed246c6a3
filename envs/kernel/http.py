"""JSON over HTTP: requests bounded in time and size, tried again where that can help."""

import contextlib
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import InvalidArgumentError, SpelunkError

_CHUNK = 65_536
# Answers that are worth another try: too many requests, and faults of the server.
_PASSING = (429, 500, 502, 503, 504)
# Seconds before the first retry, doubled before each further one; and the longest that a server can
# ask to be left alone.
_PAUSE, _LONGEST_PAUSE = 0.2, 60.0
# Characters shown of what a server says about an error.
_SAID = 300


class ServiceError(SpelunkError, ConnectionError):
    """A service that cannot be reached or does not answer as it should."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Makes a redirection an error: it could take the headers, and with them keys, elsewhere."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


@dataclass(frozen=True)
class JsonClient:
    """Asks a service for JSON.

    What comes back is untrusted: its size is bounded while it is read, redirections are not
    followed, and whatever goes wrong is a `ServiceError` that names the address and the last cause.

    Args:
        url: of the service; http or https.
        timeout: seconds for one try, from connecting to the last byte.
        retries: further tries after a time-out, a refused or broken connection, or an answer that
            may pass (429, 500, 502, 503, 504), after pauses of 0.2 s, 0.4 s, …; longer ones where
            the service says so in `Retry-After`, up to a minute.
        max_bytes: the longest answer that is read.

    Raises:
        InvalidArgumentError: the url is none of http or https, or a number is out of range.
    """

    url: str
    timeout: float = 10.0
    retries: int = 2
    max_bytes: int = 4_000_000

    def __post_init__(self) -> None:
        if not _is_address(self.url):
            raise InvalidArgumentError(f"url must be one of http or https; got {self.url!r}")
        if not self.timeout > 0 or self.retries < 0 or self.max_bytes < 1:
            raise InvalidArgumentError(
                "timeout and max_bytes must be > 0 and retries ≥ 0; "
                f"got {self.timeout!r}, {self.max_bytes!r} and {self.retries!r}"
            )

    def ask(
        self,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The JSON of an answer, after as many tries as it takes or are allowed.

        Args:
            body: is posted as JSON; None to get.
            query: added to the address.
            headers: sent along.

        Raises:
            ServiceError: there is no answer in time, or it is too long or no JSON.
        """
        request = self._request(body, query, headers or {})
        said, pause = "", 0.0
        for tried in range(self.retries + 1):
            if tried:
                time.sleep(max(_PAUSE * 2 ** (tried - 1), pause))
            try:
                return self._parse(self._read(request))
            except ServiceError:
                raise
            except urllib.error.HTTPError as error:
                with error:
                    said, pause = _words(error), _retry_after(error)
                if error.code not in _PASSING:
                    break
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, "reason", error)
                slow = isinstance(reason, TimeoutError)
                said = f"no answer within {self.timeout} s" if slow else repr(reason)
                pause = 0.0
        raise ServiceError(f"{self.url}: {said} (tries: {tried + 1})")

    def _request(
        self, body: Any, query: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> urllib.request.Request:
        headers = {"User-Agent": "spelunk", "Accept": "application/json", **headers}
        url = self.url
        if query:
            url += ("&" if "?" in url else "?") + urllib.parse.urlencode(query)
        if body is None:
            return urllib.request.Request(url, headers=headers)
        headers["Content-Type"] = "application/json"
        data = json.dumps(body).encode()
        return urllib.request.Request(url, data=data, headers=headers, method="POST")

    def _parse(self, data: bytes) -> Any:
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ServiceError(
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
                    raise ServiceError(
                        f"{self.url}: the answer is longer than {self.max_bytes} bytes"
                    )
                if time.monotonic() > deadline:
                    raise TimeoutError
                parts.append(part)
        return b"".join(parts)


def _is_address(url: str) -> bool:
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urllib.parse.urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or an address in brackets that is none
        return False


def _words(error: urllib.error.HTTPError) -> str:
    """An error's status, with the beginning of what the server says about it."""
    said = b""
    with contextlib.suppress(OSError, http.client.HTTPException):
        said = error.fp.read1(4 * _SAID)  # pyright: ignore[reportAttributeAccessIssue]
    text = said.decode("utf-8", "replace").strip()[:_SAID]
    # As a literal, so that it stays in its line.
    return f"status {error.code} {error.reason!s:.80}" + (f" {text!a}" if text else "")


def _retry_after(error: urllib.error.HTTPError) -> float:
    """For how many seconds a server asks to be left alone; 0 where it does not say."""
    asked = error.headers.get("Retry-After", "").strip()
    whole = asked.isascii() and asked.isdigit()
    return min(float(asked[:9]), _LONGEST_PAUSE) if whole else 0.0
