"""Policies for coupled restless bandits that look one step ahead, or at each arm alone.

The baselines of Xu et al. 2025, "Reinforcement learning with combinatorial actions for coupled
restless bandits". All know the instance.
"""

from abc import abstractmethod
from typing import Any

import numpy as np

from ...envs.bandit.coupled import CoupledRestlessBandit
from ...envs.bandit.whittle import whittle_indices
from ...envs.kernel import UnsupportedFaceError
from ...envs.kernel.feasible import Constraints, solve
from ..core.agent import Agent

Array = np.ndarray[Any, Any]


class RestlessPolicy(Agent):
    """Picks an action for each lane by the levels of its arms; equal levels, equal actions."""

    problem: CoupledRestlessBandit

    def start(self, env: Any, seed: int) -> None:
        """Get ready; see `Agent`.

        Raises:
            UnsupportedFaceError: the environment is not a `CoupledRestlessBandit`.
        """
        super().start(env, seed)
        self.problem = read_problem(env)
        self._known: dict[bytes, Array] = {}

    def act(self, observations: Any, infos: dict[str, Any]) -> Array:
        return np.array([self._of(levels) for levels in self.problem.levels(observations)])

    def _of(self, levels: Array) -> Array:
        key = levels.tobytes()
        if key not in self._known:
            self._known[key] = self.choose(levels)
        return self._known[key]

    @abstractmethod
    def choose(self, levels: Array) -> Array:
        """The action (arms,) at these levels (arms,)."""


class NullPolicy(RestlessPolicy):
    """Never acts."""

    def choose(self, levels: Array) -> Array:
        return np.zeros(self.problem.arms, np.int8)


class MyopicPolicy(RestlessPolicy):
    """Maximises the expected next reward exactly: over all actions where they are few, and by an
    integer programme where they are many.

    In the programme each arm has one auxiliary variable for each thing that can be done to it.
    """

    def start(self, env: Any, seed: int) -> None:
        super().start(env, seed)
        self._constraints = with_effects(self.problem)
        self._aside = self._constraints.matrix.shape[1] - self.problem.instance.chances.size

    def choose(self, levels: Array) -> Array:
        rows = self.problem.instance.space.listed
        if rows is not None:
            return rows[self.problem.expected_rewards(levels[None], rows).argmax()]
        falls, rises = self.problem.pays(levels[None])
        gains = (rises - falls)[0, :, None] * self.problem.instance.chances
        values = np.concatenate([np.zeros(self._aside), gains.ravel()])
        return solve(self._constraints, values)[: self.problem.arms].astype(np.int8)


class GreedyPolicy(RestlessPolicy):
    """Adds one arm after the other, each time the one that raises the expected next reward most."""

    def choose(self, levels: Array) -> Array:
        problem = self.problem
        return problem.instance.space.grow(
            lambda rows: problem.expected_rewards(levels[None], rows)
        )


class SamplingPolicy(RestlessPolicy):
    """The best of some random actions, by the expected next reward.

    Args:
        samples: how many are drawn.
    """

    def __init__(self, samples: int = 100):
        self.samples = samples

    def choose(self, levels: Array) -> Array:
        space = self.problem.instance.space
        rows = np.array([space.draw(self.rng) for _ in range(self.samples)])
        return rows[self.problem.expected_rewards(levels[None], rows).argmax()]


class WhittlePolicy(RestlessPolicy):
    """Maximises the sum of Whittle indices, as if each arm were restless on its own.

    With interventions an arm is acted on or left alone as a whole, and an intervention is worth the
    indices of the arms it acts on, in proportion to how much it raises their chances.

    Args:
        gamma: the discount of the indices.
    """

    def __init__(self, gamma: float = 0.99):
        self.gamma = gamma

    def start(self, env: Any, seed: int) -> None:
        super().start(env, seed)
        arms = self.problem.chains()
        ends = np.array([0, arms.transitions.shape[1] - 1])
        #: (arms, levels)
        self.indices = np.array(
            [
                whittle_indices(arms.transitions[arm, ends], arms.rewards[arm, ends], self.gamma)
                for arm in range(self.problem.arms)
            ]
        )

    def choose(self, levels: Array) -> Array:
        problem, each = self.problem, np.eye(self.problem.arms, dtype=np.int8)
        _, _, _, chances = problem.instance
        raised = problem.rise_chances(each) - chances[:, 0]
        share = raised / (chances[:, -1] - chances[:, 0])
        values = share @ self.indices[np.arange(problem.arms), levels]
        return problem.instance.space.maximise(values)


def read_problem(env: Any) -> CoupledRestlessBandit:
    """The problem of a vector environment.

    Raises:
        UnsupportedFaceError: the environment is not a `CoupledRestlessBandit`.
    """
    if not isinstance(env.prototype, CoupledRestlessBandit):
        raise UnsupportedFaceError("this agent plays spelunk/CoupledRestlessBandit-v0 only")
    return env.prototype


def with_effects(problem: CoupledRestlessBandit) -> Constraints:
    """The constraints of actions, and behind their variables one for each arm and code: whether
    just that is done to the arm.
    """
    space, _, variables, chances = problem.instance
    inner = space.constraints()
    (arms, codes), k = chances.shape, variables.shape[1]
    first = inner.matrix.shape[1]
    bits = (np.arange(codes)[None, :] >> np.arange(k)[:, None]) & 1
    one = np.kron(np.eye(arms), np.ones(codes))
    does = np.kron(np.eye(arms), bits)
    says = np.zeros((arms * k, first))
    says[np.arange(arms * k), variables.ravel()] = -1.0
    return Constraints(
        np.block(
            [
                [inner.matrix, np.zeros((len(inner.matrix), chances.size))],
                [np.zeros((arms, first)), one],
                [says, does],
            ]
        ),
        np.concatenate([inner.lower, np.ones(arms), np.zeros(arms * k)]),
        np.concatenate([inner.upper, np.ones(arms), np.zeros(arms * k)]),
    )
