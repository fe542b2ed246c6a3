"""HOO: a tree of ever smaller cells, searched with optimism (Bubeck et al. 2011)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...envs.kernel import kernel
from .agent import BanditAgent, BanditKernels, Field, Problem
from .continuum import check_places, lipschitz_constant

_ROOT = 0


class Settings(NamedTuple):
    """See `HOO`.

    Attributes:
        bonus: exploration · ln horizon.
        diameter: of the whole space, in rewards.
        depth: of the tree, at most.
    """

    bonus: float
    diameter: float
    depth: int


@kernel
def start(memory, params):
    """The tree is its root."""
    memory.nodes = 1
    clear(memory, _ROOT)


@kernel
def clear(memory, node):
    """A node that was never visited, without children."""
    memory.visits[node] = 0
    memory.averages[node] = 0.0
    memory.bounds[node] = math.inf
    memory.children[node, 0] = -1
    memory.children[node, 1] = -1


@kernel
def choose(memory, obs, params, action):
    """Follow the larger bounds down to a new cell, and play its middle."""
    dimension = len(action)
    for i in range(dimension):
        memory.low[i], memory.high[i] = 0.0, 1.0
    node, depth = _ROOT, 0
    memory.path[0] = node
    while int(memory.visits[node]) > 0 and depth < params.depth:
        left, right = int(memory.children[node, 0]), int(memory.children[node, 1])
        # A child that is not in the tree has an infinite bound.
        side = 1
        if left < 0 or (right >= 0 and memory.bounds[left] >= memory.bounds[right]):
            side = 0
        axis = depth % dimension
        middle = (memory.low[axis] + memory.high[axis]) / 2.0
        if side == 0:
            memory.high[axis] = middle
        else:
            memory.low[axis] = middle
        child = right if side == 1 else left
        if child < 0:
            child = int(memory.nodes)
            if child >= memory.visits.shape[0]:
                break
            memory.nodes = child + 1
            memory.children[node, side] = child
            clear(memory, child)
        node = child
        depth += 1
        memory.path[depth] = node
    memory.depth = depth
    for i in range(dimension):
        action[i] = (memory.low[i] + memory.high[i]) / 2.0


@kernel
def learn(memory, action, reward, obs, params):
    """Revise the statistics and the bounds along the path, from the leaf to the root."""
    dimension = memory.low.shape[0]
    for depth in range(int(memory.depth), -1, -1):
        node = int(memory.path[depth])
        memory.visits[node] += 1
        visits = int(memory.visits[node])
        memory.averages[node] += (float(reward) - memory.averages[node]) / visits
        size = params.diameter / 2.0 ** (depth // dimension)
        bound = memory.averages[node] + math.sqrt(params.bonus / visits) + size
        below = -math.inf
        for side in range(2):
            child = int(memory.children[node, side])
            below = max(below, memory.bounds[child] if child >= 0 else math.inf)
        memory.bounds[node] = min(bound, below) if depth < params.depth else bound


class HOO(BanditAgent):
    """Descends a binary tree of cells by their optimistic bounds, and plays where it falls out.

    A cell at depth h that was visited n times has the bound
    `mean + sqrt(exploration · ln T / n) + its diameter`, in rewards, or the larger of its
    children's where that is less; cells never visited are infinitely promising. Cells are halved
    along one coordinate after the other. From Bubeck, Munos, Stoltz & Szepesvári, "X-armed
    bandits", JMLR 12 (2011), in the truncated form of its section 4.3, in which the horizon T takes
    the place of the time, so that a round revises one path only.

    Args:
        exploration: the factor under the root; 2 in the paper.
        lipschitz: the constant of the mean rewards; None for that of the environment.
        depth: of the tree, at most 60.
    """

    kernels = BanditKernels(start, choose, learn)

    def __init__(self, exploration: float = 2.0, lipschitz: float | None = None, depth: int = 30):
        self.exploration = exploration
        self.lipschitz = lipschitz
        self.depth = depth

    def check(self, problem: Problem) -> None:
        check_places(self, problem)

    def fields(self, problem: Problem) -> Sequence[Field]:
        dimension, nodes = problem.arms, problem.horizon + 1
        return [
            ("averages", np.float64, (nodes,)),
            ("bounds", np.float64, (nodes,)),
            ("visits", np.int32, (nodes,)),
            ("children", np.int32, (nodes, 2)),
            ("path", np.int32, (self.depth + 1,)),
            ("low", np.float64, (dimension,)),
            ("high", np.float64, (dimension,)),
            ("nodes", np.int32),
            ("depth", np.int32),
        ]

    def params(self, problem: Problem) -> Settings:
        bonus = self.exploration * math.log(max(problem.horizon, 2))
        diameter = lipschitz_constant(self.lipschitz, problem) * math.sqrt(problem.arms)
        return Settings(bonus, diameter, self.depth)
