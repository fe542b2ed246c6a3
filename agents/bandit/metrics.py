"""How bandit algorithms are measured, besides by regret."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...envs.kernel import InvalidArgumentError
from ..core.evaluation import mean_interval
from .simulation import Runs

Array = np.ndarray[Any, Any]


class RegretFit(NamedTuple):
    """Regret as `f(T) = scale · (ln T)^exponent / gap + slope · T + offset`.

    A slope above 0 is regret that never ends (Nie et al., "EVOLvE" (2024), section 6).
    """

    scale: float
    exponent: float
    slope: float
    offset: float


def lai_robbins(means: Sequence[float]) -> float:
    """The constant c of the lower bound c · ln T on the regret of Bernoulli arms.

    c sums `(best − mean) / kl(mean, best)` over the arms that are not the best (Lai & Robbins,
    "Asymptotically efficient adaptive allocation rules" (1985)).

    Raises:
        InvalidArgumentError: a mean does not lie between 0 and 1.
    """
    best = max(means)
    if not all(0 <= mean <= 1 for mean in means):
        raise InvalidArgumentError(f"means must lie between 0 and 1; got {means!r}")
    if best == 1.0:
        return 0.0
    total = 0.0
    for p in means:
        if p < best:
            win = p * math.log(p / best) if p > 0 else 0.0
            total += (best - p) / (win + (1 - p) * math.log((1 - p) / (1 - best)))
    return total


def suffix_failure(runs: Runs, start: float = 0.5) -> float:
    """The share of runs that never take the best action after this share of the horizon.

    Failure for good, which a low mean regret may hide (Krishnamurthy et al., "Can large language
    models explore in-context?" (2024)).
    """
    return float((runs.last_best < start * runs.times[-1]).mean())


def min_fraction(actions: Array, arms: int) -> float:
    """K times the share of the least pulled arm, on average over runs: 1 for uniform play.

    Args:
        actions: (runs, rounds).
        arms: K.
    """
    counts = np.stack([(actions == arm).sum(axis=1) for arm in range(arms)], axis=1)
    return float(arms * (counts.min(axis=1) / actions.shape[1]).mean())


def greedy_fraction(actions: Array, rewards: Array, arms: int) -> float:
    """The share of rounds in which the arm with the highest mean reward so far is taken.

    Arms that have not been pulled have no mean; rounds before the first reward do not count.

    Args:
        actions: (runs, rounds).
        rewards: (runs, rounds).
        arms: how many there are.
    """
    n, rounds = actions.shape
    pulls, sums, lanes = np.zeros((n, arms)), np.zeros((n, arms)), np.arange(n)
    greedy = 0
    for t in range(rounds):
        if t:
            tried = pulls > 0
            means = np.divide(sums, pulls, out=np.full_like(sums, -np.inf), where=tried)
            greedy += int((means[lanes, actions[:, t]] == means.max(axis=1)).sum())
        pulls[lanes, actions[:, t]] += 1
        sums[lanes, actions[:, t]] += rewards[:, t]
    return greedy / (n * (rounds - 1))


def fit_regret(runs: Runs, gap: float = 1.0) -> RegretFit:
    """Fit the mean regret over time by least squares, all parameters being at least 0.

    Args:
        runs: the runs.
        gap: Δ, between the best two arms.
    """
    from scipy.optimize import curve_fit

    def regret(t: Array, scale: float, exponent: float, slope: float, offset: float) -> Array:
        return scale * np.log(t) ** exponent / gap + slope * t + offset

    times, curve = runs.times[runs.times > 1], runs.regret.mean(axis=0)[runs.times > 1]
    start = (max(float(curve[-1]), 1e-6) * gap / 10, 1.0, 0.0, 0.0)
    found, _ = curve_fit(
        regret, times, curve, p0=start, bounds=(0, [np.inf, 4, np.inf, np.inf]), max_nfev=20_000
    )
    return RegretFit(*(float(value) for value in found))


def win_rates(regrets: Mapping[str, Array], level: float = 0.05) -> dict[str, float]:
    """The share of rivals that an algorithm beats, by Welch's t-test of their regrets.

    Args:
        regrets: (runs,) the regret of each run, of each algorithm by name.
        level: of significance.
    """
    from scipy.stats import ttest_ind

    def beats(ours: Array, theirs: Array) -> bool:
        test: Any = ttest_ind(ours, theirs, equal_var=False, alternative="less")
        return bool(test.pvalue < level)

    return {
        name: float(np.mean([beats(ours, r) for rival, r in regrets.items() if rival != name]))
        for name, ours in regrets.items()
    }


def summarize(runs: Runs) -> dict[str, Any]:
    """What is told of runs: mean regret with its 95% interval, failures and time."""
    final = runs.regret[:, -1]
    return {
        "regret_mean": float(final.mean()),
        "regret_ci": mean_interval(final),
        "reward_mean": float(runs.rewards.mean()),
        "suffix_failure": suffix_failure(runs),
        "seconds": runs.seconds,
        "rounds_per_second": len(final) * int(runs.times[-1]) / runs.seconds,
    }


def draw_regret(
    curves: Mapping[str, Runs], path: Path, bounds: Mapping[str, Array] | None = None
) -> None:
    """Draw mean regret over time on logarithmic time, with 95% intervals.

    Args:
        curves: the runs of each algorithm by name.
        path: where the picture goes; the ending says as what.
        bounds: (points,) further lines by name, at the times of the first runs.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, runs in curves.items():
        mean = runs.regret.mean(axis=0)
        half = 1.96 * runs.regret.std(axis=0, ddof=1) / math.sqrt(len(runs.regret))
        (line,) = axes.plot(runs.times, mean, label=name)
        axes.fill_between(runs.times, mean - half, mean + half, alpha=0.2, color=line.get_color())
    times = next(iter(curves.values())).times
    for name, bound in (bounds or {}).items():
        axes.plot(times, bound, label=name, linestyle="--", color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("rounds")
    axes.set_ylabel("pseudo-regret")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
