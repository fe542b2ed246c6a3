"""Combinators: reward terms made of others, and the weighted sum that logs its parts.

A term takes a trace and a judge and gives a number for the whole episode, or a `float64` array with
a number for each turn, (turns,).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ......envs.kernel.errors import InvalidArgumentError
from .....core.schedules import Schedule
from ....searching.judges import Judge
from ....searching.trace import Trace

Turns = NDArray[np.float64]
Value = float | Turns
Term = Callable[[Trace, Judge], Value]


def constant(value: float) -> Term:
    """The same number for every episode."""
    return lambda trace, judge: value


def gate(one: Term, other: Term) -> Term:
    """The product of two terms."""
    return lambda trace, judge: one(trace, judge) * other(trace, judge)


def if_correct(condition: Term, then: Term, otherwise: float | Term = 0.0) -> Term:
    """One term where a condition is 1, another one where it is less.

    Args:
        condition: a number for the episode, such as `em` or `well_formed`.
        then: where it is 1.
        otherwise: elsewhere; a number, or a term.
    """

    def value(trace: Trace, judge: Judge) -> Value:
        if condition(trace, judge) == 1:
            return then(trace, judge)
        return otherwise(trace, judge) if callable(otherwise) else otherwise

    return value


def remainder(main: Term, extra: Term) -> Term:
    """The extra times (1 − main): what it is worth as far as the main fails."""
    return lambda trace, judge: extra(trace, judge) * (1 - main(trace, judge))


def residual(main: Term, extra: Term, weight: float = 1.0) -> Term:
    """The main + weight · extra · (1 − main) (SubSearch, 2026); in [0, 1] if all three are.

    Where the weight changes over the training, give a `Sum` the main and the `remainder` instead.
    """
    rest = remainder(main, extra)
    return lambda trace, judge: main(trace, judge) + weight * rest(trace, judge)


def clip(term: Term, low: float, high: float) -> Term:
    """A term kept within bounds, turn by turn."""

    def value(trace: Trace, judge: Judge) -> Value:
        found = term(trace, judge)
        if isinstance(found, np.ndarray):
            return found.clip(low, high)
        return min(high, max(low, found))

    return value


def gated_soft_and(
    bottom_lines: Sequence[Term], utilities: Mapping[Term, float], delta: float = 0.1
) -> Term:
    """(Πᵢ max(bᵢ, δ))^(1/n) times the weighted mean of utilities (SearchLLM, 2026).

    No utility buys back a bottom line that is broken. In [0, 1] if all terms are.

    Args:
        bottom_lines: n terms in [0, 1] that every answer must meet.
        utilities: terms in [0, 1] with their weights.
        delta: what a broken bottom line counts as; above 0 so that others still matter.

    Raises:
        InvalidArgumentError: there are no bottom lines or utilities, or delta is not positive.
    """
    if not bottom_lines or not sum(utilities.values()) > 0 or delta <= 0:
        raise InvalidArgumentError(
            f"needs bottom lines, utilities of positive weight and delta > 0; got "
            f"{len(bottom_lines)}, {list(utilities.values())} and {delta!r}"
        )

    def value(trace: Trace, judge: Judge) -> Value:
        kept = [np.maximum(term(trace, judge), delta) for term in bottom_lines]
        mean = sum(weight * term(trace, judge) for term, weight in utilities.items())
        return np.prod(kept) ** (1 / len(kept)) * mean / sum(utilities.values())

    return value


@dataclass(frozen=True)
class Reward:
    """The reward of an episode.

    Attributes:
        turns: for each turn, (turns,).
        parts: what each part added over all turns, by name; they sum up to the total.
    """

    turns: Turns
    parts: dict[str, float]

    @property
    def total(self) -> float:
        """Over all turns."""
        return float(self.turns.sum())


class Sum:
    """The weighted sum of named terms; a term of an episode is paid out at its last turn.

    Args:
        parts: terms with their weights, by name; a weight is a number or a schedule.

    Raises:
        InvalidArgumentError: there is no part.
    """

    def __init__(self, parts: Mapping[str, tuple[float | Schedule, Term]]):
        if not parts:
            raise InvalidArgumentError("a sum needs at least one part")
        self.parts = dict(parts)

    def __call__(self, trace: Trace, judge: Judge, progress: float = 0.0) -> Reward:
        """The reward of a trace at some progress of the training, in [0, 1].

        Raises:
            InvalidArgumentError: the trace has no turn, or a term has not one value a turn.
        """
        if not trace.turns:
            raise InvalidArgumentError("a trace without turns cannot be rewarded")
        turns, logged = np.zeros(trace.turns), {}
        for name, (weight, term) in self.parts.items():
            found = (weight(progress) if callable(weight) else weight) * term(trace, judge)
            if not isinstance(found, np.ndarray):
                turns[-1] += found
            elif found.shape == turns.shape:
                turns += found
            else:
                raise InvalidArgumentError(
                    f"{name} must be a number or one for each of {trace.turns} turns; "
                    f"got shape {found.shape}"
                )
            logged[name] = float(np.sum(found))
        return Reward(turns, logged)
