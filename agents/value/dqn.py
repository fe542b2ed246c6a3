"""Deep Q-networks, and what has been added to them.

Mnih et al. 2015, "Human-level control through deep reinforcement learning". Each addition is a
switch of the `Config`, and they go together as in Hessel et al. 2018, "Rainbow: combining
improvements in deep reinforcement learning". Only a terminated episode ends a target; a truncated
one is bootstrapped from its final observation.
"""

from dataclasses import dataclass
from typing import Any

import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from torch import Tensor

from ...envs.kernel.errors import InvalidArgumentError, UnsupportedFaceError
from ..core.checkpoint import pack_records, unpack_records
from ..core.distributed import join_world
from ..core.features import flatten_observations
from ..core.networks import Activation, NetworkKind
from ..core.optimizer import FlatOptimizer, OptimizerKind
from ..core.rollout import EpisodeStatistics, make_batch
from ..core.schedules import linear
from ..core.torch_state import load_torch_state, pack_tensors, torch_state, unpack_tensors
from ..core.trainer import Addition, Arrays, Task, Trainer
from .q_network import DistributionKind, GreedyAgent, QNetwork, greedy, make_return
from .replay import Batch, PrioritizedReplay, Replay, Seen


@dataclass(frozen=True)
class Config:
    """Hyperparameters of DQN."""

    num_steps: int = 16
    """Steps of every environment that are logged together."""
    updates_per_step: int = 2
    """Gradient steps after each step of all environments."""
    batch_size: int = 256
    """Transitions of a gradient step."""
    replay_size: int = 200_000
    """Transitions kept."""
    learning_starts: int = 10_000
    """Environment steps before the first gradient step."""
    optimizer: OptimizerKind = "adam"
    """What follows the gradient: adam or rmsprop."""
    learning_rate: float = 5e-4
    """Its step size."""
    max_grad_norm: float = 10.0
    """Gradients are scaled down to this norm."""
    gamma: float = 0.99
    """The discount."""
    epsilon_start: float = 1.0
    """The share of random actions at the start."""
    epsilon_end: float = 0.05
    """The share of random actions once exploration has been annealed."""
    exploration_fraction: float = 0.4
    """The share of the training over which it is annealed."""
    target_interval: int = 500
    """Gradient steps between two copies of the network into the target network."""
    double: bool = True
    """Whether the action of a target is chosen by the network that is trained. No matter with
    munchausen, whose targets choose none."""
    dueling: bool = False
    """Whether the network tells the value of a state from the advantages of its actions."""
    n_step: int = 1
    """Steps of which a target has the rewards."""
    prioritized: bool = False
    """Whether transitions are sampled by the errors they last had."""
    priority_exponent: float = 0.6
    """How much they count: 0 samples uniformly, 1 in proportion to the errors."""
    importance_exponent: float = 0.4
    """How much of the bias that this brings is made up for at the start; all of it at the end."""
    distribution: DistributionKind = "none"
    """What is learned of returns: none for their mean alone, or their distribution, categorical
    (C51) or by quantile (QR-DQN)."""
    atoms: int = 51
    """Returns whose probabilities are learned, or quantiles."""
    v_min: float = -10.0
    """The least return of a categorical distribution."""
    v_max: float = 10.0
    """The greatest return of a categorical distribution."""
    noisy: bool = False
    """Whether noise in the network's weights explores, in place of random actions."""
    munchausen: bool = False
    """Whether rewards include the scaled log-policy, and targets the entropy."""
    munchausen_scale: float = 0.9
    """The weight of the log-policy in a reward."""
    munchausen_clip: float = -1.0
    """The least that it counts, once multiplied by the temperature."""
    temperature: float = 0.03
    """That of the policy, a softmax of the values."""
    network: NetworkKind = "auto"
    """What reads observations: mlp, flat, cnn, set, graph, or auto for what suits them."""
    hidden: tuple[int, ...] = (128, 128)
    """Widths of the hidden layers."""
    activation: Activation = "relu"
    """What follows each hidden layer: tanh or relu."""


