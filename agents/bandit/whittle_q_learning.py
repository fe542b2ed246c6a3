"""Whittle indices of restless arms that are unknown, learned by Q-learning.

Avrachenkov & Borkar 2022, "Whittle index based Q-learning for restless bandits with average
reward", Automatica 139; with a discount below 1 as in Robledo, Borkar, Ayesta & Avrachenkov 2022,
"QWI: Q-learning with Whittle index". Each arm has a table of action values for each of its states,
in which being passive pays the present estimate of that state's index besides; slower than the
values move, the estimate moves to where being active and being passive are worth the same there.

The environment pays one sum for all arms. What each arm pays in a state is found by least squares
from the sums; what it cannot tell apart (how much of a sum is due to whatever an arm does) makes
no difference to indices. Nothing else is known of the arms. That an episode ends is no event in
the life of an arm, and is ignored.
"""

from dataclasses import dataclass
from typing import Any

import gymnasium
import numba
import numpy as np

from ...envs.kernel import InvalidArgumentError
from ..core.checkpoint import pack_records, unpack_records
from ..core.rollout import EpisodeStatistics
from ..core.schedules import linear
from ..core.trainer import Arrays, Task, Trainer
from .whittle_index import IndexPolicy, check_restless, places_of

Array = np.ndarray[Any, Any]

_RIDGE = 1e-6


@dataclass(frozen=True)
class Config:
    """Hyperparameters of Q-learning of Whittle indices."""

    num_steps: int = 50
    """Steps of every environment that are learned from together."""
    gamma: float = 0.99
    """The discount of the indices; 1 for those of the average reward."""
    value_exponent: float = 0.6
    """Step sizes of values are (1 + n / step_scale) to the power of minus this, n being how often
    the action has been taken in the state."""
    index_exponent: float = 0.9
    """The same of indices, n being the steps of the arm; larger, as indices are to be slower."""
    index_step: float = 0.1
    """The first step size of indices; that of values is 1."""
    step_scale: float = 10.0
    """After how many steps the sizes begin to fall."""
    epsilon_end: float = 0.1
    """The share of random actions once exploration has been annealed from 1."""
    exploration_fraction: float = 0.5
    """The share of the training over which it is annealed."""


class WhittleQLearning(Trainer):
    """Learns the Whittle indices of a `RestlessBandit`; see the module.

    Attributes:
        indices: (arms, states), the estimates.
        values: (arms, states, states, 2): of each arm, for the index of the second axis, the action
            values of each state, less their mean.
        visits: (arms, states, 2), how often each action has been taken in each state.

    Raises:
        UnsupportedFaceError: the environment is another one.
        InvalidArgumentError: a hyperparameter is out of range.
    """

    default_num_envs = 64

    def __init__(self, task: Task, config: Config):
        super().__init__(task, config)
        self.config: Config = config
        _check(config)
        self.env: Any = gymnasium.make_vec(
            task.env_id, num_envs=task.num_envs, autoreset_mode="SAME_STEP", **task.env_kwargs
        )
        check_restless(self, self.env)
        arms, states = self.env.prototype.arms, self.env.prototype.states
        self.values = np.zeros((arms, states, states, 2))
        self.indices = np.zeros((arms, states))
        self.visits = np.zeros((arms, states, 2), np.int64)
        # Of the least squares: what each arm pays, by state and action.
        self._products = np.zeros((self.visits.size, self.visits.size))
        self._moments = np.zeros(self.visits.size)
        self.rng = np.random.default_rng(task.seed)
        self.statistics = EpisodeStatistics(task.num_envs)
        self.observations = self.env.reset(seed=task.seed * 2**20)[0].copy()

    @property
    def epsilon(self) -> float:
        """The share of random actions now."""
        span = self.config.exploration_fraction * self.task.total_steps
        return linear(1.0, self.config.epsilon_end)(self.env_steps / max(span, 1.0))

    def step(self) -> dict[str, float]:
        config = self.config
        steps = [self._interact() for _ in range(config.num_steps)]
        places, actions, following, rewards = (
            np.concatenate(part) for part in zip(*steps, strict=True)
        )
        pays = self._pays(places, actions, rewards)
        gap = _learn(
            self.values, self.indices, self.visits, places, actions, following, pays, config.gamma,
            config.value_exponent, config.index_exponent, config.index_step, config.step_scale,
        )  # fmt: skip
        return {**self.statistics.means(), "epsilon": self.epsilon, "index_gap": gap}

    def _interact(self) -> tuple[Array, Array, Array, Array]:
        """One step of every environment: states, actions, next states and rewards."""
        space = self.env.single_action_space
        places = places_of(self.observations)
        wanted = self.indices[np.arange(places.shape[1]), places]
        actions = np.array([space.maximise(row) for row in wanted])
        for lane in np.flatnonzero(self.rng.random(len(actions)) < self.epsilon):
            # Not only actions that use all of the budget: it would tell less of what arms pay.
            actions[lane] = space.draw(self.rng) & (self.rng.random(space.n) < 0.8)
        seen, rewards, terminated, truncated, infos = self.env.step(actions)
        following = places_of(seen)
        ended = terminated | truncated
        if ended.any():
            following[ended] = places_of(infos["final_obs"][ended])
        self.observations = seen.copy()
        self.env_steps += len(actions)
        self.statistics.look(self.env)
        return places, actions, following, rewards.astype(float)

    def _pays(self, places: Array, actions: Array, rewards: Array) -> Array:
        """What arms pay by state and action, (arms, states, 2), from all sums seen so far."""
        shape = self.visits.shape
        rows = np.zeros((len(places), *shape))
        rows[np.arange(len(rows))[:, None], np.arange(shape[0]), places, actions] = 1.0
        rows = rows.reshape(len(rows), self.visits.size)
        self._products += rows.T @ rows
        self._moments += rewards @ rows
        damped = self._products + _RIDGE * np.eye(len(self._moments))
        return np.linalg.solve(damped, self._moments).reshape(shape)

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        arrays = {
            "values": self.values,
            "indices": self.indices,
            "visits": self.visits,
            "products": self._products,
            "moments": self._moments,
            "env": pack_records(self.env.snapshot()),
            "observations": self.observations,
            "episodes": self.statistics.latest,
        }
        return arrays, {"env_steps": self.env_steps, "rng": self.rng.bit_generator.state}

    def load_state(self, arrays: Arrays, meta: dict[str, Any]) -> None:
        self.values, self.indices = arrays["values"].copy(), arrays["indices"].copy()
        self.visits = arrays["visits"].copy()
        self._products, self._moments = arrays["products"].copy(), arrays["moments"].copy()
        self.env.restore(unpack_records(arrays["env"], self.env.states))
        self.observations = arrays["observations"].copy()
        self.statistics.latest = arrays["episodes"].copy()
        self.rng.bit_generator.state = meta["rng"]
        self.env_steps = meta["env_steps"]

    def agent(self) -> IndexPolicy:
        return IndexPolicy(self.indices)


