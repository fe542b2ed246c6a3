"""`Config`: the hyperparameters of language-model policies."""

from dataclasses import dataclass
from typing import Literal

from ..models.tokenizer import Unit


@dataclass(frozen=True)
class Config:
    """Hyperparameters of language-model policies."""

    path: str | None = None
    """A Hugging Face causal model to start from, by folder or id; None for a small new one."""
    lora_rank: int | None = None
    """Rank of adapters that are trained instead of the model from `path`; None for all of it."""
    lora_alpha: float = 32.0
    """Their scale is this over the rank."""
    lora_modules: tuple[str, ...] | None = None
    """The linear layers that get one, such as `"q_proj"`; None for all but the last."""
    tokenizer: Unit = "word"
    """What a token of the small model is."""
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
    traces: str | None = None
    """A file of examples that are imitated instead, see `examples`; none are taken for steps."""
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
    starts: str = "fresh"
    """Where the episodes of an update begin, a term of `terms.starts.STARTS`."""
    staleness: int = 0
    """How many updates older than the policy that learns is the one that plays. If more than 0,
    another process plays meanwhile, which losses with a ratio correct."""
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
    value_size: int = 64
    """Width of the value head, which learns where a term needs values."""
    value_learning_rate: float = 1e-3
    """Adam's step size for the value head."""
    value_clip: float | None = None
    """How far values may move in an update before their gradient is cut; None for any distance."""
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
    share_updates: int = 16
    """Every so many updates each term's share of the gradient is measured, where there are
    regularisers; 0 for never."""
    temperature: float = 1.0
    """Of sampling, in training and afterwards."""
    grammar: bool = False
    """Whether the model says only what the environment understands; see `grammars`."""
    engine: Literal["torch", "vllm"] = "torch"
    """What draws the answers in training: the model itself, or vLLM; see `vllm_agent`."""
