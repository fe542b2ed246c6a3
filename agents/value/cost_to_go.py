"""Learned heuristics: deep approximate value iteration, and deep Q-learning, on scrambles.

What is learned is the cost to go from a state to the nearest goal, for search to be guided by.
States are drawn by random walks backwards from a goal, so that those near it are learned first and
the others from them.

- `"value"`: v(s) follows min over a of c(s, a) + v'(s'), v' being a target network: Agostinelli,
  McAleer, Shmakov & Baldi 2019, "Solving the Rubik's cube with deep reinforcement learning and
  search" (DeepCubeA). Every child of every state is made.
- `"action"`: q(s, a) follows c(s, a) + min over a' of q'(s', a'), of one child a state: Agostinelli
  et al. 2021, "A* search without expansions".

Both are 0 at goals.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.nn import functional

from ...envs import registry
from ...envs.kernel.errors import InvalidArgumentError, UnsupportedFaceError
from ...envs.kernel.model import Model, States
from ..core.distributed import join_world
from ..core.features import Features, InputLayer, orthogonal
from ..core.optimizer import FlatOptimizer
from ..core.schedules import linear
from ..core.torch_state import load_torch_state, pack_tensors, torch_state, unpack_tensors
from ..core.trainer import Arrays, Task, Trainer
from ..planning.learned import LearnedCosts, LearnedSearchAgent, observed_rows
from ..planning.search import Limits

Form = Literal["value", "action"]


@dataclass(frozen=True)
class Config:
    """Hyperparameters of cost-to-go learning."""

    form: Form = "value"
    """What is learned: the cost to go from a state, or of each action and what follows it."""
    scramble: int = 30
    """The most steps back from a goal; the number is drawn uniformly from 1 on."""
    primitive_actions: int | None = None
    """How many of the actions, the first ones, all others are compositions of; None if there are
    none such. These alone make up the steps back, and the least of them is the cost to go."""
    actions_per_state: int = 1
    """Of the form action: how many actions of a state are learned from at a time."""
    epsilon: float = 0.1
    """Of the form action: the share of actions drawn uniformly, rather than by a softmax of −q."""
    temperature: float = 1 / 3
    """Of that softmax, in units of cost."""
    updates_per_step: int = 50
    """Gradient steps that are logged together."""
    target_interval: int = 200
    """Gradient steps after which the network may be copied into the target network."""
    target_loss: float = 0.05
    """It is copied only if the mean loss of the interval is below this."""
    learning_rate: float = 1e-3
    """The step size of Adam."""
    anneal_learning_rate: bool = True
    """Whether it goes down to 0 over the training."""
    max_grad_norm: float = 10.0
    """Gradients are scaled down to this norm."""
    hidden: int = 256
    """Width of the layers."""
    blocks: int = 1
    """Residual blocks of two layers each."""
    weight: float = 0.8
    """Of the cost so far, when the agent searches; below 1 it searches less."""
    batch_size: int = 100
    """States expanded together, or edges followed, when the agent searches."""
    max_expanded: int = 20_000
    """Expansions of a search, or edges followed, before the agent gives up."""


class CostToGo(nn.Module):
    """A residual network over observations.

    Args:
        space: the observation space.
        outputs: 1, or the number of actions.
        hidden: width of the layers.
        blocks: residual blocks of two layers.
    """

    def __init__(self, space: spaces.Space[Any], outputs: int, hidden: int, blocks: int):
        super().__init__()
        self.inputs = nn.Sequential(InputLayer(Features(space), hidden), nn.ReLU())
        self.blocks = nn.ModuleList(_Block(hidden) for _ in range(blocks))
        self.output = orthogonal(hidden, outputs, gain=1.0)

    def forward(self, rows: Tensor, n_outputs: int | None = None) -> Tensor:
        """(n, raw width) rows to (n, outputs) costs, or to the first `n_outputs` of them."""
        x = self.inputs(rows)
        for block in self.blocks:
            x = block(x)
        return functional.linear(x, self.output.weight[:n_outputs], self.output.bias[:n_outputs])


class _Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, width), nn.LayerNorm(width), nn.ReLU(), nn.Linear(width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.layers(x))


class CostToGoLearning(Trainer):
    """Learns a heuristic; see the module. Each lane is a state of a batch.

    Raises:
        UnsupportedFaceError: the environment names no goal states, is stochastic or a game, or has
            actions that cannot be taken back.
        InvalidArgumentError: a hyperparameter is out of range, or several processes.
    """

    default_num_envs = 1000

    def __init__(self, task: Task, config: Config):
        super().__init__(task, config)
        self.config: Config = config
        _check(config)
        if join_world(task.device).size > 1:
            raise InvalidArgumentError("costs to go are learned in one process")
        env: Any = registry.entry(task.env_id).load()(**task.env_kwargs)
        self.model: Model = env.model
        definition = self.model.definition
        if not definition.inverse_actions or definition.kernels.goal is None:
            raise UnsupportedFaceError(
                f"{task.env_id} has no goal, or actions that cannot be taken back: its states "
                "cannot be scrambled backwards from the goal"
            )
        self.goals = self.model.goal_states()
        self.n_actions = definition.n_actions
        torch.manual_seed(task.seed)
        self.rng = np.random.default_rng(task.seed)
        outputs = 1 if config.form == "value" else self.n_actions
        self.network, self.target = (
            CostToGo(env.observation_space, outputs, config.hidden, config.blocks).to(task.device)
            for _ in range(2)
        )
        with torch.no_grad():  # The cost of a goal is known; of others nothing is at the start.
            self.target.output.weight.zero_()
        self.optimizer = FlatOptimizer(
            self.network, "adam", config.learning_rate, config.max_grad_norm, eps=1e-8
        )
        self.updates = self.copies = 0
        self._losses: list[float] = []

    def step(self) -> dict[str, float]:
        if self.config.anneal_learning_rate:
            progress = min(self.env_steps / self.task.total_steps, 1.0)
            self.optimizer.set_learning_rate(linear(self.config.learning_rate, 0.0)(progress))
        losses, costs = [], []
        for _ in range(self.config.updates_per_step):
            update = self._update_values if self.config.form == "value" else self._update_actions
            loss, cost = update(self._scramble())
            losses.append(loss)
            costs.append(cost)
            self._follow(loss)
        return {
            "loss": float(np.mean(losses)),
            "cost_mean": float(np.mean(costs)),
            "target_copies": float(self.copies),
        }

    def _scramble(self) -> States:
        """States some steps back from a goal, (num_envs,)."""
        n = self.task.num_envs
        starts = self.goals[self.rng.integers(len(self.goals), size=n)]
        lengths = self.rng.integers(1, self.config.scramble + 1, size=n)
        seeds = self.rng.integers(2**31, size=n).tolist()
        return self.model.walk(starts, lengths, seeds, self.config.primitive_actions)

    def _rows(self, states: States) -> Tensor:
        return observed_rows(self.model, states).to(self.task.device)

    @torch.no_grad()
    def _after(self, states: States) -> np.ndarray[Any, Any]:
        """The target network's cost to go of states, (n,)."""
        n_actions = None if self.config.form == "value" else self.config.primitive_actions
        return LearnedCosts(self.model, self.target, self.task.device, n_actions)(states)

    def _update_values(self, states: States) -> tuple[float, float]:
        """One gradient step; the loss and the mean target."""
        children = self.model.successors(states)
        after = self._after(children.states.ravel()).reshape(children.costs.shape)
        targets = (children.costs + after).min(axis=1)
        targets[self.model.is_goal(states)] = 0.0
        self.env_steps += children.costs.size
        return self._learn(self.network(self._rows(states)).squeeze(1), targets)

    def _update_actions(self, states: States) -> tuple[float, float]:
        """The same for some actions of each state."""
        states = states[~self.model.is_goal(states)]
        rows = self._rows(states)
        outputs = self.network(rows)
        actions = self._draw(outputs.detach().cpu().numpy(), states)
        repeated = np.repeat(states, actions.shape[1])
        after, rewards, _ = self.model.step(repeated, actions.ravel())
        targets = -rewards + self._after(after)
        self.env_steps += actions.size
        taken = outputs.gather(1, torch.as_tensor(actions).to(outputs.device))
        return self._learn(taken.flatten(), targets)

    def _draw(self, costs: np.ndarray[Any, Any], states: States) -> np.ndarray[Any, Any]:
        """Different actions of each state, (n, k), most often those that seem best."""
        scores = -costs / self.config.temperature
        explore = self.rng.random(len(costs)) < self.config.epsilon
        scores[explore] = 0.0
        scores = np.where(self.model.legal(states), scores, -np.inf)
        # The largest of scores with Gumbel noise are draws without replacement from the softmax.
        scores += self.rng.gumbel(size=scores.shape)
        k = min(self.config.actions_per_state, self.n_actions)
        return np.argpartition(-scores, k - 1, axis=1)[:, :k]

    def _learn(self, outputs: Tensor, targets: np.ndarray[Any, Any]) -> tuple[float, float]:
        wanted = torch.as_tensor(targets, dtype=torch.float32).to(outputs.device)
        loss = (outputs - wanted).square().mean()
        self.optimizer.step(loss)
        return float(loss.detach()), float(wanted.mean())

    def _follow(self, loss: float) -> None:
        """Copy the network into the target once it has learned what the target says."""
        self.updates += 1
        self._losses.append(loss)
        if len(self._losses) == self.config.target_interval:
            if np.mean(self._losses) < self.config.target_loss:
                self.target.load_state_dict(self.network.state_dict())
                self.copies += 1
            self._losses.clear()

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        generator = torch.Generator()  # Nothing is drawn by torch.
        arrays = {
            **torch_state(self.network, self.optimizer, generator),
            **pack_tensors("target", self.target.state_dict()),
            "losses": np.array(self._losses),
        }
        counts = {"env_steps": self.env_steps, "updates": self.updates, "copies": self.copies}
        return arrays, {**counts, "rng": self.rng.bit_generator.state}

    def load_state(self, arrays: Arrays, meta: dict[str, Any]) -> None:
        load_torch_state(self.network, self.optimizer, torch.Generator(), arrays)
        self.target.load_state_dict(unpack_tensors("target", arrays))
        self._losses = arrays["losses"].tolist()
        self.env_steps, self.updates, self.copies = (
            meta[name] for name in ("env_steps", "updates", "copies")
        )
        self.rng.bit_generator.state = meta["rng"]

    @property
    def costs(self) -> LearnedCosts:
        """What has been learned."""
        return LearnedCosts(self.model, self.network, self.task.device)

    def agent(self) -> LearnedSearchAgent:
        config = self.config
        return LearnedSearchAgent(
            self.network,
            config.form == "action",
            weight=config.weight,
            batch_size=config.batch_size,
            limits=Limits(max_expanded=config.max_expanded),
        )


def _check(config: Config) -> None:
    for name in (
        "scramble", "actions_per_state", "updates_per_step", "target_interval", "hidden",
        "batch_size", "max_expanded",
    ):  # fmt: skip
        if getattr(config, name) < 1:
            raise InvalidArgumentError(f"{name} must be at least 1; got {config!r}")
    if config.primitive_actions is not None and config.primitive_actions < 1:
        raise InvalidArgumentError(f"primitive_actions must be at least 1; got {config!r}")
    if config.blocks < 0 or not 0 <= config.epsilon <= 1 or not 0 <= config.weight <= 1:
        raise InvalidArgumentError(
            f"blocks must not be negative, and epsilon and weight from 0 to 1; got {config!r}"
        )
    if not (config.temperature > 0 and config.target_loss > 0):
        raise InvalidArgumentError(f"temperature and target_loss must be positive; got {config!r}")
