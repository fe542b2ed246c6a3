"""Known problems: three contexts, three actions, means and policies written down."""

import numpy as np
import pytest

from spelunk.agents.bandit import off_policy
from spelunk.agents.bandit.off_policy import Log
from spelunk.envs.kernel import InvalidArgumentError

MEANS = np.array([[0.9, 0.2, 0.5], [0.1, 0.6, 0.3], [0.4, 0.4, 0.8]])  # [context, action]
LOGGING = np.array([[0.5, 0.3, 0.2], [0.6, 0.2, 0.2], [0.3, 0.3, 0.4]])
TARGET = np.array([[0.1, 0.8, 0.1], [0.0, 1.0, 0.0], [0.2, 0.1, 0.7]])
VALUE = (MEANS * TARGET).sum() / 3


def make_log(rng, n, logging=LOGGING):
    contexts = rng.integers(3, size=n)
    actions = (rng.random((n, 1)) > logging[contexts].cumsum(axis=1)).sum(axis=1)
    rewards = (rng.random(n) < MEANS[contexts, actions]).astype(float)
    return Log(contexts, actions, rewards, logging[contexts, actions])


def repeated(estimator, n=500, repeats=3000):
    """Values, standard errors and coverage over many logs."""
    rng = np.random.default_rng(0)
    found = [estimator(make_log(rng, n)) for _ in range(repeats)]
    values = np.array([e.value for e in found])
    covered = np.mean([e.low <= VALUE <= e.high for e in found])
    return values, np.mean([e.deviation for e in found]), covered


def assert_unbiased(values):
    assert abs(values.mean() - VALUE) < 4 * values.std() / np.sqrt(len(values))


def test_inverse_propensity_is_unbiased_with_the_variance_of_theory():
    n = 500
    values, deviation, covered = repeated(
        lambda log: off_policy.inverse_propensity(log, TARGET[log.contexts]), n
    )
    assert_unbiased(values)
    second_moment = (TARGET**2 / LOGGING * MEANS).sum() / 3  # E[w² r²]; r² = r
    theory = (second_moment - VALUE**2) / n
    assert values.var() == pytest.approx(theory, rel=0.1)
    assert deviation**2 == pytest.approx(theory, rel=0.05)
    assert 0.93 < covered < 0.97


def test_self_normalized_has_the_variance_of_its_linearisation():
    n = 500
    values, deviation, covered = repeated(
        lambda log: off_policy.self_normalized(log, TARGET[log.contexts]), n
    )
    theory = (TARGET**2 / LOGGING * (MEANS - 2 * VALUE * MEANS + VALUE**2)).sum() / 3 / n
    assert abs(values.mean() - VALUE) < 0.005
    assert values.var() == pytest.approx(theory, rel=0.1)
    assert deviation**2 == pytest.approx(theory, rel=0.05)
    assert 0.92 < covered < 0.97
    ones = make_log(np.random.default_rng(1), 40)._replace(rewards=np.ones(40))
    assert off_policy.self_normalized(ones, TARGET[ones.contexts]).value == pytest.approx(1)
    assert off_policy.inverse_propensity(ones, TARGET[ones.contexts]).value != pytest.approx(1)


WRONG = MEANS + np.array([0.3, -0.1, 0.2])


def test_direct_method_is_as_wrong_as_its_model():
    right, _, _ = repeated(
        lambda log: off_policy.direct_method(MEANS[log.contexts], TARGET[log.contexts])
    )
    wrong, _, covered = repeated(
        lambda log: off_policy.direct_method(WRONG[log.contexts], TARGET[log.contexts])
    )
    bias = ((WRONG - MEANS) * TARGET).sum() / 3
    assert_unbiased(right)
    assert wrong.mean() - VALUE == pytest.approx(bias, abs=0.002)
    assert covered < 0.7
    # Only the contexts vary.
    assert right.var() == pytest.approx((MEANS * TARGET).sum(axis=1).var() / 500, rel=0.1)


