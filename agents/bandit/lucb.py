"""LUCB: the best arm with a fixed confidence (Kalyanakrishnan, Tewari, Auer & Stone 2012)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...envs.bandit.best_arm import BestArm
from ...envs.kernel import UnsupportedFaceError, kernel
from .agent import BanditAgent, BanditKernels, Field, Problem

_K1 = 1.25  # k₁ of the paper's confidence bounds


class Settings(NamedTuple):
    """See `LUCB`."""

    budget: int
    delta: float
    epsilon: float


@kernel
def start(memory, params):
    """Nothing has been pulled."""
    memory.spent = 0
    memory.rounds = memory.pulls.shape[0]
    memory.challenger = -1
    for arm in range(memory.pulls.shape[0]):
        memory.pulls[arm] = 0
        memory.averages[arm] = 0.0


@kernel
def choose(memory, obs, params):
    """Leader and challenger in turns, once each arm has been pulled, until one is surely best."""
    arms, spent = memory.pulls.shape[0], int(memory.spent)
    leader = 0
    for arm in range(1, arms):
        if float(memory.averages[arm]) > float(memory.averages[leader]):
            leader = arm
    if spent >= params.budget:
        return arms + leader
    if spent < arms:
        return spent
    if memory.challenger >= 0:
        pulled = int(memory.challenger)
        memory.challenger = -1
        return pulled
    memory.rounds += 1
    return next_round(memory, leader, params)


@kernel
def next_round(memory, leader, params):
    """The leader, after a note of its challenger; or its declaration."""
    arms = memory.pulls.shape[0]
    time = float(memory.rounds)
    log_term = math.log(_K1 * arms * time * time * time * time / params.delta)
    best, highest = -1, 0.0
    for arm in range(arms):
        bound = float(memory.averages[arm]) + math.sqrt(log_term / (2.0 * int(memory.pulls[arm])))
        if arm != leader and (best < 0 or bound > highest):
            best, highest = arm, bound
    width = math.sqrt(log_term / (2.0 * int(memory.pulls[leader])))
    if highest - (float(memory.averages[leader]) - width) < params.epsilon:
        return arms + leader
    memory.challenger = best
    return leader


@kernel
def learn(memory, action, reward, obs, params):
    """Note the pull."""
    if action >= memory.pulls.shape[0]:
        return
    # What a pull pays is its price: the outcome shows in the arm's share of wins.
    memory.pulls[action] += 1
    memory.averages[action] = float(obs[action, 1])
    memory.spent += 1


class LUCB(BanditAgent):
    """Pulls the arm with the highest mean and the one of highest upper bound among the others.

    It declares the first the best as soon as its lower bound is less than `epsilon` below the
    other's upper bound: with probability `1 − delta` or more no arm is better by `epsilon`. The
    bounds of an arm after n pulls are `mean ± sqrt(ln((5 / 4) K t⁴ / delta) / (2 n))`; t counts
    rounds, K of one pull each, then of two. Where the budget is spent before, the arm with the
    highest mean is declared. From Kalyanakrishnan, Tewari, Auer & Stone, "PAC subset selection in
    stochastic multi-armed bandits", ICML 2012, algorithm LUCB1 for one arm.

    Args:
        delta: the probability with which the arm declared may be worse, in (0, 1).
        epsilon: by how much it may be worse, ≥ 0.
    """

    observes = True
    masked = True
    kernels = BanditKernels(start, choose, learn)

    def __init__(self, delta: float = 0.05, epsilon: float = 0.0):
        self.delta, self.epsilon = delta, epsilon

    def check(self, problem: Problem) -> None:
        if not isinstance(problem.env, BestArm):
            raise UnsupportedFaceError(f"LUCB plays BestArm; got {problem.env!r}")

    def fields(self, problem: Problem) -> Sequence[Field]:
        arms = (problem.observation[0],)
        return [
            ("rounds", np.int64), ("spent", np.int64), ("challenger", np.int64),
            ("pulls", np.int64, arms), ("averages", np.float64, arms),
        ]  # fmt: skip

    def params(self, problem: Problem) -> Settings:
        return Settings(problem.env.budget, float(self.delta), float(self.epsilon))
