"""What a policy would have earned, estimated from rounds that another policy has played.

A log holds contexts, actions, rewards and propensities: the chances with which the logged actions
were taken. The estimators differ in what they trust: the propensities (`inverse_propensity`,
`self_normalized`), a model of the rewards (`direct_method`), or either one of the two
(`doubly_robust`, after Dudík, Langford & Li 2011, "Doubly robust policy evaluation and learning").
`replay` plays an algorithm that learns, on those logged rounds that it agrees with (Li, Chu,
Langford & Wang 2011, "Unbiased offline evaluation of contextual-bandit-based news article
recommendation algorithms").
"""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from ...envs.kernel import InvalidArgumentError

Array = np.ndarray[Any, Any]


class Log(NamedTuple):
    """Rounds that were played.

    Attributes:
        contexts: (n, …) what was seen before each action.
        actions: (n,) `int64`, what was done.
        rewards: (n,) `float64`, what it paid.
        propensities: (n,) `float64`, the chance with which it was done, above 0.
    """

    contexts: Array
    actions: Array
    rewards: Array
    propensities: Array


class Estimate(NamedTuple):
    """The value of a policy, the mean reward of a round.

    Attributes:
        value: the estimate.
        deviation: its standard error.
        low, high: a confidence interval from the normal approximation.
        rounds: how many logged rounds it rests on.
    """

    value: float
    deviation: float
    low: float
    high: float
    rounds: int


def collect(
    id: str,
    rounds: int,
    policy: Callable[[Array], Array] | None = None,
    *,
    seed: int = 0,
    num_envs: int = 256,
    **env_kwargs: Any,
) -> Log:
    """Play a bandit and keep a log.

    Args:
        id: a bandit environment of discrete actions, whose observation is the context.
        rounds: how many to play.
        policy: gives the probabilities (n, actions) of the actions from n contexts; None for
            uniformly random actions.
        seed: of the environment and the actions.
        num_envs: how many episodes are played side by side. Each draws the parameters of its own
            unless they are given.
        env_kwargs: the environment's arguments.
    """
    env: Any = gymnasium.make_vec(id, num_envs=num_envs, autoreset_mode="SAME_STEP", **env_kwargs)
    rng, n = np.random.default_rng(seed), env.single_action_space.n
    contexts, _ = env.reset(seed=seed)
    parts = []
    for _ in range(math.ceil(rounds / num_envs)):
        chances = np.full((num_envs, n), 1 / n) if policy is None else policy(contexts)
        actions = _draw(chances, rng)
        following, rewards, *_ = env.step(actions)
        parts.append((contexts, actions, rewards.astype(np.float64), _taken(chances, actions)))
        contexts = following
    env.close()
    return Log(*(np.concatenate(part)[:rounds] for part in zip(*parts, strict=True)))


def replay(
    log: Log,
    choose: Callable[[Array], int],
    learn: Callable[[Array, int, float], None] | None = None,
    *,
    confidence: float = 0.95,
) -> Estimate:
    """Play a policy on the logged rounds in which it does what was done, and skip the others.

    Unbiased, even for algorithms that learn, where the logged actions were uniformly random: what
    is kept then looks as if the policy had played. The interval takes the rewards as independent.

    Args:
        log: uniformly random actions; its propensities must be equal.
        choose: gives the policy's action for a context.
        learn: is told the context, action and reward of each round that is kept.
        confidence: of the interval.

    Raises:
        InvalidArgumentError: the propensities differ, or the policy agreed with no round.
    """
    if np.ptp(log.propensities) > 1e-9:
        raise InvalidArgumentError(
            "replay needs a log of uniformly random actions; its propensities differ, so use "
            "inverse_propensity or doubly_robust"
        )
    kept = []
    for context, action, reward in zip(log.contexts, log.actions, log.rewards, strict=True):
        if choose(context) == action:
            kept.append(reward)
            if learn is not None:
                learn(context, int(action), float(reward))
    if not kept:
        raise InvalidArgumentError("the policy did in no logged round what was done in it")
    return _mean(np.array(kept), confidence)


def inverse_propensity(log: Log, probabilities: Array, *, confidence: float = 0.95) -> Estimate:
    """The mean of the rewards, each weighted by how much likelier the policy takes its action.

    Unbiased where the policy does nothing that the log never does; the variance is
    (E[w²r²] − value²) / n, with weights w (Horvitz & Thompson 1952).

    Args:
        log: see `Log`.
        probabilities: (n, actions) what the policy does in each logged context.
        confidence: of the interval.
    """
    return _mean(_weights(log, probabilities) * log.rewards, confidence)


