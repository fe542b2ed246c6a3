"""Rollouts: episodes as sequences of tokens, each token marked as given or generated."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ...envs.kernel.errors import InvalidArgumentError
from .models.model import LanguageModel
from .models.token_sets import Allowed, TokenSets, join_allowed, within
from .scribe import BEGUN, GIVEN, Moment, Scribe, Stream


@dataclass(frozen=True)
class Rollout:
    """Episodes in tokens: n sequences, padded on the right, of some number of episodes.

    Attributes:
        tokens: (n, length) `int64`.
        log_probs, drawn, entropies: (n, length) `float32`, as in `scribe.Stream`.
        turns: (n, length) `int64`, as in `scribe.Stream`; `GIVEN` for padding too.
        episodes: (n,) `int64`, the episode that each sequence is of.
        rewards: (episodes, turns) `float32`, 0 after the end; those before the moment that an
            episode began at are part of it.
        groups: (episodes,) `int64`; episodes of one group begin alike, or are to be compared.
        lengths: (episodes,) `int64`, in turns.
        truncated: (episodes,) `bool`, whether the time limit ended the episode, or its last answer
            became too long.
        answers: the last message of each episode.
        allowed: the tokens that each was drawn from; None where all were allowed.
        reference: (n, length) `float32`, the tokens' log-probabilities under the policy that
            training began with; None where nobody needs them.
        hidden: (n, length, width) `float32`, the last layer's activations; None likewise.
        values: (n, length + 1) `float32`, a critic's of the beginnings of sequences by their
            lengths; None likewise.
        replayed, refined, imitated: (n,) `bool`, sequences that were played earlier, that correct
            another one, or that are learned with an advantage of 1 and no ratio; None for none.
        states: (episodes, turns) records of the environment before each turn; None where nobody
            needs them.
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
    allowed: Allowed | None = None
    reference: Tensor | None = None
    hidden: Tensor | None = None
    values: Tensor | None = None
    replayed: Tensor | None = None
    refined: Tensor | None = None
    imitated: Tensor | None = None
    states: np.ndarray[Any, Any] | None = None

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

    def moment(self, episode: int, turn: int, kept: int = 0) -> Moment:
        """The moment before a turn of an episode, or within its answer.

        Args:
            episode: which.
            turn: one that was played here.
            kept: how many of the answer's tokens are kept; fewer than were generated.

        Raises:
            InvalidArgumentError: the turn was not played here, so many tokens were not generated,
                or there are no `states`.
        """
        own = (self.episodes == episode)[:, None] & (self.turns == turn)
        rows, places = (index.tolist() for index in own.nonzero(as_tuple=True))
        if self.states is None or not 0 <= kept < len(places):
            raise InvalidArgumentError(
                f"a moment needs states, a turn that was played and fewer tokens than were "
                f"generated; got turn {turn} of episode {episode}, with {kept} of {len(places)}"
            )
        told = places[0]
        while told and self.turns[rows[0], told - 1] == BEGUN:
            told -= 1
        tokens = tuple(self.tokens[rows[0]].tolist())
        return Moment(
            state=self.states[episode, turn],
            tokens=tokens[:told],
            rewards=tuple(self.rewards[episode, :turn].tolist()),
            answer=tokens[told : places[0] + kept],
        )

    def take(self, episodes: Tensor) -> Self:
        """Some of the episodes, (k,) numbers that rise."""
        place = torch.full((len(self.groups),), -1)
        place[episodes] = torch.arange(len(episodes))
        rows = (place[self.episodes] >= 0).nonzero().squeeze(1)
        names = (*_TOKENS, *_MARKS, "allowed")
        of_rows = {name: _pick(getattr(self, name), rows) for name in names}
        of_rows["episodes"] = place[self.episodes[rows]]
        of_episodes = {name: getattr(self, name)[episodes] for name in _EPISODES}
        answers = tuple(self.answers[i] for i in episodes.tolist())
        states = None if self.states is None else self.states[episodes.numpy()]
        return replace(self, **of_rows, **of_episodes, answers=answers, states=states)


