"""KnapsackBandit: arms that pay and use up resources, of which there is only so much."""

from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import InvalidArgumentError, KernelEnv, Kernels, StateLayout, kernel, rng
from .core import ACCOUNT, METRICS, charge, counted, draw_arms, open_account, read_integer

Array = np.ndarray[Any, Any]


class Params(NamedTuple):
    """Fixed for the life of the environment; arms include the null arm, the last."""

    horizon: int
    budget: int
    prices: np.ndarray[Any, np.dtype[np.float64]]  # (arms,) what a win pays
    means: np.ndarray[Any, np.dtype[np.float64]]  # (instances, arms) chances to win
    costs: np.ndarray[Any, np.dtype[np.float64]]  # (instances, arms, resources) chances to use one
    duals: np.ndarray[Any, np.dtype[np.float64]]  # (instances, resources + 1)
    coupled: int  # whether a unit of each resource is used just when the arm wins


@kernel
def reset(state, params):
    """Draw an instance; all of the budgets is left."""
    state.which = rng.task(state, params.means.shape[0])
    for arm in range(state.pulls.shape[0]):
        state.pulls[arm] = 0
        state.totals[arm] = 0.0
        for resource in range(state.used.shape[1]):
            state.used[arm, resource] = 0
    for resource in range(state.used.shape[1]):
        state.remaining[resource] = params.budget
    open_account(state)


@kernel
def step(state, action, params):
    """Pull an arm; a resource that is used up ends the episode, as does the horizon."""
    which, resources = int(state.which), state.used.shape[1]
    mean = params.means[which, action]
    won = rng.uniform(state) < mean
    reward = params.prices[action] if won else 0.0
    gap = params.duals[which, resources] - mean * params.prices[action]
    over = state.step_count >= params.horizon
    for resource in range(resources):
        cost = params.costs[which, action, resource]
        uses = won if params.coupled == 1 else rng.uniform(state) < cost
        if uses:
            state.used[action, resource] += 1
            state.remaining[resource] -= 1
        gap += params.duals[which, resource] * cost
        over = over or int(state.remaining[resource]) == 0
    state.pulls[action] += 1
    state.totals[action] += reward
    charge(state, gap)
    return reward, over


@kernel
def observe(state, params, obs):
    """Each arm's pulls, mean pay and mean use, and what is left of the budgets and the time."""
    arms, resources = state.used.shape[0], state.used.shape[1]
    for arm in range(arms):
        pulls = int(state.pulls[arm])
        obs.arms[arm, 0] = pulls / params.horizon
        obs.arms[arm, 1] = float(state.totals[arm]) / pulls if pulls > 0 else 0.0
        for resource in range(resources):
            used = int(state.used[arm, resource])
            obs.arms[arm, 2 + resource] = used / pulls if pulls > 0 else 0.0
    for resource in range(resources):
        obs.left[resource] = int(state.remaining[resource]) / params.budget
    obs.left[resources] = 1.0 - int(state.step_count) / params.horizon


def draw_instances(
    seed: int, n: int, arms: int, resources: int, pricing: bool
) -> tuple[Array, Array, Array]:
    """Prices (arms + 1,), means (n, arms + 1) and costs (n, arms + 1, resources) of `Params`.

    With `pricing` the arms are prices that rise evenly to 1: the dearer, the less likely a sale,
    and each sale uses up a unit.
    """
    draw = np.random.default_rng(seed)
    means, costs = draw.random((n, arms + 1)), draw.random((n, arms + 1, resources))
    means[:, -1], costs[:, -1], prices = 0.0, 0.0, np.ones(arms + 1)
    if pricing:
        means[:, :-1] = -np.sort(-means[:, :-1], axis=1)
        costs = means[:, :, None].copy()
        prices[:-1] = np.arange(1, arms + 1) / arms
    return prices, means, costs


