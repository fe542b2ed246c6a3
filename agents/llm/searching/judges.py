"""Judges: verdicts on turns, citations and answers, with a stated rate of error.

Where papers ask a large language model for a verdict, a `WorldJudge` asks the environment's
knowledge and then errs on purpose, so that the effect of a judge's errors can be measured.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Protocol

from ....envs.kernel.errors import InvalidArgumentError
from . import scorers
from .trace import Trace


class Oracle(Protocol):
    """What is true of a trace, as the environment knows it."""

    def useful(self, trace: Trace, turn: int) -> bool:
        """Whether what was shown in a turn tells a gold fact for the first time."""
        ...

    def supports(self, page: int, claim: int) -> bool:
        """Whether a page states a fact."""
        ...

    def correct(self, trace: Trace) -> bool:
        """Whether the trace's answer is right."""
        ...


class Judge(Protocol):
    """Verdicts that reward terms ask for; the same question about one trace is answered alike."""

    def useful(self, trace: Trace, turn: int) -> bool:
        """Whether what was shown in a turn brings the answer nearer."""
        ...

    def supports(self, trace: Trace, page: int, claim: int) -> bool:
        """Whether a page states a fact."""
        ...

    def correct(self, trace: Trace) -> bool:
        """Whether the trace's answer is right."""
        ...

    def score(self, trace: Trace, turn: int) -> int:
        """A turn on the scale −1 (harmful), 0 (neutral), 1 (helpful)."""
        ...


class RecordedOracle:
    """The oracle of what a trace recorded: its covered facts and its gold answer.

    Args:
        states: whether a page states a fact; the trace does not say.
    """

    def __init__(self, states: Callable[[int, int], bool]):
        self._states = states

    def useful(self, trace: Trace, turn: int) -> bool:
        return trace.covered(turn) != trace.covered(turn - 1)

    def supports(self, page: int, claim: int) -> bool:
        return self._states(page, claim)

    def correct(self, trace: Trace) -> bool:
        if len(trace.task.gold) == 1:
            return bool(scorers.exact_match(trace.ending.answer or "", trace.task.gold[0]))
        return scorers.matched_f1(trace.items, trace.task.gold, scorers.exact_match) == 1


class WorldJudge:
    """A judge that knows the world and errs at a stated rate.

    A yes or no is turned round with probability `epsilon`; a score is replaced by one of the two
    others, equally likely, with the same probability. Verdicts depend on the seed, the trace and
    the question alone, so that a trace keeps its verdicts however often and in whatever order they
    are asked for.

    Args:
        oracle: what is true.
        epsilon: the error rate, in [0, 1].
        seed: of the errors.

    Raises:
        InvalidArgumentError: epsilon is not in [0, 1].
    """

    def __init__(self, oracle: Oracle, epsilon: float = 0.1, seed: int = 0):
        if not 0 <= epsilon <= 1:
            raise InvalidArgumentError(f"epsilon must be in [0, 1]; got {epsilon!r}")
        self.oracle, self.epsilon, self.seed = oracle, epsilon, seed

    def useful(self, trace: Trace, turn: int) -> bool:
        return self.oracle.useful(trace, turn) != self._errs(trace, "useful", turn)

    def supports(self, trace: Trace, page: int, claim: int) -> bool:
        return self.oracle.supports(page, claim) != self._errs(trace, "supports", page, claim)

    def correct(self, trace: Trace) -> bool:
        return self.oracle.correct(trace) != self._errs(trace, "correct")

    def score(self, trace: Trace, turn: int) -> int:
        """A turn on the scale of SLATE (2026).

        The last turn, where it answers: 1 for a right answer, −1 for a wrong one. Other turns: 1
        for a useful result, 0 for one that shows new pages without telling a gold fact, −1 for one
        that shows nothing new and for a malformed message.
        """
        verdict = self._true_score(trace, turn)
        draw = self._draw(trace, "score", turn)
        if draw >= self.epsilon:
            return verdict
        low, high = sorted({-1, 0, 1} - {verdict})
        return low if draw < self.epsilon / 2 else high

    def _true_score(self, trace: Trace, turn: int) -> int:
        if turn == trace.turns - 1 and trace.ending.answer is not None:
            return 1 if self.oracle.correct(trace) else -1
        if not trace.ending.well_formed[turn]:
            return -1
        if self.oracle.useful(trace, turn):
            return 1
        return 0 if trace.pages_by(turn) != trace.pages_by(turn - 1) else -1

    def _errs(self, trace: Trace, *question: object) -> bool:
        return self._draw(trace, *question) < self.epsilon

    def _draw(self, trace: Trace, *question: object) -> float:
        """A number in [0, 1) that looks random and belongs to a question about a trace."""
        key = repr((self.seed, question)).encode() + trace.digest
        return int.from_bytes(blake2b(key, digest_size=8).digest()) / 2**64
