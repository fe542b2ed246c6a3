"""Proximal policy optimisation.

Schulman et al. 2017, "Proximal policy optimization algorithms"; the details follow Huang et al.
2022, "The 37 implementation details of proximal policy optimization". Truncated episodes are
bootstrapped with the value of their final observation.
"""

from dataclasses import dataclass
from typing import Any

import gymnasium
import torch
from gymnasium import spaces
from torch import Tensor, nn

from ..core.agent import Agent
from ..core.checkpoint import pack_records, unpack_records
from ..core.distributions import ActionHead
from ..core.networks import Features, flatten_observations, mlp, orthogonal
from ..core.rollout import EpisodeStatistics, generalized_advantages
from ..core.torch_state import load_torch_state, torch_state
from ..core.trainer import Arrays, Task, Trainer


@dataclass(frozen=True)
class Config:
    """Hyperparameters of PPO."""

    num_steps: int = 128
    """Steps of every environment between updates."""
    epochs: int = 4
    """Passes over the experience of an update."""
    num_minibatches: int = 8
    """Parts that a pass is cut into."""
    learning_rate: float = 1e-3
    """Adam's step size at the start."""
    anneal: bool = True
    """Whether the learning rate falls to zero linearly over the training."""
    normalize_advantages: bool = True
    """Whether each minibatch's advantages are brought to mean 0 and deviation 1."""
    gamma: float = 0.99
    """The discount."""
    lam: float = 0.98
    """λ of the generalized advantage estimates."""
    clip: float = 0.2
    """How far the probability ratio may leave 1 before its gradient is cut."""
    entropy_coef: float = 0.01
    """Weight of the entropy bonus."""
    value_coef: float = 0.5
    """Weight of the value loss."""
    max_grad_norm: float = 0.5
    """Gradients are scaled down to this norm."""
    hidden: tuple[int, ...] = (64, 64)
    """Widths of the hidden layers, which policy and value share."""


class ActorCritic(nn.Module):
    """A policy and a value function on one torso."""

    def __init__(
        self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any],
        hidden: tuple[int, ...],
    ):  # fmt: skip
        super().__init__()
        features = Features(observation_space)
        self.torso = nn.Sequential(features, *mlp(features.width, hidden, nn.Tanh))
        self.head = ActionHead(action_space)
        self.policy = orthogonal(hidden[-1], self.head.inputs, gain=0.01)
        self.critic = orthogonal(hidden[-1], 1, gain=1.0)

    def forward(self, rows: Tensor, mask: Tensor | None) -> tuple[Any, Tensor]:
        """Action distribution and values (n,) of raw observation rows (n, width)."""
        hidden = self.torso(rows)
        return self.head(self.policy(hidden), mask), self.critic(hidden).squeeze(-1)

    def value(self, rows: Tensor) -> Tensor:
        """Values (n,) of raw observation rows (n, width)."""
        return self.critic(self.torso(rows)).squeeze(-1)


class PolicyAgent(Agent):
    """Samples its actions from a trained policy.

    Args:
        network: called with raw observation rows and masks, gives an action distribution first.
    """

    def __init__(self, network: nn.Module):
        self.network = network

    def start(self, env: Any, seed: int) -> None:
        super().start(env, seed)
        self._generator = torch.Generator().manual_seed(seed % 2**63)

    @torch.no_grad()
    def act(self, observations: Any, infos: dict[str, Any]) -> Any:
        device = next(self.network.parameters()).device
        mask = infos.get("action_mask")
        distribution, _ = self.network(
            flatten_observations(observations).to(device),
            None if mask is None else torch.from_numpy(mask).to(device),
        )
        return distribution.sample(self._generator).cpu().numpy()


