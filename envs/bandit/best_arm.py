"""BestArm: pure exploration; pull arms, then declare which one is best."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import KernelEnv, Kernels, StateLayout, kernel, rng
from .core import (
    ACCOUNT,
    METRICS,
    charge,
    counted,
    draw_arms,
    open_account,
    read_integer,
    read_means,
    read_number,
)
from .tally import read_arms
from .wins import begin, note, observe, past_words, table_lines, update


class Params(NamedTuple):
    """Fixed for the life of the environment."""

    pulls: int  # the budget
    cost: float
    means: np.ndarray[Any, np.dtype[np.float64]]  # empty where each episode draws its own


@kernel
def reset(state, params):
    """Take the given means, or draw them uniformly; nothing has been pulled."""
    begin(state, params)
    state.left = params.pulls
    state.declared = -1
    state.simple_regret = 0.0
    open_account(state)


@kernel
def step(state, action, params):
    """Pull an arm for its price, or declare one the best."""
    arms = state.means.shape[0]
    if action >= arms:
        return declare(state, action - arms), True
    win = 1 if rng.uniform(state) < float(state.means[action]) else 0
    return pull(state, action, win, params), False


@kernel
def pull(state, arm, win, params):
    """Note the outcome of a pull; its price is the reward."""
    note(state, arm, win)
    state.left -= 1
    charge(state, params.cost)
    return -params.cost


@kernel
def declare(state, arm):
    """The reward of a declaration: whether no arm is better."""
    state.declared = arm
    state.simple_regret = float(state.best_mean) - float(state.means[arm])
    right = 1.0 if state.simple_regret == 0.0 else 0.0
    charge(state, 1.0 - right)
    return right


@kernel
def legal(state, params, mask):
    """Declaring is always legal; pulling while the budget lasts."""
    arms = state.means.shape[0]
    left = 1 if state.left > 0 else 0
    for arm in range(arms):
        mask[arm] = left
        mask[arms + arm] = 1


@kernel
def n_outcomes(state, action, params):
    """A loss and a win of a pull; a declaration has one outcome."""
    return 2 if action < state.means.shape[0] else 1


@kernel
def outcome(state, action, win, params):
    """Outcome 0 of a pull is the loss and 1 the win."""
    arms = state.means.shape[0]
    if action >= arms:
        return declare(state, action - arms), True, 1.0
    mean = float(state.means[action])
    return pull(state, action, win, params), False, mean if win == 1 else 1.0 - mean


class BestArm(KernelEnv):
    """
    ## Description
    The agent is to find the best arm, and what it wins on the way does not matter: it pulls arms,
    and ends the episode by declaring one the best (Bubeck, Munos & Stoltz 2009, "Pure exploration
    in multi-armed bandits problems"). With `cost=0` this is the setting of a fixed budget: use all
    pulls, and be right as often as possible. With a cost and a large budget it is that of a fixed
    confidence: declare as soon as one more pull would cost more than it adds to the chance of
    being right.

    ## Observation Space
    `Box(0, 1, (arms, 2), float32)`: for each arm the number of its pulls divided by the budget,
    and the share of its pulls that won (0.5 before the first): a sufficient statistic.

    ## Action Space
    `Discrete(2 · arms)`: actions below `arms` pull that arm, and action `arms` + k declares arm k
    the best. Once the budget is spent pulling is illegal and masked.

    ## Rewards
    A declaration: 1 if no arm is better, 0 otherwise. A pull: −`cost`, whether it wins or not.

    The infos hold `simple_regret`, the best arm's mean minus that of the declared one (0 before the
    declaration), `declared`, the arm (−1 before), `regret`, what the last action lost against
    declaring the best arm at once (a pull its cost, a wrong declaration 1), and `pseudo_regret`,
    its sum.

    ## Starting State
    The means are drawn uniformly from [0, 1] for each episode, or are those of `means`.

    ## Episode End
    Terminated by a declaration. There is no time limit by default.

    ## Arguments
    - `arms`: the number of arms, ≥ 2 (default 5, or as many as `means` has).
    - `means`: the arms' probabilities of winning, each in [0, 1]; None (default) to draw them.
    - `budget`: how many pulls there are, ≥ 1 (default 50).
    - `cost`: the price of a pull, ≥ 0 (default 0).
    - `max_episode_steps`: a time limit besides (default −1: none).

    ## Reference Scores
    `spelunk.reference("spelunk/BestArm-v0")`: the random policy, and the oracle that knows the
    means and declares the best arm at once, 1. No policy without that knowledge reaches it.

    ## Version History
    - v0: first version.
    """

    best_source = "the oracle that knows the means and declares at once"

    def __init__(
        self,
        arms: int | None = None,
        means: Sequence[float] | None = None,
        budget: int = 50,
        cost: float = 0.0,
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        given = read_means(means, 0.0, 1.0)
        self.arms = read_arms(arms, given)
        self.budget, self.cost = read_integer("budget", budget, 1), read_number("cost", cost, 0.0)
        super().__init__(
            kernels=Kernels(
                reset,
                step,
                observe,
                legal,
                update=update,
                n_outcomes=n_outcomes,
                outcome=outcome,
            ),
            layout=StateLayout(
                [("means", np.float64, (self.arms,)), ("best_mean", np.float64)],
                [
                    ("pulls", np.int32, (self.arms,)),
                    ("wins", np.int32, (self.arms,)),
                    ("left", np.int32),
                    ("declared", np.int32),
                ],
                [*ACCOUNT, ("simple_regret", np.float64), ("pulled", np.int32)],
            ),
            params=Params(self.budget, self.cost, given),
            observation_space=spaces.Box(0, 1, (self.arms, 2), np.float32),
            action_space=spaces.Discrete(2 * self.arms),
            max_episode_steps=max_episode_steps,
            metrics=(*METRICS, "simple_regret", "declared"),
            stochastic=True,
            render_mode=render_mode,
        )

    def describe_state(self, state: Any) -> str:
        price = f" at {self.cost:g} each" if self.cost else ""
        return (
            f"Find the best of {self.arms} arms, and declare it. {past_words(state)} "
            f"{counted(int(state['left']), 'pull')} left{price}."
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return draw_arms(
            pulls=state["pulls"],
            values=state["wins"] / np.maximum(state["pulls"], 1),
            means=state["means"],
            left=int(state["left"]),
            regret=float(state["pseudo_regret"]),
        )

    def show_state(self, state: Any) -> str:
        lines = table_lines(state)
        if state["declared"] >= 0:
            lines[1 + int(state["declared"])] += "  declared"
        return "\n".join([*lines, f"{counted(int(state['left']), 'pull')} left"])

    def action_words(self, action: Any) -> str:
        verb, arm = ("pull", "declare")[int(action) // self.arms], int(action) % self.arms
        return f"{verb} {arm + 1}"

    def best_return(self, seed: int) -> float | None:
        return 1.0
