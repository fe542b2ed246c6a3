"""`Endpoint`: a language model behind any service that speaks OpenAI's chat completions."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ....envs.kernel.errors import InvalidArgumentError
from ....envs.kernel.http import JsonClient, ServiceError
from .chat import RENDERERS, ChatAgent, Messages, Reply
from .search_traces import SearchNotes, append_trace

_PATH = "/chat/completions"


class Endpoint:
    """A policy that asks a service; see `chat.ChatPolicy`.

    Args:
        url: of the service, such as `http://localhost:8000/v1`; `/chat/completions` is added.
        model: its name there.
        key_variable: the environment variable that holds the key; None where none is needed. It is
            read for each request, and stored and shown nowhere.
        temperature: of sampling; None for the service's own.
        max_tokens: the longest reply; None likewise.
        timeout: seconds for one try of one request.
        retries: see `JsonClient`; by default a service may be away for about 6 s.
        concurrency: how many requests run at a time.
        max_bytes: the longest answer that is read.

    Raises:
        InvalidArgumentError: an argument is out of range, or the variable holds no key.

    Attributes:
        prompt_tokens, completion_tokens: how many were read and written so far, as far as the
            service counts them.
    """

    def __init__(
        self,
        url: str,
        model: str,
        key_variable: str | None = None,
        temperature: float | None = 1.0,
        max_tokens: int | None = 512,
        timeout: float = 60.0,
        retries: int = 5,
        concurrency: int = 8,
        max_bytes: int = 1_000_000,
    ):
        if temperature is not None and not 0 <= temperature < float("inf"):
            raise InvalidArgumentError(f"temperature must be a number ≥ 0; got {temperature!r}")
        if (max_tokens is not None and max_tokens < 1) or concurrency < 1:
            raise InvalidArgumentError(
                f"max_tokens and concurrency must be ≥ 1; got {max_tokens!r} and {concurrency!r}"
            )
        address = url.rstrip("/").removesuffix(_PATH) + _PATH
        self.client = JsonClient(address, timeout, retries, max_bytes)
        self.key_variable, self.concurrency = key_variable, concurrency
        wanted = {"model": model, "temperature": temperature, "max_tokens": max_tokens}
        self.settings = {name: value for name, value in wanted.items() if value is not None}
        self.prompt_tokens = self.completion_tokens = 0
        self._headers()

    def reply(self, prompts: Sequence[Messages], seeds: Sequence[int]) -> list[Reply]:
        """A reply to each prompt; see `ChatPolicy.reply`.

        Raises:
            ServiceError: the service is not there, too slow, or its answer is too long or none of
                chat completions. What has not been asked yet is not asked then.
        """
        with ThreadPoolExecutor(self.concurrency) as pool:
            answers = list(pool.map(self._ask, prompts, seeds))
        for answer in answers:
            self._count(answer)
        return [self._read(answer) for answer in answers]

    def _ask(self, messages: Messages, seed: int) -> Any:
        body = {**self.settings, "messages": [dict(message) for message in messages], "seed": seed}
        return self.client.ask(body, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        if self.key_variable is None:
            return {}
        key = os.environ.get(self.key_variable, "").strip()
        if not key or not key.isascii() or not key.isprintable():
            raise InvalidArgumentError(
                f"the environment variable {self.key_variable} must hold the key of "
                f"{self.client.url}; it is not set, or not of plain characters"
            )
        return {"Authorization": f"Bearer {key}"}

    def _count(self, answer: Any) -> None:
        usage = answer.get("usage") if isinstance(answer, dict) else None
        for name in ("prompt_tokens", "completion_tokens"):
            count = usage.get(name) if isinstance(usage, dict) else None
            if isinstance(count, int) and count > 0:
                setattr(self, name, getattr(self, name) + count)

    def _read(self, answer: Any) -> Reply:
        """The reply in an answer."""
        try:
            choice = answer["choices"][0]
            text = choice["message"]["content"]
            # Half of a pair of surrogates is JSON, but no text.
            text = text.encode("utf-8", "replace").decode()
            return Reply(text, cut=choice.get("finish_reason") == "length")
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise ServiceError(
                f"the answer of {self.client.url} is none of chat completions "
                f"({type(error).__name__} {error}): {answer!a:.200}"
            ) from error


class EndpointAgent(ChatAgent):
    """A `ChatAgent` whose policy is an `Endpoint`, from plain data, as the command line has it.

    Args:
        url, model, key_variable, temperature, max_tokens, timeout, retries, concurrency: see
            `Endpoint`.
        renderer: what the prompts tell, one of `chat.RENDERERS`; the last two need the tools of a
            KnowledgeSearch.
        cap: the largest prompt, in words and punctuation marks.
        traces: a file to which the trace of each episode of a KnowledgeSearch is added as it ends.

    Raises:
        InvalidArgumentError: see `Endpoint` and `Renderer`.
    """

    def __init__(
        self,
        url: str = "http://localhost:8000/v1",
        model: str = "default",
        key_variable: str | None = None,
        renderer: Literal["transcript", "situation", "workspace", "harness"] = "transcript",
        cap: int = 4096,
        temperature: float = 1.0,
        max_tokens: int = 512,
        timeout: float = 60.0,
        retries: int = 5,
        concurrency: int = 8,
        traces: Path | None = None,
    ):
        endpoint = Endpoint(
            url, model, key_variable, temperature, max_tokens, timeout, retries, concurrency
        )
        super().__init__(endpoint, RENDERERS[renderer](cap=cap))
        self.traces = traces

    def start(self, env: Any, seed: int) -> None:
        """Get ready to act; see `Agent.start`.

        Raises:
            InvalidArgumentError: see `ChatAgent`; and `SearchNotes`, where traces are written.
        """
        super().start(env, seed)
        self._notes = None if self.traces is None else SearchNotes(env)

    def update(self, actions: Any, rewards: np.ndarray, ended: np.ndarray) -> None:
        if self._notes is not None and self.traces is not None:
            for lane, trace in self._notes.update(actions, ended, self.replies).items():
                if not self.retired[lane]:
                    append_trace(self.traces, trace)
        super().update(actions, rewards, ended)