def test_doubly_robust_is_unbiased_if_either_is_right():
    def estimate(log, model, propensities=None):
        if propensities is not None:
            log = log._replace(propensities=propensities)
        return off_policy.doubly_robust(log, TARGET[log.contexts], model[log.contexts])

    both, _, covered = repeated(lambda log: estimate(log, MEANS))
    wrong_model, _, _ = repeated(lambda log: estimate(log, WRONG))
    wrong_chances, _, _ = repeated(lambda log: estimate(log, MEANS, np.full(500, 0.25)))
    neither, _, _ = repeated(lambda log: estimate(log, WRONG, np.full(500, 0.25)))
    for values in (both, wrong_model, wrong_chances):
        assert_unbiased(values)
    assert abs(neither.mean() - VALUE) > 0.02
    assert 0.93 < covered < 0.97
    direct = (MEANS * TARGET).sum(axis=1)
    noise = (TARGET**2 / LOGGING * MEANS * (1 - MEANS)).sum() / 3
    assert both.var() == pytest.approx((direct.var() + noise) / 500, rel=0.1)
    ips, _, _ = repeated(lambda log: off_policy.inverse_propensity(log, TARGET[log.contexts]))
    assert both.var() < ips.var()


def test_replay_keeps_the_rounds_it_agrees_with():
    rng, uniform = np.random.default_rng(2), np.full((3, 3), 1 / 3)
    best = MEANS.argmax(axis=1)
    values, rounds = [], []
    for _ in range(300):
        found = off_policy.replay(make_log(rng, 300, uniform), lambda context: best[context])
        values.append(found.value)
        rounds.append(found.rounds)
    value = MEANS.max(axis=1).mean()
    assert np.mean(values) == pytest.approx(value, abs=4 * np.std(values) / np.sqrt(300))
    assert np.mean(rounds) == pytest.approx(100, abs=2)
    assert np.var(values) == pytest.approx(value * (1 - value) / 100, rel=0.3)


def test_replay_of_a_learner():
    """Follow the leader, whose reward in each round it is told, gets good at it."""
    log = make_log(np.random.default_rng(3), 6000, np.full((3, 3), 1 / 3))
    sums, pulls = np.ones((3, 3)), np.ones((3, 3))

    def learn(context, action, reward):
        sums[context, action] += reward
        pulls[context, action] += 1

    found = off_policy.replay(log, lambda context: (sums[context] / pulls[context]).argmax(), learn)
    assert found.rounds == pulls.sum() - 9
    assert found.value == pytest.approx(sum(sums.ravel() - 1) / found.rounds)
    assert found.low < MEANS.max(axis=1).mean() < found.high + 0.05


def test_on_a_contextual_bandit():
    """The estimates of a policy agree with what it earns, and doubly robust is the sharpest."""
    theta = [[1.0, 0.0], [0.0, 1.0], [-0.6, -0.6]]
    kwargs = {"theta": theta, "model": "disjoint", "noise": 0.3}

    def policy(contexts):
        greedy = (contexts @ np.array(theta).T).argmax(axis=1)
        return 0.1 / 3 + 0.9 * np.eye(3)[greedy]

    id = "spelunk/ContextualBandit-v0"
    earned = off_policy.collect(id, 50_000, policy, seed=1, **kwargs).rewards.mean()
    log = off_policy.collect(id, 20_000, seed=2, **kwargs)
    assert (log.propensities == 1 / 3).all()
    chances = policy(log.contexts)
    predictions = off_policy.predict_rewards(log, 3)
    np.testing.assert_allclose(predictions, log.contexts @ np.array(theta).T, atol=0.05)
    found = {
        "ips": off_policy.inverse_propensity(log, chances, confidence=0.999),
        "snips": off_policy.self_normalized(log, chances, confidence=0.999),
        "dm": off_policy.direct_method(predictions, chances, confidence=0.9999),
        "dr": off_policy.doubly_robust(log, chances, predictions, confidence=0.999),
    }
    for estimate in found.values():
        assert estimate.low - 0.003 < earned < estimate.high + 0.003
    assert found["dr"].deviation < found["ips"].deviation


def test_errors():
    log = make_log(np.random.default_rng(0), 20)
    with pytest.raises(InvalidArgumentError, match="propensities differ"):
        off_policy.replay(log, lambda context: 0)
    with pytest.raises(InvalidArgumentError, match="in no logged round"):
        off_policy.replay(log._replace(propensities=np.full(20, 0.5)), lambda context: 7)
    with pytest.raises(InvalidArgumentError, match="above 0"):
        off_policy.inverse_propensity(log._replace(propensities=np.zeros(20)), TARGET[log.contexts])
    with pytest.raises(InvalidArgumentError, match="none of the logged"):
        off_policy.self_normalized(log, np.zeros((20, 3)))
    with pytest.raises(InvalidArgumentError, match="folds"):
        off_policy.predict_rewards(log, 3)
    with pytest.raises(InvalidArgumentError, match="confidence"):
        off_policy.inverse_propensity(log, TARGET[log.contexts], confidence=1.0)
