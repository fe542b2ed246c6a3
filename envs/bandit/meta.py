"""MetaBandit: a fresh bandit every episode, seen as a history rather than as statistics."""

from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import InvalidArgumentError, KernelEnv, Kernels, StateLayout, kernel, rng
from .core import (
    ACCOUNT,
    METRICS,
    charge,
    counted,
    draw_arms,
    open_account,
    read_integer,
    read_number,
)


class Params(NamedTuple):
    """Fixed for the life of the environment."""

    horizon: int
    gap: float  # negative where each mean is drawn on its own
    spread: float
    scale: float


@kernel
def reset_bernoulli(state, params):
    """A bandit of arms that win."""
    for arm in range(state.means.shape[0]):
        state.means[arm] = rng.uniform(state)
    begin(state, params)


@kernel
def reset_gaussian(state, params):
    """A bandit of arms that pay with noise."""
    for arm in range(state.means.shape[0]):
        state.means[arm] = params.spread * rng.normal(state)
    begin(state, params)


@kernel
def reset_gap(state, params):
    """A bandit of one better arm, the others alike."""
    for arm in range(state.means.shape[0]):
        state.means[arm] = 0.5 - params.gap / 2.0
    state.means[rng.integer(state, state.means.shape[0])] = 0.5 + params.gap / 2.0
    begin(state, params)


@kernel
def begin(state, params):
    """Nothing has been pulled."""
    state.best_mean = float(state.means[0])
    for arm in range(state.means.shape[0]):
        state.best_mean = max(float(state.best_mean), float(state.means[arm]))
        state.pulls[arm] = 0
        state.totals[arm] = 0.0
    state.pulled = -1
    state.before = -1
    state.paid = 0.0
    state.left = params.horizon
    open_account(state)


@kernel
def pull(state, action, reward):
    """Note a pull; whether it was the last."""
    state.before = state.pulled
    state.pulled = action
    state.paid = reward
    state.left -= 1
    state.pulls[action] += 1
    state.totals[action] += reward
    charge(state, float(state.best_mean) - float(state.means[action]))
    return reward, state.left <= 0


@kernel
def step_bernoulli(state, action, params):
    """Pull an arm that wins or not."""
    return pull(state, action, 1.0 if rng.uniform(state) < float(state.means[action]) else 0.0)


@kernel
def step_gaussian(state, action, params):
    """Pull an arm that pays with noise."""
    return pull(state, action, float(state.means[action]) + params.scale * rng.normal(state))


@kernel
def observe(state, params, obs):
    """The last pull and what it paid, and the share of time gone."""
    for arm in range(state.means.shape[0]):
        obs[arm] = 0.0
    if state.pulled >= 0:
        obs[int(state.pulled)] = 1.0
    observe_outcome(state, params, obs)


@kernel
def observe_outcome(state, params, obs):
    """What the last pull paid, and the share of time gone."""
    arms = state.means.shape[0]
    obs[arms] = state.paid
    obs[arms + 1] = (params.horizon - int(state.left)) / params.horizon


@kernel
def update(state, params, obs):
    """The mark goes from one arm to another."""
    if state.before >= 0:
        obs[int(state.before)] = 0.0
    obs[int(state.pulled)] = 1.0
    observe_outcome(state, params, obs)


FAMILIES = {
    "bernoulli": (reset_bernoulli, step_bernoulli),
    "gaussian": (reset_gaussian, step_gaussian),
}


