"""The optimal policy of small coupled restless bandits, by backward induction over joint levels."""

from typing import Any

import numpy as np

from ...envs.bandit.coupled import CoupledRestlessBandit
from ...envs.bandit.coupled_instances import LEVELS
from ...envs.kernel import UnsupportedFaceError
from .restless_policies import RestlessPolicy

Array = np.ndarray[Any, Any]

_ARMS = 10  # at most: a million joint states, half a minute


class OptimalPolicy(RestlessPolicy):
    """Knows the best action at all joint levels, for each number of steps left.

    Backward induction (Bellman 1957): the value of what comes next is averaged over one arm after
    the other, and actions that do the same to the first arms share these averages.

    Attributes:
        value: the mean return from a start drawn uniformly, as the environment draws it.
    """

    def start(self, env: Any, seed: int) -> None:
        """Solve the problem; see `Agent`.

        Raises:
            UnsupportedFaceError: the environment is not a `CoupledRestlessBandit`, or one of more
                arms than can be solved.
        """
        super().start(env, seed)
        if self.problem.arms > _ARMS:
            raise UnsupportedFaceError(
                f"the optimal policy is computed for at most {_ARMS} arms; got {self.problem.arms}"
            )
        self._rows = maximal(self.problem.instance.space.enumerate())
        self._best, self.value = solve(self.problem, self._rows)

    def act(self, observations: Any, infos: dict[str, Any]) -> Array:
        problem = self.problem
        gone = np.rint(observations[:, -1] * problem.horizon).astype(int)
        return self._rows[self._best[gone, *problem.levels(observations).T]]

    def choose(self, levels: Array) -> Array:
        """The action (arms,) at these levels (arms,) of a first step."""
        return self._rows[self._best[0, *levels]]


def maximal(rows: Array) -> Array:
    """Those of all feasible rows (m, n) that cannot be added to: to do more never hurts."""
    contained = [(((rows & row) == row).all(axis=1)).sum() > 1 for row in rows]
    return rows[~np.array(contained)]


def solve(problem: CoupledRestlessBandit, rows: Array) -> tuple[Array, float]:
    """The best of these rows by steps gone and levels, (horizon, LEVELS, …, LEVELS) `int16`, and
    the mean value of the first step.
    """
    arms, (_, rewards, variables, chances) = problem.arms, problem.instance
    codes = (rows[:, variables].astype(int) << np.arange(variables.shape[1])).sum(axis=2)
    order = np.lexsort(codes.T[::-1])  # Neighbours share what is done to the first arms.
    pays = np.zeros((LEVELS,) * arms, np.float32)
    for arm in range(arms):
        pays += rewards[arm].astype(np.float32).reshape([-1] + [1] * (arms - 1 - arm))
    best = np.zeros((problem.horizon, *pays.shape), np.int16)
    value = np.zeros_like(pays)
    for step in range(problem.horizon - 1, -1, -1):
        averages = [value + pays] * (arms + 1)
        value = np.full_like(pays, -np.inf)
        before = np.full(arms, -1)
        for i in order:
            same = int((codes[i] != before).argmax())
            for arm in range(same, arms):
                averages[arm + 1] = rise(averages[arm], arm, chances[arm, codes[i, arm]])
            np.copyto(best[step], i, where=averages[arms] > value)
            np.maximum(value, averages[arms], out=value)
            before = codes[i]
    return best, float(value.mean(dtype=float))


def rise(values: Array, arm: int, chance: float) -> Array:
    """The mean of values over where an arm goes, which rises with a chance and falls otherwise."""
    before = values.reshape(LEVELS**arm, LEVELS, -1)
    after = np.empty_like(before)
    up, down = np.float32(chance), np.float32(1 - chance)
    for level in range(LEVELS):
        above, below = min(level + 1, LEVELS - 1), max(level - 1, 0)
        after[:, level] = up * before[:, above] + down * before[:, below]
    return after.reshape(values.shape)
