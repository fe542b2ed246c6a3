"""Cost: what the answer took, in calls, turns and money."""

from collections.abc import Sequence

import numpy as np

from ......envs.kernel.errors import InvalidArgumentError
from ....searching.judges import Judge
from ....searching.trace import Trace
from .combine import Term, Turns
from .outcome import em


def call_bonus(
    trace: Trace,
    judge: Judge,
    *,
    bonus: Sequence[float] = (0.6, 0.4, 0.2),
    tried: float = 0.05,
) -> float:
    """The less searched the better where right; a little for searching where wrong (IKEA, 2025).

    A right answer earns bonus[calls], 0 beyond its end; a wrong one `tried` if there was a call,
    or else never to search would be a way out of hard questions. In [0, 0.6].
    """
    if em(trace, judge) == 1:
        return bonus[trace.calls] if trace.calls < len(bonus) else 0.0
    return tried if trace.calls else 0.0


def step_discount(trace: Trace, judge: Judge, *, beta: float = 0.95, free: int = 2) -> float:
    """β^max(0, T − 2) for T turns, in (0, 1] (InForage, 2025); a factor, to be used in `gate`."""
    return beta ** max(0, trace.turns - free)


def geometric_credit(
    trace: Trace, judge: Judge, *, outcome: Term = em, gamma: float = 0.995
) -> Turns:
    """The reward γ^(T − t) R at turn t = 1 … T, (turns,), each in [0, R] (IterResearch, 2025).

    Args:
        trace: of the episode.
        judge: of the outcome.
        outcome: gives R, a number.
        gamma: the discount.
    """
    left = np.arange(trace.turns)[::-1]
    return outcome(trace, judge) * np.power(gamma, left)


def price(trace: Trace, judge: Judge, *, low: float = 0.0, high: float = 1.0) -> float:
    """1 − (√cost − √low) / (√high − √low), clipped to [0, 1] (Router-R1, 2025).

    The paper takes low and high from a window of training episodes; weigh it by α, the outcome by
    1 − α, and only where the answer is right.

    Raises:
        InvalidArgumentError: not 0 ≤ low < high.
    """
    if not 0 <= low < high:
        raise InvalidArgumentError(f"prices must be 0 ≤ low < high; got {low!r} and {high!r}")
    span = high**0.5 - low**0.5
    return 1 - min(1.0, max(0.0, (trace.ending.cost**0.5 - low**0.5) / span))


def turn_ramp(
    trace: Trace, judge: Judge, *, most: float = 0.15, free: int = 24, limit: int = 40
) -> float:
    """−most · min(1, (T − free) / (limit − free)) for more than `free` turns T (Harness-1, 2026).

    In [−most, 0].
    """
    return -most * min(1.0, max(0, trace.turns - free) / max(1, limit - free))


def earliness(trace: Trace, judge: Judge, *, weight: float = 0.1, budget: int = 4) -> float:
    """0.1 (B − t) / B for an answer in turn t of B, in [0, 0.1); 0 without one (SLATE, 2026)."""
    if trace.ending.answer is None:
        return 0.0
    return weight * max(0, budget - trace.turns) / budget


class ReferenceCost:
    """1 − λ max(0, (c − c*) / c*) for a right answer of c calls, else 0 (HyperEyes, 2026).

    The reference c* belongs to the question and is only ever lowered, to the fewest calls of a
    right answer; so true multi-hop questions are not punished. In [0, 1]: it never makes a right
    answer worse than a wrong one. A term; the formula is reconstructed from the paper's account.

    Args:
        start: the reference of a question that is new.
        weight: λ ≥ 0.
    """

    def __init__(self, start: float, weight: float = 0.5):
        self.start, self.weight = start, weight
        self.references: dict[str, float] = {}

    def __call__(self, trace: Trace, judge: Judge) -> float:
        reference = max(1.0, self.references.get(trace.task.question, self.start))
        excess = max(0.0, (trace.calls - reference) / reference)
        return em(trace, judge) * max(0.0, 1 - self.weight * excess)

    def tighten(self, trace: Trace, judge: Judge) -> None:
        """Lower the reference of a question to the calls of a right answer, if they were fewer."""
        if em(trace, judge) == 1:
            question = trace.task.question
            before = self.references.get(question, self.start)
            self.references[question] = min(before, float(trace.calls))

    def state(self) -> dict[str, float]:
        """What a run must store to go on."""
        return dict(self.references)

    def load_state(self, state: dict[str, float]) -> None:
        """Go on from a stored state."""
        self.references = dict(state)