def self_normalized(log: Log, probabilities: Array, *, confidence: float = 0.95) -> Estimate:
    """The weighted mean of the rewards: weights sum to 1, at the price of a bias of order 1/n.

    Never outside the range of the rewards (Swaminathan & Joachims 2015, "The self-normalized
    estimator for counterfactual learning"). Its variance is that of its linearisation.

    Args:
        log, probabilities, confidence: see `inverse_propensity`.

    Raises:
        InvalidArgumentError: the policy takes none of the logged actions.
    """
    weights = _weights(log, probabilities)
    if not weights.any():
        raise InvalidArgumentError("the policy takes none of the logged actions")
    value = float(weights @ log.rewards / weights.sum())
    spread = weights * (log.rewards - value)
    deviation = float(np.sqrt(spread @ spread) / weights.sum())
    return _estimate(value, deviation, len(weights), confidence)


def direct_method(
    predictions: Array, probabilities: Array, *, confidence: float = 0.95
) -> Estimate:
    """The mean of the predicted rewards of what the policy does.

    Little variance, but as wrong as the predictions are; the interval knows nothing of that.

    Args:
        predictions: (n, actions) predicted mean rewards in each logged context.
        probabilities, confidence: see `inverse_propensity`.
    """
    return _mean((predictions * probabilities).sum(axis=1), confidence)


def doubly_robust(
    log: Log, probabilities: Array, predictions: Array, *, confidence: float = 0.95
) -> Estimate:
    """The direct method, corrected by the weighted errors of its predictions.

    Unbiased where the propensities are right or the predictions are, provided these were not
    fitted to the rewards of the same rounds; see `predict_rewards`.

    Args:
        log, probabilities, confidence: see `inverse_propensity`.
        predictions: see `direct_method`.
    """
    errors = log.rewards - _taken(predictions, log.actions)
    direct = (predictions * probabilities).sum(axis=1)
    return _mean(direct + _weights(log, probabilities) * errors, confidence)


def predict_rewards(
    log: Log, n_actions: int, *, ridge: float = 1.0, folds: int = 2, weighted: bool = False
) -> Array:
    """Mean rewards by linear regression, one for each action, (n, n_actions).

    The log is divided into `folds`, and what is predicted for one comes from the others.

    Args:
        log: contexts (n, dimension).
        n_actions: how many actions there are.
        ridge: weight of the squared parameters (the constant is free).
        folds: at least 2, at most n.
        weighted: whether rounds count by 1 / propensity, as if actions had been uniform.

    Raises:
        InvalidArgumentError: the contexts are not rows, or `folds` is out of range.
    """
    n = len(log.actions)
    if log.contexts.ndim != 2 or not 2 <= folds <= n:
        raise InvalidArgumentError(
            f"predict_rewards needs contexts (n, dimension) and 2 to n folds; got "
            f"{log.contexts.shape} and {folds}"
        )
    rows = np.column_stack([log.contexts, np.ones(n)]).astype(np.float64)
    penalty = ridge * np.eye(rows.shape[1])
    penalty[-1, -1] = 1e-9
    weights = 1 / log.propensities if weighted else np.ones(n)
    predictions, fold = np.zeros((n, n_actions)), np.arange(n) % folds
    for held_out in range(folds):
        for action in range(n_actions):
            known = (fold != held_out) & (log.actions == action)
            scaled = rows[known] * weights[known, None]
            theta = np.linalg.solve(scaled.T @ rows[known] + penalty, scaled.T @ log.rewards[known])
            predictions[fold == held_out, action] = rows[fold == held_out] @ theta
    return predictions


def _weights(log: Log, probabilities: Array) -> Array:
    if (log.propensities <= 0).any():
        raise InvalidArgumentError("the propensities of a log must be above 0")
    return _taken(probabilities, log.actions) / log.propensities


def _taken(values: Array, actions: Array) -> Array:
    return values[np.arange(len(actions)), actions]


def _draw(chances: Array, rng: np.random.Generator) -> Array:
    """An action for each row of probabilities."""
    drawn = (rng.random((len(chances), 1)) > chances.cumsum(axis=1)).sum(axis=1)
    return np.minimum(drawn, chances.shape[1] - 1)


def _mean(values: Array, confidence: float) -> Estimate:
    spread = values.std(ddof=1) if len(values) > 1 else math.inf
    return _estimate(
        float(values.mean()), float(spread / math.sqrt(len(values))), len(values), confidence
    )


def _estimate(value: float, deviation: float, rounds: int, confidence: float) -> Estimate:
    if not 0 < confidence < 1:
        raise InvalidArgumentError(f"confidence must lie between 0 and 1; got {confidence!r}")
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * deviation
    return Estimate(value, deviation, value - reach, value + reach, rounds)
