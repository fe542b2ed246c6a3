"""Transcripts: what is told and said in each lane of a batch, token by token.

Episodes begin at a start of the environment, or at a moment of another episode.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...envs.kernel.errors import InvalidArgumentError
from ..core.agent import Agent
from .contexts import Context
from .models.model import LanguageModel
from .models.sampler import Answers
from .models.token_sets import TokenSets

Bools = np.ndarray[Any, np.dtype[np.bool_]]

#: The turn of tokens that were given, and of those with which an answer was made to begin.
GIVEN, BEGUN = -1, -2


@dataclass(frozen=True)
class Moment:
    """A point of an episode, before a turn or within its answer, that other episodes begin at.

    Attributes:
        state: the environment's record.
        tokens: all that was told and said before the turn's answer; none to be told as at a start.
        rewards: of the turns before.
        answer: how the turn's answer begins.
    """

    state: Any
    tokens: tuple[int, ...] = ()
    rewards: tuple[float, ...] = ()
    answer: tuple[int, ...] = ()


@dataclass
class Stream:
    """What a model read and wrote in one stream.

    Attributes:
        lane: of the batch.
        episode: how many episodes the lane had finished before this one.
        tokens: all of them, in order.
        log_probs, drawn, entropies: of the generated tokens, see `sampler.Answers`; 0 for given
            ones.
        turns: the turn that each token was generated in; `GIVEN` for given ones, `BEGUN` for those
            that an answer was made to begin with.
        allowed: the set that each token was drawn from, see `sampler.Answers`; 0 for given ones.
        said: the last answer, with how it was made to begin.
        cut: whether the last answer became too long.
    """

    lane: int
    episode: int
    tokens: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    drawn: list[float] = field(default_factory=list)
    entropies: list[float] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    allowed: list[int] = field(default_factory=list)
    said: list[int] = field(default_factory=list)
    cut: bool = False

    def add(
        self,
        turn: int,
        tokens: list[int],
        log_probs: list[float] | None = None,
        drawn: list[float] | None = None,
        entropies: list[float] | None = None,
        allowed: list[int] | None = None,
    ) -> None:
        """Append tokens of a turn, `GIVEN` or `BEGUN`; figures left out are zeros."""
        zeros = [0.0] * len(tokens)
        self.tokens += tokens
        self.log_probs += log_probs or zeros
        self.drawn += drawn or zeros
        self.entropies += entropies or zeros
        self.allowed += allowed or [0] * len(tokens)
        self.turns += [turn] * len(tokens)


class Transcripts:
    """Keeps what is said in each lane of a batch: `ask`, `answer` and `update` alternate.

    Args:
        env: the batch, a vector environment in same-step mode that has just been reset.
        model: its tokenizer writes the tokens.
        context: what is told at each turn.

    Attributes:
        closed: the sequences that nothing more is added to, in the order of their ends.
    """

    def __init__(self, env: Any, model: LanguageModel, context: Context):
        self.env, self.model, self.context = env, model, context
        self.closed: list[Stream] = []
        self._open = [Stream(lane, 0) for lane in range(env.num_envs)]
        self._turns = [0] * env.num_envs
        self._rewards: list[float | None] = [None] * env.num_envs
        self._told: list[list[int]] = [[] for _ in range(env.num_envs)]
        #: How the answers of this turn begin.
        self.begun: list[list[int]] = [[] for _ in range(env.num_envs)]

    def go_on(self, moments: Sequence[Moment]) -> None:
        """Begin at moments of other episodes in the first lanes; all that they hold is given."""
        for lane, moment in enumerate(moments):
            self._turns[lane] = len(moment.rewards)
            self._rewards[lane] = moment.rewards[-1] if moment.rewards else None
            self._told[lane], self.begun[lane] = list(moment.tokens), list(moment.answer)

    def ask(self, retired: Bools | None = None) -> list[list[int]]:
        """What each lane is told now, as tokens; nothing where a lane has retired.

        What its answer is made to begin with comes last.
        """
        given = []
        for lane, (sequence, reward) in enumerate(zip(self._open, self._rewards, strict=True)):
            tokens: list[int] = []
            if retired is None or not retired[lane]:
                tokens, self._told[lane] = self._told[lane], []
                if not tokens:
                    text = self.context.tell(lambda lane=lane: self.env.describe(lane), reward)
                    tokens = self.model.encode_given(text)
            sequence.add(GIVEN, tokens)
            sequence.add(BEGUN, self.begun[lane])
            given.append(tokens + self.begun[lane])
        return given

    def answer(self, answers: Answers) -> list[list[int]]:
        """Write down the answer of each lane; all of it, with how it was made to begin."""
        figures = (answers.log_probs, answers.drawn, answers.entropies, answers.allowed)
        rows = zip(answers.tokens, *figures, strict=True)
        for lane, (sequence, row) in enumerate(zip(self._open, rows, strict=True)):
            sequence.add(self._turns[lane], *row)
            sequence.said = self.begun[lane] + row[0]
            sequence.cut = answers.cut[lane]
            self.begun[lane] = []
        return [sequence.said for sequence in self._open]

    def quote(self, tokens: list[list[int]]) -> None:
        """Write down answers that somebody else gave.

        Raises:
            InvalidArgumentError: an answer was to begin in a certain way.
        """
        if any(self.begun):
            raise InvalidArgumentError("only a language model goes on with an answer")
        for sequence, turn, new in zip(self._open, self._turns, tokens, strict=True):
            sequence.add(turn, new)
            sequence.said = new

    def update(self, rewards: Any, ended: Any) -> list[bool]:
        """Note how the answers went; which lanes begin a new sequence, (n,)."""
        fresh = []
        for lane, (reward, end) in enumerate(zip(rewards.tolist(), ended.tolist(), strict=True)):
            sequence = self._open[lane]
            self._turns[lane] = 0 if end else self._turns[lane] + 1
            self._rewards[lane] = None if end else reward
            fresh.append(end or not self.context.remembers)
            if fresh[-1]:
                self.closed.append(sequence)
                self._open[lane] = Stream(lane, sequence.episode + end)
        return fresh


class Scribe(Agent):
    """An agent that keeps transcripts, made at its `start`.

    Attributes:
        transcripts: what is said.
        sets: the sets of tokens that its grammar allows; None without one.
    """

    transcripts: Transcripts
    sets: TokenSets | None = None
