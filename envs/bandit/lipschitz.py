"""LipschitzBandit: a continuum of arms whose mean rewards change slowly."""

import math
import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import (
    InvalidArgumentError,
    KernelEnv,
    Kernels,
    StateLayout,
    UnparseableActionError,
    kernel,
    rng,
)
from .core import ACCOUNT, METRICS, charge, counted, open_account, read_integer, read_number
from .lipschitz_faces import draw_curve, draw_maps

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)"

Array = np.ndarray[Any, Any]


class Params(NamedTuple):
    """Fixed for the life of the environment.

    Attributes:
        slope: the Lipschitz constant.
        deviation: of Gaussian noise.
        cells: of the observation, along each side.
        peaks: (peaks, dimension + 1) `float64`, places and heights; without rows where each episode
            draws its own.
    """

    horizon: int
    slope: float
    deviation: float
    cells: int
    peaks: Array


@kernel
def reset(state, params):
    """Take the given peaks, or draw them; nothing has been tried."""
    dimension = state.place.shape[0]
    state.best_mean = 0.0
    for k in range(state.peaks.shape[0]):
        for i in range(dimension + 1):
            if len(params.peaks) > 0:
                state.peaks[k, i] = params.peaks[k, i]
            else:
                draw = rng.uniform(state)
                state.peaks[k, i] = draw if i < dimension else 0.4 + 0.5 * draw
        state.best_mean = max(float(state.best_mean), float(state.peaks[k, dimension]))
    for cell in range(state.pulls.shape[0]):
        state.pulls[cell] = 0
        state.sums[cell] = 0.0
    for i in range(dimension):
        state.place[i] = 0.0
    state.pulled = -1
    open_account(state)


@kernel
def mean_at(state, place, params):
    """The mean reward at a place: that of the highest cone above it, or 0."""
    dimension = state.place.shape[0]
    best = 0.0
    for k in range(state.peaks.shape[0]):
        squares = 0.0
        for i in range(dimension):
            offset = float(place[i]) - float(state.peaks[k, i])
            squares += offset * offset
        best = max(best, float(state.peaks[k, dimension]) - params.slope * math.sqrt(squares))
    return best


@kernel
def note(state, action, reward, mean, params):
    """Count a pull in the cell it fell into; whether it was the last."""
    cell = 0
    for i in range(state.place.shape[0]):
        place = float(action[i])
        state.place[i] = place
        cell = cell * params.cells + min(int(math.floor(place * params.cells)), params.cells - 1)
    state.pulled = cell
    state.pulls[cell] += 1
    state.sums[cell] += reward
    charge(state, float(state.best_mean) - mean)
    return state.step_count >= params.horizon


@kernel
def step_bernoulli(state, action, params):
    """Win with the chance of the place."""
    mean = mean_at(state, action, params)
    reward = 1.0 if rng.uniform(state) < mean else 0.0
    return reward, note(state, action, reward, mean, params)


@kernel
def step_gaussian(state, action, params):
    """Get the mean of the place, with noise."""
    mean = mean_at(state, action, params)
    reward = mean + params.deviation * rng.normal(state)
    return reward, note(state, action, reward, mean, params)


@kernel
def observe(state, params, obs):
    """The statistics of each cell."""
    for cell in range(obs.shape[0]):
        observe_cell(state, params, obs, cell)


@kernel
def observe_cell(state, params, obs, cell):
    """One row of the observation."""
    pulls = int(state.pulls[cell])
    obs[cell, 0] = pulls / params.horizon
    obs[cell, 1] = float(state.sums[cell]) / pulls if pulls > 0 else 0.0


@kernel
def update(state, params, obs):
    """A pull changes one row."""
    observe_cell(state, params, obs, int(state.pulled))


