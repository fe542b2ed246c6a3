"""SEQUOIA: deep Q-learning over combinatorial actions, by maximising the network exactly.

Xu et al. 2025, "Reinforcement learning with combinatorial actions for coupled restless bandits".
One small ReLU network values an action row in a state; the action, and the next action of a target,
are its maximum over the feasible set (`q_argmax`). With `argmax="greedy"` this is the paper's
iterative DQN, which chooses one arm after the other. The paper takes one gradient step of 2.5e-4
after each step; the defaults here are four of 1e-3, which learn more from as many episodes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ...envs.bandit.coupled_instances import LEVELS
from ...envs.kernel.errors import InvalidArgumentError
from ..core.agent import Agent
from ..core.checkpoint import pack_records, unpack_records
from ..core.networks import mlp
from ..core.optimizer import FlatOptimizer
from ..core.rollout import EpisodeStatistics, make_batch
from ..core.schedules import linear
from ..core.torch_state import load_torch_state, pack_tensors, torch_state, unpack_tensors
from ..core.trainer import Arrays, Task, Trainer
from .q_argmax import Method, QArgmax
from .restless_policies import read_problem

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Config:
    """Hyperparameters of SEQUOIA."""

    argmax: Method = "milp"
    """How the network is maximised: milp and enumerate are exact, swap and greedy are not."""
    hidden: tuple[int, ...] = (16, 32)
    """Widths of the hidden layers."""
    gamma: float = 0.99
    """The discount."""
    learning_rate: float = 1e-3
    """The step size of Adam."""
    batch_size: int = 32
    """Transitions of a gradient step."""
    updates_per_step: int = 4
    """Gradient steps after each step of all environments."""
    replay_size: int = 10_000
    """Transitions kept."""
    target_interval: int = 5
    """Episodes between two copies of the network into the target network."""
    epsilon_start: float = 0.9
    """The share of random actions at the start."""
    epsilon_end: float = 0.05
    """The share of random actions at the end."""
    pretraining_epochs: int = 300
    """Gradient steps on expected next rewards before the first episode."""
    pretraining_size: int = 1_000
    """Random states and actions that they are computed for."""
    priority_exponent: float = 0.6
    """How much errors count in sampling: 0 samples uniformly."""
    importance_exponent: float = 0.4
    """How much of the bias that this brings is made up for."""


class Sequoia(Trainer):
    """SEQUOIA over a batch of `CoupledRestlessBandit`; see the module.

    Rewards are expected ones, which the instance tells, in units of what all arms pay at most.

    Raises:
        UnsupportedFaceError: the environment is another one.
        InvalidArgumentError: hyperparameters that are out of range, or another device than the CPU.
    """

    default_num_envs = 1

    def __init__(self, task: Task, config: Config):
        super().__init__(task, config)
        self.config: Config = config
        if config.batch_size < 1 or config.target_interval < 1 or not 0 <= config.gamma <= 1:
            raise InvalidArgumentError(f"hyperparameters are out of range: {config!r}")
        if task.device != "cpu":
            raise InvalidArgumentError(f"SEQUOIA trains on the CPU; got device={task.device!r}")
        self.env = make_batch(task, self.world)
        self.problem = read_problem(self.env)
        torch.manual_seed(task.seed)
        self.generator = torch.Generator().manual_seed(task.seed)
        self.rng = np.random.default_rng(task.seed)
        self._unit = float(self.problem.instance.rewards[:, -1].sum())
        self.network, self.target = (make_network(self.problem, config) for _ in range(2))
        self.optimizer = FlatOptimizer(self.network, "adam", config.learning_rate, 10.0, eps=1e-8)
        space = self.problem.instance.space
        self._best, self._best_next = (QArgmax(space, config.argmax) for _ in range(2))
        self.replay: dict[str, Array] = {}
        self.observations = self.env.reset(seed=task.seed * 2**20)[0]
        self.statistics = EpisodeStatistics(task.num_envs)
        self.episodes = 0
        self._pretrain()

    @property
    def epsilon(self) -> float:
        """The share of random actions now."""
        config = self.config
        progress = self.env_steps / self.task.total_steps
        return linear(config.epsilon_start, config.epsilon_end)(progress)

    def step(self) -> dict[str, float]:
        """An episode of every environment."""
        if self.episodes % self.config.target_interval == 0:
            self.target.load_state_dict(self.network.state_dict())
            self._best_next.load(self.target)
        losses: list[float] = []
        for _ in range(self.problem.horizon):
            self._interact()
            losses += [self._update() for _ in range(self.config.updates_per_step)]
        self.episodes += 1
        self.statistics.look(self.env)
        loss = float(np.mean(losses)) if losses else 0.0
        return {**self.statistics.means(), "epsilon": self.epsilon, "loss": loss}

    def _pretrain(self) -> None:
        """Fit the expected next rewards of random states and feasible actions."""
        config, problem = self.config, self.problem
        if not config.pretraining_epochs:
            return
        levels = self.rng.integers(LEVELS, size=(config.pretraining_size, problem.arms))
        rows = np.array([problem.instance.space.draw(self.rng) for _ in levels])
        rows[self.rng.random(rows.shape) < 0.2] = 0  # Not only actions that use all of the budget.
        values = problem.expected_rewards(levels, rows) / self._unit
        time = self.rng.random((len(levels), 1))
        inputs = torch.as_tensor(
            np.concatenate([rows, levels / (LEVELS - 1), time], axis=1), dtype=torch.float32
        )
        wanted = torch.as_tensor(values, dtype=torch.float32)
        for _ in range(config.pretraining_epochs):
            self.optimizer.step((self.network(inputs)[:, 0] - wanted).square().mean())

    def _interact(self) -> None:
        """One step of every environment, into the replay."""
        rows = self.observations
        explore = self.rng.random(len(rows)) < self.epsilon
        self._best.load(self.network)
        actions = np.array(
            [
                self.problem.instance.space.draw(self.rng) if random else self._best(row).row
                for row, random in zip(rows, explore, strict=True)
            ]
        )
        after, _, terminated, truncated, infos = self.env.step(actions)
        following = np.where(
            (terminated | truncated)[:, None], infos.get("final_obs", after), after
        )
        levels = self.problem.levels(rows)
        self._remember(
            rows=rows,
            actions=actions,
            rewards=self.problem.expected_rewards(levels, actions) / self._unit,
            following=following,
            terminated=terminated,
            priorities=np.full(len(rows), self._greatest()),
        )
        self.observations = after
        self.env_steps += len(rows)

    def _greatest(self) -> float:
        return float(self.replay["priorities"].max()) if self.replay else 1.0

    def _remember(self, **new: Array) -> None:
        known = self.replay or {name: part[:0] for name, part in new.items()}
        size = self.config.replay_size
        self.replay = {k: np.concatenate([known[k], new[k]])[-size:] for k in new}

    def _update(self) -> float:
        """One gradient step; the loss."""
        config, replay = self.config, self.replay
        chances = replay["priorities"] / replay["priorities"].sum()
        places = self.rng.choice(len(chances), config.batch_size, p=chances)
        weights = (chances[places] / chances.min()) ** -config.importance_exponent
        batch = {name: part[places] for name, part in replay.items()}
        returns = batch["rewards"].copy()
        for i in np.flatnonzero(~batch["terminated"]):
            returns[i] += config.gamma * self._best_next(batch["following"][i]).value
        inputs = np.concatenate([batch["actions"], batch["rows"]], axis=1)
        found = self.network(torch.as_tensor(inputs, dtype=torch.float32))[:, 0]
        wanted = torch.as_tensor(returns, dtype=torch.float32)
        losses = nn.functional.smooth_l1_loss(found, wanted, reduction="none")
        loss = (losses * torch.as_tensor(weights, dtype=torch.float32)).mean()
        self.optimizer.step(loss)
        errors = (found.detach() - wanted).abs().numpy().astype(float)
        replay["priorities"][places] = (errors + 1e-6) ** config.priority_exponent
        return float(loss.detach())

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        arrays = {
            **torch_state(self.network, self.optimizer, self.generator),
            **pack_tensors("target", self.target.state_dict()),
            **{f"memory.{name}": part for name, part in self.replay.items()},
            "env": pack_records(self.env.records()),
            "observations": self.observations,
            "latest": self.statistics.latest,
        }
        searches = [best.rng.bit_generator.state for best in (self._best, self._best_next)]
        return arrays, {
            "env_steps": self.env_steps,
            "episodes": self.episodes,
            "rng": self.rng.bit_generator.state,
            "searches": searches,
        }

    def load_state(self, arrays: Arrays, meta: dict[str, Any]) -> None:
        load_torch_state(self.network, self.optimizer, self.generator, arrays)
        self.target.load_state_dict(unpack_tensors("target", arrays))
        prefix = "memory."
        self.replay = {
            k.removeprefix(prefix): v.copy() for k, v in arrays.items() if k.startswith(prefix)
        }
        self.env.restore(unpack_records(arrays["env"], self.env.records()))
        self.observations = arrays["observations"].copy()
        self.statistics.latest = arrays["latest"].copy()
        self.env_steps, self.episodes = meta["env_steps"], meta["episodes"]
        self.rng.bit_generator.state = meta["rng"]
        for best, state in zip((self._best, self._best_next), meta["searches"], strict=True):
            best.rng.bit_generator.state = state
        self._best_next.load(self.target)

    def agent(self) -> "SequoiaAgent":
        return SequoiaAgent(self.network, self.config.argmax)


class SequoiaAgent(Agent):
    """Takes the action that a network values most.

    Args:
        network: of rows (action, observation).
        method: how it is maximised; see `QArgmax`.
    """

    def __init__(self, network: nn.Sequential, method: Method = "milp"):
        self.network = network
        self.method: Method = method

    def start(self, env: Any, seed: int) -> None:
        super().start(env, seed)
        space = read_problem(env).instance.space
        self._best = QArgmax(space, self.method, seed=seed)
        self._best.load(self.network)

    def act(self, observations: Any, infos: dict[str, Any]) -> Array:
        return np.array([self._best(row).row for row in observations])


def make_network(problem: Any, config: Config) -> nn.Sequential:
    """A ReLU network from rows (action, observation) to one value."""
    inputs = problem.arms + problem.observation_space.shape[0]
    hidden = mlp(inputs, config.hidden, nn.ReLU)
    return nn.Sequential(*hidden, nn.Linear((inputs, *config.hidden)[-1], 1))