class DQN(Trainer):
    """DQN over a batch of environments; see the module.

    - `double`: van Hasselt et al. 2016, "Deep reinforcement learning with double Q-learning".
    - `dueling`, `distribution`, `noisy`: see `q_network`.
    - `n_step`, `prioritized`: see `replay`.
    - `munchausen`: Vieillard et al. 2020, "Munchausen reinforcement learning".

    Raises:
        UnsupportedFaceError: the action space is not `Discrete`, or the environment is a game.
        InvalidArgumentError: hyperparameters that are out of range or do not go together, another
            autoreset mode than same-step, or several processes.
    """

    default_num_envs = 64

    def __init__(self, task: Task, config: Config):
        super().__init__(task, config)
        self.config: Config = config
        _check(config)
        world = join_world(task.device)
        if world.size > 1:
            raise InvalidArgumentError(f"DQN trains in one process; this is one of {world.size}")
        self.env = make_batch(task, world)
        if self.env.metadata["autoreset_mode"] is not AutoresetMode.SAME_STEP:
            raise InvalidArgumentError(
                f"DQN steps environments in SAME_STEP mode only; got {task.autoreset_mode!r}"
            )
        if not isinstance(self.env.single_action_space, spaces.Discrete):
            raise UnsupportedFaceError(
                f"DQN acts in Discrete spaces, not in {self.env.single_action_space}"
            )
        self.n_actions = int(self.env.single_action_space.n)
        torch.manual_seed(task.seed)
        self.generator = torch.Generator(task.device).manual_seed(task.seed)
        self.learned = make_return(config.distribution, config.atoms, config.v_min, config.v_max)
        self.network, self.target = (self._make_network() for _ in range(2))
        self.target.load_state_dict(self.network.state_dict())
        self.optimizer = FlatOptimizer(
            self.network, config.optimizer, config.learning_rate, config.max_grad_norm, eps=1e-8
        )
        self.replay = self._make_replay(*self._read(*self.env.reset(seed=task.seed * 2**20)))
        self.statistics = EpisodeStatistics(task.num_envs)
        self.updates = 0

    def _make_network(self) -> QNetwork:
        config = self.config
        return QNetwork(
            self.env.single_observation_space, self.n_actions, self.learned,
            network=config.network, hidden=config.hidden, activation=config.activation,
            dueling=config.dueling, noisy=config.noisy,
        ).to(self.task.device)  # fmt: skip

    def _make_replay(self, rows: Tensor, masks: Tensor | None) -> Replay:
        config = self.config
        make = (config.replay_size, rows, masks, config.n_step, config.gamma, self.task.device)
        if config.prioritized:
            return PrioritizedReplay(*make, config.priority_exponent)
        return Replay(*make)

    @property
    def epsilon(self) -> float:
        """The share of random actions now."""
        config = self.config
        if config.noisy:
            return 0.0
        span = config.exploration_fraction * self.task.total_steps
        return linear(config.epsilon_start, config.epsilon_end)(self.env_steps / max(span, 1.0))

    def step(self) -> dict[str, float]:
        self.network.train()
        losses: list[Tensor] = []
        for _ in range(self.config.num_steps):
            self._interact()
            if self.env_steps >= self.config.learning_starts and len(self.replay):
                losses += [self._update() for _ in range(self.config.updates_per_step)]
        self.statistics.look(self.env)
        metrics = {**self.statistics.means(), "epsilon": self.epsilon}
        if losses:
            metrics["loss"] = float(torch.stack(losses).mean())
        return metrics

    def _read(self, observations: Any, infos: dict[str, Any]) -> Seen:
        """Rows (n, width) of observations and legal actions (n, actions), on the device."""
        rows, mask = flatten_observations(observations), infos.get("action_mask")
        if mask is not None:
            mask = torch.as_tensor(mask).to(self.task.device, torch.bool)
        return rows.to(self.task.device), mask

    @torch.no_grad()
    def _interact(self) -> None:
        """One step of every environment, into the replay."""
        actions = self._choose(*self.replay.present())
        observations, rewards, terminated, truncated, infos = self.env.step(
            actions if hasattr(self.env, "device") else actions.cpu().numpy()
        )
        final = None
        if "final_obs" in infos:
            final = self._read(infos["final_obs"], infos["final_info"])
        rewards, terminated, truncated = map(torch.as_tensor, (rewards, terminated, truncated))
        self.replay.add(actions, rewards, terminated, truncated, final)
        self.replay.look(*self._read(observations, infos))
        self.env_steps += self.task.num_envs

    def _choose(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """ε-greedy actions, (n,)."""
        self.network.draw_noise(len(rows), self.generator)
        actions = greedy(self.network(rows), mask)
        if not self.epsilon:
            return actions
        shape = (len(rows), 1 + self.n_actions)
        chance = torch.rand(shape, generator=self.generator, device=rows.device)
        return torch.where(chance[:, 0] < self.epsilon, greedy(chance[:, 1:], mask), actions)

    def _update(self) -> Tensor:
        """One gradient step; the loss."""
        config, replay = self.config, self.replay
        if isinstance(replay, PrioritizedReplay):
            progress = self.env_steps / self.task.total_steps
            replay.importance_exponent = linear(config.importance_exponent, 1.0)(progress)
        batch = replay.sample(config.batch_size, self.generator)
        returns, following = self._soft_target(batch) if config.munchausen else self._target(batch)
        self.network.draw_noise(1, self.generator)
        outputs = _of_actions(self.network.outputs(batch.rows), batch.actions)
        losses, errors = self.learned.losses(outputs, returns, batch.discounts, following)
        if isinstance(replay, PrioritizedReplay):
            replay.update(batch.places, errors)
        loss = (losses if batch.weights is None else losses * batch.weights).mean()
        self.optimizer.step(loss)
        self.updates += 1
        if self.updates % config.target_interval == 0:
            self.target.load_state_dict(self.network.state_dict())
        return loss.detach()

    @torch.no_grad()
    def _target(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Returns (k,), and outputs (k, atoms) of the best action of what follows."""
        self.target.draw_noise(1, self.generator)
        following = self.target.outputs(batch.next_rows)
        if self.config.double:
            self.network.draw_noise(1, self.generator)
            values = self.network(batch.next_rows)
        else:
            values = self.learned.mean(following)
        return batch.returns, _of_actions(following, greedy(values, batch.next_masks))

    @torch.no_grad()
    def _soft_target(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The same of Munchausen DQN (Vieillard et al. 2020): a policy takes the best's place."""
        config = self.config
        self.target.draw_noise(1, self.generator)
        both = self.target.outputs(torch.cat([batch.rows, batch.next_rows]))
        scores = self.learned.mean(both) / config.temperature
        if batch.masks is not None and batch.next_masks is not None:
            # Finite, as the probability 0 is multiplied by it.
            scores = scores.masked_fill(~torch.cat([batch.masks, batch.next_masks]), -1e9)
        scaled = config.temperature * scores.log_softmax(-1)
        taken, after = scaled.chunk(2)
        bonus = taken.gather(1, batch.actions[:, None]).squeeze(1).clamp(config.munchausen_clip, 0)
        probs = (after / config.temperature).exp()[:, :, None]
        following = (probs * (both.chunk(2)[1] - after[:, :, None])).sum(1)
        return batch.returns + config.munchausen_scale * bonus, following

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        arrays = {
            **torch_state(self.network, self.optimizer, self.generator),
            **pack_tensors("target", self.target.state_dict()),
            "env": pack_records(self.env.records()),
            "episodes": self.statistics.latest,
        }
        if isinstance(self.replay, PrioritizedReplay):
            arrays |= self.replay.priorities()
        return arrays, {"env_steps": self.env_steps, "updates": self.updates}

    def load_state(self, arrays: Arrays, meta: dict[str, Any]) -> None:
        load_torch_state(self.network, self.optimizer, self.generator, arrays)
        self.target.load_state_dict(unpack_tensors("target", arrays))
        self.env_steps, self.updates = meta["env_steps"], meta["updates"]
        kept = {k.removeprefix("replay."): v for k, v in arrays.items() if k.startswith("replay.")}
        if kept:
            self.replay.load(kept, self.env_steps // self.task.num_envs)
        if isinstance(self.replay, PrioritizedReplay):
            self.replay.load_priorities(arrays)
        self.env.restore(unpack_records(arrays["env"], self.env.records()))
        self.replay.look(*self._read(*self.env.present()))
        self.statistics.latest = arrays["episodes"].copy()

    def added(self, since: int) -> Addition:
        return self.replay.added(since)

    def agent(self) -> GreedyAgent:
        return GreedyAgent(self.network)


def _of_actions(outputs: Tensor, actions: Tensor) -> Tensor:
    """Of outputs (k, actions, atoms) those of one action each, (k, atoms)."""
    return outputs[torch.arange(len(actions), device=actions.device), actions]


def _check(config: Config) -> None:
    for name in ("num_steps", "updates_per_step", "batch_size", "target_interval", "n_step"):
        if getattr(config, name) < 1:
            raise InvalidArgumentError(f"{name} must be at least 1; got {config!r}")
    for name in ("gamma", "epsilon_start", "epsilon_end", "exploration_fraction"):
        if not 0 <= getattr(config, name) <= 1:
            raise InvalidArgumentError(f"{name} must be from 0 to 1; got {config!r}")
    for name in ("priority_exponent", "importance_exponent"):
        if not 0 <= getattr(config, name) <= 1:
            raise InvalidArgumentError(f"{name} must be from 0 to 1; got {config!r}")
    if config.munchausen and (config.n_step > 1 or config.distribution == "categorical"):
        raise InvalidArgumentError(
            "munchausen changes the reward of a single step and moves the outputs of actions by "
            "their log-probabilities: it goes with n_step=1 and the distributions none and quantile"
        )
    if config.munchausen and not (config.temperature > 0 and config.munchausen_clip <= 0):
        raise InvalidArgumentError(
            "temperature must be positive and munchausen_clip not; got "
            f"{config.temperature!r} and {config.munchausen_clip!r}"
        )
