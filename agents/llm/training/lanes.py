"""Who plays the episodes of a training, and where."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Self

import gymnasium

from ....envs import registry
from ...core.budget import BudgetRecord, flops_of
from ...core.distributed import World
from ...core.trainer import Task
from ..agent import LanguageModelAgent
from ..branching import Player
from ..contexts import context
from ..models.model import LanguageModel
from ..rollout import Rollout, join, play, rescored
from ..scribe import Scribe
from ..vllm_agent import VllmAgent, VllmEngine
from .config import Config
from .terms.slots import Terms

#: The seeds of the policy are so far apart in the processes that train together; odd, as torch
#: looks at the lower 32 bits of a seed alone.
_APART = 0x85EBCA6B


@dataclass(frozen=True)
class Request:
    """Groups of episodes that the policy is to play.

    Attributes:
        starts: the seed that each group begins with, in all processes together; they rise.
        seed: of the policy.
        progress: of the training, from 0 to 1.
    """

    starts: tuple[int, ...]
    seed: int
    progress: float


@dataclass(frozen=True)
class Played:
    """Episodes, and what was said in them.

    Attributes:
        rollout: the episodes.
        answers: how many answers the policy gave.
        unparsed: how many of them named no legal action.
    """

    rollout: Rollout
    answers: int = 0
    unparsed: int = 0

    def join(self, other: Self) -> Self:
        """Both together."""
        counts = self.answers + other.answers, self.unparsed + other.unparsed
        return type(self)(join(self.rollout, other.rollout), *counts)

    def cost(self, network: Any) -> BudgetRecord:
        """What playing them took, of a network's work."""
        rollout, said = self.rollout, self.answers > 0
        return BudgetRecord(
            env_steps=int(rollout.lengths.sum()),
            model_calls=self.answers,
            tokens_generated=int(rollout.generated.sum()) if said else 0,
            flops=flops_of(network, rollout.ends.tolist()) if said else 0,
        )


def make_lanes(task: Task, world: World) -> Any:
    """The environments that one process of a world plays in."""
    share = world.share(task.num_envs)
    return gymnasium.make_vec(
        task.env_id,
        num_envs=share.stop - share.start,
        autoreset_mode="SAME_STEP",
        **task.env_kwargs,
    )


class Lanes:
    """A batch of environments, in which episodes are played from start to end.

    Args:
        env: this process's share of the batch, of `make_lanes`.
        task: the environment, and how many there are in all processes.
        config: how the policy plays.
        model: the policy.
        world: the processes, each of which has a share of the lanes.
    """

    def __init__(self, env: Any, task: Task, config: Config, model: LanguageModel, world: World):
        self.env = env
        self.task, self.config, self.model, self.world = task, config, model, world
        bandit = registry.entry(task.env_id).family == "bandit"
        self.context_name = config.context or ("rewards" if bandit else "state")
        #: What the model is told at each turn.
        self.context = context(self.context_name)
        self._share = world.share(task.num_envs)
        self._env_of_all: Any = None
        self._engine: VllmEngine | None = None
        terms = Terms.read(config)
        self._sampling, self._keeps_states = terms.sampling, "states" in terms.needs

    def agent(self) -> LanguageModelAgent:
        """The policy as an agent."""
        config = self.config
        return LanguageModelAgent(
            self.model,
            self.context_name,
            config.temperature,
            config.max_tokens,
            grammar=config.grammar,
        )

    def explorer(self, progress: float) -> LanguageModelAgent:
        """The agent that training episodes are played by, at some progress of the training."""
        if self.config.engine == "vllm":
            return self._vllm_agent()
        agent = self.agent()
        if self._sampling.name != "constant":
            agent.heat = lambda position: self._sampling(position, progress)
        return agent

    def _vllm_agent(self) -> VllmAgent:
        """The same with answers from vLLM, which gets the weights as they are now."""
        config = self.config
        if self._engine is None:
            self._engine = VllmEngine(self.model)
        else:
            self._engine.update(self.model)
        return VllmAgent(
            self._engine, self.model, self.context_name, config.temperature, config.max_tokens
        )

    def play(self, agent: Scribe, starts: Sequence[int], seed: int) -> Rollout:
        """This process's share of episodes with these starts, one in each lane."""
        return play(
            agent,
            self.env,
            list(starts[self._share]),
            seed=seed + self.world.rank * _APART,
            pad=self.model.end,
            keep_states=self._keeps_states,
        )

    def explore(self, request: Request) -> Played:
        """This process's share of what the policy is to play."""
        agent, size = self.explorer(request.progress), self.config.group_size
        starts = [start for start in request.starts for _ in range(size)]
        rollout = self.play(agent, starts, request.seed)
        if self.config.engine == "vllm":
            parts = self.config.num_minibatches
            rollout = rescored(rollout, self.model, self.config.temperature, parts)
        return Played(rollout, agent.answers, agent.unparsed)

    def player(self, request: Request) -> Player:
        """Plays more episodes for the editors of a rollout: in each process all of them.

        Args:
            request: what the rollout was to be.
        """
        if self._env_of_all is None:
            alone = self.world.size == 1
            self._env_of_all = self.env if alone else make_lanes(self.task, World())
        size, starts = self.config.group_size, request.starts
        return Player(
            self.agent(), self._env_of_all, starts, size, request.seed, self._keeps_states
        )


def joined(parts: Sequence[Played]) -> Played:
    """All of them together, in order."""
    return reduce(Played.join, parts)
