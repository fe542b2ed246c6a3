"""BernoulliBandit: arms that win with fixed, unknown probabilities."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import InvalidArgumentError, KernelEnv, Kernels, StateLayout, kernel, rng
from ..kernel.render import Canvas


class Params(NamedTuple):
    """Fixed for the life of the environment."""

    horizon: int
    means: np.ndarray[Any, np.dtype[np.float64]]  # empty where each episode draws its own


@kernel
def reset(state, params):
    """Take the given means, or draw them uniformly; nothing has been pulled."""
    state.best_mean = 0.0
    for arm in range(state.means.shape[0]):
        mean = params.means[arm] if len(params.means) > 0 else rng.uniform(state)
        state.means[arm] = mean
        state.best_mean = max(float(state.best_mean), mean)
        state.pulls[arm] = 0
        state.wins[arm] = 0
    state.pulled = 0
    state.regret = 0.0
    state.pseudo_regret = 0.0


@kernel
def step(state, action, params):
    """Pull an arm; the last pull of the horizon ends the episode."""
    win = 1 if rng.uniform(state) < float(state.means[action]) else 0
    return float(win), pull(state, action, win, params)


@kernel
def pull(state, action, win, params):
    """Note the outcome of a pull; whether it was the last."""
    state.pulled = action
    state.pulls[action] += 1
    state.wins[action] += win
    state.regret = float(state.best_mean) - float(state.means[action])
    state.pseudo_regret += state.regret
    return state.step_count >= params.horizon


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


@kernel
def observe(state, params, obs):
    """Each arm's share of the horizon, and the share of its pulls that won."""
    for arm in range(obs.shape[0]):
        observe_arm(state, params, obs, arm)


@kernel
def observe_arm(state, params, obs, arm):
    """One row of the observation."""
    pulls = int(state.pulls[arm])
    obs[arm, 0] = pulls / params.horizon
    obs[arm, 1] = int(state.wins[arm]) / pulls if pulls > 0 else 0.5


@kernel
def update(state, params, obs):
    """A pull changes one row."""
    observe_arm(state, params, obs, int(state.pulled))


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
        given = _read_means(means)
        if arms is None:
            arms = len(given) or 5
        if isinstance(arms, bool) or not isinstance(arms, int) or arms < 2:
            raise InvalidArgumentError(f"arms must be an integer of at least 2; got {arms!r}")
        if len(given) not in (0, arms):
            raise InvalidArgumentError(f"means has {len(given)} entries for arms={arms}")
        if isinstance(horizon, bool) or not isinstance(horizon, int) or horizon < 1:
            raise InvalidArgumentError(f"horizon must be a positive integer; got {horizon!r}")
        self.arms = arms
        self.horizon = horizon
        super().__init__(
            kernels=Kernels(
                reset, step, observe, update=update, n_outcomes=n_outcomes, outcome=outcome
            ),
            layout=StateLayout(
                [("means", np.float64, (arms,)), ("best_mean", np.float64)],
                [("pulls", np.int32, (arms,)), ("wins", np.int32, (arms,))],
                [("regret", np.float64), ("pseudo_regret", np.float64), ("pulled", np.int32)],
            ),
            params=Params(horizon, given),
            observation_space=spaces.Box(0, 1, (arms, 2), np.float32),
            action_space=spaces.Discrete(arms),
            max_episode_steps=max_episode_steps,
            metrics=("regret", "pseudo_regret"),
            stochastic=True,
            render_mode=render_mode,
        )

    def describe_state(self, state: Any) -> str:
        left = self.horizon - int(state["step_count"])
        tried = [
            f"arm {arm + 1} {_count(pulls, 'time')} with {_count(wins, 'win')}"
            for arm, (pulls, wins) in enumerate(zip(state["pulls"], state["wins"], strict=True))
            if pulls
        ]
        past = f"You have pulled: {'; '.join(tried)}." if tried else "You have pulled nothing yet."
        return f"There are {self.arms} arms. {past} {_count(left, 'pull')} left."

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        column = max(3.0, min(72.0, 1008 / self.arms))
        height, floor, right = 200, 232, 16 + round(self.arms * column)
        canvas = Canvas(max(right, 160) + 16, 288, "paper")
        for arm in range(self.arms):
            pulls, wins = int(state["pulls"][arm]), int(state["wins"][arm])
            x = 16 + arm * column
            canvas.rectangle(x + column / 6, floor - height, column * 2 / 3, height, "sand")
            if wins:
                top = height * wins / pulls
                canvas.rectangle(x + column / 6, floor - top, column * 2 / 3, top, "blue")
            mean = float(state["means"][arm])
            colour = "green" if mean == state["best_mean"] else "ink"
            canvas.rectangle(
                x + column / 12, floor - height * mean - 1.5, column * 5 / 6, 3, colour
            )
            if column > 40:
                canvas.text(x + column / 2, floor + 16, f"arm {arm + 1}", "ink", 13)
                canvas.text(x + column / 2, floor + 35, f"{wins} of {pulls}", "stone", 12)
        left = self.horizon - int(state["step_count"])
        canvas.text(16, 16, f"{_count(left, 'pull')} left", "ink", 13, "lm")
        canvas.text(max(right, 160), 16, f"regret {state['pseudo_regret']:.2f}", "stone", 13, "rm")
        return canvas.pixels()

    def show_state(self, state: Any) -> str:
        lines = ["arm  pulls  wins"]
        lines += [
            f"{arm + 1:3d}  {state['pulls'][arm]:5d}  {state['wins'][arm]:4d}"
            for arm in range(self.arms)
        ]
        return "\n".join(
            [*lines, f"{_count(self.horizon - int(state['step_count']), 'pull')} left"]
        )

    def action_words(self, action: Any) -> str:
        return f"pull {int(action) + 1}"

    def best_return(self, seed: int) -> float | None:
        return self.horizon * float(self.model.reset([seed])["best_mean"][0])


def _read_means(means: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The given means as an array; an empty one for None."""
    if means is None:
        return np.empty(0)
    try:
        values = np.array(means, np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.ndim != 1 or len(values) < 2 or not ((values >= 0) & (values <= 1)).all():
        raise InvalidArgumentError(
            f"means must be at least two numbers from 0 to 1, or None; got {means!r}"
        )
    return values


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
