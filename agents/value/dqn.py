"""Deep Q-networks.

Mnih et al. 2015, "Human-level control through deep reinforcement learning", with the double
estimator of van Hasselt et al. 2016, "Deep reinforcement learning with double Q-learning". Only a
terminated episode ends a target; a truncated one is bootstrapped from its final observation.
"""

from dataclasses import dataclass
from typing import Any

import gymnasium
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.nn import functional

from ...envs.kernel.errors import UnsupportedFaceError
from ..core.agent import Agent
from ..core.checkpoint import pack_records, unpack_records
from ..core.networks import Features, flatten_observations, mlp, orthogonal
from ..core.optimizer import FlatOptimizer
from ..core.rollout import EpisodeStatistics
from ..core.torch_state import load_torch_state, pack_tensors, torch_state, unpack_tensors
from ..core.trainer import Arrays, Task, Trainer
from .replay import Replay


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
    learning_rate: float = 5e-4
    """Adam's step size."""
    gamma: float = 0.99
    """The discount."""
    epsilon_end: float = 0.05
    """The share of random actions once exploration has been annealed from 1."""
    exploration_fraction: float = 0.4
    """The share of the training over which it is annealed."""
    target_interval: int = 500
    """Gradient steps between two copies of the network into the target network."""
    double: bool = True
    """Whether the action of a target is chosen by the network that is trained."""
    max_grad_norm: float = 10.0
    """Gradients are scaled down to this norm."""
    hidden: tuple[int, ...] = (128, 128)
    """Widths of the hidden layers."""


class QNetwork(nn.Module):
    """Action values from observations."""

    def __init__(self, space: spaces.Space[Any], n_actions: int, hidden: tuple[int, ...]):
        super().__init__()
        features = Features(space)
        self.torso = nn.Sequential(features, *mlp(features.width, hidden, nn.ReLU))
        self.values = orthogonal(hidden[-1], n_actions, gain=1.0)

    def forward(self, rows: Tensor) -> Tensor:
        """(n, actions) values of raw observation rows (n, width)."""
        return self.values(self.torso(rows))


class GreedyAgent(Agent):
    """Takes the legal action of highest value.

    Args:
        network: gives the values (n, actions) of raw observation rows.
    """

    def __init__(self, network: nn.Module):
        self.network = network

    @torch.no_grad()
    def act(self, observations: Any, infos: dict[str, Any]) -> Any:
        device = next(self.network.parameters()).device
        values = self.network(flatten_observations(observations).to(device))
        return greedy(values, infos).cpu().numpy()


def greedy(values: Tensor, infos: dict[str, Any]) -> Tensor:
    """The legal actions of highest value, (n,)."""
    mask = infos.get("action_mask")
    if mask is not None:
        legal = torch.from_numpy(mask).to(values.device)
        values = values.masked_fill(legal == 0, -torch.inf)
    return values.argmax(dim=-1)


