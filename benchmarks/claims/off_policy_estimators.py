"""Off-policy estimators on problems whose outcomes can be listed: bias and variance of theory.

Theory is exact but for self-normalisation, a ratio of means, whose expansion to the order 1/n
stands in. A wrong model of the rewards knows no contexts; wrong propensities are uniform.
"""

from typing import Any, NamedTuple

import numpy as np
from rich.progress import track

from spelunk.agents.bandit import off_policy

Array = np.ndarray[Any, Any]

ROUNDS, REPEATS = 500, 4000
#: Estimator, whether the model of the rewards is right, and whether the propensities are.
CASES = (
    ("inverse_propensity", None, True), ("inverse_propensity", None, False),
    ("self_normalized", None, True), ("self_normalized", None, False),
    ("direct_method", True, None), ("direct_method", False, None),
    ("doubly_robust", True, True), ("doubly_robust", True, False),
    ("doubly_robust", False, True), ("doubly_robust", False, False),
)  # fmt: skip


class Problem(NamedTuple):
    """A contextual bandit of rewards 0 and 1, all contexts being as likely; (contexts, actions)."""

    means: Array
    logging: Array
    target: Array

    @property
    def value(self) -> float:
        """Of the target policy."""
        return float((self.means * self.target).sum(axis=1).mean())


def problems() -> dict[str, Problem]:
    """One written down; and one drawn, whose log seldom does what the target policy does."""
    rng = np.random.default_rng(0)
    means = rng.random((20, 8))
    greedy, other = np.eye(8)[means.argmax(axis=1)], np.eye(8)[rng.integers(8, size=20)]
    return {
        "3 contexts, 3 actions": Problem(
            np.array([[0.9, 0.2, 0.5], [0.1, 0.6, 0.3], [0.4, 0.4, 0.8]]),
            np.array([[0.5, 0.3, 0.2], [0.6, 0.2, 0.2], [0.3, 0.3, 0.4]]),
            np.array([[0.1, 0.8, 0.1], [0.0, 1.0, 0.0], [0.2, 0.1, 0.7]]),
        ),
        "20 contexts, 8 actions": Problem(means, 0.6 * other + 0.05, 0.9 * greedy + 0.1 / 8),
    }


def beliefs(problem: Problem, model: bool | None, chances: bool | None) -> tuple[Array, Array]:
    """Predicted means and propensities, (contexts, actions) each."""
    blind = np.broadcast_to(problem.means.mean(axis=0), problem.means.shape)
    uniform = np.full_like(problem.logging, 1 / problem.means.shape[1])
    return problem.means if model else blind, uniform if chances is False else problem.logging


def theory(problem: Problem, name: str, predicted: Array, assumed: Array) -> tuple[float, float]:
    """Bias and variance over logs of `ROUNDS`, from all (context, action, reward) outcomes."""
    reward = np.array([0.0, 1.0])
    paid = np.stack([1 - problem.means, problem.means], axis=2)
    chance = problem.logging[..., None] * paid / len(paid)
    weight = np.repeat(problem.target / assumed, 2).reshape(paid.shape)
    direct = (predicted * problem.target).sum(axis=1)[:, None, None]
    if name == "self_normalized":
        total = (chance * weight).sum()
        limit = (chance * weight * reward).sum() / total
        spread = weight * (reward - limit) / total
        bias = limit - problem.value - (chance * spread * weight).sum() / total / ROUNDS
        return float(bias), float((chance * spread**2).sum() / ROUNDS)
    term = {
        "inverse_propensity": weight * reward,
        "direct_method": direct,
        "doubly_robust": direct + weight * (reward - predicted[..., None]),
    }[name]
    mean = (chance * term).sum()
    return float(mean - problem.value), float((chance * (term - mean) ** 2).sum() / ROUNDS)


def draw_log(problem: Problem, rng: np.random.Generator) -> off_policy.Log:
    """Rounds of the logging policy."""
    contexts = rng.integers(len(problem.means), size=ROUNDS)
    bounds = problem.logging[contexts].cumsum(axis=1)[:, :-1]
    actions = (rng.random((ROUNDS, 1)) > bounds).sum(axis=1)
    rewards = (rng.random(ROUNDS) < problem.means[contexts, actions]).astype(float)
    return off_policy.Log(contexts, actions, rewards, problem.logging[contexts, actions])


def estimate(
    name: str, log: off_policy.Log, target: Array, predicted: Array, assumed: Array
) -> off_policy.Estimate:
    """What an estimator says of a log, with these beliefs."""
    log = log._replace(propensities=assumed[log.contexts, log.actions])
    chances, predictions = target[log.contexts], predicted[log.contexts]
    if name == "direct_method":
        return off_policy.direct_method(predictions, chances)
    if name == "doubly_robust":
        return off_policy.doubly_robust(log, chances, predictions)
    return getattr(off_policy, name)(log, chances)


def measure() -> list[dict[str, Any]]:
    """A row for each problem and case; within a problem all see the same logs."""
    rows = []
    for words, problem in problems().items():
        rng, believed = np.random.default_rng(1), [beliefs(problem, *case[1:]) for case in CASES]
        found = np.zeros((len(CASES), REPEATS, 3))
        for repeat in track(range(REPEATS), words):
            log = draw_log(problem, rng)
            for i, (name, *_) in enumerate(CASES):
                one = estimate(name, log, problem.target, *believed[i])
                found[i, repeat] = one.value, one.low, one.high
        for case, known, values in zip(CASES, believed, found, strict=True):
            rows.append(
                {
                    "problem": words,
                    **dict(zip(("estimator", "model", "propensities"), case, strict=True)),
                    **judge(values, problem.value, *theory(problem, case[0], *known)),
                }
            )
    return rows


def judge(found: Array, value: float, bias: float, variance: float) -> dict[str, Any]:
    """Estimates with their intervals (repeats, 3) beside the value and theory."""
    values, low, high = found.T
    error, spread = values.mean() - value, values.var(ddof=1)
    reach = 4 * np.sqrt(spread / len(values))
    return {
        "bias": float(error),
        "bias_expected": bias,
        "bias_reach": float(reach),
        "variance": float(spread),
        "variance_expected": variance,
        "mse": float(((values - value) ** 2).mean()),
        "mse_expected": bias**2 + variance,
        "coverage": float(((low <= value) & (value <= high)).mean()),
        "expected": "bias within 4 standard errors, variance within 10%",
        "passed": bool(abs(error - bias) <= reach and abs(spread / variance - 1) <= 0.1),
    }
