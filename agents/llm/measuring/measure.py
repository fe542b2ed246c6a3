"""What a language model can do and what training did to it, measured on samples of its answers.

Samples are arrays (problems, samples): each row holds independent answers to one problem, all at
the same temperature. An answer is anything hashable. What counts as the same answer is the caller's
choice, who writes equal ones alike (`1+2` and `2+1`, say).
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

import numpy as np

from ....envs.kernel.errors import InvalidArgumentError
from ...core.compare import Estimate

Array = np.ndarray[Any, np.dtype[np.float64]]
Answers = Sequence[Sequence[Hashable]]

_BLOCK = 2**20  # numbers that the bootstrap draws at once


@dataclass(frozen=True, eq=False)
class Samples:
    """What one model answered, and which of it was right.

    Args:
        answers: (problems, samples); None where an answer could not be read.
        correct: (problems, samples) `bool`; the same answer to a problem is always equally right.

    Raises:
        InvalidArgumentError: the shapes differ, there is nothing in them, or `correct` is not of
            truth values.
    """

    answers: Answers
    correct: np.ndarray[Any, np.dtype[np.bool_]]

    def __post_init__(self) -> None:
        correct = _check_correct(self.correct)
        object.__setattr__(self, "correct", correct)
        if [len(row) for row in self.answers] != [correct.shape[1]] * len(correct):
            raise InvalidArgumentError(
                f"correct has the shape {correct.shape}; answers must be as many rows of as many"
            )

    def first(self, k: int) -> Self:
        """The first k samples of each problem.

        Raises:
            InvalidArgumentError: k is not in [1, samples].
        """
        if not 1 <= k <= self.correct.shape[1]:
            raise InvalidArgumentError(f"k must be in [1, {self.correct.shape[1]}]; got {k}")
        return type(self)([row[:k] for row in self.answers], self.correct[:, :k])


# --- accuracy ---


def pass_at_k(n: Any, c: Any, k: int) -> Array:
    """How likely one of k answers is right: 1 − C(n − c, k) / C(n, k) (Chen et al. 2021, Codex).

    The unbiased estimate from n ≥ k answers of which c are right, as a product of k ratios that
    cannot overflow.

    Args:
        n: how many answers, an integer or (problems,).
        c: how many of them are right, likewise.
        k: how many may be tried.

    Returns:
        The estimates, `float64`, in the common shape of n and c.

    Raises:
        InvalidArgumentError: these are not integers, or for some problem not 1 ≤ k ≤ n or not
            0 ≤ c ≤ n.
    """
    drawn, right = np.broadcast_arrays(np.asarray(n), np.asarray(c))
    if not drawn.size or drawn.dtype.kind not in "iu" or right.dtype.kind not in "iu":
        raise InvalidArgumentError("n and c must be integers, of at least one problem")
    if not 1 <= k <= drawn.min():
        raise InvalidArgumentError(f"k must be in [1, n], here [1, {drawn.min()}]; got {k}")
    if (right < 0).any() or (right > drawn).any():
        raise InvalidArgumentError("c must be in [0, n] for every problem")
    tried = np.arange(k)
    wrong = (drawn.astype(np.int64) - right)[..., None] - tried
    return 1 - (np.maximum(wrong, 0) / (drawn[..., None] - tried)).prod(-1)


def pass_curve(
    correct: Any, ks: Sequence[int], *, reps: int = 10_000, seed: int = 0
) -> dict[int, Estimate]:
    """Mean pass@k over the problems for each k, with 95% intervals over the problems.

    Two models are compared on the same problems by `bootstrap_mean` of the differences between
    their `pass_at_k`.

    Args:
        correct: (problems, samples) `bool`, at least two problems.
        ks: how many may be tried.
        reps: how many resamples the bootstrap draws.
        seed: of the bootstrap.

    Raises:
        InvalidArgumentError: `correct` is something else, or a k is not in [1, samples].
    """
    right = _check_correct(correct)
    n, c = right.shape[1], right.sum(1)
    return {k: bootstrap_mean(pass_at_k(n, c, k), reps=reps, seed=seed) for k in ks}


def bootstrap_mean(values: Any, *, reps: int = 10_000, seed: int = 0) -> Estimate:
    """The mean of independent values with its 95% interval, by the percentile bootstrap.

    Args:
        values: (n,), one for each problem or each seed, at least two; where two models are
            compared, the paired differences.
        reps: how many resamples are drawn.
        seed: of the resamples.

    Raises:
        InvalidArgumentError: there are fewer values, or one is not finite.
    """
    numbers = check_numbers(values, "values", least=2)
    n, rng = len(numbers), np.random.default_rng(seed)
    rows = max(1, _BLOCK // n)
    sizes = [min(rows, reps - done) for done in range(0, reps, rows)]
    means = np.concatenate([numbers[rng.integers(n, size=(size, n))].mean(1) for size in sizes])
    low, high = np.percentile(means, (2.5, 97.5))
    return Estimate(float(numbers.mean()), float(low), float(high))


def maj_at_k(samples: Samples, k: int, *, reps: int = 1000, seed: int = 0) -> Array:
    """How likely the most frequent of k answers is right (Wang et al. 2023, self-consistency).

    Of several equally frequent answers one is taken at random; an answer of None has no vote.

    Args:
        samples: the answers.
        k: how many vote.
        reps: over how many random choices of k answers the estimate is averaged; where all vote,
            it is exact.
        seed: of these choices.

    Returns:
        (problems,) `float64`.

    Raises:
        InvalidArgumentError: k is not in [1, samples].
    """
    samples.first(k)
    n, rng = samples.correct.shape[1], np.random.default_rng(seed)
    choices = [rng.permutation(n)[:k].tolist() for _ in range(1 if k == n else reps)]
    won = np.empty((len(samples.answers), len(choices)))
    for problem, row in enumerate(zip(samples.answers, samples.correct.tolist(), strict=True)):
        won[problem] = [_majority(*row, voters) for voters in choices]
    return won.mean(1)


def _majority(answers: Sequence[Hashable], right: Sequence[bool], voters: Sequence[int]) -> float:
    """The share of right ones among the most frequent answers of the voters."""
    votes = Counter(answers[i] for i in voters if answers[i] is not None)
    most = max(votes.values(), default=0)
    truth = {answers[i]: right[i] for i in voters}
    winners = [truth[answer] for answer, count in votes.items() if count == most]
    return sum(winners) / len(winners) if winners else 0.0


# --- support ---


class SupportChange(NamedTuple):
    """What training did to the empirical support (Wu et al. 2025, "The Invisible Leash").

    The rates are NaN where they divide nothing by nothing.

    Attributes:
        preserved: found by both models.
        expanded: found by the trained model only.
        shrunk: found by the base model only.
    """

    preserved: int
    expanded: int
    shrunk: int

    @property
    def retention(self) -> float:
        """The support retention rate (SRR): the share of what the base model found that is left."""
        return _ratio(self.preserved, self.preserved + self.shrunk)

    @property
    def discovery(self) -> float:
        """The net discovery rate (NDR): the share of new things in what the trained model finds."""
        return _ratio(self.expanded, self.preserved + self.expanded)

    @property
    def shrinkage(self) -> float:
        """The share of what the base model found that is lost: 1 − retention."""
        return _ratio(self.shrunk, self.preserved + self.shrunk)

    @property
    def net_change(self) -> float:
        """The net support change rate (NSCR), in [−1, 1]: (expanded − shrunk) / all found."""
        return _ratio(self.expanded - self.shrunk, sum(self))

    @property
    def dynamic_score(self) -> float:
        """The support dynamic score (SDS): the harmonic mean of retention and discovery."""
        kept, new = self.retention, self.discovery
        return _ratio(2 * kept * new, kept + new)


def support(
    base: Samples, trained: Samples, k: int, level: Literal["solutions", "problems"] = "solutions"
) -> SupportChange:
    """What two models find within k samples of the same problems.

    k samples show whatever has a probability of at least −ln(ζ) / k, but for a chance of ζ. Two
    independent samples of the base model give the change that is chance alone.

    Args:
        base: answers of the model before training.
        trained: answers of the model after it, to the same problems in the same order.
        k: how many samples of each problem are looked at: the first.
        level: what is counted: each distinct right answer to each problem, or each problem that
            has one (as the paper does).

    Raises:
        InvalidArgumentError: the problems differ in number, k is not in [1, samples] of both, or
            the level is another.
    """
    if level not in ("solutions", "problems"):
        raise InvalidArgumentError(f"level must be 'solutions' or 'problems'; got {level!r}")
    if len(base.correct) != len(trained.correct):
        raise InvalidArgumentError(
            "both models must have answered the same problems; got answers to "
            f"{len(base.correct)} and to {len(trained.correct)}"
        )
    before, after = (_found(samples.first(k), level) for samples in (base, trained))
    return SupportChange(len(before & after), len(after - before), len(before - after))


def _found(samples: Samples, level: str) -> set[tuple[int, Hashable]]:
    """The right answers, or the problems that have one."""
    return {
        (problem, samples.answers[problem][i] if level == "solutions" else None)
        for problem, i in np.argwhere(samples.correct).tolist()
    }


# --- entropy ---


def answer_entropy(answers: Answers, *, miller_madow: bool = False) -> Array:
    """The Shannon entropy (nats) of the empirical distribution of answers to each problem.

    It may fall while the entropy of tokens rises: many ways to the same answer (Wu et al. 2025).

    Args:
        answers: one row for each problem, of at least one sample; None is an answer like others.
        miller_madow: add (m − 1) / 2n for m distinct among n answers, the first-order correction
            of the downward bias (Miller 1955).

    Returns:
        (problems,) `float64`.

    Raises:
        InvalidArgumentError: a problem has no answers.
    """
    if not all(len(row) for row in answers):
        raise InvalidArgumentError("every problem needs at least one answer")
    return np.array([_entropy(Counter(row), miller_madow) for row in answers], np.float64)


def _entropy(counts: Counter[Hashable], miller_madow: bool) -> float:
    n = counts.total()
    plain = math.log(n) - sum(count * math.log(count) for count in counts.values()) / n
    return max(plain, 0.0) + (miller_madow * (len(counts) - 1) / (2 * n))


# --- cost ---


def pareto_front(costs: Any, scores: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The runs that no other run beats: none scores as much at less cost, or more at the same.

    Args:
        costs: (runs,) test-time compute, in tokens or FLOPs.
        scores: (runs,), more is better.

    Returns:
        Their indices by rising cost, `int64`; of equal runs the first.

    Raises:
        InvalidArgumentError: the arrays differ in length, are empty or not finite.
    """
    x, y = check_numbers(costs, "costs"), check_numbers(scores, "scores")
    if len(x) != len(y):
        raise InvalidArgumentError(f"{len(x)} costs came with {len(y)} scores")
    order = np.lexsort((-y, x))
    best = np.maximum.accumulate(np.concatenate(([-np.inf], y[order])))
    return order[y[order] > best[:-1]]


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan


def check_numbers(values: Any, name: str, least: int = 1) -> Array:
    """The values as a row of `float64`.

    Raises:
        InvalidArgumentError: they are no row of at least so many finite numbers.
    """
    numbers = np.asarray(values, np.float64)
    if numbers.ndim != 1 or len(numbers) < least or not np.isfinite(numbers).all():
        raise InvalidArgumentError(
            f"{name} must be a row of at least {least} finite numbers; got shape {numbers.shape}"
        )
    return numbers


def _check_correct(correct: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
    truths = np.asarray(correct)
    if truths.ndim != 2 or not truths.size or truths.dtype != np.bool_:
        raise InvalidArgumentError(
            "correct must be truth values (problems, samples), at least one of each; got shape "
            f"{truths.shape} of {truths.dtype}"
        )
    return truths
