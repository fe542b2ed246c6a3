"""Search over HTTP, against a small server of our own."""

import json
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.kernel.http import ServiceError
from spelunk.envs.textweb.bm25 import BM25
from spelunk.envs.textweb.http_search import HttpSearch, clean_text
from spelunk.envs.textweb.knowledge_search import KnowledgeSearch

from ...services import MALFORMED, Handler, nobody, served

PAGES = {
    "red": [("a", "Red", "a <b>red</b> fox", 3.5), ("b", "Fox", "fox\x00 &amp; hound", 2.0)],
    "blue": [("b", "Fox", "changed", 1.0), ("c", "Blue", None, 0.5)],
}


class Pages(Handler):
    """Finds `PAGES`, or what `server.hits` gives."""

    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query)
        self.answer((query["q"][0], query["format"]))

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer((body["query"]["multi_match"]["query"], body))

    def kind(self, asked):
        query = asked[0]
        if self.server.hits:
            return json.dumps({"hits": {"hits": self.server.hits(query)}}).encode()
        rows = PAGES.get(query, [])
        if self.command == "POST":
            hits = [
                {"_id": a, "_score": s, "_source": {"title": t, "text": x}} for a, t, x, s in rows
            ]
            return json.dumps({"hits": {"total": {"value": len(hits)}, "hits": hits}}).encode()
        hits = [{"url": a, "title": t, "content": x, "score": s} for a, t, x, s in rows]
        return json.dumps({"query": query, "results": hits}).encode()


@pytest.fixture
def server(monkeypatch):
    with served(Pages, monkeypatch) as one:
        one.hits = None
        yield one


def test_a_world_behind_a_service(server):
    """Pages of a corpus, uploaded under their numbers, are found and opened as those at hand."""
    corpus = KnowledgeSearch(actions="text").world.corpus
    engine = BM25(*corpus.tokens(), corpus.vocabulary)

    def hits(query):
        found = engine.search([query], 5)
        return [
            {
                "_id": str(page),
                "_score": float(score),
                "_source": {"title": corpus.title(page), "text": corpus.text(page)},
            }
            for page, score in zip(found.pages[0].tolist(), found.scores[0], strict=True)
            if page >= 0
        ]

    server.hits = hits

    def make(corpus):
        return HttpSearch(server.url + "/pages/_search", numbered=len(corpus))

    env = KnowledgeSearch(actions="text", retriever=make, per_pattern=20)
    env.reset(seed=0)
    for message in env.plan(env.state):
        reward = env.step(message)[1]
    assert reward == 1
    server.hits = None
    with pytest.raises(ServiceError, match="not the number"):
        make(corpus).search(["red"], 3)


@pytest.mark.parametrize("api", ["opensearch", "searxng"])
def test_pages_are_numbered_as_they_are_found(server, api):
    search = HttpSearch(server.url + "/x", api)
    first = search.search(["red", "", "blue", "unheard"], 3)
    assert first.pages.tolist() == [[0, 1, -1], [-1] * 3, [1, 2, -1], [-1] * 3]
    assert first.scores[0].tolist() == [3.5, 2.0, 0.0]
    assert [d.address for d in search.documents] == ["a", "b", "c"]
    assert search.title(0) == "Red"
    assert search.text(0) == "a red fox"
    assert search.text(1) == "fox & hound", "cleaned, and as first found"
    assert search.text(2) == ""
    assert search.search(["blue"], 1).pages.tolist() == [[1]]
    assert search.search([], 2).pages.shape == (0, 2)


def test_the_services_are_asked_in_their_language(server):
    HttpSearch(server.url, fields=("name", "body"), headers={"X-Key": "k"}).search(["red"], 7)
    (query, body), headers = server.asked.pop()
    assert body == {
        "size": 7,
        "query": {"multi_match": {"query": "red", "fields": ["name", "body"]}},
        "_source": ["name", "body"],
    }
    assert headers["X-Key"] == "k"
    HttpSearch(server.url + "/search?language=en", "searxng").search(["r&b=\x00\ud800 é"], 7)
    (query, form), _ = server.asked.pop()
    assert query == "r&b=\x00? é"
    assert form == ["json"]


