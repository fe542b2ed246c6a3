"""The tally of arms: how often each was pulled, and what it paid; seen, said and shown alike."""

from typing import Any

import numpy as np
from gymnasium import spaces

from ..kernel import InvalidArgumentError, KernelEnv, kernel
from ..kernel.state import Field
from .core import counted, read_integer


def tally_fields(arms: int) -> list[Field]:
    """The dynamic fields that the kernels of this module keep."""
    return [("pulls", np.int32, (arms,)), ("totals", np.float64, (arms,)), ("pulled", np.int32)]


def tally_space(arms: int, least: float, most: float) -> spaces.Box:
    """The space of what `observe_tally` writes, for rewards of a range."""
    low = np.tile(np.array([0, least], np.float32), (arms, 1))
    high = np.tile(np.array([1, most], np.float32), (arms, 1))
    return spaces.Box(low, high, dtype=np.float32)


@kernel
def clear_tally(state):
    """Nothing has been pulled."""
    for arm in range(state.pulls.shape[0]):
        state.pulls[arm] = 0
        state.totals[arm] = 0.0
    state.pulled = 0


@kernel
def note(state, action, reward):
    """Count a pull and what it paid."""
    state.pulled = action
    state.pulls[action] += 1
    state.totals[action] += reward


@kernel
def observe_tally(state, params, obs):
    """Each arm's share of `params.horizon`, and what it paid on average."""
    for arm in range(obs.shape[0]):
        observe_arm(state, params, obs, arm)


@kernel
def observe_arm(state, params, obs, arm):
    """One row of the observation."""
    pulls = int(state.pulls[arm])
    obs[arm, 0] = pulls / params.horizon
    obs[arm, 1] = float(state.totals[arm]) / pulls if pulls > 0 else 0.0


@kernel
def update_tally(state, params, obs):
    """A pull changes one row."""
    observe_arm(state, params, obs, int(state.pulled))


def read_arms(arms: int | None, given: np.ndarray[Any, Any]) -> int:
    """The number of arms: as many as have a given mean, or 5.

    Raises:
        InvalidArgumentError: it is not an integer of at least 2, or not that of the means.
    """
    arms = read_integer("arms", len(given) or 5 if arms is None else arms, 2)
    if len(given) not in (0, arms):
        raise InvalidArgumentError(f"means has {len(given)} entries for arms={arms}")
    return arms


def mean_paid(state: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What each arm has paid on average, (arms,); 0 for those never pulled."""
    return state["totals"] / np.maximum(state["pulls"], 1)


class TallyEnv(KernelEnv):
    """A bandit whose state has the fields of `tally_fields`: its words, and lines for a terminal.

    A subclass sets `arms` and `horizon`.
    """

    arms: int
    horizon: int

    def describe_state(self, state: Any) -> str:
        tried = [
            f"arm {arm + 1} {counted(pulls, 'time')} for {paid:.2f} on average"
            for arm, (pulls, paid) in enumerate(zip(state["pulls"], mean_paid(state), strict=True))
            if pulls
        ]
        past = f"You have pulled: {'; '.join(tried)}." if tried else "You have pulled nothing yet."
        left = counted(self.pulls_left(state), "pull")
        return f"There are {self.arms} arms. {past} {left} left."

    def show_state(self, state: Any) -> str:
        lines = ["arm  pulls   mean"]
        lines += [
            f"{arm + 1:3d}  {pulls:5d}  {paid:5.2f}"
            for arm, (pulls, paid) in enumerate(zip(state["pulls"], mean_paid(state), strict=True))
        ]
        return "\n".join([*lines, f"{counted(self.pulls_left(state), 'pull')} left"])

    def action_words(self, action: Any) -> str:
        return f"pull {int(action) + 1}"

    def pulls_left(self, state: Any) -> int:
        """How many pulls the horizon has left."""
        return self.horizon - int(state["step_count"])
