"""Rollouts: episodes as sequences of tokens, each token marked as given or generated."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.agent import Agent, interact
from .contexts import Context
from .model import LanguageModel


@dataclass
class Sequence:
    """What a model read and wrote in one stream.

    Attributes:
        lane: of the batch.
        episode: how many episodes the lane had finished before this one.
        tokens: all of them, in order.
        log_probs: of the generated tokens when they were drawn; 0 for given ones.
        turns: the turn that each token was generated in; −1 for given ones.
    """

    lane: int
    episode: int
    tokens: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)


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

    def ask(self) -> list[list[int]]:
        """What each lane is told now, as tokens."""
        given = []
        for lane, (sequence, reward) in enumerate(zip(self._open, self._rewards, strict=True)):
            text = self.context.tell(lambda lane=lane: self.env.describe(lane), reward)
            tokens = self.model.encode_given(text)
            sequence.tokens += tokens
            sequence.log_probs += [0.0] * len(tokens)
            sequence.turns += [-1] * len(tokens)
            given.append(tokens)
        return given

    def answer(self, tokens: list[list[int]], log_probs: list[list[float]]) -> None:
        """Write down the answer of each lane."""
        for sequence, turn, new, logs in zip(
            self._open, self._turns, tokens, log_probs, strict=True
        ):
            sequence.tokens += new
            sequence.log_probs += logs
            sequence.turns += [turn] * len(new)

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
        log_probs: (n, length) `float32`, as in `Sequence`.
        turns: (n, length) `int64`, as in `Sequence`; −1 for padding too.
        episodes: (n,) `int64`, the episode that each sequence is of.
        rewards: (episodes, turns) `float32`, 0 after the end.
        groups: (episodes,) `int64`; episodes of one group have the same start.
        lengths: (episodes,) `int64`, in turns.
    """

    tokens: Tensor
    log_probs: Tensor
    turns: Tensor
    episodes: Tensor
    rewards: Tensor
    groups: Tensor
    lengths: Tensor

    @property
    def generated(self) -> Tensor:
        """Which tokens were generated, (n, length) `bool`."""
        return self.turns >= 0

    def per_token(self, values: Tensor) -> Tensor:
        """Values of (episodes, turns) spread over the tokens, (n, length); 0 for given ones."""
        spread = values[self.episodes[:, None], self.turns.clamp(min=0)]
        return spread * self.generated


def play(agent: Scribe, env: Any, seeds: list[int], seed: int, pad: int) -> Rollout:
    """One episode in each lane of a batch; lanes with the same seed are a group.

    Lanes of a group start alike and meet the same luck until their actions differ.

    Args:
        agent: who plays.
        env: the batch, in same-step mode.
        seeds: of the lanes' episodes, one each.
        seed: of the agent.
        pad: the token that fills up shorter sequences.
    """
    running = np.ones(env.num_envs, bool)
    lengths = np.zeros(env.num_envs, np.int64)
    collected = []
    for step in interact(agent, env, env.reset(seed=seeds), seed):
        collected.append(torch.from_numpy(step.rewards * running))
        lengths += running
        running &= ~step.ended
        if not running.any():
            break
    kept = [s for s in agent.transcripts.closed if s.episode == 0]
    longest = max(len(s.tokens) for s in kept)

    def padded(rows: list[list[Any]], filler: Any) -> Tensor:
        return torch.tensor([row + [filler] * (longest - len(row)) for row in rows])

    return Rollout(
        tokens=padded([s.tokens for s in kept], pad),
        log_probs=padded([s.log_probs for s in kept], 0.0),
        turns=padded([s.turns for s in kept], -1),
        episodes=torch.tensor([s.lane for s in kept]),
        rewards=torch.stack(collected, 1).float(),
        groups=torch.from_numpy(np.unique(seeds, return_inverse=True)[1]),
        lengths=torch.from_numpy(lengths),
    )
