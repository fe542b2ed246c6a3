"""DuellingBandit: pairs of arms fight, and all that is seen is which one won."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import InvalidArgumentError, KernelEnv, Kernels, StateLayout, kernel, rng
from ..kernel.render import PALETTE, Canvas
from .core import ACCOUNT, METRICS, charge, counted, read_integer
from .preferences import RESETS, read_matrix, reset_given


class Params(NamedTuple):
    """Fixed for the life of the environment."""

    horizon: int
    preferences: np.ndarray[Any, np.dtype[np.float64]]  # empty where each episode draws its own


@kernel
def step(state, action, params):
    """A duel; the last of the horizon ends the episode."""
    arms = state.gaps.shape[0]
    preference = float(state.preferences[action // arms, action % arms])
    win = 1 if rng.uniform(state) < preference else 0
    return float(win), duel(state, action, win, params)


@kernel
def duel(state, action, win, params):
    """Note the outcome of a duel; whether it was the last."""
    arms = state.gaps.shape[0]
    first, second = action // arms, action % arms
    state.first = first
    state.second = second
    if win == 1:
        state.wins[first, second] += 1
    else:
        state.wins[second, first] += 1
    charge(state, 0.5 * (float(state.gaps[first]) + float(state.gaps[second])))
    return state.step_count >= params.horizon


@kernel
def n_outcomes(state, action, params):
    """The first arm loses, or wins."""
    return 2


@kernel
def outcome(state, action, win, params):
    """Outcome 1 is that the first arm wins."""
    arms = state.gaps.shape[0]
    preference = float(state.preferences[action // arms, action % arms])
    probability = preference if win == 1 else 1.0 - preference
    return float(win), duel(state, action, win, params), probability


@kernel
def observe(state, params, obs):
    """Of each pair the share of the horizon, and the share of duels that the first has won."""
    arms = state.gaps.shape[0]
    for first in range(arms):
        for second in range(first + 1):
            observe_pair(state, params, obs, first, second)


@kernel
def observe_pair(state, params, obs, first, second):
    """The two entries of a pair."""
    wins = int(state.wins[first, second])
    duels = wins if first == second else wins + int(state.wins[second, first])
    share = wins / duels if duels > 0 and first != second else 0.5
    obs[first, second, 0] = duels / params.horizon
    obs[second, first, 0] = duels / params.horizon
    obs[first, second, 1] = share
    obs[second, first, 1] = 1.0 - share


@kernel
def update(state, params, obs):
    """A duel changes the entries of its pair."""
    observe_pair(state, params, obs, int(state.first), int(state.second))


class DuellingBandit(KernelEnv):
    """
    ## Description
    The agent lets two arms fight and sees which one wins, never how good either is: feedback as
    people give it when they compare (Yue & Joachims 2009, "Interactively optimizing information
    retrieval systems as a dueling bandits problem"). It is to find the arm that beats the others,
    and in the end to let it fight itself.

    ## Observation Space
    `Box(0, 1, (arms, arms, 2), float32)`: for each pair (k, l) the number of its duels, in either
    order, divided by the horizon, and the share of them that k won (0.5 before the first, and
    where k = l): a sufficient statistic of the episode so far.

    ## Action Space
    `Discrete(arms²)`: action k · arms + l lets arm k fight arm l. Every action is always legal.

    ## Rewards
    1 if the first arm wins, 0 otherwise. This is the feedback, rather than what is to be sought:
    that is low regret.

    The infos hold `regret`, the mean of both arms' gaps to the best arm, and `pseudo_regret`, its
    sum over the episode. Where an arm beats every other more often than not (a Condorcet winner),
    it is the best, and the gap of arm k is the winner's chance against k minus ½. Elsewhere the
    best has the largest Borda score (the mean chance against a uniformly drawn arm, itself
    included), and the gap is the difference of the scores.

    ## Starting State
    The preferences are drawn for each episode, or given: see `preferences`.

    ## Episode End
    Terminated after `horizon` duels: the horizon belongs to the problem. There is no other time
    limit by default.

    ## Arguments
    - `arms`: the number of arms, ≥ 2 (default 5, or as many as `preferences` has rows).
    - `preferences`: `"bradley_terry"` (default): arm k has a strength w drawn uniformly from
      (0, 1], and beats l with probability w_k / (w_k + w_l); `"cyclic"` (for 3 arms or more): in a
      circle each arm tends to beat those of the half ahead of it, by leads drawn uniformly from
      [0, ½], so that there is no Condorcet winner; or a matrix of the chances that arm k beats l,
      in which [k, l] and [l, k] add up to 1.
    - `horizon`: the number of duels, ≥ 1 (default 100).
    - `max_episode_steps`: a time limit besides the horizon (default −1: none).

    ## Reference Scores
    `spelunk.reference("spelunk/DuellingBandit-v0")`: returns, as rewards make them up: the random
    policy, and the oracle that knows the preferences and always plays the most unequal pair,
    `horizon · max(preferences)` in expectation. Compare agents by `pseudo_regret`.

    ## Version History
    - v0: first version.
    """

    best_source = "the oracle that plays the most unequal pair: horizon × largest preference"

    def __init__(
        self,
        arms: int | None = None,
        preferences: str | Sequence[Sequence[float]] = "bradley_terry",
        horizon: int = 100,
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        drawn = isinstance(preferences, str) and preferences in RESETS
        given = np.empty((0, 0)) if drawn else read_matrix(preferences)
        least = 3 if drawn and preferences == "cyclic" else 2
        self.arms = read_integer("arms", len(given) or 5 if arms is None else arms, least)
        if len(given) not in (0, self.arms):
            raise InvalidArgumentError(f"preferences has {len(given)} rows for arms={arms}")
        self.horizon = read_integer("horizon", horizon, 1)
        pairs = (self.arms, self.arms)
        super().__init__(
            kernels=Kernels(
                RESETS[str(preferences)] if drawn else reset_given,
                step,
                observe,
                update=update,
                n_outcomes=n_outcomes,
                outcome=outcome,
            ),
            layout=StateLayout(
                [
                    ("preferences", np.float64, pairs),
                    ("gaps", np.float64, (self.arms,)),
                    ("best", np.int32),
                    ("condorcet", np.int8),
                    ("sharpest", np.float64),
                ],
                [("wins", np.int32, pairs)],
                [*ACCOUNT, ("first", np.int32), ("second", np.int32)],
            ),
            params=Params(self.horizon, given),
            observation_space=spaces.Box(0, 1, (*pairs, 2), np.float32),
            action_space=spaces.Discrete(self.arms**2),
            max_episode_steps=max_episode_steps,
            metrics=METRICS,
            stochastic=True,
            render_mode=render_mode,
        )

    def describe_state(self, state: Any) -> str:
        wins, seen = state["wins"], []
        for first in range(self.arms):
            for second in range(first + 1, self.arms):
                if wins[first, second] + wins[second, first]:
                    score = f"{wins[first, second]} to {wins[second, first]}"
                    seen.append(f"arm {first + 1} against arm {second + 1} {score}")
        past = f"So far: {'; '.join(seen)}." if seen else "No two arms have fought yet."
        return f"There are {self.arms} arms. {past} {counted(self._left(state), 'duel')} left."

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """A table: the colour of cell [k, l] is the chance that k beats l; in it the wins."""
        cell = max(14, min(56, 560 // self.arms))
        edge, top = 52, 64
        canvas = Canvas(edge + self.arms * cell + 16, top + self.arms * cell + 16, "paper")
        canvas.text(16, 18, f"{counted(self._left(state), 'duel')} left", "ink", 13, "lm")
        regret = f"regret {state['pseudo_regret']:.2f}"
        canvas.text(edge + self.arms * cell, 18, regret, "stone", 13, "rm")
        for first in range(self.arms):
            middle = first * cell + cell / 2
            colour = "green" if first == state["best"] else "ink"
            canvas.text(edge - 14, top + middle, str(first + 1), colour, 13)
            canvas.text(edge + middle, top - 14, str(first + 1), colour, 13)
            for second in range(self.arms):
                x, y = edge + second * cell, top + first * cell
                shade = _shade(float(state["preferences"][first, second]))
                canvas.rectangle(x + 1, y + 1, cell - 2, cell - 2, shade)
                wins = int(state["wins"][first, second])
                if wins and cell >= 24:
                    canvas.text(x + cell / 2, y + cell / 2, str(wins), "ink", 13)
        return canvas.pixels()

    def show_state(self, state: Any) -> str:
        rows = ["wins of rows over columns"]
        rows += [" ".join(f"{wins:3d}" for wins in row) for row in state["wins"].tolist()]
        return "\n".join([*rows, f"{counted(self._left(state), 'duel')} left"])

    def action_words(self, action: Any) -> str:
        return f"{int(action) // self.arms + 1} against {int(action) % self.arms + 1}"

    def best_return(self, seed: int) -> float | None:
        return self.horizon * float(self.model.reset([seed])["sharpest"][0])

    def _left(self, state: Any) -> int:
        return self.horizon - int(state["step_count"])


def _shade(chance: float) -> tuple[int, int, int]:
    """From red (0) over the background (½) to blue (1)."""
    strong = np.array(PALETTE["blue" if chance > 0.5 else "red"])
    mixed = np.array(PALETTE["sand"]) + (strong - PALETTE["sand"]) * abs(2 * chance - 1)
    red, green, blue = mixed.round().astype(int).tolist()
    return red, green, blue