class KnapsackBandit(KernelEnv):
    """
    ## Description
    Every pull may use up some of several resources besides what it pays, and when one of them is
    gone the episode is over: bandits with knapsacks (Badanidiyuru, Kleinberg & Slivkins 2013). The
    best is no single arm but a mix of arms, and one of them, the null arm, does nothing but let
    time pass. With `family="pricing"` an arm is a price at which one of a limited number of items
    is offered to the next customer (Babaioff et al. 2015, "Dynamic pricing with limited supply").

    ## Observation Space
    `Dict`: `arms`, `Box((arms + 1, 2 + resources), float32)`: for each arm, the null arm last, the
    number of its pulls divided by the horizon, what it paid on average, and the average use of each
    resource (0 before the first pull); `left`, `Box((resources + 1,), float32)`: the shares left
    of the budget of each resource, and of the time.

    ## Action Space
    `Discrete(arms + 1)`: the arm to pull; the last is the null arm. Every action is always legal.

    ## Rewards
    1 for a win of an arm, or the price of a sale, otherwise 0; the null arm never wins. A pull uses
    one unit of each resource with a chance of its own; a sale uses one item.

    The infos hold `regret` and `pseudo_regret`. The resources and the time have prices, those of
    the dual of the oracle's programme (see below); `regret` is what the pull used of both, in
    expectation and at these prices, minus what it paid in expectation: 0 for the arms that the
    oracle pulls. `pseudo_regret` is its sum. What is left at the end is not counted.

    ## Starting State
    One of `instances` instances, drawn. In each, the arms' chances to win and to use a resource are
    uniform in [0, 1]; chances to sell are uniform too, and fall with the price.

    ## Episode End
    Terminated when a resource is used up, and after `horizon` pulls: the horizon belongs to the
    problem. There is no other time limit by default.

    ## Arguments
    - `family`: `"arms"` (default), or `"pricing"`, whose prices are 1/arms, 2/arms, …, 1.
    - `arms`: the number of arms without the null arm, ≥ 1 (default 5).
    - `resources`: how many there are, ≥ 1 (default 2; 1 with `"pricing"`).
    - `budget`: the units of each resource, ≥ 1 (default 50).
    - `horizon`: the most pulls, ≥ 1 (default 200).
    - `instances`: how many instances there are to draw from, ≥ 1 (default 64).
    - `instance_seed`: of the instances, ≥ 0 (default 0).
    - `max_episode_steps`: a time limit besides the horizon (default −1: none).

    ## Reference Scores
    `spelunk.reference("spelunk/KnapsackBandit-v0")`: the random policy, and the value of the linear
    programme of an oracle that knows the chances and keeps the budgets in expectation. No policy is
    worth more.

    ## Version History
    - v0: first version.
    """

    best_source = "the oracle's linear programme, which keeps the budgets in expectation"

    def __init__(
        self,
        family: str = "arms",
        arms: int = 5,
        resources: int | None = None,
        budget: int = 50,
        horizon: int = 200,
        instances: int = 64,
        instance_seed: int = 0,
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        if family not in ("arms", "pricing"):
            raise InvalidArgumentError(f"family must be 'arms' or 'pricing'; got {family!r}")
        pricing = family == "pricing"
        self.family, self.arms = family, read_integer("arms", arms, 1)
        default = 1 if pricing else 2
        resources = read_integer("resources", default if resources is None else resources, 1)
        if pricing and resources != 1:
            raise InvalidArgumentError(f"pricing has one resource, the items; got {resources}")
        budget, horizon = read_integer("budget", budget, 1), read_integer("horizon", horizon, 1)
        self.horizon, n = horizon, read_integer("instances", instances, 1)
        prices, means, costs = draw_instances(
            read_integer("instance_seed", instance_seed, 0), n, self.arms, resources, pricing
        )
        solved = [
            static_optimum(wins * prices, uses, budget, horizon)
            for wins, uses in zip(means, costs, strict=True)
        ]
        #: (instances,) the values of the oracle's programme.
        self.optima = np.array([value for value, _ in solved])
        duals = np.array([prices_of for _, prices_of in solved])
        width = 2 + resources
        super().__init__(
            kernels=Kernels(reset, step, observe),
            layout=StateLayout(
                [("which", np.int32)],
                [
                    ("pulls", np.int32, (self.arms + 1,)),
                    ("totals", np.float64, (self.arms + 1,)),
                    ("used", np.int32, (self.arms + 1, resources)),
                    ("remaining", np.int32, (resources,)),
                ],
                ACCOUNT,
            ),
            params=Params(horizon, budget, prices, means, costs, duals, int(pricing)),
            observation_space=spaces.Dict(
                {
                    "arms": spaces.Box(0, 1, (self.arms + 1, width), np.float32),
                    "left": spaces.Box(0, 1, (resources + 1,), np.float32),
                }
            ),
            action_space=spaces.Discrete(self.arms + 1),
            max_episode_steps=max_episode_steps,
            metrics=METRICS,
            tasks=n,
            stochastic=True,
            render_mode=render_mode,
        )

    def action_words(self, action: Any) -> str:
        if int(action) == self.arms:
            return "wait"
        if self.family == "pricing":
            return f"ask {self.definition.params.prices[int(action)]:.3f}"
        return f"pull {int(action) + 1}"

    def describe_state(self, state: Any) -> str:
        rows = [
            f"{self.action_words(arm)}: {counted(int(state['pulls'][arm]), 'time')} for "
            f"{state['totals'][arm]:.2f} in all, used {'/'.join(map(str, state['used'][arm]))}"
            for arm in np.flatnonzero(state["pulls"])
        ]
        past = f"So far: {'; '.join(rows)}." if rows else "You have pulled nothing yet."
        left = " and ".join(map(str, state["remaining"]))
        return f"{past} {left} left of the resources. {counted(self._left(state), 'step')} left."

    def show_state(self, state: Any) -> str:
        lines = ["      arm  pulls   paid  used"]
        lines += [
            f"{self.action_words(arm):>9s}  {state['pulls'][arm]:5d} {state['totals'][arm]:6.2f}  "
            f"{'/'.join(map(str, state['used'][arm]))}"
            for arm in range(self.arms + 1)
        ]
        left = "/".join(map(str, state["remaining"]))
        return "\n".join([*lines, f"{left} units and {counted(self._left(state), 'step')} left"])

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        params = self.definition.params
        return draw_arms(
            pulls=state["pulls"],
            values=state["totals"] / np.maximum(state["pulls"], 1),
            means=params.means[int(state["which"])] * params.prices,
            left=self._left(state),
            regret=float(state["pseudo_regret"]),
        )

    def best_return(self, seed: int) -> float | None:
        return float(self.optima[self.model.reset([seed])["which"][0]])

    def _left(self, state: Any) -> int:
        return self.horizon - int(state["step_count"])


def static_optimum(pays: Array, costs: Array, budget: int, horizon: int) -> tuple[float, Array]:
    """The value of pulling arms so often each, within the budgets in expectation.

    Args:
        pays: (arms,) what a pull pays on average.
        costs: (arms, resources) what it uses on average.
        budget: the units of each resource.
        horizon: the pulls.

    Returns:
        The value, and what a unit of each resource and a pull are worth, (resources + 1,).
    """
    from scipy.optimize import linprog

    limits = np.concatenate([costs, np.ones((len(pays), 1))], axis=1).T
    bounds = np.append(np.full(costs.shape[1], float(budget)), float(horizon))
    found: Any = linprog(-pays, A_ub=limits, b_ub=bounds, method="highs")
    return -found.fun, -found.ineqlin.marginals
