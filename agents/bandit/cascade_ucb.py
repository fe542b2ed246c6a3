"""CascadeUCB1: ranked lists by upper confidence bounds (Kveton et al. 2015)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from gymnasium import spaces

from ...envs.kernel import UnsupportedFaceError, kernel
from .agent import BanditAgent, BanditKernels, Field, Problem


class Settings(NamedTuple):
    """See `CascadeUCB1`."""

    exploration: float


@kernel
def start(memory, params):
    """Nothing has been shown."""
    memory.time = 0
    for item in range(memory.examined.shape[0]):
        memory.examined[item] = 0
        memory.clicks[item] = 0


@kernel
def choose(memory, obs, params, action):
    """The items with the largest bounds, the largest first; unseen ones before all."""
    items = memory.bounds.shape[0]
    explored = params.exploration * math.log(int(memory.time) + 1.0)
    for item in range(items):
        examined = int(memory.examined[item])
        bound = math.inf
        if examined > 0:
            bound = int(memory.clicks[item]) / examined + math.sqrt(explored / examined)
        memory.bounds[item] = bound
    for slot in range(action.shape[0]):
        best = 0
        for item in range(1, items):
            if float(memory.bounds[item]) > float(memory.bounds[best]):
                best = item
        action[slot] = best
        memory.bounds[best] = -math.inf


@kernel
def learn(memory, action, reward, obs, params):
    """Note which items were examined, and which one was clicked."""
    memory.time += 1
    for item in range(memory.examined.shape[0]):
        if obs[item, 2] != 0.0:
            memory.examined[item] += 1
        if obs[item, 2] > 0.0:
            memory.clicks[item] += 1


class CascadeUCB1(BanditAgent):
    """Shows the items with the largest `clicks / examined + sqrt(exploration · ln t / examined)`.

    From Kveton, Szepesvári, Wen & Ashkan, "Cascading bandits: learning to rank in the cascade
    model", ICML 2015, algorithm 1.

    Args:
        exploration: the factor under the root; 1.5 in the paper.
    """

    observes = True
    kernels = BanditKernels(start, choose, learn)

    def __init__(self, exploration: float = 1.5):
        self.exploration = exploration

    def check(self, problem: Problem) -> None:
        ranks = isinstance(problem.env.action_space, spaces.MultiDiscrete)
        if not ranks or len(problem.observation) != 2 or problem.observation[1] != 3:
            raise UnsupportedFaceError(f"CascadeUCB1 plays ClickBandit; got {problem.env!r}")

    def fields(self, problem: Problem) -> Sequence[Field]:
        items = (problem.observation[0],)
        return [
            ("time", np.int64), ("examined", np.int64, items), ("clicks", np.int64, items),
            ("bounds", np.float64, items),
        ]  # fmt: skip

    def params(self, problem: Problem) -> Settings:
        return Settings(float(self.exploration))
