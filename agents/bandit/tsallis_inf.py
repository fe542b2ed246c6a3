"""Tsallis-INF: optimal for stochastic and for adversarial bandits (Zimmert & Seldin 2021)."""

import math
from collections.abc import Sequence

import numpy as np

from ...envs.kernel import kernel, rng
from .agent import BanditAgent, BanditKernels, Field, Problem
from .arms import NoSettings, check_arms

_RATE, _STEPS, _CLOSE = 4.0, 50, 1e-12


@kernel
def start(memory, params):
    """No losses so far."""
    memory.time = 0
    for arm in range(memory.losses.shape[0]):
        memory.losses[arm] = 0.0
        memory.shares[arm] = 0.0


@kernel
def choose(memory, obs, params):
    """Draw an arm with probability `4 / (η (L − x))²`, where x makes the probabilities sum to 1."""
    arms = memory.losses.shape[0]
    least = float(memory.losses[0])
    for arm in range(1, arms):
        least = min(least, float(memory.losses[arm]))
    rate = _RATE / math.sqrt(int(memory.time) + 1.0)
    # Newton's method from the left of the root, where the sum is convex; x = least − shift.
    shift = 2.0 / rate
    for _ in range(_STEPS):
        total = slope = 0.0
        for arm in range(arms):
            root = 2.0 / (rate * (float(memory.losses[arm]) - least + shift))
            memory.shares[arm] = root * root
            total += root * root
            slope += rate * root * root * root
        if abs(total - 1.0) < _CLOSE:
            break
        shift += (total - 1.0) / slope
    left, chosen = rng.uniform(memory) * total, arms - 1
    for arm in range(arms):
        left -= float(memory.shares[arm])
        if left < 0.0:
            chosen = arm
            break
    return chosen


@kernel
def learn(memory, action, reward, obs, params):
    """The loss by its probability, of which a baseline is taken while it is likely to help."""
    memory.time += 1
    share, rate = float(memory.shares[action]), _RATE / math.sqrt(int(memory.time))
    for arm in range(memory.losses.shape[0]):
        baseline = 0.5 if float(memory.shares[arm]) >= rate * rate else 0.0
        memory.losses[arm] += baseline
        if arm == action:
            memory.losses[arm] += (1.0 - float(reward) - baseline) / share


class TsallisINF(BanditAgent):
    """Follows the regularised leader with Tsallis entropy of power 1/2, for rewards in [0, 1].

    It needs to know neither the horizon nor whether an adversary is at work: regret is of the
    optimal order in both worlds. Losses are estimated with reduced variance. From Zimmert &
    Seldin, "Tsallis-INF: an optimal algorithm for stochastic and adversarial bandits", Journal of
    Machine Learning Research 22 (2021), algorithm 1 with equation 4 and α = 1/2.
    """

    kernels = BanditKernels(start, choose, learn)

    def check(self, problem: Problem) -> None:
        check_arms(self, problem)

    def fields(self, problem: Problem) -> Sequence[Field]:
        arms = (problem.arms,)
        return [
            ("time", np.int64), ("losses", np.float64, arms), ("shares", np.float64, arms),
        ]  # fmt: skip

    def params(self, problem: Problem) -> NoSettings:
        return NoSettings()
