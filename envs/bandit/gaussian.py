"""GaussianBandit: arms that pay a mean with noise, light-tailed or heavy-tailed."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import InvalidArgumentError, Kernels, StateLayout, kernel, rng
from .core import (
    ACCOUNT,
    METRICS,
    charge,
    draw_arms,
    open_account,
    read_integer,
    read_means,
    read_number,
)
from .noise import pareto, student
from .tally import (
    TallyEnv,
    clear_tally,
    mean_paid,
    note,
    observe_tally,
    read_arms,
    tally_fields,
    tally_space,
    update_tally,
)


class Params(NamedTuple):
    """Fixed for the life of the environment."""

    horizon: int
    spread: float
    scale: float
    tail: float
    means: np.ndarray[Any, np.dtype[np.float64]]  # empty where each episode draws its own


@kernel
def reset(state, params):
    """Take the given means, or draw them from a normal distribution around 0."""
    for arm in range(state.means.shape[0]):
        mean = params.means[arm] if len(params.means) > 0 else params.spread * rng.normal(state)
        state.means[arm] = mean
        state.best_mean = mean if arm == 0 else max(float(state.best_mean), mean)
    clear_tally(state)
    open_account(state)


@kernel
def pull(state, action, noise, params):
    """Pay an arm's mean with noise; the last pull of the horizon ends the episode."""
    mean = float(state.means[action])
    reward = mean + params.scale * noise
    note(state, action, reward)
    charge(state, float(state.best_mean) - mean)
    return reward, state.step_count >= params.horizon


@kernel
def step_gaussian(state, action, params):
    """Noise of the normal distribution."""
    return pull(state, action, rng.normal(state), params)


@kernel
def step_student(state, action, params):
    """Noise of Student's t distribution: both tails are heavy."""
    return pull(state, action, student(state, params.tail), params)


@kernel
def step_pareto(state, action, params):
    """Noise of the Pareto distribution: rare large gains."""
    return pull(state, action, pareto(state, params.tail), params)


STEPS = {"gaussian": step_gaussian, "student": step_student, "pareto": step_pareto}


class GaussianBandit(TallyEnv):
    """
    ## Description
    The agent pulls arms that pay an unknown mean with noise added, and wants to be paid as much as
    it can within a fixed number of pulls. The noise is normal, or heavy-tailed: then averages
    mislead for long, and the confidence bounds of bounded rewards fail (Bubeck, Cesa-Bianchi &
    Lugosi 2013, "Bandits with heavy tail").

    ## Observation Space
    `Box((arms, 2), float32)`: for each arm the number of its pulls divided by the horizon, and
    what it paid on average (0 before the first pull). With normal noise that is a sufficient
    statistic of the episode so far; with heavy tails it is a summary, and who wants robust
    estimates keeps the rewards.

    ## Action Space
    `Discrete(arms)`: the arm to pull. Every action is always legal.

    ## Rewards
    The arm's mean + `scale` × noise. The noise has mean 0 and is

    - `"gaussian"`: standard normal;
    - `"student"`: Student's t with `tail` degrees of freedom: moments from order `tail` on do not
      exist, so that the variance is infinite for `tail` ≤ 2;
    - `"pareto"`: Pareto with least value 1 and index `tail`, minus its mean: most pulls pay less
      than the mean, and few much more.

    The infos hold `regret`, the best arm's mean minus the mean of the arm just pulled, and
    `pseudo_regret`, its sum over the episode, neither of which depends on the noise.

    ## Starting State
    The means are drawn from N(0, `spread`²) for each episode, or are those of `means`.

    ## Episode End
    Terminated after `horizon` pulls: the horizon belongs to the problem. There is no other time
    limit by default.

    ## Arguments
    - `arms`: the number of arms, ≥ 2 (default 5, or as many as `means` has).
    - `means`: the arms' mean rewards; None (default) to draw them.
    - `spread`: the standard deviation of drawn means, ≥ 0 (default 1).
    - `noise`: `"gaussian"` (default), `"student"` or `"pareto"`.
    - `scale`: what the noise is multiplied with, ≥ 0 (default 1: for normal noise the standard
      deviation).
    - `tail`: the tail index of heavy-tailed noise, from 1.01 to 100 (default 2.5).
    - `horizon`: the number of pulls, ≥ 1 (default 30).
    - `max_episode_steps`: a time limit besides the horizon (default −1: none).

    ## Reference Scores
    `spelunk.reference("spelunk/GaussianBandit-v0")`: the random policy, and the oracle that knows
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
        spread: float = 1.0,
        noise: str = "gaussian",
        scale: float = 1.0,
        tail: float = 2.5,
        horizon: int = 30,
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        given = read_means(means, -np.inf, np.inf)
        self.arms = read_arms(arms, given)
        self.horizon = read_integer("horizon", horizon, 1)
        if noise not in STEPS:
            raise InvalidArgumentError(f"noise must be one of {list(STEPS)}; got {noise!r}")
        self.scale = read_number("scale", scale, 0.0)
        spread, tail = read_number("spread", spread, 0.0), read_number("tail", tail, 1.01, 100.0)
        super().__init__(
            kernels=Kernels(reset, STEPS[noise], observe_tally, update=update_tally),
            layout=StateLayout(
                [("means", np.float64, (self.arms,)), ("best_mean", np.float64)],
                tally_fields(self.arms),
                ACCOUNT,
            ),
            params=Params(self.horizon, spread, self.scale, tail, given),
            observation_space=tally_space(self.arms, -np.inf, np.inf),
            action_space=spaces.Discrete(self.arms),
            max_episode_steps=max_episode_steps,
            metrics=METRICS,
            stochastic=True,
            render_mode=render_mode,
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Columns reach from a deviation below the lowest mean to one above the highest."""
        means = state["means"]
        low = float(means.min()) - self.scale
        height = max(float(means.max()) + self.scale - low, 1e-9)
        return draw_arms(
            pulls=state["pulls"],
            values=(mean_paid(state) - low) / height,
            means=(means - low) / height,
            left=self.pulls_left(state),
            regret=float(state["pseudo_regret"]),
        )

    def best_return(self, seed: int) -> float | None:
        return self.horizon * float(self.model.reset([seed])["best_mean"][0])