class DQN(Trainer):
    """DQN over a batch of environments; see the module.

    Raises:
        UnsupportedFaceError: the action space is not `Discrete`.
    """

    default_num_envs = 64

    def __init__(self, task: Task, config: Config):
        super().__init__(task, config)
        self.env: Any = gymnasium.make_vec(
            task.env_id, num_envs=task.num_envs, autoreset_mode="SAME_STEP", **task.env_kwargs
        )
        if not isinstance(self.env.single_action_space, spaces.Discrete):
            raise UnsupportedFaceError(
                f"DQN acts in Discrete spaces, not in {self.env.single_action_space}"
            )
        self.n_actions = int(self.env.single_action_space.n)
        torch.manual_seed(task.seed)
        self.generator = torch.Generator(task.device).manual_seed(task.seed)
        make = (self.env.single_observation_space, self.n_actions, config.hidden)
        self.network, self.target = (QNetwork(*make).to(task.device) for _ in range(2))
        self.target.load_state_dict(self.network.state_dict())
        self.optimizer = FlatOptimizer(
            self.network, "adam", config.learning_rate, config.max_grad_norm, eps=1e-8
        )
        self.observations, self.infos = self.env.reset(seed=task.seed * 2**20)
        row = flatten_observations(self.observations)[0]
        self.replay = Replay(config.replay_size, row, self.n_actions, task.device)
        self.statistics = EpisodeStatistics(task.num_envs)
        self.updates = 0

    @property
    def epsilon(self) -> float:
        """The share of random actions now."""
        span = self.config.exploration_fraction * self.task.total_steps
        progress = min(1.0, self.env_steps / span)
        return 1.0 + progress * (self.config.epsilon_end - 1.0)

    def step(self) -> dict[str, float]:
        losses: list[Tensor] = []
        for _ in range(self.config.num_steps):
            self._interact()
            if self.env_steps >= self.config.learning_starts:
                losses += [self._update() for _ in range(self.config.updates_per_step)]
        metrics = {**self.statistics.means(), "epsilon": self.epsilon}
        if losses:
            metrics["loss"] = float(torch.stack(losses).mean())
        return metrics

    @torch.no_grad()
    def _interact(self) -> None:
        """One ε-greedy step of every environment, into the replay."""
        n, device = self.task.num_envs, self.task.device
        rows = flatten_observations(self.observations)
        chosen = greedy(self.network(rows.to(device)), self.infos)
        mask = self.infos.get("action_mask")
        scores = torch.rand((n, self.n_actions), generator=self.generator, device=device)
        if mask is not None:
            scores *= torch.from_numpy(mask).to(device)
        explore = torch.rand(n, generator=self.generator, device=device) < self.epsilon
        actions = torch.where(explore, scores.argmax(dim=-1), chosen)
        observations, rewards, terminated, truncated, infos = self.env.step(actions.cpu().numpy())
        following = flatten_observations(observations)
        next_mask = torch.ones((n, self.n_actions), dtype=torch.bool)
        if mask is not None:
            next_mask = torch.from_numpy(infos["action_mask"] != 0)
        ended = torch.from_numpy(terminated | truncated)
        if ended.any():
            final = flatten_observations(infos["final_obs"])
            following = torch.where(ended[:, None], final, following)
            if mask is not None:
                final_mask = torch.from_numpy(infos["final_info"]["action_mask"] != 0)
                next_mask = torch.where(ended[:, None], final_mask, next_mask)
        self.replay.add(
            rows=rows.to(device),
            actions=actions,
            rewards=torch.from_numpy(rewards).to(device),
            next_rows=following.to(device),
            terminated=torch.from_numpy(terminated).to(device),
            next_mask=next_mask.to(device),
        )
        self.observations, self.infos = observations, infos
        self.env_steps += n
        self.statistics.look(self.env)

    def _update(self) -> Tensor:
        """One gradient step; the loss."""
        config = self.config
        batch = self.replay.sample(config.batch_size, self.generator)
        with torch.no_grad():
            values = self.target(batch["next_rows"])
            choosing = self.network(batch["next_rows"]) if config.double else values
            best = choosing.masked_fill(~batch["next_mask"], -torch.inf).argmax(dim=-1)
            following = values.gather(1, best[:, None]).squeeze(1)
            target = batch["rewards"] + config.gamma * following * ~batch["terminated"]
        value = self.network(batch["rows"]).gather(1, batch["actions"][:, None]).squeeze(1)
        loss = functional.smooth_l1_loss(value, target)
        self.optimizer.step(loss)
        self.updates += 1
        if self.updates % config.target_interval == 0:
            self.target.load_state_dict(self.network.state_dict())
        return loss.detach()

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        arrays = torch_state(self.network, self.optimizer, self.generator)
        kept, replay = self.replay.state()
        arrays |= {f"replay.{name}": array for name, array in kept.items()}
        arrays |= pack_tensors("target", self.target.state_dict())
        arrays["env"] = pack_records(self.env.snapshot())
        arrays["episodes"] = self.statistics.latest
        return arrays, {"replay": replay, "env_steps": self.env_steps, "updates": self.updates}

    def load_state(self, arrays: Arrays, meta: dict[str, Any]) -> None:
        load_torch_state(self.network, self.optimizer, self.generator, arrays)
        kept = {k.removeprefix("replay."): v for k, v in arrays.items() if k.startswith("replay.")}
        self.replay.load_state(kept, meta["replay"])
        self.target.load_state_dict(unpack_tensors("target", arrays))
        self.env.restore(unpack_records(arrays["env"], self.env.states))
        self.observations, self.infos = self.env.present()
        self.statistics.latest = arrays["episodes"].copy()
        self.env_steps, self.updates = meta["env_steps"], meta["updates"]

    def agent(self) -> GreedyAgent:
        return GreedyAgent(self.network)
