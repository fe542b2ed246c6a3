"""Episodes that begin within others: forks, roll-ins, restarts, and answers that are refined.

A `Moment` says where an episode begins, and `rollout.play` goes on from there. What was said before
is given: it gets no gradient, and nothing is learned from twice.

- A restart begins at a moment that holds a state alone.
- A fork begins at `rollout.moment(episode, turn, kept)`, before a turn of an episode or after some
  tokens of its answer.
- A roll-in is a fork of somebody else's episode, such as one that a `TracedAgent` played.
- A roll-out is an episode that somebody else ends: see `HandOver`.
- A refinement begins at a task that is told with an answer and a critique of it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import torch

from ...envs.kernel.answer import AnswerEnv
from ...envs.kernel.errors import InvalidArgumentError
from ..core.agent import Agent
from ..core.budget import BudgetRecord, flops_of
from .agent import LanguageModelAgent
from .imitation.experts import TracedAgent, expert_for
from .models.model import LanguageModel
from .rollout import Rollout, join, pad_right, play, rescored
from .scribe import GIVEN, Moment, Scribe

#: What a critique says: whether an answer is right, or also what is wrong with it.
Form = Literal["indicator", "full"]
FORMS: tuple[Form, ...] = ("indicator", "full")

#: Between the seeds of two plays; odd, as torch looks at the lower 32 bits of a seed alone.
_APART = 0x9E3779B1


class HandOver(Scribe):
    """An agent whose episodes somebody else ends: roll-outs, for use with `rollout.play`.

    Chang et al. 2023, "Learning to generate better than your LLM". What the other one does is not
    written down: it decides the reward of what came before.

    Args:
        agent: plays the first turns.
        guide: plays all others.
        turns: how many the agent plays, from where the episodes begin.
    """

    def __init__(self, agent: Scribe, guide: Agent, turns: int):
        self.agent, self.guide, self.turns = agent, guide, turns

    def start(self, env: Any, seed: int) -> None:
        super().start(env, seed)
        self.agent.start(env, seed)
        self.guide.start(env, seed)
        self.transcripts, self.sets = self.agent.transcripts, self.agent.sets
        self._played = 0

    def act(self, observations: Any, infos: dict[str, Any]) -> Any:
        who = self.agent if self._played < self.turns else self.guide
        who.retired = self.retired
        return who.act(observations, infos)

    def update(self, actions: Any, rewards: Any, ended: Any) -> None:
        self.agent.update(actions, rewards, ended)
        self.guide.update(actions, rewards, ended)
        self._played += 1


class Player:
    """Plays more episodes for editors of a rollout.

    Args:
        agent: the policy.
        env: the batch that the rollout was played in.
        seeds: of the rollout's groups.
        group_size: episodes of a group.
        seed: that the agent played the rollout with.
        keep_states: see `rollout.play`.

    Attributes:
        spent: what that has taken.
    """

    def __init__(
        self,
        agent: LanguageModelAgent,
        env: Any,
        seeds: Sequence[int],
        group_size: int,
        seed: int,
        keep_states: bool = False,
    ):
        self.agent, self.env, self.seeds, self.group_size = agent, env, seeds, group_size
        self.spent = BudgetRecord()
        self._seed, self._keep_states = seed, keep_states

    def again(self, groups: Sequence[int], heat: float) -> Rollout:
        """Play groups of the rollout anew, each from its own start.

        Args:
            groups: which.
            heat: a factor of the policy's temperature.
        """
        starts = [self.seeds[group] for group in groups for _ in range(self.group_size)]
        self.agent.heat = lambda position: heat
        rollout = self._play(self.agent, starts, None)
        self.agent.heat = None
        return rollout

    def go_on(self, moments: Sequence[Moment], groups: Sequence[int]) -> Rollout:
        """An episode from each moment, in as many batches as that takes.

        Args:
            moments: at least one.
            groups: a number for each.
        """
        lanes, parts = self.env.num_envs, []
        for first in range(0, len(moments), lanes):
            some = slice(first, first + lanes)
            parts.append(self._play(self.agent, moments[some], groups[some]))
        whole = parts[0]
        for part in parts[1:]:
            whole = join(whole, part, same_groups=True)
        return whole

    def lead(self, groups: Sequence[int], expert: str | None) -> Rollout:
        """An episode of an expert from the start of each of some groups.

        Args:
            groups: which, at most as many as there are lanes.
            expert: see `data.expert_for`.
        """
        guide = expert_for(self.env.spec.id, expert)
        traced = TracedAgent(guide, self.agent.model, self.agent.context)
        return self._play(traced, [self.seeds[group] for group in groups], groups)

    def _play(self, agent: Scribe, starts: Any, groups: Sequence[int] | None) -> Rollout:
        self._seed += _APART
        pad = self.agent.model.end
        rollout = play(
            agent, self.env, starts, self._seed, pad, groups=groups, keep_states=self._keep_states
        )
        before = sum(len(start.rewards) for start in starts if isinstance(start, Moment))
        self.spent.env_steps += int(rollout.lengths.sum()) - before
        if agent is self.agent:
            self.spent.model_calls += self.agent.answers
            self.spent.tokens_generated += int(rollout.generated.sum())
            self.spent.flops += flops_of(self.agent.model.network, rollout.ends.tolist())
        return rollout


def wrong_answers(rollout: Rollout) -> list[int]:
    """The episodes with a return below 1."""
    return (rollout.rewards.sum(1) < 1).nonzero().squeeze(1).tolist()


def criticise(
    rollout: Rollout, env: Any, model: LanguageModel, episodes: Sequence[int], form: Form = "full"
) -> list[Moment]:
    """The tasks of some episodes again, each told with the answer that was given and a critique.

    Args:
        rollout: with `states`; its environment is an `AnswerEnv`.
        env: the batch that it was played in.
        model: its tokenizer writes the tokens.
        episodes: which.
        form: what the critique says.

    Raises:
        InvalidArgumentError: the environment criticises nothing, there is no such form, or the
            rollout has no states.
    """
    problem = getattr(env, "prototype", None)
    if not isinstance(problem, AnswerEnv) or form not in FORMS or rollout.states is None:
        raise InvalidArgumentError(
            f"refining needs an environment that criticises answers, states and a form of {FORMS}; "
            f"got {type(problem).__name__}, form {form!r}"
        )
    moments = []
    for episode in episodes:
        state, message = rollout.states[episode, 0], rollout.answers[episode]
        fault = problem.critique(state, message)
        words = "right" if not fault else fault if form == "full" else "wrong"
        tokens = model.encode_given(problem.retell(state, message, words))
        moments.append(Moment(state, tuple(tokens)))
    return moments


def as_answers(
    refined: Rollout, rollout: Rollout, episodes: Sequence[int], agent: LanguageModelAgent
) -> Rollout:
    """Refinements as answers to the tasks alone, as if nobody had criticised anything.

    The log-probabilities and entropies are those of the policy there, and so is what they were
    drawn from: that it was something else is not corrected for.

    Args:
        refined: an episode of one turn for each of `episodes`.
        rollout: the answers that were refined.
        episodes: which answers they are.
        agent: the policy.
    """
    rows, turns = [], []
    for i, episode in enumerate(episodes):
        told = [*rollout.moment(episode, 0).tokens]
        said = refined.tokens[i][refined.generated[i]].tolist()
        rows.append(told + said)
        turns.append([GIVEN] * len(told) + [0] * len(said))
    written = replace(
        refined,
        tokens=pad_right(rows, agent.model.end),
        turns=pad_right(turns, GIVEN),
        refined=torch.ones(len(rows), dtype=torch.bool),
    )
    scored = rescored(written, agent.model, agent.temperature)
    return replace(scored, drawn=scored.log_probs)
