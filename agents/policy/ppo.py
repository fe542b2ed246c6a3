"""Proximal policy optimisation.

Schulman et al. 2017, "Proximal policy optimization algorithms"; the details follow Huang et al.
2022, "The 37 implementation details of proximal policy optimization". Truncated episodes are
bootstrapped with the value of their final observation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...envs.kernel.errors import InvalidArgumentError
from ..core.checkpoint import pack_records, unpack_records
from ..core.distributed import join_world
from ..core.features import update_moments
from ..core.memory import MemoryKind
from ..core.networks import Activation, NetworkKind
from ..core.normalization import ReturnScale
from ..core.optimizer import FlatOptimizer, OptimizerKind
from ..core.rollout import EpisodeStatistics, Rollout, generalized_advantages, make_batch
from ..core.schedules import linear
from ..core.torch_state import load_torch_state, torch_state
from ..core.trainer import Arrays, Task, Trainer
from .actor_critic import ActorCritic, PolicyAgent

METRICS = ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction")


@dataclass(frozen=True)
class Config:
    """Hyperparameters of PPO."""

    num_steps: int = 128
    """Steps of every environment between updates."""
    epochs: int = 4
    """Passes over the experience of an update."""
    num_minibatches: int = 8
    """Parts that a pass is cut into: of transitions, or with a memory of environments."""
    optimizer: OptimizerKind = "adam"
    """What follows the gradient: adam or rmsprop."""
    learning_rate: float = 1e-3
    """The step size at the start."""
    anneal_learning_rate: bool = True
    """Whether the step size falls to zero linearly over the training."""
    gamma: float = 0.99
    """The discount."""
    lam: float = 0.98
    """λ of the generalized advantage estimates."""
    normalize_advantages: bool = True
    """Whether each minibatch's advantages are brought to mean 0 and deviation 1."""
    clip: float = 0.2
    """How far the probability ratio may leave 1 before its gradient is cut."""
    anneal_clip: bool = False
    """Whether that falls to zero linearly over the training."""
    clip_value: float | None = None
    """How far values may move in an update before their gradient is cut; None for any distance."""
    target_kl: float | None = None
    """An update ends after the pass in which the policy's divergence from the one that gathered
    the experience exceeds 1.5 times this; None for all passes."""
    entropy_coef: float = 0.01
    """Weight of the entropy bonus at the start."""
    entropy_coef_end: float | None = None
    """Its weight at the end, reached linearly; None for the same."""
    value_coef: float = 0.5
    """Weight of the value loss."""
    max_grad_norm: float = 0.5
    """Gradients are scaled down to this norm."""
    normalize_observations: bool = False
    """Whether observations are normalised by their running mean and deviation."""
    normalize_rewards: bool = False
    """Whether rewards are divided by the running deviation of discounted returns."""
    network: NetworkKind = "auto"
    """What reads observations: mlp, cnn, set, graph, or auto for what suits them."""
    hidden: tuple[int, ...] = (64, 64)
    """Widths of the hidden layers."""
    activation: Activation = "tanh"
    """What follows each hidden layer: tanh or relu."""
    shared: bool = True
    """Whether policy and value share their hidden layers."""
    memory: MemoryKind = "none"
    """What the policy remembers of an episode: none, gru, lstm or transformer."""
    memory_size: int = 64
    """Width of the memory."""
    memory_window: int = 16
    """Past steps that each layer of a transformer sees."""
    mixed_precision: bool = False
    """Whether networks compute in bfloat16; parameters and losses stay float32."""
    compile: bool = False
    """Whether torch compiles the network, which pays off in long runs of large networks."""


