"""Language-model policies: imitation of an expert, then group-relative policy gradient.

The second phase plays groups of episodes that start alike, and compares each episode with the
others of its group instead of learning a value function (Shao et al. 2024, "DeepSeekMath").
"""

from dataclasses import dataclass
from typing import Any, Literal

import gymnasium
import torch
from torch import Tensor

from ...envs import registry
from ...envs.kernel.errors import InvalidArgumentError
from ..core.optimizer import FlatOptimizer
from ..core.torch_state import load_torch_state, torch_state
from ..core.trainer import Arrays, Task, Trainer
from .agent import LanguageModelAgent
from .contexts import context
from .data import TracedAgent, expert_for
from .model import LanguageModel
from .rollout import Rollout, Scribe, play
from .sft import imitation_loss
from .terms.advantage import ADVANTAGES
from .terms.loss import LOSSES
from .tokenizer import build_tokenizer, collect_texts


@dataclass(frozen=True)
class Config:
    """Hyperparameters of language-model policies."""

    path: str | None = None
    """A folder with a Hugging Face causal model to start from; None for a small one built here."""
    hidden_size: int = 64
    """Width of the small model."""
    layers: int = 2
    """Depth of the small model."""
    heads: int = 4
    """Attention heads of the small model."""
    context: str | None = None
    """What the model is told at each turn; None for `"rewards"` in bandits, otherwise `"state"`."""
    max_tokens: int | None = None
    """The longest answer, in tokens; None for the longest action's length, or 16."""
    expert: str | None = None
    """Whom the model imitates first; None for the environment's usual expert."""
    sft_updates: int = 40
    """Updates of imitation before reinforcement learning."""
    sft_learning_rate: float = 3e-3
    """Adam's step size in imitation."""
    sft_warmup: int = 50
    """Optimiser steps in which that step size rises from zero."""
    group_size: int = 8
    """Episodes from each start."""
    credit: Literal["to_go", "episode"] = "to_go"
    """Whether a turn is credited with the rewards from then on, or with those of the episode."""
    advantage: str = "group_mean"
    """The advantage estimator, one of `terms.advantage.ADVANTAGES`."""
    loss: str = "ppo_clip"
    """The policy loss, one of `terms.loss.LOSSES`."""
    clip_low: float = 0.2
    """How far the probability ratio may fall below 1."""
    clip_high: float = 0.2
    """How far the probability ratio may rise above 1."""
    learning_rate: float = 1e-3
    """Adam's step size in reinforcement learning."""
    epochs: int = 1
    """Passes over the episodes of an update."""
    num_minibatches: int = 8
    """Parts that a pass is cut into."""
    max_grad_norm: float = 1.0
    """Gradients are scaled down to this norm."""
    temperature: float = 1.0
    """Of sampling, in training and afterwards."""


