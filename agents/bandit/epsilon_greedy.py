"""ε-greedy: mostly the arm that has paid best, now and then any (Watkins 1989)."""

import math
from typing import NamedTuple

from ...envs.kernel import InvalidArgumentError, kernel, rng
from .agent import BanditKernels, Problem
from .arms import ArmsAgent, best_average, learn, start


class Settings(NamedTuple):
    """See `EpsilonGreedy`."""

    epsilon: float
    exponent: float


@kernel
def choose(memory, obs, params):
    """Any arm with probability ε, else the one with the highest mean reward; ties are broken by
    the order of the arms.
    """
    time, arms = int(memory.time), memory.pulls.shape[0]
    if params.epsilon == 0.0 and time < arms:
        return time
    if rng.uniform(memory) < params.epsilon * math.pow(time + 1.0, -params.exponent):
        return rng.integer(memory, arms)
    return best_average(memory)


class EpsilonGreedy(ArmsAgent):
    """Explores with probability ε, and else exploits.

    In round t (from 1) it draws an arm uniformly with probability `min(1, epsilon · t^−exponent)`,
    and otherwise pulls the arm with the highest mean reward. With ε = 0 it is the greedy
    algorithm, which pulls each arm once first. From Watkins, "Learning from delayed rewards"
    (1989); with the exponent 1/3 regret is of the order T^(2/3) whatever the gaps (Slivkins,
    "Introduction to multi-armed bandits" (2019), theorem 1.6).

    Args:
        epsilon: at the start, ≥ 0.
        exponent: how fast it decays, ≥ 0; 0 for not at all.

    Raises:
        InvalidArgumentError: one of them is negative.
    """

    kernels = BanditKernels(start, choose, learn)

    def __init__(self, epsilon: float = 0.1, exponent: float = 0.0):
        if epsilon < 0 or exponent < 0:
            raise InvalidArgumentError(
                f"epsilon and exponent must not be negative; got {epsilon!r} and {exponent!r}"
            )
        self.epsilon, self.exponent = epsilon, exponent

    def params(self, problem: Problem) -> Settings:
        return Settings(float(self.epsilon), float(self.exponent))


class Greedy(EpsilonGreedy):
    """The greedy algorithm: `EpsilonGreedy` with ε = 0."""

    def __init__(self):
        super().__init__(epsilon=0.0)
