"""Behaviour cloning: a policy that imitates a demonstrator, by supervised learning.

Pomerleau 1989, "ALVINN: an autonomous land vehicle in a neural network"; Bain & Sammut 1995, "A
framework for behavioural cloning". The policy minimises the negative log-likelihood of the actions
that the demonstrator took. Whole episodes are held out, on which the loss is measured as well.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from ...envs.kernel.errors import InvalidArgumentError, UnsupportedFaceError
from .. import registry
from ..core.agent import Agent, interact
from ..core.features import flatten_observations
from ..core.networks import NetworkKind
from ..core.optimizer import FlatOptimizer
from ..core.torch_state import load_torch_state, torch_state
from ..core.trainer import Arrays, Task, Trainer
from .actor_critic import ActorCritic, PolicyAgent


@dataclass(frozen=True)
class Config:
    """Hyperparameters of behaviour cloning."""

    demonstrator: str = "astar"
    """Who is imitated: the name of an agent that needs no training, or a run folder, written with
    a slash (`runs/teacher`, `./teacher`)."""
    epochs: int = 10
    """How often a demonstrated step is learned from, on average."""
    batch_size: int = 256
    """Demonstrated steps of a gradient step."""
    learning_rate: float = 1e-3
    """Adam's step size."""
    validation: float = 0.1
    """The share of the episodes that is held out; at least one of those played side by side is."""
    network: NetworkKind = "auto"
    """What reads observations: mlp, flat, cnn, set, graph, or auto for what suits them."""
    hidden: tuple[int, ...] = (128, 128)
    """Widths of the hidden layers."""


class Recorder(Agent):
    """Lets a demonstrator act, and keeps what it saw and did in each lane's first episode.

    Args:
        demonstrator: who acts.
    """

    def __init__(self, demonstrator: Agent):
        self.demonstrator = demonstrator

    def start(self, env: Any, seed: int) -> None:
        self.demonstrator.start(env, seed)
        self.running = np.ones(env.num_envs, bool)
        self._steps: list[tuple[np.ndarray[Any, Any], Arrays]] = []

    def act(self, observations: Any, infos: dict[str, Any]) -> Any:
        actions = self.demonstrator.act(observations, infos)
        seen = {
            "rows": flatten_observations(observations).numpy(),
            "actions": np.asarray(actions),
            **({"masks": infos["action_mask"]} if "action_mask" in infos else {}),
        }
        lanes = np.flatnonzero(self.running)
        self._steps.append((lanes, {name: part[lanes] for name, part in seen.items()}))
        return actions

    def update(self, actions: Any, rewards: np.ndarray, ended: np.ndarray) -> None:
        self.demonstrator.update(actions, rewards, ended)
        self.running &= ~ended

    def steps(self) -> tuple[np.ndarray[Any, Any], Arrays]:
        """The lane of each step, (steps,), and by name what was seen and done, (steps, …)."""
        lanes = np.concatenate([lanes for lanes, _ in self._steps])
        names = self._steps[0][1]
        parts = {name: np.concatenate([part[name] for _, part in self._steps]) for name in names}
        return lanes, parts


