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
from ..core.graphs import Captured
from ..core.memory import MemoryKind
from ..core.networks import Activation, NetworkKind
from ..core.normalization import ReturnScale
from ..core.optimizer import FlatOptimizer, OptimizerKind
from ..core.rollout import EpisodeStatistics, Rollout, generalized_advantages, make_batch
from ..core.schedules import linear
from ..core.torch_state import load_torch_state, pack_tensors, torch_state, unpack_tensors
from ..core.trainer import Arrays, Task, Trainer
from .actor_critic import ActorCritic, PolicyAgent
from .ppo_loss import METRICS, Targets, Terms, ppo_loss


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
    """What reads observations: mlp, flat, cnn, set, graph, or auto for what suits them."""
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
    """PPO over a batch of environments; see the module.

    Raises:
        InvalidArgumentError: for hyperparameters that do not fit together.
        UnsupportedFaceError: no policy reads or acts in the environment's spaces.
    """

    default_num_envs = 256

    def __init__(self, task: Task, config: Config):
        super().__init__(task, config)
        self.config: Config = config
        self.world = join_world(task.device)
        self._lanes = self.world.share(task.num_envs)
        #: What minibatches are made of: transitions, or with a memory whole lanes.
        self._parts = task.num_envs * (1 if config.memory != "none" else config.num_steps)
        self._check()
        self.env = make_batch(task, self.world)
        torch.manual_seed(task.seed)
        self.generator = torch.Generator(task.device).manual_seed(task.seed)
        self.network = make_network(self.env, config).to(task.device)
        self.optimizer = FlatOptimizer(
            self.network, config.optimizer, config.learning_rate, config.max_grad_norm, 1e-5,
            self.world,
        )  # fmt: skip
        seen = self.env.reset(seed=task.seed * 2**20 + self._lanes.start)
        self.rollout = Rollout(self.env, self.network, config.num_steps, seen, task.device)
        self.reward_scale = None
        if config.normalize_rewards:
            self.reward_scale = ReturnScale(self.env.num_envs, config.gamma).to(task.device)
        self.statistics = EpisodeStatistics(self.env.num_envs)
        self._prepare()

    def _check(self) -> None:
        config = self.config
        for name in ("num_steps", "epochs", "num_minibatches"):
            if getattr(config, name) < 1:
                raise InvalidArgumentError(f"{name} must be at least 1; got {config!r}")
        if config.num_minibatches > self._parts:
            raise InvalidArgumentError(
                f"num_minibatches is {config.num_minibatches}, but there are only {self._parts} "
                f"{'environments' if config.memory != 'none' else 'transitions'} to share out"
            )

    def _prepare(self) -> None:
        """What the loop reads and writes in place, so that a GPU can repeat it as a graph."""
        config, device = self.config, self.generator.device
        shape = (config.num_steps, self.task.num_envs)
        self._noise = self.network.head.noise(shape, self.generator)
        self._clip = torch.zeros((), device=device)
        self._loss_weights = torch.zeros(3, device=device)
        self._index, self._size = torch.empty(0, dtype=torch.int64, device=device), 0
        self._gather: Any = self._gather_stretch
        self._update: Any = self._update_once
        if self.rollout.stays_on_device:
            self._gather = Captured(self._gather, device)
        if self.world.size == 1 and self._parts % config.num_minibatches == 0:
            # The arrays of experience are the same from the second stretch on.
            self._update = Captured(
                self._update, device, 2 * config.epochs * config.num_minibatches
            )

    def step(self) -> dict[str, float]:
        self._follow_schedules()
        self.network.head.renew(self._noise, self.generator)
        self._experience = self._gather()
        self.statistics.look(self.env)
        metrics = self._learn()
        for torso in (self.network.torso, self.network.value_torso):
            if torso is not None:
                update_moments(torso, self.rollout.rows[:-1].flatten(0, 1), self.world)
        self.env_steps += self.config.num_steps * self.task.num_envs
        return {**self.statistics.means(self.world), **metrics}

    def _follow_schedules(self) -> None:
        """Set what changes over the training."""
        config, progress = self.config, self.env_steps / self.task.total_steps
        if config.anneal_learning_rate:
            self.optimizer.set_learning_rate(linear(config.learning_rate, 0)(progress))
        self._clip.fill_(linear(config.clip, 0)(progress) if config.anneal_clip else config.clip)
        end = config.entropy_coef if config.entropy_coef_end is None else config.entropy_coef_end
        entropy_coef = linear(config.entropy_coef, end)(progress)
        self._loss_weights.copy_(torch.tensor([1.0, config.value_coef, -entropy_coef]))

    def _gather_stretch(self) -> dict[str, Tensor]:
        """A stretch of experience of our lanes, with advantages, by name."""
        config, rollout = self.config, self.rollout
        with self._precision():
            # All processes draw the same noise for all lanes, and each takes its part.
            rollout.collect(self._noise[:, self._lanes])
        rewards = rollout.rewards
        if self.reward_scale is not None:
            rewards = self.reward_scale(rewards, rollout.ended, self.world)
        rewards = rewards + config.gamma * rollout.beyond
        advantages = generalized_advantages(
            rewards, rollout.values, rollout.ended, config.gamma, config.lam
        )
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
            return {**experience, "starts": rollout.starts[:-1]}
        return {name: part.flatten(0, 1) for name, part in experience.items()}

    def _precision(self) -> Any:
        device = self.generator.device.type
        enabled = self.config.mixed_precision
        # A cache of cast parameters would outlive a captured graph.
        return torch.autocast(device, torch.bfloat16, enabled, cache_enabled=device == "cpu")

    def _learn(self) -> dict[str, float]:
        """All passes over the experience; their mean metrics."""
        config = self.config
        means = []
        for _ in range(config.epochs):
            total = torch.zeros(len(METRICS), device=self.generator.device)
            for index, size in self._minibatches():
                self._size = size
                if index.shape == self._index.shape:
                    self._index.copy_(index)
                else:
                    self._index = index
                total += self._update()
            means.append(self.world.sum(total / config.num_minibatches))
            if config.target_kl is not None and means[-1][3].item() > 1.5 * config.target_kl:
                break
        figures = torch.stack(means).mean(0).tolist()
        return {**dict(zip(METRICS, figures, strict=True)), "epochs": len(means)}

    def _minibatches(self) -> Iterator[tuple[Tensor, int]]:
        """The parts of one pass: where our share of each is, and how many it has in all."""
        lanes, n, device = self.task.num_envs, self.env.num_envs, self.generator.device
        order = torch.randperm(self._parts, generator=self.generator, device=device)
        for part in order.tensor_split(self.config.num_minibatches):
            if self.world.size == 1:
                yield part, len(part)
                continue
            lane = part % lanes
            ours = (lane >= self._lanes.start) & (lane < self._lanes.stop)
            yield (part // lanes * n + lane - self._lanes.start)[ours], len(part)

    def _update_once(self) -> Tensor:
        """One gradient step on a minibatch; our summands of its metrics."""
        config, network, index = self.config, self.network, self._index
        along, count = (
            (0, self._size) if network.memory is None else (1, self._size * config.num_steps)
        )
        batch = {name: p.index_select(along, index) for name, p in self._experience.items()}
        with self._precision():
            if network.memory is None:
                outputs, values = network(batch["rows"])
            else:
                assert self.rollout.first_state is not None
                state = self.rollout.first_state[index]
                outputs, values, _ = network.unroll(batch["rows"], state, batch["starts"])
        weights = batch.get("weights")
        if weights is not None:
            count = self.world.sum(weights.sum())
        advantages = batch["advantages"]
        if config.normalize_advantages:
            advantages = self._normalized(advantages, weights, count)
        targets = Targets(
            batch["actions"], batch["log_probs"], advantages, batch["values"],
            batch["advantages"] + batch["values"], weights,
        )  # fmt: skip
        distribution = network.head(outputs.float(), batch.get("masks"))
        terms = Terms(self._loss_weights, self._clip, config.clip_value, count)
        loss, metrics = ppo_loss(distribution, values.float(), targets, terms)
        self.optimizer.step(loss)
        return metrics

    def _normalized(self, advantages: Tensor, weights: Tensor | None, count: Any) -> Tensor:
        """Advantages with mean 0 and deviation 1 over the minibatch of all processes."""
        known = advantages if weights is None else advantages * weights
        sums = known.sum(dtype=torch.float64), (known * advantages).sum(dtype=torch.float64)
        total, squares = self.world.sum(torch.stack(sums))
        mean = total / count
        variance = (squares - total * mean) / torch.as_tensor(count - 1).clamp(min=1)
        deviation = variance.clamp(min=0).sqrt() + 1e-8
        return (advantages - mean.float()) * (1 / deviation).float()

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        arrays = torch_state(self.network, self.optimizer, self.generator)
        for name, part in self._by_lane().items():
            arrays[f"lanes.{name}"] = self.world.gather(part.cpu()).numpy()
        if self.reward_scale is not None:
            arrays |= pack_tensors("rewards", self.reward_scale.moments.state_dict())
        return arrays, {"env_steps": self.env_steps}

    def load_state(self, arrays: Arrays, meta: dict[str, Any]) -> None:
        load_torch_state(self.network, self.optimizer, self.generator, arrays)
        lanes = {k: v[self._lanes] for k, v in unpack_tensors("lanes", arrays).items()}
        self.env.restore(unpack_records(lanes.pop("env").numpy(), self.env.records()))
        self.rollout.look(*self.env.present())
        self.statistics.latest = lanes.pop("episodes").T.numpy().copy()
        kept = self._by_lane()
        for name, part in lanes.items():
            kept[name].copy_(part)
        if self.reward_scale is not None:
            self.reward_scale.moments.load_state_dict(unpack_tensors("rewards", arrays))
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


def make_network(env: Any, config: Config) -> ActorCritic:
    """The network that a configuration asks for, for the spaces of a batch."""
    network = ActorCritic(
        env.single_observation_space,
        env.single_action_space,
        network=config.network,
        hidden=config.hidden,
        activation=config.activation,
        shared=config.shared,
        memory_kind=config.memory,
        memory_size=config.memory_size,
        memory_window=config.memory_window,
        normalize=config.normalize_observations,
    )
    if config.compile:
        network.compile()
    return network
