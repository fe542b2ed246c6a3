"""Rollouts: episodes as sequences of tokens, each token marked as given or generated."""

from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ..core.agent import Agent
from .contexts import Context
from .model import LanguageModel
from .sampler import Answers

Bools = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass
class Sequence:
    """What a model read and wrote in one stream.

    Attributes:
        lane: of the batch.
        episode: how many episodes the lane had finished before this one.
        tokens: all of them, in order.
        log_probs, drawn, entropies: of the generated tokens, see `sampler.Answers`; 0 for given
            ones.
        turns: the turn that each token was generated in; −1 for given ones.
        cut: whether the last answer became too long.
    """

    lane: int
    episode: int
    tokens: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    drawn: list[float] = field(default_factory=list)
    entropies: list[float] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    cut: bool = False

    def add(
        self,
        turn: int,
        tokens: list[int],
        log_probs: list[float] | None = None,
        drawn: list[float] | None = None,
        entropies: list[float] | None = None,
    ) -> None:
        """Append tokens of a turn, −1 for those that were given; figures left out are zeros."""
        zeros = [0.0] * len(tokens)
        self.tokens += tokens
        self.log_probs += log_probs or zeros
        self.drawn += drawn or zeros
        self.entropies += entropies or zeros
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
        self.closed: list[Sequence] = []
        self._open = [Sequence(lane, 0) for lane in range(env.num_envs)]
        self._turns = [0] * env.num_envs
        self._rewards: list[float | None] = [None] * env.num_envs

    def ask(self, retired: Bools | None = None) -> list[list[int]]:
        """What each lane is told now, as tokens; nothing where a lane has retired."""
        given = []
        for lane, (sequence, reward) in enumerate(zip(self._open, self._rewards, strict=True)):
            tokens: list[int] = []
            if retired is None or not retired[lane]:
                text = self.context.tell(lambda lane=lane: self.env.describe(lane), reward)
                tokens = self.model.encode_given(text)
            sequence.add(-1, tokens)
            given.append(tokens)
        return given

    def answer(self, answers: Answers) -> None:
        """Write down the answer of each lane."""
        rows = zip(answers.tokens, answers.log_probs, answers.drawn, answers.entropies, strict=True)
        for lane, (sequence, row) in enumerate(zip(self._open, rows, strict=True)):
            sequence.add(self._turns[lane], *row)
            sequence.cut = answers.cut[lane]

    def quote(self, tokens: list[list[int]]) -> None:
        """Write down answers that somebody else gave."""
        for sequence, turn, new in zip(self._open, self._turns, tokens, strict=True):
            sequence.add(turn, new)

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
                self._open[lane] = Sequence(lane, sequence.episode + end)
        return fresh


class Scribe(Agent):
    """An agent that keeps transcripts, made at its `start`."""

    transcripts: Transcripts


@dataclass(frozen=True)
class Rollout:
    """Episodes in tokens: n sequences, padded on the right, of some number of episodes.

    Attributes:
        tokens: (n, length) `int64`.
        log_probs, drawn, entropies: (n, length) `float32`, as in `Sequence`.
        turns: (n, length) `int64`, as in `Sequence`; −1 for padding too.
        episodes: (n,) `int64`, the episode that each sequence is of.
        rewards: (episodes, turns) `float32`, 0 after the end.
        groups: (episodes,) `int64`; episodes of one group have the same start.
        lengths: (episodes,) `int64`, in turns.
        truncated: (episodes,) `bool`, whether the time limit ended the episode, or its last answer
            became too long.
        answers: the last message of each episode.
        reference: (n, length) `float32`, the tokens' log-probabilities under the policy that
            training began with; None where nobody needs them.
        hidden: (n, length, width) `float32`, the last layer's activations; None likewise.
        replayed, refined, imitated: (n,) `bool`, sequences that were played earlier, that correct
            another one, or that are learned with an advantage of 1 and no ratio; None for none.
    """

    tokens: Tensor
    log_probs: Tensor
    drawn: Tensor
    entropies: Tensor
    turns: Tensor
    episodes: Tensor
    rewards: Tensor
    groups: Tensor
    lengths: Tensor
    truncated: Tensor
    answers: tuple[str, ...]
    reference: Tensor | None = None
    hidden: Tensor | None = None
    replayed: Tensor | None = None
    refined: Tensor | None = None
    imitated: Tensor | None = None

    @property
    def generated(self) -> Tensor:
        """Which tokens were generated, (n, length) `bool`."""
        return self.turns >= 0

    @property
    def ends(self) -> Tensor:
        """Where the last generated token of each sequence ends, (n,) `int64`."""
        places = torch.arange(1, self.turns.shape[1] + 1)
        return (places * self.generated).amax(1)

    @property
    def played(self) -> Tensor:
        """Which turns were played, (episodes, turns) `bool`."""
        return torch.arange(self.rewards.shape[1]) < self.lengths[:, None]

    def per_token(self, values: Tensor) -> Tensor:
        """Values of (episodes, turns) spread over the tokens, (n, length); 0 for given ones."""
        spread = values[self.episodes[:, None], self.turns.clamp(min=0)]
        return spread * self.generated

    def take(self, episodes: Tensor) -> Self:
        """Some of the episodes, (k,) numbers that rise."""
        place = torch.full((len(self.groups),), -1)
        place[episodes] = torch.arange(len(episodes))
        rows = (place[self.episodes] >= 0).nonzero().squeeze(1)
        of_rows = {name: _pick(getattr(self, name), rows) for name in (*_TOKENS, *_MARKS)}
        of_rows["episodes"] = place[self.episodes[rows]]
        of_episodes = {name: getattr(self, name)[episodes] for name in _EPISODES}
        answers = tuple(self.answers[i] for i in episodes.tolist())
        return replace(self, **of_rows, **of_episodes, answers=answers)