class PPO(Trainer):
    """PPO over a batch of environments; see the module."""

    default_num_envs = 256

    def __init__(self, task: Task, config: Config):
        super().__init__(task, config)
        self.env: Any = gymnasium.make_vec(
            task.env_id, num_envs=task.num_envs, autoreset_mode="SAME_STEP", **task.env_kwargs
        )
        torch.manual_seed(task.seed)
        self.generator = torch.Generator(task.device).manual_seed(task.seed)
        self.network = ActorCritic(
            self.env.single_observation_space, self.env.single_action_space, config.hidden
        ).to(task.device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), config.learning_rate, eps=1e-5)
        self.observations, self.infos = self.env.reset(seed=task.seed * 2**20)
        self.statistics = EpisodeStatistics(task.num_envs)
        self._allocate()

    def _allocate(self) -> None:
        time, n, device = self.config.num_steps, self.task.num_envs, self.task.device
        rows = flatten_observations(self.observations)
        head = self.network.head
        self.rows = torch.empty((time, *rows.shape), dtype=rows.dtype, device=device)
        self.actions = torch.empty((time, n, *head.shape), dtype=head.dtype, device=device)
        mask = self.infos.get("action_mask")
        self.masks = None
        if mask is not None:
            self.masks = torch.empty((time, *mask.shape), dtype=torch.int8, device=device)
        self.log_probs, self.values, self.rewards = torch.empty((3, time, n), device=device)
        self.ended = torch.empty((time, n), dtype=torch.bool, device=device)

    def step(self) -> dict[str, float]:
        config = self.config
        if config.anneal:
            left = max(0.0, 1 - self.env_steps / self.task.total_steps)
            self.optimizer.param_groups[0]["lr"] = config.learning_rate * left
        last_values = self._collect()
        advantages = generalized_advantages(
            self.rewards, self.values, self.ended, last_values, config.gamma, config.lam
        )
        metrics = self._learn(advantages, advantages + self.values)
        self.env_steps += self.ended.numel()
        return {**self.statistics.means(), **metrics}

    @torch.no_grad()
    def _collect(self) -> Tensor:
        """Fill the buffers; the values of the observations after the last step."""
        for t in range(self.config.num_steps):
            self.rows[t] = flatten_observations(self.observations)
            mask = None
            if self.masks is not None:
                self.masks[t] = torch.from_numpy(self.infos["action_mask"])
                mask = self.masks[t]
            distribution, self.values[t] = self.network(self.rows[t], mask)
            actions = distribution.sample(self.generator)
            self.actions[t] = actions
            self.log_probs[t] = distribution.log_prob(actions)
            self.observations, rewards, terminated, truncated, self.infos = self.env.step(
                actions.cpu().numpy()
            )
            self.rewards[t] = torch.from_numpy(rewards)
            self.ended[t] = torch.from_numpy(terminated | truncated)
            cut = truncated & ~terminated
            if cut.any():
                final = flatten_observations(self.infos["final_obs"])[cut].to(self.task.device)
                value = self.network.value(final)
                self.rewards[t, torch.from_numpy(cut)] += self.config.gamma * value
            self.statistics.add(self.infos)
        rows = flatten_observations(self.observations).to(self.task.device)
        return self.network.value(rows)

    def _learn(self, advantages: Tensor, targets: Tensor) -> dict[str, float]:
        """Several epochs of minibatch updates; the mean losses."""
        config = self.config
        flat = [
            part.flatten(0, 1)
            for part in (self.rows, self.actions, self.log_probs, advantages, targets)
        ]
        masks = None if self.masks is None else self.masks.flatten(0, 1)
        batch = len(flat[0])
        sums = torch.zeros(4, device=self.task.device)
        for _ in range(config.epochs):
            order = torch.randperm(batch, generator=self.generator, device=self.task.device)
            for index in order.chunk(config.num_minibatches):
                rows, actions, old, advantage, target = (part[index] for part in flat)
                distribution, values = self.network(rows, None if masks is None else masks[index])
                log_ratio = distribution.log_prob(actions) - old
                ratio = log_ratio.exp()
                if config.normalize_advantages:
                    advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
                clipped = ratio.clamp(1 - config.clip, 1 + config.clip)
                policy_loss = -torch.minimum(ratio * advantage, clipped * advantage).mean()
                value_loss = 0.5 * (values - target).square().mean()
                entropy = distribution.entropy().mean()
                loss = policy_loss + config.value_coef * value_loss - config.entropy_coef * entropy
                self.optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self.network.parameters(), config.max_grad_norm)
                self.optimizer.step()
                with torch.no_grad():
                    kl = (ratio - 1 - log_ratio).mean()
                    sums += torch.stack((policy_loss, value_loss, entropy, kl)).detach()
        means = (sums / (config.epochs * config.num_minibatches)).tolist()
        return dict(zip(("policy_loss", "value_loss", "entropy", "approx_kl"), means, strict=True))

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        arrays, meta = torch_state(self.network, self.optimizer, self.generator)
        arrays["env"] = pack_records(self.env.snapshot())
        arrays["episodes"] = self.statistics.latest
        return arrays, {**meta, "env_steps": self.env_steps}

    def load_state(self, arrays: Arrays, meta: dict[str, Any]) -> None:
        load_torch_state(self.network, self.optimizer, self.generator, arrays, meta)
        self.env.restore(unpack_records(arrays["env"], self.env.states))
        self.observations, self.infos = self.env.present()
        self.statistics.latest = arrays["episodes"].copy()
        self.env_steps = meta["env_steps"]

    def agent(self) -> PolicyAgent:
        return PolicyAgent(self.network)
