"""Tabular Q-learning.

Watkins 1989, "Learning from delayed rewards"; Watkins & Dayan 1992, "Q-learning"; Sutton & Barto
2018, section 6.5. A row of the table is a state of the model face, told apart by its key, so the
agent sees the state itself and not the observation. Only a terminated episode ends a target; a
truncated one is bootstrapped from the state it was cut off in.
"""

from dataclasses import dataclass
from typing import Any

import gymnasium
import numba
import numpy as np

from ...envs.kernel import InvalidArgumentError, KernelVectorEnv, Model, UnsupportedFaceError
from ..core.agent import Agent
from ..core.checkpoint import pack_records, unpack_records
from ..core.rollout import EpisodeStatistics
from ..core.schedules import linear
from ..core.trainer import Arrays, Task, Trainer

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Config:
    """Hyperparameters of tabular Q-learning."""

    num_steps: int = 64
    """Steps of every environment that are logged together."""
    step_size: float | None = 0.1
    """The part of the way to the target that a value moves, in (0, 1]; None for 1/n, n being how
    often the action has been taken in the state."""
    gamma: float = 0.99
    """The discount."""
    epsilon_end: float = 0.05
    """The share of random actions once exploration has been annealed from 1."""
    exploration_fraction: float = 0.5
    """The share of the training over which it is annealed."""


class QTable:
    """Action values of the states met so far.

    Args:
        model: gives states their keys.
    """

    def __init__(self, model: Model):
        self._model = model
        self._rows: dict[bytes, int] = {}
        self.values = np.zeros((1024, model.definition.n_actions))
        #: How often each action has been learned from, in the shape of the values.
        self.visits = np.zeros(self.values.shape, np.int64)

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self, states: Array) -> Array:
        """The rows of states, (n,); new ones get a row of zeros."""
        rows = np.array([self._rows.setdefault(k, len(self._rows)) for k in self._keys(states)])
        if len(self) > len(self.values):
            more = ((0, len(self)), (0, 0))
            self.values, self.visits = np.pad(self.values, more), np.pad(self.visits, more)
        return rows

    def look_up(self, states: Array) -> Array:
        """The values of states, (n, actions); 0 for those that are not in the table."""
        rows = np.array([self._rows.get(key, -1) for key in self._keys(states)])
        return np.where(rows[:, None] >= 0, self.values[rows], 0.0)

    def arrays(self) -> Arrays:
        """What `load` needs."""
        keys = np.frombuffer(b"".join(self._rows), np.uint8).reshape(-1, 16)
        return {
            "keys": keys,
            "values": self.values[: len(self)],
            "visits": self.visits[: len(self)],
        }

    def load(self, arrays: Arrays) -> None:
        """Hold exactly what `arrays` returned."""
        keys = arrays["keys"].reshape(-1, 16).view("V16").ravel().tolist()
        self._rows = {key: row for row, key in enumerate(keys)}
        self.values, self.visits = arrays["values"].copy(), arrays["visits"].copy()

    def _keys(self, states: Array) -> list[bytes]:
        return self._model.key(states).view("V16").ravel().tolist()


class TabularAgent(Agent):
    """Takes the legal action of highest value, drawn among equals: in an unknown state any.

    Args:
        table: the values.
    """

    def __init__(self, table: QTable):
        self._table = table

    def act(self, observations: Any, infos: dict[str, Any]) -> Array:
        values = self._table.look_up(self.env.states)
        return greedy(values, infos.get("action_mask"), self.rng)


def greedy(values: Array, mask: Array | None, rng: np.random.Generator) -> Array:
    """The legal actions of highest value, (n,), each drawn among equals.

    Args:
        values: (n, actions).
        mask: (n, actions), 0 where illegal; None where everything is legal.
        rng: breaks the ties.
    """
    if mask is not None:
        values = np.where(mask, values, -np.inf)
    best = values == values.max(axis=1, keepdims=True)
    return (rng.random(best.shape) * best).argmax(axis=1)