#: Fields by what their first axis is.
_TOKENS = ("tokens", "log_probs", "drawn", "entropies", "turns")
_MARKS = ("replayed", "refined", "imitated")
_EPISODES = ("rewards", "groups", "lengths", "truncated")


def _pick(values: Tensor | None, rows: Tensor) -> Tensor | None:
    return None if values is None else values[rows]


def join(first: Rollout, second: Rollout) -> Rollout:
    """The episodes of two rollouts, before their `reference` and `hidden` are known.

    The groups of the second one are other groups.
    """
    fillers = dict.fromkeys(_TOKENS, 0) | {"turns": -1, "tokens": int(first.tokens[0, -1])}
    fields: dict[str, Any] = {
        name: _stack(getattr(first, name), getattr(second, name), filler)
        for name, filler in fillers.items()
    }
    for name in _MARKS:
        marks = [
            torch.zeros(len(part.tokens), dtype=torch.bool) if mark is None else mark
            for part, mark in ((first, getattr(first, name)), (second, getattr(second, name)))
        ]
        fields[name] = torch.cat(marks)
    return replace(
        first,
        **fields,
        episodes=torch.cat((first.episodes, second.episodes + len(first.groups))),
        rewards=_stack(first.rewards, second.rewards, 0),
        groups=torch.cat((first.groups, second.groups + int(first.groups.max()) + 1)),
        lengths=torch.cat((first.lengths, second.lengths)),
        truncated=torch.cat((first.truncated, second.truncated)),
        answers=first.answers + second.answers,
    )


def _stack(first: Tensor, second: Tensor, filler: int) -> Tensor:
    """Rows of different widths below each other."""
    width = max(first.shape[1], second.shape[1])
    return torch.cat(
        [torch.nn.functional.pad(x, (0, width - x.shape[1]), value=filler) for x in (first, second)]
    )


def play(agent: Scribe, env: Any, seeds: list[int], seed: int, pad: int) -> Rollout:
    """One episode in each of the first lanes of a batch; those with the same seed are a group.

    Lanes of a group start alike and meet the same luck until their actions differ.

    Args:
        agent: who plays.
        env: the batch, in same-step mode.
        seeds: of the episodes, at most as many as there are lanes; the other lanes stay idle.
        seed: of the agent.
        pad: the token that fills up shorter sequences.
    """
    n, idle = len(seeds), env.num_envs - len(seeds)
    running = np.arange(env.num_envs) < n
    lengths, truncated = np.zeros(n, np.int64), np.zeros(n, bool)
    collected = []
    observations, infos = env.reset(seed=[*seeds, *[seeds[0]] * idle])
    agent.start(env, seed)
    while running.any():
        agent.retired = ~running
        actions = agent.act(observations, infos)
        observations, rewards, terminated, cut, infos = env.step(actions)
        agent.update(actions, rewards, terminated | cut)
        collected.append(torch.from_numpy((rewards * running)[:n]))
        lengths += running[:n]
        truncated |= (running & cut)[:n]
        running &= ~(terminated | cut)
    kept = [s for s in agent.transcripts.closed if s.episode == 0 and s.lane < n]
    last = {s.lane: s for s in kept}
    truncated |= [last[lane].cut for lane in range(n)]

    return Rollout(
        tokens=_pad_right([s.tokens for s in kept], pad),
        log_probs=_pad_right([s.log_probs for s in kept], 0.0),
        drawn=_pad_right([s.drawn for s in kept], 0.0),
        entropies=_pad_right([s.entropies for s in kept], 0.0),
        turns=_pad_right([s.turns for s in kept], -1),
        episodes=torch.tensor([s.lane for s in kept]),
        rewards=torch.stack(collected, 1).float(),
        groups=torch.from_numpy(np.unique(seeds, return_inverse=True)[1]),
        lengths=torch.from_numpy(lengths),
        truncated=torch.from_numpy(truncated),
        answers=tuple(_last_answer(last[lane], agent) for lane in range(n)),
    )


def _pad_right(rows: list[list[Any]], filler: Any) -> Tensor:
    """Rows of numbers below each other; the type is that of the filler, `int64` or `float32`."""
    lengths = np.array([len(row) for row in rows])
    dtype = np.int64 if isinstance(filler, int) else np.float32
    padded = np.full((len(rows), lengths.max()), filler, dtype)
    places = np.arange(padded.shape[1]) < lengths[:, None]
    padded[places] = np.fromiter(chain.from_iterable(rows), dtype, lengths.sum())
    return torch.from_numpy(padded)


def _last_answer(sequence: Sequence, agent: Scribe) -> str:
    """What was said in the last turn of a sequence."""
    turn = max(sequence.turns)
    said = [t for t, i in zip(sequence.tokens, sequence.turns, strict=True) if i == turn >= 0]
    return agent.transcripts.model.decode(said)
