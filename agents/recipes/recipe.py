"""Recipes: published systems as compositions of parts, each with a gate that is set beforehand."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ...envs.kernel.errors import InvalidArgumentError
from ..llm.measuring.measure import bootstrap_mean

#: What a run of an arm has measured, by name.
Figures = Mapping[str, float]
#: The figures of each arm, a row for each seed; the seeds of all arms are the same ones.
Table = Mapping[str, Sequence[Figures]]


class Check(NamedTuple):
    """One condition of a gate.

    Attributes:
        words: what it asks for.
        measured: the mean of the arm in question.
        baseline: the mean of the arm that it is compared with; NaN where there is none.
        interval: the 95% interval of the paired difference, or of what is compared with a bound.
        passed: whether it holds.
    """

    words: str
    measured: float
    baseline: float
    interval: tuple[float, float]
    passed: bool


@dataclass(frozen=True)
class Condition:
    """A part of a gate.

    Attributes:
        words: what it asks for.
        look: finds out from all that was measured: the means of an arm and of what it is compared
            with (NaN for none), an interval, and whether it holds.
    """

    words: str
    look: Callable[[Table], tuple[float, float, tuple[float, float], bool]]

    def check(self, table: Table) -> Check:
        """What has become of it."""
        return Check(self.words, *self.look(table))


@dataclass(frozen=True)
class Recipe:
    """A published system on this suite.

    Attributes:
        name: lower case with hyphens.
        paper: its title and year.
        claim: what the paper says it gains.
        differs: how this differs from the paper.
        bed: where it is tried, a name of `beds.BEDS`.
        baseline: the arm that it is compared with.
        arms: by name, how each arm's hyperparameters differ from those of the bed.
        gate: what must hold for it to pass, written before anything is run.
        env_kwargs: by arm, how the environment of its training differs from that of the bed.
        updates: how many updates each scale takes, where not as many as the bed.
        lanes: by arm, how many episodes an update begins with, where not as many as on the bed. A
            training may play as many episodes all the same: for arms whose editors play some more.
    """

    name: str
    paper: str
    claim: str
    differs: str
    bed: str
    baseline: str
    arms: Mapping[str, Mapping[str, Any]]
    gate: tuple[Condition, ...]
    env_kwargs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    updates: Mapping[str, int] = field(default_factory=dict)
    lanes: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.baseline not in self.arms:
            raise InvalidArgumentError(
                f"baseline must be one of the arms {list(self.arms)}; got {self.baseline!r}"
            )

    def judge(self, table: Table) -> list[Check]:
        """What has become of each condition of the gate."""
        return [condition.check(table) for condition in self.gate]


def column(table: Table, arm: str, figure: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A figure of an arm, (seeds,).

    Raises:
        InvalidArgumentError: the arm has not measured it.
    """
    rows = table[arm]
    if any(figure not in row for row in rows):
        raise InvalidArgumentError(f"{arm} has no figure {figure!r}; it has {sorted(rows[0])}")
    return np.array([row[figure] for row in rows], np.float64)


def above(figure: str, arm: str, than: str, margin: float = 0.0) -> Condition:
    """The lower bound of what an arm has more than another is above a margin.

    With a negative margin: the arm is not worse by more than that.
    """

    def look(table: Table) -> Any:
        a, b = column(table, arm, figure), column(table, than, figure)
        gain = bootstrap_mean(a - b)
        return a.mean(), b.mean(), (gain.low, gain.high), gain.low > margin

    return Condition(f"{figure}: {arm} − {than} > {margin:g}", look)


def at_least(figure: str, arm: str, bound: float) -> Condition:
    """The lower bound of a figure's mean is a number or more."""

    def look(table: Table) -> Any:
        mean = bootstrap_mean(column(table, arm, figure))
        return mean.point, math.nan, (mean.low, mean.high), mean.low >= bound

    return Condition(f"{figure}: {arm} ≥ {bound:g}", look)


def at_most(figure: str, arm: str, bound: float) -> Condition:
    """The upper bound of a figure's mean is a number or less."""

    def look(table: Table) -> Any:
        mean = bootstrap_mean(column(table, arm, figure))
        return mean.point, math.nan, (mean.low, mean.high), mean.high <= bound

    return Condition(f"{figure}: {arm} ≤ {bound:g}", look)


def times(figure: str, arm: str, than: str, least: float) -> Condition:
    """In every seed an arm has at least so many times what another has."""

    def look(table: Table) -> Any:
        a, b = column(table, arm, figure), column(table, than, figure)
        ratios = a / np.maximum(b, 1e-12)
        bounds = float(ratios.min()), float(ratios.max())
        return a.mean(), b.mean(), bounds, bool((ratios >= least).all())

    return Condition(f"{figure}: {arm} ≥ {least:g} × {than} in every seed", look)


def within(figure: str, arm: str, low: float, high: float) -> Condition:
    """In every seed a figure lies between two numbers."""

    def look(table: Table) -> Any:
        a = column(table, arm, figure)
        passed = bool(((low <= a) & (a <= high)).all())
        return a.mean(), math.nan, (float(a.min()), float(a.max())), passed

    return Condition(f"{figure}: {low:g} ≤ {arm} ≤ {high:g} in every seed", look)


def grown(figure: str, arm: str, least: float) -> Condition:
    """In every seed a figure has grown by so much since the starting model."""

    def look(table: Table) -> Any:
        a, b = column(table, arm, figure), column(table, arm, f"start_{figure}")
        gains = a - b
        bounds = float(gains.min()), float(gains.max())
        return a.mean(), b.mean(), bounds, bool((gains >= least).all())

    return Condition(f"{figure}: {arm} − start ≥ {least:g} in every seed", look)


def some(least: int, *conditions: Condition) -> Condition:
    """At least so many of some conditions hold; told are the figures of the first."""

    def look(table: Table) -> Any:
        looks = [condition.look(table) for condition in conditions]
        return *looks[0][:3], sum(passed for *_, passed in looks) >= least

    words = "; ".join(condition.words for condition in conditions)
    return Condition(f"at least {least} of: {words}", look)
