"""The Gittins index of Bernoulli arms, computed (Gittins 1979)."""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...envs.kernel import InvalidArgumentError, kernel
from ...envs.kernel.compile import compiled_with_arrays
from .agent import BanditKernels, Field, Problem
from .arms import ArmsAgent, forget, note

Array = np.ndarray[Any, Any]

_GRID = 1024  # stopping rewards tried


class Settings(NamedTuple):
    """See `GittinsIndex`.

    Attributes:
        table: (most + 1, most + 1) indices by wins and losses.
        rate: −ln of the discount.
    """

    table: np.ndarray[Any, np.dtype[np.float64]]
    rate: float


@functools.cache
def gittins_indices(discount: float, most: int) -> Array:
    """The Gittins indices of a Bernoulli arm with a uniform prior.

    Entry (w, l) is the reward a round for which one would as soon give up an arm that has won w
    times and lost l times: the largest r at which pulling it at least once more, with the right to
    stop, is worth r / (1 − discount) (retirement; Whittle 1980). For a grid of r all values are
    found by backward induction from `most + 2 / (1 − discount)` pulls on, beyond which the mean is
    taken as known; between the points of the grid the advantage of pulling is interpolated.

    Args:
        discount: of rewards a round, in (0, 1).
        most: the largest number of pulls.

    Returns:
        (most + 1, most + 1) `float64`; entries of more than `most` pulls are NaN. Read-only.

    Raises:
        InvalidArgumentError: an argument is out of range.
    """
    if not 0 < discount < 1 or most < 0:
        raise InvalidArgumentError(
            f"discount must lie between 0 and 1, and most not be negative; got {discount!r}, "
            f"{most!r}"
        )
    depth = most + min(math.ceil(2 / (1 - discount)), 2000)
    table = _indices(discount, most, depth, np.linspace(0.0, 1.0, _GRID + 1))
    table.flags.writeable = False
    return table


@compiled_with_arrays
def _indices(discount, most, depth, grid):
    """See `gittins_indices`. Values are those of r's that are near one another at a time."""
    table = np.full((most + 1, most + 1), np.nan)
    before = np.full((most + 1, most + 1), -1.0)
    values = np.empty(depth + 1)
    for step in range(len(grid)):
        reward = grid[step]
        retired = reward / (1.0 - discount)
        for wins in range(depth + 1):
            values[wins] = max((wins + 1.0) / (depth + 2.0) / (1.0 - discount), retired)
        for pulls in range(depth - 1, -1, -1):
            for wins in range(pulls + 1):
                mean = (wins + 1.0) / (pulls + 2.0)
                going = mean * (1.0 + discount * values[wins + 1])
                going += (1.0 - mean) * discount * values[wins]
                values[wins] = max(going, retired)
                if pulls <= most:
                    losses = pulls - wins
                    advantage = going - retired
                    if advantage <= 0.0 and np.isnan(table[wins, losses]):
                        last = before[wins, losses]
                        share = last / (last - advantage) if last > 0.0 else 0.0
                        table[wins, losses] = reward - (1.0 - share) * grid[1]
                    before[wins, losses] = advantage
    return table


@kernel
def start(memory, params):
    """Nothing has been pulled."""
    forget(memory)
    for arm in range(memory.wins.shape[0]):
        memory.wins[arm] = 0


@kernel
def choose(memory, obs, params):
    """The arm with the largest index."""
    best, largest = 0, -math.inf
    most = params.table.shape[0] - 1
    for arm in range(memory.pulls.shape[0]):
        wins, pulls = int(memory.wins[arm]), int(memory.pulls[arm])
        if pulls <= most:
            index = params.table[wins, pulls - wins]
        else:
            index = late_index(wins + 1.0, pulls - wins + 1.0, params.rate)
        if index > largest:
            best, largest = arm, index
    return best


@kernel
def late_index(a, b, rate):
    """The index under a Beta(a, b) posterior, as a diffusion approximates it.

    Chick & Gans, "Economic analysis of simulation selection problems", Management Science 55
    (2009), section 2: b(s) for the time s in which the posterior's variance counts.
    """
    total = a + b
    mean = a / total
    s = 1.0 / ((total + 1.0) * rate)
    log_s = math.log(s)
    if s <= 1.0 / 7.0:
        bound = s / math.sqrt(2.0)
    elif s <= 100.0:
        bound = math.exp(-0.02645 * log_s * log_s + 0.89106 * log_s - 0.4873)
    else:
        bound = math.sqrt(s * (2.0 * log_s - math.log(log_s) - math.log(16.0 * math.pi)))
    return mean + math.sqrt(mean * (1.0 - mean) * rate) * bound


@kernel
def learn(memory, action, reward, obs, params):
    """Note the reward."""
    note(memory, action, reward)
    memory.wins[action] += 1 if float(reward) > 0.5 else 0


class GittinsIndex(ArmsAgent):
    """Pulls the arm with the largest Gittins index, for rewards of 0 and 1 and a uniform prior.

    It maximises the expected discounted reward over all policies (Gittins, "Bandit processes and
    dynamic allocation indices", Journal of the Royal Statistical Society B 41 (1979)).

    Args:
        discount: in (0, 1); None for `1 − 1 / T` from the horizon T, 0.99 where it is unknown.
        table_pulls: pulls of an arm up to which its index is exact; beyond, a formula.

    Raises:
        InvalidArgumentError: an argument is out of range.
    """

    kernels = BanditKernels(start, choose, learn)

    def __init__(self, discount: float | None = None, table_pulls: int = 200):
        if discount is not None and not 0 < discount < 1:
            raise InvalidArgumentError(f"discount must lie between 0 and 1; got {discount!r}")
        self.discount, self.table_pulls = discount, table_pulls

    def further_fields(self, problem: Problem) -> Sequence[Field]:
        return [("wins", np.int64, (problem.arms,))]

    def params(self, problem: Problem) -> Settings:
        discount = self.discount
        if discount is None:
            discount = 1.0 - 1.0 / problem.horizon if problem.horizon > 1 else 0.99
        table = gittins_indices(discount, min(self.table_pulls, max(problem.horizon, 1)))
        return Settings(table, -math.log(discount))