class PPO(Trainer):
    """PPO over a batch of environments; see the module."""

    default_num_envs = 256

    def __init__(self, task: Task, config: Config):
        super().__init__(task, config)
        self.config: Config = config
        self.world = join_world(task.device)
        self._lanes = self.world.share(task.num_envs)
        self._check(config)
        self.env = make_batch(task, self.world)
        torch.manual_seed(task.seed)
        self.generator = torch.Generator(task.device).manual_seed(task.seed)
        self.network = ActorCritic(
            self.env.single_observation_space,
            self.env.single_action_space,
            network=config.network,
            hidden=config.hidden,
            activation=config.activation,
            shared=config.shared,
            memory_kind=config.memory,
            memory_size=config.memory_size,
            memory_window=config.memory_window,
            normalize=config.normalize_observations,
        ).to(task.device)
        if config.compile:
            self.network.compile()
        self.optimizer = FlatOptimizer(
            self.network, config.optimizer, config.learning_rate, config.max_grad_norm, 1e-5,
            self.world,
        )  # fmt: skip
        seen = self.env.reset(seed=task.seed * 2**20 + self._lanes.start)
        self.rollout = Rollout(
            self.env, self.network, config.num_steps, config.gamma, seen, task.device
        )
        self.reward_scale = None
        if config.normalize_rewards:
            self.reward_scale = ReturnScale(self.env.num_envs, config.gamma).to(task.device)
        self.statistics = EpisodeStatistics(self.env.num_envs)

    def _check(self, config: Config) -> None:
        for name in ("num_steps", "epochs", "num_minibatches"):
            if getattr(config, name) < 1:
                raise InvalidArgumentError(f"{name} must be at least 1; got {config!r}")
        parts = self.task.num_envs * (1 if config.memory != "none" else config.num_steps)
        if config.num_minibatches > parts:
            raise InvalidArgumentError(
                f"num_minibatches is {config.num_minibatches}, but there are only {parts} "
                f"{'environments' if config.memory != 'none' else 'transitions'} to share out"
            )

    @property
    def _progress(self) -> float:
        return self.env_steps / self.task.total_steps

    def step(self) -> dict[str, float]:
        config, rollout = self.config, self.rollout
        if config.anneal_learning_rate:
            self.optimizer.set_learning_rate(linear(config.learning_rate, 0, self._progress))
        with self._precision():
            rollout.collect(self._noise())
        self.statistics.look(self.env)
        rewards = rollout.rewards
        if self.reward_scale is not None:
            rewards = self.reward_scale(rewards, rollout.ended, self.world)
        rewards = rewards + config.gamma * rollout.beyond
        advantages = generalized_advantages(
            rewards, rollout.values, rollout.ended, config.gamma, config.lam
        )
        metrics = self._learn(advantages)
        update_moments(self.network, rollout.rows[:-1].flatten(0, 1), self.world)
        self.env_steps += config.num_steps * self.task.num_envs
        return {**self.statistics.means(self.world), **metrics}

    def _noise(self) -> Tensor:
        """What the actions of a rollout are sampled from: of all lanes, and from it our share."""
        shape = (self.config.num_steps, self.task.num_envs)
        return self.network.head.noise(shape, self.generator)[:, self._lanes]

    def _precision(self) -> Any:
        device = torch.device(self.task.device).type
        return torch.autocast(device, torch.bfloat16, enabled=self.config.mixed_precision)

    def _learn(self, advantages: Tensor) -> dict[str, float]:
        """All passes over the experience; their mean metrics."""
        config, rollout = self.config, self.rollout
        experience = {
            "rows": rollout.rows[:-1],
            "actions": rollout.actions,
            "log_probs": rollout.log_probs,
            "values": rollout.values[:-1],
            "advantages": advantages,
        }
        if rollout.masks is not None:
            experience["masks"] = rollout.masks[:-1]
        if rollout.weights is not None:
            experience["weights"] = rollout.weights
        if self.network.memory is not None:
            experience["starts"] = rollout.starts[:-1]
        else:
            experience = {name: part.flatten(0, 1) for name, part in experience.items()}
        means = []
        for _ in range(config.epochs):
            seen = [self._update(experience, *part) for part in self._minibatches()]
            means.append(self.world.sum(torch.stack(seen).mean(0)))
            if config.target_kl is not None and means[-1][3].item() > 1.5 * config.target_kl:
                break
        figures = torch.stack(means).mean(0).tolist()
        return {**dict(zip(METRICS, figures, strict=True)), "epochs": len(means)}

    def _minibatches(self) -> Iterator[tuple[Tensor, int]]:
        """The parts of one pass: where our share of each is, and how many it has in all."""
        config, lanes, n = self.config, self.task.num_envs, self.env.num_envs
        total = lanes if self.network.memory is not None else lanes * config.num_steps
        order = torch.randperm(total, generator=self.generator, device=self.generator.device)
        for part in order.chunk(config.num_minibatches):
            lane = part % lanes
            ours = (lane >= self._lanes.start) & (lane < self._lanes.stop)
            index = part // lanes * n + lane - self._lanes.start
            yield (part if self.world.size == 1 else index[ours]), len(part)

    def _update(self, experience: dict[str, Tensor], index: Tensor, size: int) -> Tensor:
        """One gradient step on a minibatch; its metrics, summed over ours and divided by all."""
        with self._precision():
            if self.network.memory is None:
                batch = {name: part[index] for name, part in experience.items()}
                outputs, values = self.network(batch["rows"])
            else:
                batch = {name: part[:, index] for name, part in experience.items()}
                assert self.rollout.first_state is not None
                state = self.rollout.first_state[index]
                outputs, values, _ = self.network.unroll(batch["rows"], state, batch["starts"])
                size *= self.config.num_steps
        losses = self._losses(outputs.float(), values.float(), batch, size)
        weights = torch.tensor([1.0, self.config.value_coef, -self._entropy_coef])
        self.optimizer.step(losses[:3] @ weights.to(losses.device))
        return losses.detach()

    def _losses(
        self, outputs: Tensor, values: Tensor, batch: dict[str, Tensor], size: int
    ) -> Tensor:
        """Our summands of the `METRICS` of a minibatch of that size, (5,)."""
        config = self.config
        weights = batch.get("weights")
        count: Any = size if weights is None else self.world.sum(weights.sum())
        distribution = self.network.head(outputs, batch.get("masks"))
        log_ratio = distribution.log_prob(batch["actions"]) - batch["log_probs"]
        ratio = log_ratio.exp()
        advantages = batch["advantages"]
        targets = advantages + batch["values"]
        if config.normalize_advantages:
            advantages = self._normalized(advantages, weights, count)
        clip = linear(config.clip, 0, self._progress) if config.anneal_clip else config.clip
        clipped = ratio.clamp(1 - clip, 1 + clip)
        policy_loss = -torch.minimum(ratio * advantages, clipped * advantages)
        value_loss = 0.5 * (values - targets).square()
        if config.clip_value is not None:
            moved = (values - batch["values"]).clamp(-config.clip_value, config.clip_value)
            bounded = 0.5 * (batch["values"] + moved - targets).square()
            value_loss = torch.maximum(value_loss, bounded)
        with torch.no_grad():
            divergence = ratio - 1 - log_ratio
            outside = ((ratio - 1).abs() > clip).float()
        parts = (policy_loss, value_loss, distribution.entropy(), divergence, outside)
        if weights is not None:
            parts = tuple(part * weights for part in parts)
        return torch.stack([part.sum() for part in parts]) / count

    def _normalized(self, advantages: Tensor, weights: Tensor | None, count: Any) -> Tensor:
        """Advantages with mean 0 and deviation 1 over the minibatch of all processes."""
        known = advantages if weights is None else advantages * weights
        total = self.world.sum(torch.stack([known.sum(), (known * advantages).sum()]).double())
        mean = total[0] / count
        variance = (total[1] - count * mean.square()) / max(count - 1, 1)
        return (advantages - mean.float()) / (variance.clamp(min=0).sqrt().float() + 1e-8)

    @property
    def _entropy_coef(self) -> float:
        config = self.config
        if config.entropy_coef_end is None:
            return config.entropy_coef
        return linear(config.entropy_coef, config.entropy_coef_end, self._progress)

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        arrays = torch_state(self.network, self.optimizer, self.generator)
        for name, part in self._by_lane().items():
            arrays[f"lanes.{name}"] = self.world.gather(part.cpu()).numpy()
        if self.reward_scale is not None:
            for name, part in self.reward_scale.moments.state_dict().items():
                arrays[f"rewards.{name}"] = part.cpu().numpy()
        return arrays, {"env_steps": self.env_steps}

    def load_state(self, arrays: Arrays, meta: dict[str, Any]) -> None:
        load_torch_state(self.network, self.optimizer, self.generator, arrays)
        lanes = {
            k.removeprefix("lanes."): v[self._lanes].copy()
            for k, v in arrays.items()
            if k.startswith("lanes.")
        }
        self.env.restore(unpack_records(lanes.pop("env"), self.env.records()))
        self.rollout.look(*self.env.present())
        self.statistics.latest = lanes.pop("episodes").T.copy()
        kept = self._by_lane()
        for name, part in lanes.items():
            kept[name].copy_(torch.from_numpy(part))
        if self.reward_scale is not None:
            prefix = "rewards."
            self.reward_scale.moments.load_state_dict(
                {k.removeprefix(prefix): torch.from_numpy(v.copy()) for k, v in arrays.items()
                 if k.startswith(prefix)}
            )  # fmt: skip
        self.env_steps = meta["env_steps"]

    def _by_lane(self) -> dict[str, Tensor]:
        """What there is of each lane, with lanes as the first axis."""
        parts = {
            "env": torch.from_numpy(pack_records(self.env.records())),
            "episodes": torch.from_numpy(self.statistics.latest.T),
            "starts": self.rollout.starts[-1],
            "pending": self.rollout.pending,
        }
        if self.rollout.state is not None:
            parts["memory"] = self.rollout.state
        if self.reward_scale is not None:
            parts["returns"] = self.reward_scale.returns
        return parts

    def agent(self) -> PolicyAgent:
        return PolicyAgent(self.network)