#: Fields by what their first axis is.
_TOKENS = ("tokens", "log_probs", "drawn", "entropies", "turns")
_MARKS = ("replayed", "refined", "imitated")
_EPISODES = ("rewards", "groups", "lengths", "truncated")


def _pick(values: Any, rows: Tensor) -> Any:
    return None if values is None else values[rows]


def join(first: Rollout, second: Rollout, *, same_groups: bool = False) -> Rollout:
    """The episodes of two rollouts, before their `reference` and `hidden` are known.

    Args:
        first, second: the rollouts.
        same_groups: whether groups of the same number are one; otherwise those of the second one
            are other groups.
    """
    fillers = dict.fromkeys(_TOKENS, 0) | {"turns": GIVEN, "tokens": int(first.tokens[0, -1])}
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
    if first.allowed is not None or second.allowed is not None:
        sizes = len(first.tokens), len(second.tokens)
        fields["allowed"] = join_allowed(first.allowed, second.allowed, sizes)
    groups = second.groups if same_groups else second.groups + int(first.groups.max()) + 1
    return replace(
        first,
        **fields,
        episodes=torch.cat((first.episodes, second.episodes + len(first.groups))),
        rewards=_stack(first.rewards, second.rewards, 0),
        groups=torch.cat((first.groups, groups)),
        lengths=torch.cat((first.lengths, second.lengths)),
        truncated=torch.cat((first.truncated, second.truncated)),
        answers=first.answers + second.answers,
        states=_stack_states(first.states, second.states),
    )


def _stack(first: Tensor, second: Tensor, filler: int) -> Tensor:
    """Rows of different widths below each other."""
    width = max(first.shape[1], second.shape[1])
    return torch.cat(
        [torch.nn.functional.pad(x, (0, width - x.shape[1]), value=filler) for x in (first, second)]
    )


def _stack_states(first: Any, second: Any) -> Any:
    """Records of different widths below each other; None where some are not known."""
    if first is None or second is None:
        return None
    shape = len(first) + len(second), max(first.shape[1], second.shape[1])
    states = np.zeros(shape, first.dtype)
    states[: len(first), : first.shape[1]] = first
    states[len(first) :, : second.shape[1]] = second
    return states


@torch.no_grad()
def rescored(
    rollout: Rollout, model: LanguageModel, temperature: float = 1.0, parts: int = 8
) -> Rollout:
    """A rollout with the log-probabilities and entropies that its tokens have under a model.

    Args:
        rollout: the tokens.
        model: the policy.
        temperature: of the policy.
        parts: how many passes are made.
    """
    log_probs, entropies, width = [], [], rollout.tokens.shape[1]
    for rows in torch.arange(len(rollout.tokens)).chunk(parts):
        tokens = rollout.tokens[rows].to(model.device)
        logits = model.logits(tokens, temperature)
        if rollout.allowed is not None:
            logits = within(logits, rollout.allowed.rows(rows, width).to(model.device))
        log_p = logits.float().log_softmax(-1)
        log_probs.append(log_p.gather(-1, tokens[:, 1:, None]).squeeze(-1).cpu())
        entropies.append(-(log_p.exp() * log_p).sum(-1).cpu())
    whole = (torch.nn.functional.pad(torch.cat(part), (1, 0)) for part in (log_probs, entropies))
    own, spread = (torch.where(rollout.generated, values, 0.0) for values in whole)
    return replace(rollout, log_probs=own, entropies=spread)


