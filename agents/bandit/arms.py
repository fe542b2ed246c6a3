"""What algorithms over a few arms have in common: counts and means, kept in a record."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...envs.kernel import UnsupportedFaceError, kernel
from .agent import BanditAgent, Field, Problem


class ArmsAgent(BanditAgent):
    """Remembers of each arm how often it was pulled, and its mean reward."""

    def check(self, problem: Problem) -> None:
        check_arms(self, problem)

    def fields(self, problem: Problem) -> Sequence[Field]:
        # The further ones come first: Numba warns where one record begins like another.
        return [
            *self.further_fields(problem),
            ("time", np.int64),
            ("pulls", np.int64, (problem.arms,)),
            ("averages", np.float64, (problem.arms,)),
        ]

    def further_fields(self, problem: Problem) -> Sequence[Field]:
        """What is remembered besides."""
        return []


def check_arms(agent: BanditAgent, problem: Problem) -> None:
    """See that there are arms to pull.

    Raises:
        UnsupportedFaceError: the action space is not `Discrete`.
    """
    if not problem.env.definition.discrete:
        raise UnsupportedFaceError(
            f"{type(agent).__name__} pulls arms, and needs a Discrete action space; got "
            f"{problem.env.action_space}"
        )


class NoSettings(NamedTuple):
    """Of algorithms without parameters."""


@kernel
def forget(memory):
    """Nothing has been pulled."""
    memory.time = 0
    for arm in range(memory.pulls.shape[0]):
        memory.pulls[arm] = 0
        memory.averages[arm] = 0.0


@kernel
def note(memory, arm, reward):
    """A pull of an arm, and what it paid."""
    memory.time += 1
    memory.pulls[arm] += 1
    memory.averages[arm] += (float(reward) - float(memory.averages[arm])) / int(memory.pulls[arm])


@kernel
def start(memory, params):
    """Nothing has been pulled: for algorithms that remember nothing further."""
    forget(memory)


@kernel
def learn(memory, action, reward, obs, params):
    """Note the reward, and no more."""
    note(memory, action, reward)


@kernel
def untried(memory):
    """An arm that has not been pulled yet, the first; −1 where all have been.

    Holds for algorithms that begin by pulling each arm once.
    """
    time = int(memory.time)
    return time if time < memory.pulls.shape[0] else -1


@kernel
def best_average(memory):
    """The arm with the highest mean reward, the first of several."""
    best = 0
    for arm in range(1, memory.pulls.shape[0]):
        if float(memory.averages[arm]) > float(memory.averages[best]):
            best = arm
    return best
