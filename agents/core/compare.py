"""Comparing algorithms that ran with a few seeds on a few tasks.

The measures of Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical
precipice", with 95% percentile intervals from the stratified bootstrap: seeds are drawn again
within each task. The paper's own library `rliable` computes them.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ...envs.kernel.errors import InvalidArgumentError
from .extras import require

Array = np.ndarray[Any, np.dtype[np.float64]]
#: Normalised scores of each algorithm, (seeds, tasks); the numbers of seeds may differ.
Scores = Mapping[str, np.ndarray[Any, Any]]
_REPS = 2000


class Estimate(NamedTuple):
    """A number and the bounds of its 95% interval."""

    point: float
    low: float
    high: float


class Profile(NamedTuple):
    """A performance profile: the fraction of runs that score above each of k thresholds.

    Attributes:
        point: (k,) `float64`.
        low: (k,) `float64`, the lower bounds of the 95% interval at each threshold.
        high: (k,) `float64`, the upper bounds.
    """

    point: Array
    low: Array
    high: Array


def aggregate(
    scores: Scores, *, reps: int = _REPS, seed: int = 0
) -> dict[str, dict[str, Estimate]]:
    """What each algorithm scores over all tasks.

    Args:
        scores: (seeds, tasks) of each algorithm, at least two seeds, the same tasks.
        reps: how many resamples the bootstrap draws.
        seed: of the bootstrap.

    Returns:
        For each algorithm `"iqm"`, the interquartile mean over all runs; `"mean"` and `"median"` of
        the tasks' means; and `"optimality_gap"`, by how much the runs fall short of 1 on average.

    Raises:
        InvalidArgumentError: the scores have another shape, or are not all finite.
        MissingPackageError: `spelunk[report]` is not installed.
    """
    checked = _check(scores)
    metrics = _rliable().metrics
    measures = {
        "iqm": metrics.aggregate_iqm,
        "mean": metrics.aggregate_mean,
        "median": metrics.aggregate_median,
        "optimality_gap": metrics.aggregate_optimality_gap,
    }

    def all_measures(runs: Array) -> Array:
        return np.array([measure(runs) for measure in measures.values()])

    found = {}
    for name, runs in checked.items():
        estimates = _bootstrap(all_measures, runs, reps=reps, seed=seed)
        rows = zip(measures, estimates.T.tolist(), strict=True)
        found[name] = {measure: Estimate(*row) for measure, row in rows}
    return found


def performance_profile(
    scores: Scores, thresholds: np.ndarray[Any, Any], *, reps: int = _REPS, seed: int = 0
) -> dict[str, Profile]:
    """Which fraction of each algorithm's runs scores above a threshold.

    Args:
        scores: (seeds, tasks) of each algorithm, at least two seeds, the same tasks.
        thresholds: (k,) normalised scores.
        reps: how many resamples the bootstrap draws.
        seed: of the bootstrap.

    Raises:
        InvalidArgumentError: the scores have another shape, or are not all finite.
        MissingPackageError: `spelunk[report]` is not installed.
    """
    checked = _check(scores)
    distributions = _rliable().library.score_distributions
    return {
        name: Profile(
            *_bootstrap(lambda r: distributions(r, thresholds), runs, reps=reps, seed=seed)
        )
        for name, runs in checked.items()
    }


def probability_of_improvement(
    x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], *, reps: int = _REPS, seed: int = 0
) -> Estimate:
    """How likely a run of X scores more than one of Y on the same task, averaged over tasks.

    A tie counts as half.

    Args:
        x: (seeds, tasks) normalised scores of X, at least two seeds.
        y: (seeds, tasks) those of Y, on the same tasks.
        reps: how many resamples the bootstrap draws.
        seed: of the bootstrap.

    Raises:
        InvalidArgumentError: the scores have another shape, or are not all finite.
        MissingPackageError: `spelunk[report]` is not installed.
    """
    checked = _check({"x": x, "y": y})
    return Estimate(*_bootstrap(_improvement, *checked.values(), reps=reps, seed=seed)[:, 0])


def _improvement(x: Array, y: Array) -> Array:
    """The Mann-Whitney statistic; rliable's comes with a test that takes a hundred times longer."""
    wins = np.sign(x[:, None] - y[None])
    return np.array([(wins.mean() + 1) / 2])


def _bootstrap(statistic: Callable[..., Array], *scores: Array, reps: int, seed: int) -> Array:
    """A statistic of k numbers with its interval, (3, k): points, lower and upper bounds."""
    library = _rliable().library
    data = {"": scores[0] if len(scores) == 1 else list(scores)}
    # rliable ignores the generator it is given and draws from NumPy's global one.
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        points, intervals = library.get_interval_estimates(data, statistic, reps=reps)
    finally:
        np.random.set_state(before)
    return np.vstack([points[""], intervals[""]])


def _check(scores: Scores) -> dict[str, Array]:
    checked = {name: np.asarray(runs, np.float64) for name, runs in scores.items()}
    for name, runs in checked.items():
        if runs.ndim != 2 or len(runs) < 2 or not runs.shape[1]:
            raise InvalidArgumentError(
                f"the scores of {name} must be an array (seeds, tasks) of at least two seeds and "
                f"one task; got shape {runs.shape}"
            )
        if not np.isfinite(runs).all():
            raise InvalidArgumentError(f"the scores of {name} must be finite; some are not")
    if len({runs.shape[1] for runs in checked.values()}) > 1:
        shapes = ", ".join(f"{name} {runs.shape}" for name, runs in checked.items())
        raise InvalidArgumentError(f"all algorithms need scores of the same tasks; got {shapes}")
    return checked


def _rliable() -> Any:
    """The package rliable, with the modules that are used of it."""
    for module in ("rliable.metrics", "rliable.library"):
        require(module, "report")
    return require("rliable", "report")
