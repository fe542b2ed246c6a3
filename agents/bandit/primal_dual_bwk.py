"""PrimalDualBwK: the most pay for the price, optimistically (Badanidiyuru et al. 2013)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...envs.kernel import kernel
from .agent import BanditAgent, BanditKernels, Field, Problem
from .lagrange_bwk import check_knapsack, keep_left, resources_of, used


class Settings(NamedTuple):
    """See `PrimalDualBwK`. Uses are scaled so that all budgets, time's too, are equal."""

    budget: int
    unit: float  # a unit of a resource, scaled
    tick: float  # a round, scaled
    growth: float  # ln(1 + ε)
    confidence: float


@kernel
def start(memory, params):
    """Nothing has been pulled, and all resources are worth the same."""
    memory.time = 0
    for arm in range(memory.pulls.shape[0]):
        memory.pulls[arm] = 0
        memory.paid[arm] = 0.0
        for resource in range(memory.worth.shape[0]):
            memory.uses[arm, resource] = 0.0
    for resource in range(memory.worth.shape[0]):
        memory.worth[resource] = 0.0


@kernel
def radius(average, pulls, confidence):
    """How far a mean in [0, 1] may be from the average of its pulls."""
    return math.sqrt(confidence * average / pulls) + confidence / pulls


@kernel
def least_use(memory, arm, resource, params):
    """The lower bound on the mean use of a resource by an arm, scaled."""
    pulls = int(memory.pulls[arm])
    average = float(memory.uses[arm, resource]) / pulls
    return max(average - radius(average, pulls, params.confidence), 0.0) * params.unit


@kernel
def choose(memory, obs, params):
    """The arm whose upper bound on pay is most for the price of what it uses at least."""
    keep_left(memory, obs)
    # The last arm, which does nothing, is never pulled.
    arms, time = memory.pulls.shape[0], int(memory.time)
    if time < arms:
        return time
    clock = params.growth * params.tick * time
    dearest = clock
    for resource in range(memory.worth.shape[0]):
        dearest = max(dearest, float(memory.worth[resource]))
    best, largest = 0, -1.0
    for arm in range(arms):
        price = math.exp(clock - dearest) * params.tick
        for resource in range(memory.worth.shape[0]):
            worth = math.exp(float(memory.worth[resource]) - dearest)
            price += worth * least_use(memory, arm, resource, params)
        pulls = int(memory.pulls[arm])
        average = float(memory.paid[arm]) / pulls
        bound = min(average + radius(average, pulls, params.confidence), 1.0)
        if bound > largest * price:
            best, largest = arm, bound / price
    return best


@kernel
def learn(memory, action, reward, obs, params):
    """What is used for sure becomes dearer; then note the pull."""
    for resource in range(memory.worth.shape[0]):
        if memory.pulls[action] > 0:
            least = least_use(memory, action, resource, params)
            memory.worth[resource] += params.growth * least
        memory.uses[action, resource] += used(memory, obs, resource, params)
    memory.time += 1
    memory.pulls[action] += 1
    memory.paid[action] += float(reward)


class PrimalDualBwK(BanditAgent):
    """Pulls the arm that pays most for the price of what it uses, both judged optimistically.

    The price of a resource, time among them, grows by the factor `(1 + ε)^use` with what the pulls
    have used so far, `ε = sqrt(ln d / B)` for d resources of which there are B. Bounds on mean pay
    and use are `average ± (sqrt(confidence · average / pulls) + confidence / pulls)`. From
    Badanidiyuru, Kleinberg & Slivkins, "Bandits with knapsacks", FOCS 2013 (Journal of the ACM 65,
    2018), for arms whose pay and use in [0, 1] are drawn from laws that stay the same.

    Args:
        confidence: the constant of the bounds, > 0; of the order of ln(d T) in the paper's theorem.
    """

    observes = True
    kernels = BanditKernels(start, choose, learn)

    def __init__(self, confidence: float = 0.5):
        self.confidence = confidence

    def check(self, problem: Problem) -> None:
        check_knapsack(self, problem)

    def fields(self, problem: Problem) -> Sequence[Field]:
        arms, resources = problem.arms - 1, resources_of(problem)
        return [
            ("time", np.int64), ("worth", np.float64, (resources,)),
            ("left", np.float64, (resources,)), ("uses", np.float64, (arms, resources)),
            ("pulls", np.int64, (arms,)), ("paid", np.float64, (arms,)),
        ]  # fmt: skip

    def params(self, problem: Problem) -> Settings:
        budget, horizon = problem.env.definition.params.budget, problem.env.horizon
        least = min(budget, horizon)
        epsilon = math.sqrt(math.log(resources_of(problem) + 1) / least)
        return Settings(
            budget, least / budget, least / horizon, math.log1p(epsilon), float(self.confidence)
        )