class LipschitzBandit(KernelEnv):
    """
    ## Description
    Every place of an interval, a square or a cube is an arm, and places close to each other pay
    alike: the mean reward is a Lipschitz function, the highest of some cones. What can be learned
    of so many arms rests on that alone (Agrawal 1995, "The continuum-armed bandit problem";
    Kleinberg, Slivkins & Upfal 2008, "Multi-armed bandits in metric spaces").

    ## Observation Space
    `Box(0, 1, (cells^dimension, 2), float32)`: the space is divided into cells, the last coordinate
    changing fastest; for each cell the number of pulls in it divided by the horizon, and their mean
    reward (0 before the first). With Gaussian noise the bounds are infinite. This sums up the
    episode so far to the width of a cell; agents that remember their own actions know more.

    ## Action Space
    `Box(0, 1, (dimension,), float32)`: the place to try.

    ## Rewards
    The mean at x is max(0, max over peaks of height − `lipschitz` · ‖x − peak‖), the distance being
    Euclidean. With `noise="bernoulli"` the reward is 1 with that chance, otherwise 0; with
    `noise="gaussian"` it is the mean with noise of standard deviation `deviation` added.

    The infos hold `regret`, the highest peak minus the mean at the place just tried, and
    `pseudo_regret`, its sum over the episode.

    ## Starting State
    The places of the peaks are drawn uniformly for each episode, and their heights from [0.4, 0.9];
    or both are those of `peaks`.

    ## Episode End
    Terminated after `horizon` pulls: the horizon belongs to the problem. There is no other time
    limit by default.

    ## Arguments
    - `dimension`: 1 to 3 (default 1, or that of `peaks`).
    - `peaks`: how many peaks are drawn, ≥ 1 (default 3); or the peaks themselves, rows of a place
      in [0, 1] and a height in (0, 1].
    - `lipschitz`: the constant, the slope of the cones, > 0 (default 2).
    - `noise`: `"bernoulli"` (default) or `"gaussian"`.
    - `deviation`: the standard deviation of Gaussian noise, ≥ 0 (default 0.1).
    - `cells`: of the observation, along each side, 1 to 64 (default 10).
    - `horizon`: the number of pulls, ≥ 1 (default 100).
    - `max_episode_steps`: a time limit besides the horizon (default −1: none).

    ## Reference Scores
    `spelunk.reference("spelunk/LipschitzBandit-v0")`: the random policy, and the oracle that knows
    the peaks and tries the highest every time, `horizon · height` in expectation.

    ## Version History
    - v0: first version.
    """

    best_source = "the oracle that knows the peaks: horizon × highest"

    def __init__(
        self,
        dimension: int | None = None,
        peaks: int | Sequence[Sequence[float]] = 3,
        lipschitz: float = 2.0,
        noise: Literal["bernoulli", "gaussian"] = "bernoulli",
        deviation: float = 0.1,
        cells: int = 10,
        horizon: int = 100,
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        steps = {"bernoulli": step_bernoulli, "gaussian": step_gaussian}
        if noise not in steps:
            raise InvalidArgumentError(f"noise must be one of {list(steps)}; got {noise!r}")
        count, given = _read_peaks(peaks)
        if len(given):
            dimension = given.shape[1] - 1 if dimension is None else dimension
        self.dimension = read_integer("dimension", 1 if dimension is None else dimension, 1)
        if self.dimension > 3 or (len(given) and given.shape[1] != self.dimension + 1):
            raise InvalidArgumentError(
                f"dimension must be 1 to 3, and that of peaks where they are given; got "
                f"{self.dimension}"
            )
        self.cells = read_integer("cells", cells, 1)
        if self.cells > 64:
            raise InvalidArgumentError(f"cells must be an integer from 1 to 64; got {cells}")
        self.lipschitz = read_number("lipschitz", lipschitz, 0.0)
        if self.lipschitz == 0:
            raise InvalidArgumentError("lipschitz must be a number above 0; got 0")
        self.horizon = read_integer("horizon", horizon, 1)
        rows = self.cells**self.dimension
        low, high = (0.0, 1.0) if noise == "bernoulli" else (-np.inf, np.inf)
        super().__init__(
            kernels=Kernels(reset, steps[noise], observe, update=update),
            layout=StateLayout(
                [("peaks", np.float64, (count, self.dimension + 1)), ("best_mean", np.float64)],
                [("pulls", np.int32, (rows,)), ("sums", np.float64, (rows,))],
                [*ACCOUNT, ("pulled", np.int32), ("place", np.float64, (self.dimension,))],
            ),
            params=Params(
                self.horizon,
                self.lipschitz,
                read_number("deviation", deviation, 0.0),
                self.cells,
                given,
            ),
            observation_space=spaces.Box(low, high, (rows, 2), np.float32),
            action_space=spaces.Box(0.0, 1.0, (self.dimension,), np.float32),
            max_episode_steps=max_episode_steps,
            metrics=METRICS,
            stochastic=True,
            render_mode=render_mode,
        )

    def means(self, state: Any, places: Array) -> Array:
        """The mean rewards at places (n, dimension), (n,)."""
        offsets = places[:, None] - state["peaks"][:, :-1]
        heights = state["peaks"][:, -1] - self.lipschitz * np.linalg.norm(offsets, axis=2)
        return np.maximum(heights.max(axis=1), 0)

    def _left(self, state: Any) -> str:
        return f"{counted(self.horizon - int(state['step_count']), 'pull')} left"

    def _tried(self, state: Any) -> list[tuple[str, int, float]]:
        """The middle, pulls and mean reward of each cell that was tried."""
        tried = np.flatnonzero(state["pulls"])
        middles = (np.array(np.unravel_index(tried, (self.cells,) * self.dimension)).T + 0.5) / (
            self.cells
        )
        return [
            (" ".join(f"{x:.2f}" for x in middle), int(pulls), float(total / pulls))
            for middle, pulls, total in zip(
                middles, state["pulls"][tried], state["sums"][tried], strict=True
            )
        ]

    def describe_state(self, state: Any) -> str:
        places = {1: "a number", 2: "two numbers", 3: "three numbers"}[self.dimension]
        tried = [
            f"around {where} {counted(pulls, 'time')}, mean reward {mean:.2f}"
            for where, pulls, mean in self._tried(state)
        ]
        past = f"You have tried: {'; '.join(tried)}." if tried else "You have tried nothing yet."
        return f"An arm is {places} from 0 to 1. {past} {self._left(state)}."

    def show_state(self, state: Any) -> str:
        rows = [f"{where}  {pulls:5d}  {mean:5.2f}" for where, pulls, mean in self._tried(state)]
        return "\n".join(["place  pulls  mean", *rows, self._left(state)])

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        shape = (self.cells,) * self.dimension
        pulls, sums = state["pulls"].reshape(shape), state["sums"].reshape(shape)
        last = state["place"] if state["pulled"] >= 0 else None
        draw = draw_curve if self.dimension == 1 else draw_maps
        return draw(
            lambda places: self.means(state, places),
            pulls,
            sums,
            last=last,
            left=self._left(state),
            regret=float(state["pseudo_regret"]),
        )

    def action_words(self, action: Any) -> str:
        numbers = (
            np.format_float_positional(np.float32(a), min_digits=2) for a in np.asarray(action)
        )
        return f"try {' '.join(numbers)}"

    def parse(self, text: str) -> Any:
        wanted = rf"\s*try\s+({_NUMBER})" + rf"[\s,]+({_NUMBER})" * (self.dimension - 1) + r"\s*"
        found = re.fullmatch(wanted, text.lower())
        if found is None:
            example = " ".join(["0.50"] * self.dimension)
            raise UnparseableActionError(
                f'{text!r} names no action; say for example "try {example}", numbers from 0 to 1'
            )
        return np.clip(np.array(found.groups(), np.float32), np.float32(0), np.float32(1))

    def best_return(self, seed: int) -> float | None:
        return self.horizon * float(self.model.reset([seed])["best_mean"][0])


def _read_peaks(peaks: Any) -> tuple[int, Array]:
    """How many peaks there are, and the given ones (none where they are drawn)."""
    if isinstance(peaks, int | np.integer):
        return read_integer("peaks", peaks, 1), np.empty((0, 0))
    try:
        given = np.array(peaks, np.float64)
    except (TypeError, ValueError):
        given = np.empty(0)
    fits = given.ndim == 2 and len(given) > 0 and 2 <= given.shape[-1] <= 4
    if not fits or not ((given >= 0) & (given <= 1)).all() or not (given[:, -1] > 0).all():
        raise InvalidArgumentError(
            "peaks must be a positive integer, or rows of 1 to 3 coordinates from 0 to 1 and a "
            f"height above 0 and at most 1; got {peaks!r}"
        )
    return len(given), given