def play(
    agent: Scribe,
    env: Any,
    starts: Sequence[int] | Sequence[Moment],
    seed: int,
    pad: int,
    *,
    groups: Sequence[int] | None = None,
    keep_states: bool = False,
) -> Rollout:
    """One episode in each of the first lanes of a batch.

    Lanes of a group begin alike and meet the same luck until their actions differ.

    Args:
        agent: who plays.
        env: the batch, in same-step mode.
        starts: seeds of the episodes, or moments that they begin at; at most as many as there are
            lanes, of which the others stay idle.
        seed: of the agent.
        pad: the token that fills up shorter sequences.
        groups: a number for each episode; None where those with the same start are a group.
        keep_states: whether the rollout has the environment's states, so that there are moments.
    """
    n = len(starts)
    moments = [start for start in starts if isinstance(start, Moment)]
    rewarded = [list(moment.rewards) for moment in moments] or [[] for _ in range(n)]
    before = np.array([len(rewards) for rewards in rewarded])
    running, truncated = np.arange(env.num_envs) < n, np.zeros(n, bool)
    seen = []
    observations, infos = _begin(env, starts)
    agent.start(env, seed)
    agent.transcripts.go_on(moments)
    while running.any():
        if keep_states:
            seen.append(env.records().copy())
        agent.retired = ~running
        actions = agent.act(observations, infos)
        observations, rewards, terminated, cut, infos = env.step(actions)
        agent.update(actions, rewards, terminated | cut)
        for lane in np.flatnonzero(running):
            rewarded[lane].append(rewards[lane])
        truncated |= (running & cut)[:n]
        running &= ~(terminated | cut)
    kept = [s for s in agent.transcripts.closed if s.episode == 0 and s.lane < n and s.tokens]
    last = {s.lane: s for s in kept}
    truncated |= [last[lane].cut for lane in range(n)]
    lengths = np.array([len(rewards) for rewards in rewarded])
    if groups is None:
        kinds: Any = [id(moment) for moment in moments] or starts
        groups = np.unique(kinds, return_inverse=True)[1].tolist()
    return Rollout(
        **_of_sequences(kept, pad, agent.sets),
        rewards=pad_right(rewarded, 0.0),
        groups=torch.tensor(groups),
        lengths=torch.from_numpy(lengths),
        truncated=torch.from_numpy(truncated),
        answers=tuple(agent.transcripts.model.decode(last[lane].said) for lane in range(n)),
        states=_of_episodes(np.stack(seen), before, lengths) if keep_states else None,
    )


def _begin(env: Any, starts: Sequence[int] | Sequence[Moment]) -> tuple[Any, Any]:
    """Start episodes in a batch; idle lanes start like the first one."""
    lanes = [*starts, *[starts[0]] * (env.num_envs - len(starts))]
    states = [lane.state for lane in lanes if isinstance(lane, Moment)]
    if not states:
        return env.reset(seed=lanes)
    records = np.empty(len(states), states[0].dtype)
    for lane, state in enumerate(states):
        records[lane] = state
    env.restore(records)
    return env.present()


def _of_sequences(kept: Sequence[Stream], pad: int, sets: TokenSets | None) -> dict[str, Any]:
    """The fields of a `Rollout` that have a row for each sequence."""
    fillers = {"tokens": pad, "log_probs": 0.0, "drawn": 0.0, "entropies": 0.0, "turns": GIVEN}
    fields: dict[str, Any] = {
        name: pad_right([getattr(s, name) for s in kept], filler)
        for name, filler in fillers.items()
    }
    if sets is not None:
        fields["allowed"] = Allowed(pad_right([s.allowed for s in kept], 0), sets.table())
    return fields | {"episodes": torch.tensor([s.lane for s in kept])}


def _of_episodes(seen: Any, before: Any, lengths: Any) -> np.ndarray[Any, Any]:
    """The states (turns, lanes) that were seen, by episode and turn; zeros at other turns.

    Args:
        seen: records, from the first turn of each lane on.
        before: (episodes,) the number of that turn.
        lengths: (episodes,) where the turns end.
    """
    states = np.zeros((len(lengths), lengths.max()), seen.dtype)
    for lane, (begin, end) in enumerate(zip(before, lengths, strict=True)):
        states[lane, begin:end] = seen[: end - begin, lane]
    return states


def pad_right(rows: list[list[Any]], filler: Any) -> Tensor:
    """Rows of numbers below each other; the type is that of the filler, `int64` or `float32`."""
    lengths = np.array([len(row) for row in rows])
    dtype = np.int64 if isinstance(filler, int) else np.float32
    padded = np.full((len(rows), lengths.max()), filler, dtype)
    places = np.arange(padded.shape[1]) < lengths[:, None]
    padded[places] = np.fromiter(chain.from_iterable(rows), dtype, lengths.sum())
    return torch.from_numpy(padded)
