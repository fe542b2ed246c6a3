"""EXP4: exponential weights over experts (Auer, Cesa-Bianchi, Freund & Schapire 2002)."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...envs.kernel import InvalidArgumentError, UnsupportedFaceError, kernel
from .agent import BanditAgent, BanditKernels, Field, Problem
from .exponential_weights import draw_mixed


class Settings(NamedTuple):
    """See `EXP4`."""

    mixing: float
    experts: np.ndarray[Any, np.dtype[np.float64]]  # (experts, arms, dimension)


@kernel
def start(memory, params):
    """All experts have the same weight."""
    for expert in range(memory.gains.shape[0]):
        memory.gains[expert] = 0.0
        memory.advice[expert] = 0


@kernel
def choose(memory, obs, params):
    """Ask every expert, and draw an arm by the weight of those who advise it."""
    arms, most = params.experts.shape[1], float(memory.gains[0])
    for expert in range(memory.gains.shape[0]):
        most = max(most, float(memory.gains[expert]))
        best, largest = 0, -math.inf
        for arm in range(arms):
            score = 0.0
            for k in range(obs.shape[0]):
                score += params.experts[expert, arm, k] * float(obs[k])
            if score > largest:
                best, largest = arm, score
        memory.advice[expert] = best
    for arm in range(arms):
        memory.shares[arm] = 0.0
    total = 0.0
    for expert in range(memory.gains.shape[0]):
        weight = math.exp(params.mixing / arms * (float(memory.gains[expert]) - most))
        memory.shares[memory.advice[expert]] += weight
        total += weight
    return draw_mixed(memory, total, params.mixing)


@kernel
def learn(memory, action, reward, obs, params):
    """Those who advised the arm gain its reward by its probability."""
    gain = float(reward) / float(memory.shares[action])
    for expert in range(memory.gains.shape[0]):
        if memory.advice[expert] == action:
            memory.gains[expert] += gain


class EXP4(BanditAgent):
    """Learns which of many experts to follow, for rewards in [0, 1] that an adversary picks.

    An expert is a linear classifier: it advises the arm whose weights give the context the largest
    score. Expected regret against the best of N experts is at most `2.63 sqrt(T K ln N)` with the
    default mixing (Auer, Cesa-Bianchi, Freund & Schapire, "The nonstochastic multiarmed bandit
    problem", SIAM Journal on Computing 32 (2002), theorem 7.1).

    Args:
        experts: (experts, arms, dimension) weights, or how many to draw at random.
        mixing: γ, the share of uniform draws, in (0, 1]; None for
            `min(1, sqrt(K ln N / ((e − 1) T)))`, from the horizon T.
        seed: of random experts.

    Raises:
        InvalidArgumentError: `experts` is neither.
    """

    observes = True
    kernels = BanditKernels(start, choose, learn)

    def __init__(self, experts: Any = 64, mixing: float | None = None, seed: int = 0):
        given = np.asarray(experts, np.float64)
        if given.ndim not in (0, 3) or (given.ndim == 0 and given < 2):
            raise InvalidArgumentError(
                "experts must be weights (experts, arms, dimension), or a number of at least 2; "
                f"got {experts!r}"
            )
        self.experts, self.mixing, self.seed = given, mixing, seed

    def check(self, problem: Problem) -> None:
        if len(problem.observation) != 1 or not problem.env.definition.discrete:
            raise UnsupportedFaceError(
                "EXP4 needs one context for all arms, as ContextualBandit shows"
            )

    def fields(self, problem: Problem) -> Sequence[Field]:
        n = len(self.experts) if self.experts.ndim else int(self.experts)
        return [
            ("gains", np.float64, (n,)), ("advice", np.int64, (n,)),
            ("shares", np.float64, (problem.arms,)),
        ]  # fmt: skip

    def params(self, problem: Problem) -> Settings:
        arms, experts = problem.arms, self.experts
        shape = arms, problem.observation[0]
        if not experts.ndim:
            experts = np.random.default_rng(self.seed).normal(size=(int(experts), *shape))
        if experts.shape[1:] != shape:
            raise UnsupportedFaceError(
                f"the experts are for arms and dimension {experts.shape[1:]}; the environment "
                f"has {shape}"
            )
        mixing = self.mixing
        if mixing is None:
            mixing = math.sqrt(arms * math.log(len(experts)) / ((math.e - 1) * problem.horizon))
        return Settings(min(mixing, 1.0), np.ascontiguousarray(experts))
