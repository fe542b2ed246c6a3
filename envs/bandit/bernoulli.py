"""BernoulliBandit: arms that win with fixed, unknown probabilities."""

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
)
from .tally import read_arms
from .wins import begin, note, observe, past_words, table_lines, update


class Params(NamedTuple):
    """Fixed for the life of the environment."""

    pulls: int  # the horizon
    means: np.ndarray[Any, np.dtype[np.float64]]  # empty where each episode draws its own


@kernel
def reset(state, params):
    """Take the given means, or draw them uniformly; nothing has been pulled."""
    begin(state, params)
    open_account(state)


@kernel
def step(state, action, params):
    """Pull an arm; the last pull of the horizon ends the episode."""
    win = 1 if rng.uniform(state) < float(state.means[action]) else 0
    return float(win), pull(state, action, win, params)


@kernel
def pull(state, action, win, params):
    """Note the outcome of a pull; whether it was the last."""
    note(state, action, win)
    charge(state, float(state.best_mean) - float(state.means[action]))
    return state.step_count >= params.pulls


@kernel
def n_outcomes(state, action, params):
    """A loss and a win."""
    return 2


@kernel
def outcome(state, action, win, params):
    """Outcome 0 is the loss and 1 the win."""
    mean = float(state.means[action])
    probability = mean if win == 1 else 1.0 - mean
    return float(win), pull(state, action, win, params), probability


class BernoulliBandit(KernelEnv):
    """
    ## Description
    The agent pulls arms of unknown chances to win, and wants to win as often as it can. It has a
    fixed number of pulls, and finds out which arm is good only while it collects wins: the plainest
    form of the dilemma between exploring and exploiting (Robbins 1952, "Some aspects of the
    sequential design of experiments").

    ## Observation Space
    `Box(0, 1, (arms, 2), float32)`: for each arm the number of its pulls divided by the horizon,
    and the share of its pulls that won (0.5 before the first). Together they are a sufficient
    statistic of the episode so far, so that no memory is needed to act optimally.

    ## Action Space
    `Discrete(arms)`: the arm to pull. Every action is always legal.

    ## Rewards
    1 for a win, 0 otherwise.

    The infos hold `regret`, the best arm's mean minus the mean of the arm just pulled, and
    `pseudo_regret`, its sum over the episode. Both are expectations: they do not depend on which
    pulls happened to win.

    ## Starting State
    The means are drawn uniformly from [0, 1] for each episode, or are those of `means`.

    ## Episode End
    Terminated after `horizon` pulls: the horizon belongs to the problem. There is no other time
    limit by default.

    ## Arguments
    - `arms`: the number of arms, ≥ 2 (default 5, or as many as `means` has).
    - `means`: the arms' probabilities of winning, each in [0, 1]; None (default) to draw them.
    - `horizon`: the number of pulls, ≥ 1 (default 30).
    - `max_episode_steps`: a time limit besides the horizon (default −1: none).

    ## Reference Scores
    `spelunk.reference("spelunk/BernoulliBandit-v0")`: the random policy, and the oracle that knows
    the means and pulls the best arm every time, `horizon · max(means)` in expectation. No policy
    without that knowledge reaches the oracle's score.

    ## Version History
    - v0: first version.
    """

    best_source = "the oracle that knows the means: horizon × largest mean"

    def __init__(
        self,
        arms: int | None = None,
        means: Sequence[float] | None = None,
        horizon: int = 30,
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        given = read_means(means, 0.0, 1.0)
        self.arms = arms = read_arms(arms, given)
        self.horizon = read_integer("horizon", horizon, 1)
        super().__init__(
            kernels=Kernels(
                reset, step, observe, update=update, n_outcomes=n_outcomes, outcome=outcome
            ),
            layout=StateLayout(
                [("means", np.float64, (arms,)), ("best_mean", np.float64)],
                [("pulls", np.int32, (arms,)), ("wins", np.int32, (arms,))],
                [*ACCOUNT, ("pulled", np.int32)],
            ),
            params=Params(horizon, given),
            observation_space=spaces.Box(0, 1, (arms, 2), np.float32),
            action_space=spaces.Discrete(arms),
            max_episode_steps=max_episode_steps,
            metrics=METRICS,
            stochastic=True,
            render_mode=render_mode,
        )

    def describe_state(self, state: Any) -> str:
        left = counted(self.horizon - int(state["step_count"]), "pull")
        return f"There are {self.arms} arms. {past_words(state)} {left} left."

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return draw_arms(
            pulls=state["pulls"],
            values=state["wins"] / np.maximum(state["pulls"], 1),
            means=state["means"],
            left=self.horizon - int(state["step_count"]),
            regret=float(state["pseudo_regret"]),
        )

    def show_state(self, state: Any) -> str:
        left = counted(self.horizon - int(state["step_count"]), "pull")
        return "\n".join([*table_lines(state), f"{left} left"])

    def action_words(self, action: Any) -> str:
        return f"pull {int(action) + 1}"

    def best_return(self, seed: int) -> float | None:
        return self.horizon * float(self.model.reset([seed])["best_mean"][0])
