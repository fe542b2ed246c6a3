"""Arms that win or lose: their means, how often each won, and what is seen and said of it."""

from typing import Any

from ..kernel import kernel, rng
from .core import counted


@kernel
def begin(state, params):
    """Take the given means, or draw them uniformly; nothing has been pulled."""
    state.best_mean = 0.0
    for arm in range(state.means.shape[0]):
        mean = params.means[arm] if len(params.means) > 0 else rng.uniform(state)
        state.means[arm] = mean
        state.best_mean = max(float(state.best_mean), mean)
        state.pulls[arm] = 0
        state.wins[arm] = 0
    state.pulled = 0


@kernel
def note(state, arm, win):
    """Count a pull and its outcome, 1 for a win."""
    state.pulled = arm
    state.pulls[arm] += 1
    state.wins[arm] += win


@kernel
def observe(state, params, obs):
    """Each arm's share of `params.pulls`, and the share of its pulls that won."""
    for arm in range(obs.shape[0]):
        observe_arm(state, params, obs, arm)


@kernel
def observe_arm(state, params, obs, arm):
    """One row of the observation."""
    pulls = int(state.pulls[arm])
    obs[arm, 0] = pulls / params.pulls
    obs[arm, 1] = int(state.wins[arm]) / pulls if pulls > 0 else 0.5


@kernel
def update(state, params, obs):
    """A pull changes one row, and nothing else any."""
    observe_arm(state, params, obs, int(state.pulled))


def past_words(state: Any) -> str:
    """A sentence on the pulls so far."""
    tried = [
        f"arm {arm + 1} {counted(pulls, 'time')} with {counted(wins, 'win')}"
        for arm, (pulls, wins) in enumerate(zip(state["pulls"], state["wins"], strict=True))
        if pulls
    ]
    return f"You have pulled: {'; '.join(tried)}." if tried else "You have pulled nothing yet."


def table_lines(state: Any) -> list[str]:
    """A heading, then a line per arm, for a terminal."""
    rows = enumerate(zip(state["pulls"], state["wins"], strict=True))
    return ["arm  pulls  wins", *(f"{arm + 1:3d}  {p:5d}  {w:4d}" for arm, (p, w) in rows)]
