"""A language model behind a service, against a small server of our own."""

import json
import time

import pytest

from spelunk.agents.cli.overrides import read_arguments
from spelunk.agents.core.evaluation import evaluate
from spelunk.agents.llm.messages.chat import ChatAgent
from spelunk.agents.llm.messages.endpoint import Endpoint, EndpointAgent
from spelunk.agents.llm.messages.search_traces import record_traces
from spelunk.agents.llm.searching.trace import read_traces
from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.kernel.http import ServiceError

from ....services import MALFORMED, Handler, nobody, served
from .chats import ID, Planner, said, searches

HELLO = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"}]


def prompt(text):
    return [{"role": "user", "content": text}]


class Completions(Handler):
    """Replies what `server.script` says to the messages."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer((self.path, body))

    def kind(self, asked):
        text = self.server.script(asked[1]["messages"])
        cut = {"finish_reason": "length" if text.endswith("…") else "stop"}
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": 7, "completion_tokens": 2}
        return json.dumps({"choices": [{"message": message, **cut}], "usage": usage}).encode()


@pytest.fixture
def server(monkeypatch):
    with served(Completions, monkeypatch) as one:
        one.script = lambda messages: said(messages).upper()
        yield one


def test_the_service_is_asked_in_its_language(server, monkeypatch):
    monkeypatch.setenv("SOME_KEY", " secret\n")
    endpoint = Endpoint(
        f"{server.url}/v1/", "tiny", "SOME_KEY", temperature=0.5, max_tokens=9, timeout=5
    )
    (reply,) = endpoint.reply([HELLO], [3])
    assert (reply.text, reply.cut, reply.tokens) == ("BE KIND.\nHELLO", False, ())
    ((path, body), headers) = server.asked.pop()
    assert path == "/v1/chat/completions"
    assert body == {
        "model": "tiny", "messages": HELLO, "seed": 3, "temperature": 0.5, "max_tokens": 9
    }  # fmt: skip
    assert headers["Authorization"] == "Bearer secret"
    assert (endpoint.prompt_tokens, endpoint.completion_tokens) == (7, 2)
    full = f"{server.url}/v1/chat/completions"
    Endpoint(full, "tiny", temperature=None, max_tokens=None).reply([HELLO], [0])
    ((path, body), headers) = server.asked.pop()
    assert path == "/v1/chat/completions"
    assert body.keys() == {"model", "messages", "seed"}
    assert "Authorization" not in headers


def test_replies_come_in_the_order_of_prompts(server):
    def script(messages):
        text = said(messages)
        time.sleep(0.002 * (20 - int(text)))
        return f"{text}…"

    server.script = script
    replies = Endpoint(server.url, "x", concurrency=5).reply([prompt(str(i)) for i in range(20)],
                                                             range(20))  # fmt: skip
    assert [reply.text for reply in replies] == [f"{i}…" for i in range(20)]
    assert all(reply.cut for reply in replies)
    assert {body["seed"] for (_, body), _ in server.asked} == set(range(20))


def test_half_a_character_is_no_text(server):
    server.mood = b'{"choices": [{"message": {"content": "a\\ud800b"}}]}'
    assert Endpoint(server.url, "x").reply([HELLO], [0])[0].text == "a?b"


def test_what_may_pass_is_tried_again(server):
    server.mood = "shaky"
    assert Endpoint(server.url, "x", retries=2).reply([HELLO], [0])[0].text
    assert len(server.asked) == 3
    server.asked.clear()
    with pytest.raises(ServiceError, match=r"completions: status 503 .*tries: 2"):
        Endpoint(server.url, "x", retries=1).reply([HELLO], [0])


@pytest.mark.parametrize(
    "data",
    [
        *MALFORMED,
        b"{}",
        b'{"error": "overloaded"}',
        b'{"choices": []}',
        b'{"choices": {"a": 1}}',
        b'{"choices": [7]}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": {"content": null}}]}',
        b'{"choices": [{"message": {"content": ["a"]}}], "usage": {"prompt_tokens": "x"}}',
    ],
)
def test_malformed_answers_are_errors_that_name_the_service(server, data):
    server.mood = data
    with pytest.raises(ServiceError, match=server.url) as told:
        Endpoint(server.url, "x").reply([HELLO], [0])
    assert len(server.asked) == 1
    assert len(str(told.value)) < 500
    if b"overloaded" in data:
        assert "overloaded" in str(told.value)


def test_other_failures_are_told(server):
    server.mood = b" " * 300_000
    with pytest.raises(ServiceError, match="longer than 100000 bytes"):
        Endpoint(server.url, "x", max_bytes=100_000).reply([HELLO], [0])
    server.mood = 404
    with pytest.raises(ServiceError, match=r"status 404 .*such model.*tries: 1"):
        Endpoint(server.url, "x").reply([HELLO], [0])
    with pytest.raises(ServiceError, match=r"(?i)refused.*tries: 3"):
        Endpoint(nobody(), "x", retries=2).reply([HELLO], [0])


@pytest.mark.parametrize("mood", ["silent", "drip"])
def test_slow_services_are_given_up(server, mood):
    server.mood = mood
    with pytest.raises(ServiceError, match=r"no answer within 0\.2 s \(tries: 2\)"):
        Endpoint(server.url, "x", timeout=0.2, retries=1).reply([HELLO], [0])


def test_after_a_failure_nothing_more_is_asked(server):
    server.mood = 404
    endpoint = Endpoint(server.url, "x", concurrency=2)
    with pytest.raises(ServiceError):
        endpoint.reply([HELLO] * 50, range(50))
    assert len(server.asked) < 10


def test_wrong_arguments_are_refused(monkeypatch):
    for wrong in (
        {"url": "localhost:8000"},
        {"temperature": -1},
        {"max_tokens": 0},
        {"concurrency": 0},
        {"timeout": 0},
        {"key_variable": "NO_SUCH_KEY"},
    ):
        with pytest.raises(InvalidArgumentError):
            Endpoint(**{"url": "http://x", "model": "x", **wrong})
    monkeypatch.setenv("SOME_KEY", "se\ncret")
    with pytest.raises(InvalidArgumentError, match="SOME_KEY") as told:
        Endpoint("http://x", "x", "SOME_KEY")
    assert "cret" not in str(told.value)


def test_no_finished_episode_is_lost(server, tmp_path):
    """A service that dies ends the run; the next one goes on where it stopped."""
    env, path = searches(2), tmp_path / "traces.jsonl"
    agent = ChatAgent(Endpoint(server.url, "x", retries=1))
    server.script, server.mood = Planner(env), [12]
    with pytest.raises(ServiceError, match=r"completions: status 500 .*tries: 2"):
        record_traces(path, agent, env, range(6))
    before = list(read_traces(path))
    # Episodes take 3 or 5 messages: with 12 replies two have ended, not four.
    assert [trace.extra("seed") for trace in before] in ([0, 1], [1, 0])
    with path.open("a") as file:
        file.write('{"task": {"quest')  # the writer was killed
    server.script, server.mood = Planner(env), "kind"
    assert record_traces(path, agent, env, range(6)) == 4
    traces = list(read_traces(path))
    assert traces[:2] == before
    assert sorted(trace.extra("seed") for trace in traces) == list(range(6))
    assert all(trace.extra("success") == 1 for trace in traces)
    asked = len(server.asked)
    assert record_traces(path, agent, env, range(6)) == 0
    assert len(server.asked) == asked


def test_an_evaluation_survives_what_passes(server):
    """Refusals now and then cost retries and nothing else."""
    asked = iter(range(10**6))
    server.script = lambda messages: "pull 1"

    def answer(handler, body):
        server.asked.append((body, {}))
        fails = next(asked) % 3 == 0
        handler.send(429 if fails else 200, b"{}" if fails else handler.kind(body))

    server.RequestHandlerClass = type("Busy", (Completions,), {"answer": answer})
    agent = EndpointAgent(server.url, renderer="situation", retries=4, concurrency=2)
    played = evaluate(agent, "spelunk/BernoulliBandit-v0", episodes=3, arms=2, horizon=4)
    assert played.lengths.tolist() == [4] * 3
    assert len(server.asked) > 12
    assert agent.unparsed == 0


def test_an_evaluation_goes_on_where_a_service_failed(server, tmp_path):
    """In any environment: what had ended by then is not played again."""
    path, args = tmp_path / "episodes.jsonl", {"episodes": 4, "actions": "text"}
    server.script = Planner(searches(1))
    whole = evaluate(EndpointAgent(server.url, concurrency=1), ID, **args)
    server.script, server.mood = Planner(searches(1)), [14]
    with pytest.raises(ServiceError, match="status 500"):
        evaluate(EndpointAgent(server.url, retries=0, concurrency=1), ID, kept=path, **args)
    before = path.read_text()
    assert 1 <= len(before.splitlines()) < 4
    server.script, server.mood = Planner(searches(1)), "kind"
    server.asked.clear()
    again = evaluate(EndpointAgent(server.url, concurrency=1), ID, kept=path, **args)
    assert again.returns.tolist() == whole.returns.tolist() == [1] * 4
    assert path.read_text().startswith(before)
    assert len(path.read_text().splitlines()) == 4
    assert len(server.asked) < whole.lengths.sum()


def test_a_prompt_that_is_too_long_is_told_in_the_words_of_the_service(server):
    server.mood = 400
    with pytest.raises(ServiceError, match=r"status 400 .*such model.*tries: 1"):
        Endpoint(server.url, "x").reply([HELLO], [0])


def test_lanes_that_are_done_ask_nobody(server, tmp_path):
    env = searches(4)
    server.script = Planner(env)
    record_traces(tmp_path / "t", ChatAgent(Endpoint(server.url, "x")), env, range(3))
    turns = [trace.turns for trace in read_traces(tmp_path / "t")]
    assert len(server.asked) == sum(turns)


@pytest.mark.parametrize("renderer", ["transcript", "workspace", "harness", "situation"])
def test_an_agent_from_plain_data(server, tmp_path, renderer):
    server.script = Planner(searches(1))
    path = tmp_path / "traces.jsonl"
    agent = EndpointAgent(server.url, renderer=renderer, concurrency=1, traces=path)
    played = evaluate(agent, ID, episodes=2, actions="text")
    assert played.return_mean == 1
    assert sum(trace.extra("success") == 1 for trace in read_traces(path)) >= 2


def test_the_command_line_knows_its_arguments(server, tmp_path):
    words = ["--url", server.url, "--renderer", "harness", "--cap", "900", "--traces"]
    given = read_arguments(EndpointAgent, [*words, str(tmp_path / "t")], "agent")
    assert given == {
        "url": server.url, "renderer": "harness", "cap": 900, "traces": tmp_path / "t"
    }  # fmt: skip
    with pytest.raises(InvalidArgumentError, match=r"--agent\.renderer"):
        read_arguments(EndpointAgent, ["--renderer", "nonsense"], "agent")
    env, agent = searches(2), EndpointAgent(**given)
    server.script = lambda messages: "answer: x"
    seen = env.reset(seed=0)
    agent.start(env, 0)
    agent.retired[0] = True
    actions = agent.act(*seen)
    assert actions == ["", "answer: x"]
    _, rewards, *ends, _ = env.step(["answer: y", "answer: x"])
    agent.update(["answer: y", "answer: x"], rewards, ends[0])
    (trace,) = read_traces(tmp_path / "t")
    assert trace.ending.answer == "x"
    assert agent.renderer.cap == 900
