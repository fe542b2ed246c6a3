"""The zooming algorithm: arms of a continuum, the denser where they pay (Kleinberg et al. 2008)."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...envs.kernel import kernel
from .agent import BanditAgent, BanditKernels, Field, Problem
from .continuum import check_places, lipschitz_constant


class Settings(NamedTuple):
    """See `Zooming`.

    Attributes:
        width: the factor of the confidence radius, sqrt(exploration · ln horizon).
        lipschitz: the Lipschitz constant.
        points: (candidates, dimension) `float64`.
    """

    width: float
    lipschitz: float
    points: np.ndarray[Any, np.dtype[np.float64]]


@kernel
def start(memory, params):
    """One arm is active, and covers everything."""
    memory.active = 0
    for point in range(memory.cover.shape[0]):
        memory.cover[point] = 0
    activate(memory, len(params.points) // 2, params)


@kernel
def radius(memory, arm, params):
    """How far off the mean of an active arm may be."""
    return params.width / math.sqrt(int(memory.pulls[arm]) + 1)


@kernel
def covers(memory, arm, point, params):
    """Whether the confidence ball of an active arm holds a candidate."""
    squares, centre = 0.0, params.points[int(memory.places[arm])]
    for i in range(len(centre)):
        offset = centre[i] - params.points[point, i]
        squares += offset * offset
    reach = radius(memory, arm, params) / params.lipschitz
    return squares <= reach * reach


@kernel
def activate(memory, point, params):
    """Make a candidate an arm, which covers itself and what nobody else covers."""
    arm = int(memory.active)
    memory.places[arm] = point
    memory.pulls[arm] = 0
    memory.sums[arm] = 0.0
    memory.active = arm + 1
    memory.cover[point] = arm


@kernel
def choose(memory, obs, params, action):
    """The active arm with the largest index: its mean and twice its radius."""
    best, largest = 0, -math.inf
    for arm in range(int(memory.active)):
        pulls = int(memory.pulls[arm])
        mean = float(memory.sums[arm]) / pulls if pulls > 0 else 0.0
        index = mean + 2.0 * radius(memory, arm, params)
        if index > largest:
            best, largest = arm, index
    memory.last = best
    for i in range(len(action)):
        action[i] = params.points[int(memory.places[best]), i]


@kernel
def learn(memory, action, reward, obs, params):
    """A pull shrinks the arm's ball; candidates that it leaves bare become arms."""
    last = int(memory.last)
    memory.pulls[last] += 1
    memory.sums[last] += float(reward)
    for point in range(len(params.points)):
        if int(memory.cover[point]) != last or covers(memory, last, point, params):
            continue
        memory.cover[point] = -1
        # New arms have the widest balls: what the latest does not cover hardly any other does.
        for arm in range(int(memory.active) - 1, -1, -1):
            if covers(memory, arm, point, params):
                memory.cover[point] = arm
                break
        if int(memory.cover[point]) < 0:
            activate(memory, point, params)


class Zooming(BanditAgent):
    """Pulls, of the arms made active so far, the one with the largest optimistic index.

    Each active arm has a confidence ball of radius r = sqrt(exploration · ln T / (pulls + 1)) in
    rewards, T being the horizon. Where a place is in no ball, it becomes an active arm; the arm
    with the largest `mean + 2 r` is pulled. Places are the points of a fine grid. From Kleinberg,
    Slivkins & Upfal, "Multi-armed bandits in metric spaces", STOC (2008), after Slivkins,
    "Introduction to multi-armed bandits" (2019), section 4.3.

    Args:
        exploration: the factor under the root; 2 in the book.
        lipschitz: the constant of the mean rewards; None for that of the environment.
        grid: candidates along each side; None for 512, 40 or 14 in 1, 2 or 3 dimensions.
    """

    kernels = BanditKernels(start, choose, learn)

    def __init__(
        self, exploration: float = 2.0, lipschitz: float | None = None, grid: int | None = None
    ):
        self.exploration = exploration
        self.lipschitz = lipschitz
        self.grid = grid

    def check(self, problem: Problem) -> None:
        check_places(self, problem)

    def _side(self, problem: Problem) -> int:
        return self.grid or {1: 512, 2: 40, 3: 14}[problem.arms]

    def fields(self, problem: Problem) -> Sequence[Field]:
        candidates = self._side(problem) ** problem.arms
        return [
            ("sums", np.float64, (candidates,)),
            ("pulls", np.int64, (candidates,)),
            ("places", np.int32, (candidates,)),  # of the active arms, among the candidates
            ("cover", np.int32, (candidates,)),  # an active arm whose ball holds the candidate
            ("active", np.int32),
            ("last", np.int32),
        ]

    def params(self, problem: Problem) -> Settings:
        side = self._side(problem)
        axis = (np.arange(side) + 0.5) / side
        axes = np.meshgrid(*[axis] * problem.arms, indexing="ij")
        points = np.stack(axes, axis=-1).reshape(-1, problem.arms)
        width = math.sqrt(self.exploration * math.log(max(problem.horizon, 2)))
        return Settings(width, lipschitz_constant(self.lipschitz, problem), points)