class QLearning(Trainer):
    """Tabular Q-learning over a batch of environments; see the module.

    The lanes share the table and learn from each step one after the other.

    Raises:
        UnsupportedFaceError: the environment has no model face, or actions that are not one
            integer, or several agents.
        InvalidArgumentError: a hyperparameter is out of range.
    """

    default_num_envs = 64

    def __init__(self, task: Task, config: Config):
        super().__init__(task, config)
        _check(config)
        self.env: Any = gymnasium.make_vec(
            task.env_id, num_envs=task.num_envs, autoreset_mode="SAME_STEP", **task.env_kwargs
        )
        if not isinstance(self.env, KernelVectorEnv):
            raise UnsupportedFaceError(
                f"a table needs the keys of states, and {task.env_id} has no model face"
            )
        if not self.env.definition.discrete or self.env.definition.agents:
            raise UnsupportedFaceError(
                "tabular Q-learning is for one agent with actions that are one integer; "
                f"{task.env_id} has {self.env.single_action_space}"
            )
        prototype: Any = self.env.prototype
        self.table = QTable(prototype.model)
        self.rng = np.random.default_rng(task.seed)
        self.statistics = EpisodeStatistics(task.num_envs)
        _, infos = self.env.reset(seed=task.seed * 2**20)
        self._go_on(infos)

    @property
    def epsilon(self) -> float:
        """The share of random actions now."""
        span = self.config.exploration_fraction * self.task.total_steps
        return linear(1.0, self.config.epsilon_end)(self.env_steps / max(span, 1.0))

    def step(self) -> dict[str, float]:
        errors = [self._interact() for _ in range(self.config.num_steps)]
        return {
            **self.statistics.means(),
            "epsilon": self.epsilon,
            "td_error": float(np.mean(errors)),
            "states": float(len(self.table)),
        }

    def _interact(self) -> float:
        """One ε-greedy step of every environment, learned from; the mean absolute TD error."""
        values = self.table.values[self._rows]
        values[self.rng.random(len(values)) < self.epsilon] = 0.0  # All alike: any will do.
        actions = greedy(values, self._mask, self.rng)
        rows = self._rows
        _, rewards, terminated, truncated, infos = self.env.step(actions)
        self._go_on(infos)
        following, mask = self._rows, self._mask
        cut = truncated & ~terminated
        if cut.any():
            following = following.copy()
            following[cut] = self.table.rows(self.env.final_states[cut])
            if mask is not None:
                mask = np.where(cut[:, None], infos["final_info"]["action_mask"], mask)
        legal = np.ones(values.shape, np.int8) if mask is None else mask
        step_size = self.config.step_size or 0.0
        error = _learn(
            self.table.values, self.table.visits, rows, actions, rewards, terminated, following,
            legal, self.config.gamma, step_size,
        )  # fmt: skip
        self.env_steps += len(rows)
        self.statistics.look(self.env)
        return error

    def _go_on(self, infos: dict[str, Any]) -> None:
        """Act next in the environment's present states."""
        self._rows = self.table.rows(self.env.states)
        self._mask = infos.get("action_mask")

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        arrays = {
            **self.table.arrays(),
            "env": pack_records(self.env.snapshot()),
            "episodes": self.statistics.latest,
        }
        return arrays, {"env_steps": self.env_steps, "rng": self.rng.bit_generator.state}

    def load_state(self, arrays: Arrays, meta: dict[str, Any]) -> None:
        self.table.load(arrays)
        self.env.restore(unpack_records(arrays["env"], self.env.states))
        self._go_on(self.env.present()[1])
        self.statistics.latest = arrays["episodes"].copy()
        self.rng.bit_generator.state = meta["rng"]
        self.env_steps = meta["env_steps"]

    def agent(self) -> TabularAgent:
        return TabularAgent(self.table)


@numba.njit(cache=True)
def _learn(
    values, visits, rows, actions, rewards, terminated, following, legal, gamma, step_size
):  # pragma: no cover
    """Sutton & Barto 2018, equation 6.8, lane by lane; the mean absolute TD error.

    Lanes often take the same action in the same state: together their step sizes could exceed 1.
    """
    total = 0.0
    for i in range(len(rows)):
        target = float(rewards[i])
        if not terminated[i]:
            best = -np.inf
            for action in range(values.shape[1]):
                if legal[i, action] and values[following[i], action] > best:
                    best = values[following[i], action]
            target += gamma * best
        row, action = rows[i], actions[i]
        visits[row, action] += 1
        error = target - values[row, action]
        total += abs(error)
        values[row, action] += error * (step_size if step_size > 0.0 else 1 / visits[row, action])
    return total / len(rows)


def _check(config: Config) -> None:
    if config.step_size is not None and not 0 < config.step_size <= 1:
        raise InvalidArgumentError(
            f"step_size must be in (0, 1], or None for 1/n; got {config.step_size!r}"
        )
    if not 0 <= config.epsilon_end <= 1 or not 0 <= config.exploration_fraction <= 1:
        raise InvalidArgumentError(
            "epsilon_end and exploration_fraction must be from 0 to 1; got "
            f"{config.epsilon_end!r} and {config.exploration_fraction!r}"
        )
    if not 0 <= config.gamma <= 1 or config.num_steps < 1:
        raise InvalidArgumentError(
            "gamma must be from 0 to 1 and num_steps positive; got "
            f"{config.gamma!r} and {config.num_steps!r}"
        )
