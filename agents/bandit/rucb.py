"""RUCB: relative upper confidence bounds, for duels (Zoghi, Whiteson, Munos & de Rijke 2014)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...envs.kernel import UnsupportedFaceError, kernel, rng
from .agent import BanditAgent, BanditKernels, Field, Problem


class Settings(NamedTuple):
    """See `RUCB`."""

    exploration: float


@kernel
def start(memory, params):
    """No duels so far."""
    memory.time = 0
    memory.favourite = -1
    for first in range(memory.wins.shape[0]):
        for second in range(memory.wins.shape[0]):
            memory.wins[first, second] = 0


@kernel
def optimistic(memory, first, second, explored):
    """The upper bound on the chance that the first arm beats the second."""
    wins, losses = int(memory.wins[first, second]), int(memory.wins[second, first])
    duels = wins + losses
    if duels == 0:
        return 1.0
    return wins / duels + math.sqrt(explored / duels)


@kernel
def choose(memory, obs, params):
    """An arm that may beat all others, and the one most likely to beat it."""
    arms = memory.wins.shape[0]
    explored = params.exploration * math.log(int(memory.time) + 1.0)
    champions, champion = 0, rng.integer(memory, arms)
    stays = False
    for arm in range(arms):
        unbeaten = True
        for other in range(arms):
            if other != arm and optimistic(memory, arm, other, explored) < 0.5:
                unbeaten = False
                break
        if unbeaten:
            champions += 1
            stays = stays or arm == memory.favourite
            # Each of those seen so far is kept with the same probability.
            if champions == 1 or rng.integer(memory, champions) == 0:
                champion = arm
    if not stays:
        memory.favourite = champion if champions == 1 else -1
    elif champions == 1 or rng.uniform(memory) < 0.5:
        champion = int(memory.favourite)
    rival, largest = champion, -1.0
    for arm in range(arms):
        bound = 0.5 if arm == champion else optimistic(memory, arm, champion, explored)
        if bound > largest:
            rival, largest = arm, bound
    return champion * arms + rival


@kernel
def learn(memory, action, reward, obs, params):
    """Note who won."""
    arms = memory.wins.shape[0]
    first, second = action // arms, action % arms
    memory.time += 1
    if first != second:
        if float(reward) > 0.5:
            memory.wins[first, second] += 1
        else:
            memory.wins[second, first] += 1


class RUCB(BanditAgent):
    """Lets an arm that may be the Condorcet winner duel with its strongest rival.

    With upper bounds `u = wins / duels + sqrt(exploration · ln t / duels)` a champion is drawn of
    the arms whose bounds against all others reach 1/2, the hypothesised winner with probability
    1/2 of its own; it meets the arm with the largest bound against it. From Zoghi, Whiteson, Munos
    & de Rijke, "Relative upper confidence bound for the k-armed dueling bandit problem", ICML 2014,
    algorithm 1.

    Args:
        exploration: α; above 1/2 for the paper's theorem.
    """

    kernels = BanditKernels(start, choose, learn)

    def __init__(self, exploration: float = 0.51):
        self.exploration = exploration

    def check(self, problem: Problem) -> None:
        arms = math.isqrt(problem.arms)
        if arms * arms != problem.arms or getattr(problem.env, "arms", 0) != arms:
            raise UnsupportedFaceError(f"RUCB plays DuellingBandit; got {problem.env!r}")

    def fields(self, problem: Problem) -> Sequence[Field]:
        arms = problem.env.arms
        return [("time", np.int64), ("favourite", np.int64), ("wins", np.int64, (arms, arms))]

    def params(self, problem: Problem) -> Settings:
        return Settings(float(self.exploration))