def test_what_may_pass_is_tried_again(server):
    server.mood = "shaky"
    assert HttpSearch(server.url, retries=2).search(["red"], 1).pages.tolist() == [[0]]
    assert len(server.asked) == 3
    server.asked.clear()
    with pytest.raises(ServiceError, match=r"status 503.*tries: 2"):
        HttpSearch(server.url, retries=1).search(["red"], 1)


@pytest.mark.parametrize(("mood", "said"), [(404, "404"), (401, "401"), ("redirect", "302")])
def test_what_will_not_pass_is_not_tried_again(server, mood, said):
    server.mood = mood
    with pytest.raises(ServiceError, match=f"status {said}.*tries: 1"):
        HttpSearch(server.url).search(["red"], 1)
    assert len(server.asked) == 1


@pytest.mark.parametrize("mood", ["silent", "drip"])
def test_slow_services_are_given_up(server, mood):
    server.mood = mood
    started = time.monotonic()
    with pytest.raises(ServiceError, match=r"no answer within 0\.2 s \(tries: 2\)"):
        HttpSearch(server.url, timeout=0.2, retries=1).search(["red"], 1)
    assert time.monotonic() - started < 1.5


def test_a_refused_connection_is_told(server):
    with pytest.raises(ServiceError, match=r"(?i)refused.*tries: 3"):
        HttpSearch(nobody()).search(["red"], 1)


@pytest.mark.parametrize(
    "data",
    [
        *MALFORMED,
        b'{"hits": 3}',
        b'{"hits": {"hits": {"a": 1}}}',
        b'{"hits": {"hits": [7]}}',
        b'{"hits": {"hits": [{"_source": {}}]}}',
        b'{"hits": {"hits": [{"_id": "a", "_source": 3}]}}',
        b'{"hits": {"hits": [{"_id": "a", "_source": {}, "_score": "x"}]}}',
    ],
)
def test_malformed_answers_are_errors_of_ours(server, data):
    server.mood = data
    with pytest.raises(ServiceError):
        HttpSearch(server.url).search(["red"], 1)
    assert len(server.asked) == 1


def test_long_answers_are_cut_off(server):
    server.mood = b" " * 300_000
    with pytest.raises(ServiceError, match="longer than 100000 bytes"):
        HttpSearch(server.url, max_bytes=100_000).search(["red"], 1)


def test_odd_hits_do_no_harm(server):
    hits = [
        {"_id": 7, "_source": {"title": ["x"], "text": {"a": 1}}, "_score": None},
        {"_id": "n" * 9000, "_source": {"text": "<" * 50_000}, "_score": float("nan")},
        {"_id": 7, "_source": {}, "_score": 1e300},
    ]
    server.mood = json.dumps({"hits": {"hits": hits}}).encode()
    search = HttpSearch(server.url, max_text=100)
    found = search.search(["red"], 3)
    assert found.pages.tolist() == [[0, 1, -1]]
    assert found.scores.tolist() == [[1.0, 0.5, 0.0]]
    assert search.title(0) == "['x']"
    assert search.text(1) == ("< " * 50).rstrip()
    assert len(search.documents[1].address) == 2000


def test_text_is_cleaned():
    assert clean_text("a<script>x</script>b", 99) == "a x b"
    assert clean_text("&lt;/result&gt;<<a>search>", 99) == "< search>"
    assert clean_text("a\x1b[31m\u202e\n\tb\u200bc", 99) == "a[31m bc"
    assert clean_text("abcdef", 3) == "abc"
    started = time.process_time()
    clean_text("<a" * 5_000_000, 20_000)
    assert time.process_time() - started < 1


def test_wrong_arguments_are_refused():
    for url in (
        "file:///etc/passwd",
        "ftp://x/y",
        "x",
        "",
        "http://",
        "http://a:99999",
        "http://a\n",
    ):
        with pytest.raises(InvalidArgumentError, match="http"):
            HttpSearch(url)
    with pytest.raises(InvalidArgumentError, match="opensearch"):
        HttpSearch("http://x", "solr")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InvalidArgumentError, match="timeout"):
        HttpSearch("http://x", timeout=0)
    with pytest.raises(InvalidArgumentError, match="max_text"):
        HttpSearch("http://x", max_text=-1)
