"""Language-model policies: imitation of an expert, then group-relative policy gradient.

The second phase plays groups of episodes that start alike, and compares each episode with the
others of its group instead of learning a value function (Shao et al. 2024, "DeepSeekMath").
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import gymnasium
import torch
from torch import Tensor

from ...envs import registry
from ...envs.kernel.errors import InvalidArgumentError
from ..core.optimizer import FlatOptimizer
from ..core.torch_state import load_torch_state, pack_tensors, torch_state, unpack_tensors
from ..core.trainer import Arrays, Task, Trainer
from .agent import LanguageModelAgent
from .contexts import context
from .data import TracedAgent, expert_for
from .lora import Lora
from .minibatch import Minibatch, logits_of, uneven
from .model import LanguageModel
from .rollout import Rollout, Scribe, play
from .sft import imitation_loss
from .terms.selection import mean_over
from .terms.slots import Terms
from .tokenizer import build_tokenizer, collect_texts


@dataclass(frozen=True)
class Config:
    """Hyperparameters of language-model policies."""

    path: str | None = None
    """A folder with a Hugging Face causal model to start from; None for a small one built here."""
    lora_rank: int | None = None
    """Rank of adapters that are trained instead of the model from `path`; None for all of it."""
    lora_alpha: float = 32.0
    """Their scale is this over the rank."""
    lora_modules: tuple[str, ...] | None = None
    """The linear layers that get one, such as `"q_proj"`; None for all but the last."""
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
    sampling: str = "constant"
    """How the temperature changes within answers: a term of `terms.sampling.SAMPLING`. Terms are
    written as a name, or as `"name(setting=value)"`."""
    importance_cap: float = 2.0
    """The most that a token weighs which was drawn at another temperature than the policy's."""
    editors: tuple[str, ...] = ()
    """What becomes of the episodes first: terms of `terms.editing.EDITORS`."""
    reward_weight: float = 1.0
    """What the environment's rewards are multiplied by; 0 to learn from bonuses alone."""
    bonuses: tuple[str, ...] = ()
    """What is added to the environment's rewards: terms of `terms.bonus.BONUSES`."""
    filters: tuple[str, ...] = ()
    """Which episodes are learned from, all of: terms of `terms.filter.FILTERS`."""
    credit: Literal["to_go", "episode"] = "to_go"
    """Whether a turn is credited with the rewards from then on, or with those of the episode."""
    advantage: str = "group_mean"
    """The advantage estimator, a term of `terms.advantage.ADVANTAGES`."""
    transforms: tuple[str, ...] = ()
    """What becomes of the advantages, one after the other: terms of `terms.shaping.TRANSFORMS`."""
    loss: str = "ppo_clip"
    """The policy loss, a term of `terms.loss.LOSSES`."""
    regularisers: tuple[str, ...] = ()
    """What becomes of the losses: terms of `terms.entropy.REGULARISERS`."""
    aggregation: str = "token_mean"
    """How tokens make one loss: a term of `terms.aggregation.AGGREGATIONS`."""
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
        self.terms = Terms.read(config)
        if config.group_size < 2 or task.num_envs % config.group_size:
            raise InvalidArgumentError(
                f"num_envs must be a multiple of group_size, which is at least 2; got "
                f"{task.num_envs} and {config.group_size}"
            )
        if config.temperature <= 0:
            raise InvalidArgumentError(
                f"temperature must be positive in training; got {config.temperature!r}"
            )
        if config.lora_rank is not None and config.path is None:
            raise InvalidArgumentError("lora_rank needs a model to adapt, from path")
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
        self._reference: LanguageModel | None = None
        self.optimizer = self._optimizer()

    def _model(self) -> LanguageModel:
        task, config = self.task, self.config
        if config.path is not None:
            lora = None
            if config.lora_rank is not None:
                lora = Lora(config.lora_rank, config.lora_alpha, config.lora_modules, task.seed)
            return LanguageModel.from_pretrained(config.path, task.device, lora)
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
            self.model.trained, "adam", config.learning_rate, config.max_grad_norm, eps=1e-8
        )

    def step(self) -> dict[str, float]:
        imitating = self.updates < self.config.sft_updates
        if self.updates == self.config.sft_updates:
            self.optimizer = self._optimizer()
            self._keep_reference()
        metrics = self._imitate() if imitating else self._reinforce()
        self.updates += 1
        return metrics

    def _keep_reference(self) -> None:
        """Remember the policy as it is now, where a term needs it."""
        if "reference" in self.terms.needs:
            self._reference = self.model.frozen_copy()

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
        config, terms = self.config, self.terms
        agent = self._explorer()
        rollout = self._play(agent, groups_of=config.group_size)
        for editor in terms.editors:
            rollout = editor(rollout, self._replay)
        rollout = self._with_needs(rollout)
        rewards, told = terms.rewarded(rollout, config.reward_weight)
        returns = self._returns(rewards)
        keep = terms.kept(rollout, rewards)
        learned = rollout.played & keep[:, None]
        advantages = rollout.per_token(terms.advantage(returns, learned, rollout.groups) * learned)
        for transform in terms.transforms:
            advantages = transform(advantages, rollout) * rollout.generated
        if rollout.imitated is not None:
            advantages = advantages.masked_fill(rollout.imitated[:, None], 1.0) * rollout.generated
        figures = self._learn(rollout, advantages, keep[rollout.episodes].nonzero().squeeze(1))
        return {
            "return_mean": float(rollout.rewards.sum(1).mean()),
            "length_mean": float(rollout.lengths.float().mean()),
            "unparsed": agent.unparsed / agent.answers,
            "tokens": float(rollout.generated.sum()),
            "kept": float(keep.float().mean()),
            "sampled_entropy": _masked_mean(rollout.entropies, rollout.generated),
            **told,
            **figures,
        }

    def _learn(self, rollout: Rollout, advantages: Tensor, rows: Tensor) -> dict[str, float]:
        """Improve the policy on some sequences of a rollout, if there are any."""
        config, figures, shares = self.config, [], []
        if not len(rows):
            return {}
        for _ in range(config.epochs):
            for some in self._minibatches(len(rows)):
                batch = self._minibatch(rollout, advantages, rows[some])
                losses, touched = self.terms.losses(batch)
                loss = self.terms.aggregation(losses, batch.generated)
                self.optimizer.step(loss)
                shares.append(touched)
                with torch.no_grad():
                    log_ratio = batch.log_probs - batch.old
                    kl = log_ratio.exp() - 1 - log_ratio
                    means = [mean_over(x, batch.generated) for x in (batch.entropies, kl)]
                    # They stay on the device, so that it need not be waited for.
                    figures.append(torch.stack([loss, *means]))
        names = ("policy_loss", "entropy", "approx_kl")
        told = [
            dict(zip(names, figure, strict=True)) | share
            for figure, share in zip(torch.stack(figures).tolist(), shares, strict=True)
        ]
        return {name: sum(f[name] for f in told) / len(told) for name in told[0]}

    def _minibatch(self, rollout: Rollout, advantages: Tensor, rows: Tensor) -> Minibatch:
        device, ends = self.model.device, rollout.ends[rows].clamp(min=2)
        if uneven(ends):
            ends, order = ends.sort()
            rows = rows[order]
        # What follows the last generated token teaches nothing.
        width = int(ends.max())

        def part(values: Tensor) -> Tensor:
            return values[rows, :width].to(device)

        tokens, reference = part(rollout.tokens), rollout.reference
        weights = (part(rollout.log_probs) - part(rollout.drawn)).exp()
        batch = Minibatch(
            tokens=tokens,
            generated=part(rollout.generated),
            old=part(rollout.log_probs),
            advantages=part(advantages),
            weights=weights.clamp(max=self.config.importance_cap),
            reference=None if reference is None else part(reference),
            logits=logits_of(self.model, tokens, ends, self.config.temperature),
        )
        if rollout.imitated is None:
            return batch
        alone = rollout.imitated[rows, None].to(device)
        # A ratio of 1 with a gradient: what is left is that of the log-probability.
        old = torch.where(alone, batch.log_probs.detach(), batch.old)
        return replace(batch, old=old, weights=batch.weights.masked_fill(alone, 1.0))

    def _with_needs(self, rollout: Rollout) -> Rollout:
        """The rollout with what its terms look at besides."""
        if "reference" in self.terms.needs:
            assert self._reference is not None
            rollout = replace(rollout, reference=self._over(rollout, self._reference.log_probs))
        if "hidden" in self.terms.needs:
            rollout = replace(rollout, hidden=self._over(rollout, self.model.hidden))
        return rollout

    @torch.no_grad()
    def _over(self, rollout: Rollout, figure: Callable[[Tensor], Tensor]) -> Tensor:
        """What a model makes of all sequences, in as many parts as there are minibatches."""
        parts = rollout.tokens.chunk(self.config.num_minibatches)
        return torch.cat([figure(part.to(self.model.device)).cpu() for part in parts])

    def _play(self, agent: Scribe, groups_of: int) -> Rollout:
        """One episode in each lane, from starts that were not used before."""
        lanes = self.task.num_envs
        seeds = [self._starts + lane // groups_of for lane in range(lanes)]
        rollout = play(agent, self.env, seeds, seed=self._starts, pad=self.model.end)
        self._starts += lanes // groups_of
        self.env_steps += int(rollout.lengths.sum())
        return rollout

    def _replay(self, groups: Sequence[int], heat: float) -> Rollout:
        """More episodes from some starts of the last rollout; see `terms.editing.Player`."""
        size, agent = self.config.group_size, self.agent()
        first = self._starts - self.task.num_envs // size
        seeds = [first + group for group in groups for _ in range(size)]
        agent.heat = lambda position: heat
        rollout = play(agent, self.env, seeds, seed=2**32 + self._starts, pad=self.model.end)
        self.env_steps += int(rollout.lengths.sum())
        return rollout

    def _returns(self, rewards: Tensor) -> Tensor:
        """What each turn is credited with, (episodes, turns)."""
        if self.config.credit == "to_go":
            return rewards.flip(1).cumsum(1).flip(1)
        return rewards.sum(1, keepdim=True).expand_as(rewards)

    def _minibatches(self, n: int) -> tuple[Tensor, ...]:
        return torch.randperm(n, generator=self.generator).chunk(self.config.num_minibatches)

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        arrays = torch_state(self.model.trained, self.optimizer, self.generator)
        if self._reference is not None:
            arrays |= pack_tensors("reference", self._reference.trained.state_dict())
        counters = {"env_steps": self.env_steps, "updates": self.updates, "starts": self._starts}
        return arrays, {**counters, "memory": self.terms.memory()}

    def load_state(self, arrays: Arrays, meta: dict[str, Any]) -> None:
        load_torch_state(self.model.trained, self.optimizer, self.generator, arrays)
        self.env_steps, self.updates = meta["env_steps"], meta["updates"]
        self._starts = meta["starts"]
        self.terms.load_memory(meta["memory"])
        if self.updates > self.config.sft_updates:
            self._keep_reference()
        if self._reference is not None:
            self._reference.trained.load_state_dict(unpack_tensors("reference", arrays))

    def agent(self) -> LanguageModelAgent:
        return LanguageModelAgent(
            self.model, self._context_name, self.config.temperature, self.config.max_tokens
        )

    def _explorer(self) -> LanguageModelAgent:
        """The agent that training episodes are played by."""
        agent, progress = self.agent(), self.env_steps / self.task.total_steps
        if self.terms.sampling.name != "constant":
            agent.heat = lambda position: self.terms.sampling(position, progress)
        return agent


def _masked_mean(values: Tensor, mask: Tensor) -> float:
    return float((values.detach() * mask).sum() / mask.sum().clamp(min=1))
