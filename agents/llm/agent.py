"""`LanguageModelAgent`: plays any environment of the suite in words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import torch
from gymnasium import spaces

from ...envs.kernel.errors import InvalidArgumentError, UnparseableActionError
from ...envs.kernel.spaces import Unicode
from .contexts import context as context_of
from .model import LanguageModel
from .rollout import Scribe, Transcripts
from .sampler import Session, pad_left, sample


class LanguageModelAgent(Scribe):
    """Is told each turn's news, answers in words, and does what the answer names.

    An answer that names no action, or an illegal one, is replaced by a random legal action; where
    actions are texts, every answer is an action.

    Args:
        model: the language model.
        context: what it is told; see `contexts.CONTEXTS`.
        temperature: of sampling; 0 for the likeliest tokens.
        max_tokens: the longest answer; None for that of the longest action, or 16
            where not every action is always possible.
        heat: a schedule of temperatures within answers; see `sampler.sample`.

    Raises:
        InvalidArgumentError: an unknown context or a negative temperature.

    Attributes:
        answers: how many answers were given since `start`.
        unparsed: how many of them named no legal action.
    """

    def __init__(
        self,
        model: LanguageModel,
        context: str = "state",
        temperature: float = 1.0,
        max_tokens: int | None = None,
        heat: Callable[[int], float] | None = None,
    ):
        if temperature < 0:
            raise InvalidArgumentError(f"temperature must not be negative; got {temperature!r}")
        self.model, self.context = model, context_of(context)
        self.temperature, self.max_tokens, self.heat = temperature, max_tokens, heat

    @classmethod
    def from_pretrained(cls, path: str | Path, device: str = "cpu", **kwargs: Any) -> Self:
        """An agent with a causal model and tokenizer from a folder.

        Args:
            path: the folder; see `LanguageModel.from_pretrained`.
            device: where the model runs.
            kwargs: the other arguments of the agent.

        Raises:
            InvalidArgumentError: the folder holds no such model, or an argument is wrong.
        """
        return cls(LanguageModel.from_pretrained(path, device), **kwargs)

    def start(self, env: Any, seed: int) -> None:
        super().start(env, seed)
        self.transcripts = Transcripts(env, self.model, self.context)
        self.answers = self.unparsed = 0
        self._generator = torch.Generator().manual_seed(seed % 2**63)
        self._session = Session(self.model, env.num_envs)
        self._unread: list[list[int]] = [[] for _ in range(env.num_envs)]
        self._max_tokens = self.max_tokens or self._longest_action()

    def act(self, observations: Any, infos: dict[str, Any]) -> Any:
        given = self.transcripts.ask(self.retired)
        news = [
            unread + told if told else [] for unread, told in zip(self._unread, given, strict=True)
        ]
        self._session.extend(*pad_left(news, self.model.device))
        answers = sample(
            self._session,
            self._generator,
            temperature=self.temperature,
            max_tokens=self._max_tokens,
            asked=torch.from_numpy(~self.retired).to(self.model.device),
            heat=self.heat,
        )
        self.transcripts.answer(answers)
        self._unread = [tokens[-1:] for tokens in answers.tokens]
        return self._read([self.model.decode(tokens) for tokens in answers.tokens])

    def update(self, actions: Any, rewards: Any, ended: Any) -> None:
        fresh = self.transcripts.update(rewards, ended)
        self._session.restart(torch.tensor(fresh, device=self.model.device))
        self._unread = [
            [] if new else unread for new, unread in zip(fresh, self._unread, strict=True)
        ]

    def _longest_action(self) -> int:
        """The most tokens that an action takes, with its end; 16 where actions come and go."""
        space = self.env.single_action_space
        if not isinstance(space, spaces.Discrete) or self.env.action_mask is not None:
            return 16
        words = [self.env.action_words(0, action) for action in range(int(space.n))]
        return max(len(self.model.encode_answer(text)) for text in words)

    def _read(self, texts: list[str]) -> Any:
        """The actions that the lanes' answers name, or random legal ones."""
        wordy = isinstance(self.env.single_action_space, Unicode)
        actions = texts if wordy else self.env.sample_actions(self.rng)
        mask = self.env.action_mask
        self.answers += len(texts) - int(self.retired.sum())
        for lane, text in enumerate(texts):
            if self.retired[lane]:
                continue
            try:
                action = self.env.parse(lane, text)
            except UnparseableActionError:
                action = None
            if action is None or (mask is not None and not mask[lane, action]):
                self.unparsed += 1
            elif not wordy:
                actions[lane] = action
        return actions
