"""`LanguageModelAgent`: plays any environment of the suite in words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import torch
from gymnasium import spaces

from ...envs.kernel.errors import (
    InvalidArgumentError,
    UnparseableActionError,
    UnsupportedFaceError,
)
from ...envs.kernel.spaces import Unicode
from .contexts import context as context_of
from .models.grammars import answer_grammar
from .models.model import LanguageModel
from .models.sampler import Answers, Session, pad_left, sample
from .scribe import Scribe, Transcripts


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
        grammar: whether it says only what the environment understands; see
            `grammars.answer_grammar`. Its log-probabilities and entropies are of the model among
            the tokens that this leaves.

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
        grammar: bool = False,
    ):
        if temperature < 0:
            raise InvalidArgumentError(f"temperature must not be negative; got {temperature!r}")
        self.model, self.context = model, context_of(context)
        self.temperature, self.max_tokens, self.heat = temperature, max_tokens, heat
        self.grammar = grammar

    @classmethod
    def from_pretrained(cls, path: str | Path, device: str = "cpu", **kwargs: Any) -> Self:
        """An agent with a causal model and tokenizer from a folder or the hub.

        Args:
            path: the folder or id; see `LanguageModel.from_pretrained`.
            device: where the model runs.
            kwargs: the other arguments of the agent.

        Raises:
            InvalidArgumentError: there is no such model, or an argument is wrong.
            ServiceError: the hub cannot be reached.
        """
        return cls(LanguageModel.from_pretrained(path, device), **kwargs)

    def start(self, env: Any, seed: int) -> None:
        """Get ready to act; see `Agent.start`.

        Raises:
            InvalidArgumentError: a grammar is wanted, and the environment's answers have none.
            UnsupportedFaceError: the environment is a game of several agents.
        """
        if agents := env.unwrapped.definition.agents:
            raise UnsupportedFaceError(
                f"a language model plays for one agent; in this game {', '.join(agents)} act: make "
                "it with an opponent"
            )
        super().start(env, seed)
        self._grammar = answer_grammar(env, self.model) if self.grammar else None
        self.sets = None if self._grammar is None else self._grammar.sets
        self.transcripts = Transcripts(env, self.model, self.context)
        self.answers = self.unparsed = 0
        self._generator = torch.Generator().manual_seed(seed % 2**63)
        self._session = Session(self.model, env.num_envs)
        self._unread: list[list[int]] = [[] for _ in range(env.num_envs)]
        self._max_tokens = 0 if self.grammar else self.max_tokens or self._longest_action()

    def act(self, observations: Any, infos: dict[str, Any]) -> Any:
        given = self.transcripts.ask(self.retired)
        news = [
            unread + told if told else [] for unread, told in zip(self._unread, given, strict=True)
        ]
        answers = self._generate(news)
        said = self.transcripts.answer(answers)
        self._unread = [tokens[-1:] for tokens in answers.tokens]
        return self._read([self.model.decode(tokens) for tokens in said])

    def _generate(self, news: list[list[int]]) -> Answers:
        """Answers of the lanes that have not retired, after what is new to them."""
        self._session.extend(*pad_left(news, self.model.device))
        mask, max_tokens, rooms = None, self._max_tokens, None
        begun = self.transcripts.begun
        if self._grammar is None and any(begun):
            rooms = torch.tensor([max_tokens - len(b) for b in begun], device=self.model.device)
        if self._grammar is not None:
            mask, max_tokens = self._grammar.begin(~self.retired, begun, self.max_tokens)
        return sample(
            self._session,
            self._generator,
            temperature=self.temperature,
            max_tokens=max_tokens,
            asked=torch.from_numpy(~self.retired).to(self.model.device),
            heat=self.heat,
            mask=mask,
            rooms=rooms,
        )

    def update(self, actions: Any, rewards: Any, ended: Any) -> None:
        fresh = self._note(rewards, ended)
        self._session.restart(torch.tensor(fresh, device=self.model.device))

    def _note(self, rewards: Any, ended: Any) -> list[bool]:
        """Write down how the answers went; which lanes begin anew, (n,)."""
        fresh = self.transcripts.update(rewards, ended)
        self._unread = [
            [] if new else unread for new, unread in zip(fresh, self._unread, strict=True)
        ]
        return fresh

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