class BehaviourCloning(Trainer):
    """Behaviour cloning; see the module.

    Each `step` has the demonstrator play one whole episode in every environment, from seeds that no
    other step uses, and adds them to the demonstrations; then the policy learns from minibatches of
    all there are. So `total_steps` is how many demonstrated steps to gather, held-out ones
    included, and nothing of an environment or a demonstrator lives from one step to the next.

    Raises:
        InvalidArgumentError: there is no such demonstrator, or a hyperparameter is out of range.
        UnsupportedFaceError: the environment has several agents, or observations or actions that
            no network is for.
    """

    default_num_envs = 64

    def __init__(self, task: Task, config: Config):
        super().__init__(task, config)
        _check(config, task)
        self.env: Any = gymnasium.make_vec(
            task.env_id, num_envs=task.num_envs, autoreset_mode="SAME_STEP", **task.env_kwargs
        )
        if self.env.definition.agents:
            raise UnsupportedFaceError(
                f"behaviour cloning is for one agent; {task.env_id} is a game"
            )
        torch.manual_seed(task.seed)
        self.generator = torch.Generator().manual_seed(task.seed)
        #: That of PPO, which can go on from it; its value function is not learned here.
        self.network = ActorCritic(
            self.env.single_observation_space, self.env.single_action_space,
            network=config.network, hidden=config.hidden, activation="relu",
        ).to(task.device)  # fmt: skip
        self.optimizer = FlatOptimizer(
            self.network, "adam", config.learning_rate, max_grad_norm=math.inf, eps=1e-8
        )
        #: Demonstrated steps by name: `rows`, `actions`, and `masks` where there are any.
        self.training: Arrays = {}
        self.validation: Arrays = {}
        self._demonstrator: Agent | None = None
        self._episodes = 0

    def step(self) -> dict[str, float]:
        fresh, metrics = self._gather()
        losses = [self._epoch(fresh) for _ in range(self.config.epochs)]
        validation_loss, accuracy = self._validate()
        metrics |= {"loss": float(np.mean(losses)), "validation_loss": validation_loss}
        if isinstance(self.env.single_action_space, spaces.Discrete):
            metrics["validation_accuracy"] = accuracy
        return metrics

    def _gather(self) -> tuple[int, dict[str, float]]:
        """Have an episode demonstrated in each lane: the new steps, and the episodes' means."""
        n = self.task.num_envs
        if self._demonstrator is None:
            self._demonstrator = demonstrator(self.config.demonstrator)
        recorder, returns, lengths = Recorder(self._demonstrator), np.zeros(n), np.zeros(n)
        seed = self.task.seed * 2**20 + self._episodes
        for step in interact(recorder, self.env, self.env.reset(seed=seed), seed):
            if step.ended.any():
                first = step.ended & (lengths == 0)
                returns[first] = step.infos["episode"]["r"][first]
                lengths[first] = step.infos["episode"]["l"][first]
            if not recorder.running.any():
                break
        lanes, steps = recorder.steps()
        held_out = lanes < max(1, round(self.config.validation * n))
        self.training = _joined(self.training, steps, ~held_out)
        self.validation = _joined(self.validation, steps, held_out)
        self._episodes += n
        self.env_steps += len(lanes)
        means = {"return_mean": float(returns.mean()), "length_mean": float(lengths.mean())}
        return int((~held_out).sum()), means

    def _epoch(self, size: int) -> float:
        """Shuffled minibatches of as many demonstrated steps, drawn from all; the mean loss."""
        order = torch.randperm(len(self.training["rows"]), generator=self.generator)[:size]
        losses = []
        for index in order.split(self.config.batch_size):
            _, log_prob, _ = self._likelihood(self.training, index.numpy())
            loss = -log_prob.mean()
            self.optimizer.step(loss)
            losses.append(loss.detach())
        return float(torch.stack(losses).mean())

    @torch.no_grad()
    def _validate(self) -> tuple[float, float]:
        """The mean loss on the steps held out, and the share of their actions that are foretold."""
        loss, right, size = 0.0, 0.0, len(self.validation["rows"])
        for index in np.array_split(np.arange(size), -(-size // 8192)):
            distribution, log_prob, actions = self._likelihood(self.validation, index)
            loss -= float(log_prob.sum())
            right += float((distribution.mode() == actions).float().sum())
        return loss / size, right / size

    def _likelihood(self, steps: Arrays, index: np.ndarray[Any, Any]) -> tuple[Any, Tensor, Tensor]:
        """The policy's distribution at some steps, the log-probabilities and the actions."""
        parts = {k: torch.from_numpy(v[index]).to(self.task.device) for k, v in steps.items()}
        outputs, _ = self.network(parts["rows"])
        distribution = self.network.head(outputs, parts.get("masks"))
        actions = parts["actions"].to(self.network.head.dtype)
        return distribution, distribution.log_prob(actions), actions

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        arrays = {
            **torch_state(self.network, self.optimizer, self.generator),
            **{f"training.{name}": part for name, part in self.training.items()},
            **{f"validation.{name}": part for name, part in self.validation.items()},
        }
        return arrays, {"env_steps": self.env_steps, "episodes": self._episodes}

    def load_state(self, arrays: Arrays, meta: dict[str, Any]) -> None:
        load_torch_state(self.network, self.optimizer, self.generator, arrays)
        self.training, self.validation = (
            {k.removeprefix(kind): v.copy() for k, v in arrays.items() if k.startswith(kind)}
            for kind in ("training.", "validation.")
        )
        self.env_steps, self._episodes = meta["env_steps"], meta["episodes"]

    def agent(self) -> PolicyAgent:
        agent = PolicyAgent(self.network)
        agent.deterministic = True
        return agent


def demonstrator(name: str) -> Agent:
    """The agent of a name or a run folder; see `Config`.

    Raises:
        RunError, CheckpointError: the folder holds no run.
    """
    if os.sep in name:
        from ..core.run import load_agent

        return load_agent(Path(name))[0]
    return registry.entry(name).load()()


def _joined(old: Arrays, new: Arrays, chosen: np.ndarray[Any, Any]) -> Arrays:
    """Demonstrations with some new steps behind them."""
    return {
        name: np.concatenate([old.get(name, part[:0]), part[chosen]]) for name, part in new.items()
    }


def _check(config: Config, task: Task) -> None:
    if os.sep not in config.demonstrator:
        row = registry.entry(config.demonstrator)
        if row.kind == "trained":
            raise InvalidArgumentError(
                f"the demonstrator {row.name} must be trained first: name its run folder instead, "
                f"with a slash, such as runs/{row.name}"
            )
    if task.num_envs < 2:
        raise InvalidArgumentError(
            "behaviour cloning plays episodes side by side and holds one of them out: num_envs "
            f"must be at least 2; got {task.num_envs}"
        )
    if not 0 <= config.validation <= 0.5 or config.epochs < 1 or config.batch_size < 1:
        raise InvalidArgumentError(
            "validation must be from 0 to 0.5, epochs and batch_size positive; got "
            f"{config.validation!r}, {config.epochs!r} and {config.batch_size!r}"
        )
