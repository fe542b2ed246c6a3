"""NonStationaryBandit: arms whose chances to win drift, or change all at once."""

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
    rate: float
    means: np.ndarray[Any, np.dtype[np.float64]]  # empty where each episode draws its own
    breakpoints: np.ndarray[Any, np.dtype[np.int64]]


@kernel
def reset(state, params):
    """Take the given means, or draw them; nothing has been pulled."""
    draw_means(state)
    if len(params.means) > 0:
        state.best_mean = 0.0
        for arm in range(state.means.shape[0]):
            state.means[arm] = params.means[arm]
            state.best_mean = max(float(state.best_mean), params.means[arm])
    state.changed = 0
    clear_tally(state)
    open_account(state)


@kernel
def draw_means(state):
    """Draw all means uniformly from [0, 1)."""
    state.best_mean = 0.0
    for arm in range(state.means.shape[0]):
        mean = rng.uniform(state)
        state.means[arm] = mean
        state.best_mean = max(float(state.best_mean), mean)


# A pull takes one random number whatever the arm, so that the means' path depends on the seed only.


@kernel
def pull(state, action):
    """Pull an arm; its reward."""
    mean = float(state.means[action])
    reward = 1.0 if rng.uniform(state) < mean else 0.0
    note(state, action, reward)
    charge(state, float(state.best_mean) - mean)
    return reward


@kernel
def step_drift(state, action, params):
    """Each mean goes up or down, and is reflected at 0 and 1."""
    reward = pull(state, action)
    best = 0.0
    for arm in range(state.means.shape[0]):
        mean = float(state.means[arm])
        mean += params.rate if rng.uniform(state) < 0.5 else -params.rate
        if mean < 0.0:
            mean = -mean
        if mean > 1.0:
            mean = 2.0 - mean
        state.means[arm] = mean
        best = max(best, mean)
    state.best_mean = best
    return reward, state.step_count >= params.horizon


@kernel
def step_abrupt(state, action, params):
    """All means are redrawn by chance."""
    reward = pull(state, action)
    if rng.uniform(state) < params.rate:
        draw_means(state)
        state.changed += 1
    return reward, state.step_count >= params.horizon


@kernel
def step_at_breakpoints(state, action, params):
    """All means are redrawn after given pulls."""
    reward = pull(state, action)
    changed = int(state.changed)
    if changed < len(params.breakpoints) and state.step_count == params.breakpoints[changed]:
        draw_means(state)
        state.changed = changed + 1
    return reward, state.step_count >= params.horizon


RATES = {"drift": 0.05, "abrupt": 0.02}


class NonStationaryBandit(TallyEnv):
    """
    ## Description
    The agent pulls arms whose chances to win change while it plays, so that what it knows of an
    arm grows old. Either all means drift, each a random walk reflected at 0 and 1 (after Slivkins
    & Upfal 2008, "Adapting to a changing environment: the Brownian restless bandits"), or they
    stay for a while and are redrawn all at once (Garivier & Moulines 2011, "On upper-confidence
    bound policies for switching bandit problems").

    ## Observation Space
    `Box(0, 1, (arms, 2), float32)`: for each arm the number of its pulls divided by the horizon,
    and the share of its pulls that won (0 before the first). This is a summary, no sufficient
    statistic: old and new pulls count alike. From one observation to the next it tells which arm
    was pulled and whether it won.

    ## Action Space
    `Discrete(arms)`: the arm to pull. Every action is always legal.

    ## Rewards
    1 for a win, 0 otherwise.

    The infos hold `regret`, the mean of the arm that was the best at this moment minus the mean of
    the arm just pulled, and `pseudo_regret`, its sum over the episode (the dynamic regret).

    ## Starting State
    The first means are drawn uniformly from [0, 1], or are those of `means`. How the means change
    depends on the seed only, never on the actions.

    ## Episode End
    Terminated after `horizon` pulls: the horizon belongs to the problem. There is no other time
    limit by default.

    ## Arguments
    - `arms`: the number of arms, ≥ 2 (default 5, or as many as `means` has).
    - `means`: the first means, each in [0, 1]; None (default) to draw them.
    - `change`: `"drift"` (default) or `"abrupt"`.
    - `rate`: of a drift the step up or down after each pull (default 0.05), of abrupt changes
      their probability after each pull (default 0.02); in [0, 1].
    - `breakpoints`: for abrupt changes after given numbers of pulls, rising, instead of by chance;
      None (default) for chance.
    - `horizon`: the number of pulls, ≥ 1 (default 100).
    - `max_episode_steps`: a time limit besides the horizon (default −1: none).

    ## Reference Scores
    `spelunk.reference("spelunk/NonStationaryBandit-v0")`: the random policy, and the oracle that
    knows the means of every moment: the sum of the largest ones along the path of the seed.

    ## Version History
    - v0: first version.
    """

    best_source = "the oracle that knows the means of every moment: the sum of the largest"

    def __init__(
        self,
        arms: int | None = None,
        means: Sequence[float] | None = None,
        change: str = "drift",
        rate: float | None = None,
        breakpoints: Sequence[int] | None = None,
        horizon: int = 100,
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        given = read_means(means, 0.0, 1.0)
        self.arms = read_arms(arms, given)
        self.horizon = read_integer("horizon", horizon, 1)
        if change not in RATES:
            raise InvalidArgumentError(f"change must be one of {list(RATES)}; got {change!r}")
        rate = read_number("rate", RATES[change] if rate is None else rate, 0.0, 1.0)
        after = [read_integer("breakpoints", each, 1) for each in breakpoints or ()]
        if after != sorted(set(after)) or (breakpoints is not None and change != "abrupt"):
            raise InvalidArgumentError(
                "breakpoints must be rising numbers of pulls, and go with change='abrupt' only; "
                f"got {breakpoints!r} with change={change!r}"
            )
        step = step_drift if change == "drift" else step_abrupt
        super().__init__(
            kernels=Kernels(
                reset,
                step if breakpoints is None else step_at_breakpoints,
                observe_tally,
                update=update_tally,
            ),
            layout=StateLayout(
                [],
                [
                    ("means", np.float64, (self.arms,)),
                    ("best_mean", np.float64),
                    *tally_fields(self.arms),
                ],
                [*ACCOUNT, ("changed", np.int32)],
            ),
            params=Params(self.horizon, rate, given, np.array(after, np.int64)),
            observation_space=tally_space(self.arms, 0.0, 1.0),
            action_space=spaces.Discrete(self.arms),
            max_episode_steps=max_episode_steps,
            metrics=METRICS,
            stochastic=True,
            render_mode=render_mode,
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return draw_arms(
            pulls=state["pulls"],
            values=mean_paid(state),
            means=state["means"],
            left=self.pulls_left(state),
            regret=float(state["pseudo_regret"]),
        )

    def best_return(self, seed: int) -> float | None:
        d, state = self.definition, self.model.reset([seed])[0]
        total = 0.0
        for time in range(1, self.horizon + 1):
            total += float(state["best_mean"])
            state["step_count"] = time
            d.kernels.step(state, 0, d.params)
        return total