class MetaBandit(KernelEnv):
    """
    ## Description
    Each episode is another bandit of one family, and the agent sees only what it did last and what
    that paid. To do well it has to remember, and to have learned over many episodes how to
    explore: a problem for recurrent and in-context learners (Duan et al. 2016, "RL²: fast
    reinforcement learning via slow reinforcement learning"; Wang et al. 2016, "Learning to
    reinforcement learn").

    ## Observation Space
    `Box((arms + 2,), float32)`: the last action one-hot (zeros before the first), the last reward
    (0 before the first), and the share of the horizon that is gone. No statistics of the past: they
    are the agent's to keep.

    ## Action Space
    `Discrete(arms)`: the arm to pull. Every action is always legal.

    ## Rewards
    `"bernoulli"`: 1 for a win, 0 otherwise. `"gaussian"`: the arm's mean plus normal noise of
    standard deviation `scale`.

    The infos hold `regret`, the best arm's mean minus the mean of the arm just pulled, and
    `pseudo_regret`, its sum over the episode.

    ## Starting State
    With `gap`, one arm drawn uniformly has the mean ½ + gap/2, and all others ½ − gap/2. Without
    it, each mean is drawn on its own: uniformly from [0, 1], or of the Gaussian family from
    N(0, `spread`²).

    ## Episode End
    Terminated after `horizon` pulls: the horizon belongs to the problem. There is no other time
    limit by default.

    ## Arguments
    - `arms`: the number of arms, ≥ 2 (default 5).
    - `family`: `"bernoulli"` (default) or `"gaussian"`.
    - `gap`: the best arm's lead, in [0, 1]; None (default) to draw each mean on its own. Nie et
      al. 2024 ("EVOLvE: evaluating and optimizing LLMs for exploration") call 0.5 easy and 0.2
      hard.
    - `spread`: the standard deviation of Gaussian means, ≥ 0 (default 1).
    - `scale`: the standard deviation of Gaussian noise, ≥ 0 (default 1).
    - `horizon`: the number of pulls, ≥ 1 (default 100).
    - `max_episode_steps`: a time limit besides the horizon (default −1: none).

    ## Reference Scores
    `spelunk.reference("spelunk/MetaBandit-v0")`: the random policy, and the oracle that knows the
    means and pulls the best arm every time, `horizon · max(means)` in expectation.

    ## Version History
    - v0: first version.
    """

    best_source = "the oracle that knows the means: horizon × largest mean"

    def __init__(
        self,
        arms: int = 5,
        family: str = "bernoulli",
        gap: float | None = None,
        spread: float = 1.0,
        scale: float = 1.0,
        horizon: int = 100,
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        self.arms, self.horizon = read_integer("arms", arms, 2), read_integer("horizon", horizon, 1)
        if family not in FAMILIES:
            raise InvalidArgumentError(f"family must be one of {list(FAMILIES)}; got {family!r}")
        lead = 0.0 if gap is None else read_number("gap", gap, 0.0, 1.0)
        spread, self.scale = read_number("spread", spread, 0.0), read_number("scale", scale, 0.0)
        reset, step = FAMILIES[family]
        self.bounded = family == "bernoulli"
        low, high = np.zeros(arms + 2, np.float32), np.ones(arms + 2, np.float32)
        if not self.bounded:
            low[arms], high[arms] = -np.inf, np.inf
        super().__init__(
            kernels=Kernels(reset if gap is None else reset_gap, step, observe, update=update),
            layout=StateLayout(
                [("means", np.float64, (arms,)), ("best_mean", np.float64)],
                [("pulled", np.int32), ("paid", np.float64), ("left", np.int32)],
                [
                    *ACCOUNT,
                    ("before", np.int32),
                    ("pulls", np.int32, (arms,)),
                    ("totals", np.float64, (arms,)),
                ],
            ),
            params=Params(self.horizon, lead, spread, self.scale),
            observation_space=spaces.Box(low, high, dtype=np.float32),
            action_space=spaces.Discrete(arms),
            max_episode_steps=max_episode_steps,
            metrics=METRICS,
            stochastic=True,
            render_mode=render_mode,
        )

    def describe_state(self, state: Any) -> str:
        last = "You have pulled nothing yet."
        if state["pulled"] >= 0:
            last = f"You have just pulled arm {state['pulled'] + 1} for {state['paid']:.4g}."
        return f"There are {self.arms} new arms. {last} {counted(int(state['left']), 'pull')} left."

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        means, paid = state["means"], state["totals"] / np.maximum(state["pulls"], 1)
        low, height = 0.0, 1.0
        if not self.bounded:
            low = float(means.min()) - self.scale
            height = max(float(means.max()) + self.scale - low, 1e-9)
        return draw_arms(
            pulls=state["pulls"],
            values=(paid - low) / height,
            means=(means - low) / height,
            left=int(state["left"]),
            regret=float(state["pseudo_regret"]),
        )

    def show_state(self, state: Any) -> str:
        marks = ["*" if arm == state["pulled"] else "." for arm in range(self.arms)]
        paid = f"paid {state['paid']:.4g}" if state["pulled"] >= 0 else "not pulled yet"
        return f"{' '.join(marks)}  {paid}, {counted(int(state['left']), 'pull')} left"

    def action_words(self, action: Any) -> str:
        return f"pull {int(action) + 1}"

    def best_return(self, seed: int) -> float | None:
        return self.horizon * float(self.model.reset([seed])["best_mean"][0])