class LanguageModelTrainer(Trainer):
    """Imitation, then group-relative policy gradient; see the module.

    An update plays one episode in each of `num_envs` lanes and learns from it: in the first
    `sft_updates` the expert plays, then the model, in groups of `group_size` lanes.

    Raises:
        InvalidArgumentError: an unknown name in the configuration, or groups that do not fit.
    """

    default_num_envs = 256

    def __init__(self, task: Task, config: Config):
        super().__init__(task, config)
        for name, known in (("advantage", ADVANTAGES), ("loss", LOSSES)):
            if getattr(config, name) not in known:
                raise InvalidArgumentError(
                    f"{name} must be one of {list(known)}; got {getattr(config, name)!r}"
                )
        if config.group_size < 2 or task.num_envs % config.group_size:
            raise InvalidArgumentError(
                f"num_envs must be a multiple of group_size, which is at least 2; got "
                f"{task.num_envs} and {config.group_size}"
            )
        if config.temperature <= 0:
            raise InvalidArgumentError(
                f"temperature must be positive in training; got {config.temperature!r}"
            )
        bandit = registry.entry(task.env_id).family == "bandit"
        self._context_name = config.context or ("rewards" if bandit else "state")
        self._context = context(self._context_name)
        self._expert = expert_for(task.env_id, config.expert) if config.sft_updates else None
        self.updates = 0
        self._starts = task.seed * 2**20
        self.generator = torch.Generator().manual_seed(task.seed)
        self.env: Any = gymnasium.make_vec(
            task.env_id, num_envs=task.num_envs, autoreset_mode="SAME_STEP", **task.env_kwargs
        )
        self.model = self._model()
        self.optimizer = self._optimizer()

    def _model(self) -> LanguageModel:
        task, config = self.task, self.config
        if config.path is not None:
            return LanguageModel.from_pretrained(config.path, task.device)
        texts = collect_texts(task.env_id, seed=task.seed * 2**20, **task.env_kwargs)
        return LanguageModel.small(
            build_tokenizer(texts),
            hidden_size=config.hidden_size,
            layers=config.layers,
            heads=config.heads,
            seed=task.seed,
            device=task.device,
        )

    def _optimizer(self) -> FlatOptimizer:
        config = self.config
        return FlatOptimizer(
            self.model.network, "adam", config.learning_rate, config.max_grad_norm, eps=1e-8
        )

    def step(self) -> dict[str, float]:
        imitating = self.updates < self.config.sft_updates
        if self.updates == self.config.sft_updates:
            self.optimizer = self._optimizer()
        metrics = self._imitate() if imitating else self._reinforce()
        self.updates += 1
        return metrics

    def _imitate(self) -> dict[str, float]:
        """Learn from the expert's episodes, each with a start of its own."""
        config = self.config
        assert self._expert is not None
        rollout = self._play(TracedAgent(self._expert, self.model, self._context), groups_of=1)
        losses = []
        for i, index in enumerate(self._minibatches(len(rollout.tokens))):
            done = self.updates * config.num_minibatches + i + 1
            warm = min(1.0, done / config.sft_warmup)
            self.optimizer.set_learning_rate(config.sft_learning_rate * warm)
            tokens = rollout.tokens[index].to(self.model.device)
            imitated = rollout.generated[index].to(self.model.device)
            loss = imitation_loss(self.model, tokens, imitated)
            self.optimizer.step(loss)
            losses.append(loss.item())
        return {
            "imitation_loss": sum(losses) / len(losses),
            "expert_return_mean": float(rollout.rewards.sum(1).mean()),
        }

    def _reinforce(self) -> dict[str, float]:
        """Learn from groups of the model's own episodes."""
        config = self.config
        agent = self.agent()
        rollout = self._play(agent, groups_of=config.group_size)
        advantages = rollout.per_token(self._advantages(rollout))
        parts = rollout.tokens, rollout.generated, rollout.log_probs, advantages
        policy_loss = LOSSES[config.loss]
        figures = []
        for _ in range(config.epochs):
            for index in self._minibatches(len(rollout.tokens)):
                tokens, generated, drawn, advantage = (
                    part[index].to(self.model.device) for part in parts
                )
                log_probs, entropies = self.model.log_probs(tokens, config.temperature)
                losses = policy_loss(log_probs, drawn, advantage, config.clip_low, config.clip_high)
                count = generated.sum()
                loss = (losses * generated).sum() / count
                self.optimizer.step(loss)
                with torch.no_grad():
                    log_ratio = (log_probs - drawn) * generated
                    kl = (log_ratio.exp() - 1 - log_ratio).sum() / count
                    entropy = (entropies * generated).sum() / count
                    figures.append(torch.stack((loss, entropy, kl)))
        means = torch.stack(figures).mean(0).tolist()
        return {
            "return_mean": float(rollout.rewards.sum(1).mean()),
            "length_mean": float(rollout.lengths.float().mean()),
            "unparsed": agent.unparsed / agent.answers,
            **dict(zip(("policy_loss", "entropy", "approx_kl"), means, strict=True)),
        }

    def _play(self, agent: Scribe, groups_of: int) -> Rollout:
        """One episode in each lane, from starts that were not used before."""
        lanes = self.task.num_envs
        seeds = [self._starts + lane // groups_of for lane in range(lanes)]
        rollout = play(agent, self.env, seeds, seed=self._starts, pad=self.model.end)
        self._starts += lanes // groups_of
        self.env_steps += int(rollout.lengths.sum())
        return rollout

    def _advantages(self, rollout: Rollout) -> Tensor:
        """The advantages of the turns, (episodes, turns)."""
        rewards = rollout.rewards
        returns = rewards.sum(1, keepdim=True).expand_as(rewards)
        if self.config.credit == "to_go":
            returns = rewards.flip(1).cumsum(1).flip(1)
        played = torch.arange(rewards.shape[1]) < rollout.lengths[:, None]
        return ADVANTAGES[self.config.advantage](returns, played, rollout.groups)

    def _minibatches(self, n: int) -> tuple[Tensor, ...]:
        return torch.randperm(n, generator=self.generator).chunk(self.config.num_minibatches)

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        arrays = torch_state(self.model.network, self.optimizer, self.generator)
        counters = {"env_steps": self.env_steps, "updates": self.updates, "starts": self._starts}
        return arrays, counters

    def load_state(self, arrays: Arrays, meta: dict[str, Any]) -> None:
        load_torch_state(self.model.network, self.optimizer, self.generator, arrays)
        self.env_steps, self.updates = meta["env_steps"], meta["updates"]
        self._starts = meta["starts"]

    def agent(self) -> LanguageModelAgent:
        return LanguageModelAgent(
            self.model, self._context_name, self.config.temperature, self.config.max_tokens
        )
