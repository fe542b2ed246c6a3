"""Small servers of our own, for what talks to services over HTTP."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from spelunk.envs.kernel import http

#: Answers that are none of any service.
MALFORMED = (b"", b"<html>", b"\xff\xfe\x00", b"[" * 100_000, b"[]", b"null", b"7")


class Handler(BaseHTTPRequestHandler):
    """Answers as `server.mood` says, and notes in `server.asked` what it was asked.

    Moods: `"kind"`, `"shaky"` (fails twice at first), `"redirect"`, `"drip"`, `"silent"`, a status,
    bytes that are the answer, or a number of requests in a list, after which it fails for good.
    """

    server: Any

    def kind(self, asked: Any) -> bytes:
        """The right answer to a request."""
        raise NotImplementedError

    def answer(self, asked: Any) -> None:
        """Answer a request as the mood has it."""
        self.server.asked.append((asked, dict(self.headers)))
        mood = self.server.mood
        if mood == "shaky" and len(self.server.asked) < 3:
            return self.send(503, b"")
        if mood == "redirect":
            return self.send(302, b"", Location="/elsewhere")
        if mood == "drip":
            return self.drip()
        if mood == "silent":
            return time.sleep(0.6)
        if isinstance(mood, list):
            mood[0] -= 1
            mood = 500 if mood[0] < 0 else "kind"
        if isinstance(mood, int):
            return self.send(mood, b'{"error": {"message": "no\x1b\n such model"}}')
        return self.send(200, mood if isinstance(mood, bytes) else self.kind(asked))

    def drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(40):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.05)

    def send(self, status: int, data: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def served(handler: type[Handler], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server at `url` for a while; whoever asks it waits but shortly before asking again."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(http, "_PAUSE", 0.01)
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.mood, server.asked = "kind", []
    server.url = f"http://127.0.0.1:{server.server_port}"
    server.handle_error = lambda *args: None
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def nobody() -> str:
    """An address at which nobody answers."""
    closed = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    closed.server_close()
    return f"http://127.0.0.1:{closed.server_port}"