@numba.njit(cache=True)
def _learn(
    values, indices, visits, places, actions, following, pays, gamma, value_exponent,
    index_exponent, index_step, step_scale,
):  # pragma: no cover  # fmt: skip
    """Relative Q-learning for each index, and the indices, transition by transition.

    Returns the mean over arms and states of how far the two actions are from being worth the same.
    """
    arms, states = indices.shape
    for arm in range(arms):
        turns = visits[arm].sum()
        for i in range(len(places)):
            place, action, after = places[i, arm], actions[i, arm], following[i, arm]
            visits[arm, place, action] += 1
            turns += 1
            step = (1.0 + visits[arm, place, action] / step_scale) ** -value_exponent
            slow = index_step * (1.0 + turns / step_scale) ** -index_exponent
            for k in range(states):
                table = values[arm, k]
                reward = pays[arm, place, action] + (1 - action) * indices[arm, k]
                # The mean is taken off, as the average reward must be; it keeps values small.
                target = reward + gamma * table[after].max() - table.mean()
                table[place, action] += step * (target - table[place, action])
                indices[arm, k] += slow * (table[k, 1] - table[k, 0])
    gap = 0.0
    for arm in range(arms):
        for k in range(states):
            gap += abs(values[arm, k, k, 1] - values[arm, k, k, 0])
    return gap / indices.size


def _check(config: Config) -> None:
    if not 0 < config.gamma <= 1 or config.num_steps < 1 or config.step_scale <= 0:
        raise InvalidArgumentError(
            "gamma must be above 0 and at most 1, num_steps and step_scale positive; got "
            f"{config.gamma!r}, {config.num_steps!r} and {config.step_scale!r}"
        )
    if not 0.5 < config.value_exponent < config.index_exponent <= 1 or config.index_step <= 0:
        raise InvalidArgumentError(
            "0.5 < value_exponent < index_exponent ≤ 1 and index_step > 0 must hold; got "
            f"{config.value_exponent!r}, {config.index_exponent!r} and {config.index_step!r}"
        )
    if not 0 <= config.epsilon_end <= 1 or not 0 <= config.exploration_fraction <= 1:
        raise InvalidArgumentError(
            "epsilon_end and exploration_fraction must be from 0 to 1; got "
            f"{config.epsilon_end!r} and {config.exploration_fraction!r}"
        )
