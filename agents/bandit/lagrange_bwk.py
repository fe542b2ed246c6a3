"""LagrangeBwK: bandits with knapsacks as a repeated game (Immorlica et al. 2019)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...envs.bandit.knapsack import KnapsackBandit
from ...envs.kernel import UnsupportedFaceError, kernel
from .agent import BanditAgent, BanditKernels, Field, Problem
from .exponential_weights import draw_mixed


class Settings(NamedTuple):
    """See `LagrangeBwK`."""

    budget: int
    scarcity: float  # T / B
    rate: float  # of learning about the arms
    dual_rate: float  # of learning about the resources


@kernel
def start(memory, params):
    """All arms and all resources are alike."""
    for arm in range(memory.losses.shape[0]):
        memory.losses[arm] = 0.0
    for resource in range(memory.slack.shape[0]):
        memory.slack[resource] = 0.0


@kernel
def choose(memory, obs, params):
    """Draw an arm with a probability exponential in its estimated loss."""
    keep_left(memory, obs)
    least = float(memory.losses[0])
    for arm in range(1, memory.losses.shape[0]):
        least = min(least, float(memory.losses[arm]))
    total = 0.0
    for arm in range(memory.losses.shape[0]):
        weight = math.exp(params.rate * (least - float(memory.losses[arm])))
        memory.shares[arm] = weight
        total += weight
    return draw_mixed(memory, total, 0.0)


@kernel
def learn(memory, action, reward, obs, params):
    """One round of the game between arms and resources."""
    # Time has no slack ever: in each round just one round is used.
    tightest = 0.0
    for resource in range(memory.slack.shape[0]):
        tightest = min(tightest, float(memory.slack[resource]))
    total = math.exp(params.dual_rate * tightest)
    price = 0.0
    for resource in range(memory.slack.shape[0]):
        weight = math.exp(params.dual_rate * (tightest - float(memory.slack[resource])))
        spare = 1.0 - params.scarcity * used(memory, obs, resource, params)
        total += weight
        price += weight * spare
        memory.slack[resource] += spare
    loss = (2.0 - (float(reward) + price / total)) / (1.0 + params.scarcity)
    memory.losses[action] += loss / (float(memory.shares[action]) + params.rate / 2.0)


@kernel
def keep_left(memory, obs):
    """Remember what is left of the resources before the pull."""
    for resource in range(memory.left.shape[0]):
        memory.left[resource] = obs.left[resource]


@kernel
def used(memory, obs, resource, params):
    """The units of a resource that the pull used."""
    return (float(memory.left[resource]) - obs.left[resource]) * params.budget


def check_knapsack(agent: BanditAgent, problem: Problem) -> None:
    """See that there are resources to spend.

    Raises:
        UnsupportedFaceError: the environment is not a `KnapsackBandit`.
    """
    if not isinstance(problem.env, KnapsackBandit):
        raise UnsupportedFaceError(
            f"{type(agent).__name__} plays KnapsackBandit; got {problem.env!r}"
        )


def resources_of(problem: Problem) -> int:
    """How many resources a `KnapsackBandit` has, without time."""
    return problem.env.definition.params.costs.shape[2]


class LagrangeBwK(BanditAgent):
    """Two learners play a game for the Lagrangian: one picks arms, the other a resource.

    With budgets B and horizon T an arm that pays r and uses c of the resource is worth
    `r + 1 − (T / B) c`; time is a resource too, of which every pull uses its share B / T. The
    arms' learner wants much of it and has seen the pull only (EXP3-IX of Neu 2015, "Explore no
    more: improved high-probability regret bounds for non-stochastic bandits"); the resources'
    wants little and has seen all of them (Hedge), and the arms' learner is given its mean. From
    Immorlica, Sankararaman, Schapire & Slivkins, "Adversarial bandits with knapsacks", FOCS 2019
    (Journal of the ACM 69, 2022), for rewards and uses in [0, 1].
    """

    observes = True
    kernels = BanditKernels(start, choose, learn)

    def check(self, problem: Problem) -> None:
        check_knapsack(self, problem)

    def fields(self, problem: Problem) -> Sequence[Field]:
        arms, resources = (problem.arms,), (resources_of(problem),)
        return [
            ("slack", np.float64, resources), ("left", np.float64, resources),
            ("losses", np.float64, arms), ("shares", np.float64, arms),
        ]  # fmt: skip

    def params(self, problem: Problem) -> Settings:
        arms, horizon = problem.arms, problem.env.horizon
        budget = problem.env.definition.params.budget
        scarcity = horizon / budget
        rate = math.sqrt(2.0 * math.log(arms) / (arms * horizon))
        dual_rate = math.sqrt(8.0 * math.log(resources_of(problem) + 1) / horizon) / scarcity
        return Settings(budget, scarcity, rate, dual_rate)
