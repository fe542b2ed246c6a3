"""JSON over HTTP; `tests/envs/textweb/test_http_search.py` tries the same through a search."""

import json

import pytest

from spelunk.envs.kernel import http
from spelunk.envs.kernel.http import JsonClient, ServiceError

from ...services import Handler, served


class Echo(Handler):
    """Says what it was asked; fails at first, where `server.wait` says when to come again."""

    def do_GET(self):
        self.answer(self.path)

    def do_POST(self):
        self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def answer(self, asked):
        if self.server.wait and not self.server.asked:
            self.server.asked.append((asked, {}))
            return self.send(429, b"", **{"Retry-After": self.server.wait})
        return super().answer(asked)

    def kind(self, asked):
        return json.dumps([asked]).encode()


@pytest.fixture
def server(monkeypatch):
    with served(Echo, monkeypatch) as one:
        one.wait = None
        yield one


def test_what_is_sent(server):
    client = JsonClient(server.url + "/a?b=1")
    assert client.ask(query={"c": "ü&"}, headers={"X-Key": "k"}) == ["/a?b=1&c=%C3%BC%26"]
    assert client.ask({"x": "\ud800é"}) == [{"x": "\ud800é"}]
    (_, first), (_, second) = server.asked
    assert first["X-Key"] == "k"
    assert "Content-Type" not in first
    assert second["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("wait", "pause"), [("3", 3), ("900", 60), ("soon", 0.01), ("-1", 0.01), ("9" * 4000, 60)]
)
def test_a_service_can_ask_for_time(server, monkeypatch, wait, pause):
    slept = []
    monkeypatch.setattr(http.time, "sleep", slept.append)
    server.wait = wait
    assert JsonClient(server.url).ask({}) == [{}]
    assert slept == [pause]


def test_what_a_service_says_of_an_error_is_told_in_one_line(server):
    server.mood = 400
    with pytest.raises(
        ServiceError, match=r"status 400 Bad Request .*such model.*tries: 1"
    ) as told:
        JsonClient(server.url).ask({})
    assert str(told.value).isprintable()
