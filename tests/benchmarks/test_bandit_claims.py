"""What `benchmarks/bandit_claims.py` holds figures against is right, and is held against them."""

import numpy as np
import pytest

from spelunk.benchmarks.claims import (
    conservative_exploration,
    knapsacks,
    off_policy_estimators,
    sparse_arms,
)
from spelunk.benchmarks.claims.off_policy_estimators import ROUNDS, beliefs, problems, theory


@pytest.mark.parametrize("name", problems())
def test_theory_of_the_estimators_by_their_formulas(name):
    problem = problems()[name]
    means, logging, target = problem
    value, contexts = (means * target).sum() / len(means), len(means)
    right = beliefs(problem, True, True)
    bias, variance = theory(problem, "inverse_propensity", *right)
    second = (target**2 / logging * means).sum() / contexts  # E[w² r²]; r² = r
    assert (bias, variance) == pytest.approx((0, (second - value**2) / ROUNDS), abs=1e-12)
    bias, variance = theory(problem, "direct_method", *right)
    direct = (means * target).sum(axis=1)
    assert (bias, variance) == pytest.approx((0, direct.var() / ROUNDS), abs=1e-12)
    bias, variance = theory(problem, "doubly_robust", *right)
    noise = (target**2 / logging * means * (1 - means)).sum() / contexts
    assert (bias, variance) == pytest.approx((0, (direct.var() + noise) / ROUNDS), abs=1e-12)
    _, variance = theory(problem, "self_normalized", *right)
    ratio = (target**2 / logging * (means - 2 * value * means + value**2)).sum() / contexts
    assert variance == pytest.approx(ratio / ROUNDS)


def test_theory_is_unbiased_where_either_belief_is_right():
    problem = problems()["20 contexts, 8 actions"]
    for model, chances in ((True, False), (False, True)):
        bias, _ = theory(problem, "doubly_robust", *beliefs(problem, model, chances))
        assert bias == pytest.approx(0, abs=1e-12)
    for name in ("doubly_robust", "inverse_propensity", "direct_method"):
        assert abs(theory(problem, name, *beliefs(problem, False, False))[0]) > 0.02


def test_estimates_that_differ_from_theory_fail():
    values = np.random.default_rng(0).normal(0.5, 0.1, 4000)
    found = np.stack([values, values - 0.196, values + 0.196], axis=1)
    assert off_policy_estimators.judge(found, 0.5, 0.0, 0.01)["passed"]
    assert off_policy_estimators.judge(found, 0.4, 0.1, 0.01)["passed"]
    assert not off_policy_estimators.judge(found, 0.5, 0.02, 0.01)["passed"]
    assert not off_policy_estimators.judge(found, 0.5, 0.0, 0.012)["passed"]


def test_verdicts_of_explorers_and_searchers():
    none, some, most = np.zeros(3), np.array([0, 0, 1]), np.array([1.0, 2.0, 3.0])
    judge = conservative_exploration.judge
    assert not judge(conservative_exploration.UCBVI, 0.1, none, some, none)["passed"]
    assert judge(conservative_exploration.StepMix, 0.1, most - 1, none, none)["passed"]
    for ratio, violations, late in ((most, none, none), (none, some, none), (none, none, some)):
        row = judge(conservative_exploration.StepMix, 0.1, ratio, violations, late)
        assert not row["passed"]
    good, bad = [(0.0, 10)] * 20, [(0.0, 10)] * 18 + [(0.9, 10)] * 2
    assert sparse_arms.judge("conspiring", 100, "SparseNet", good)["passed"]
    assert not sparse_arms.judge("random", 100, "SparseNet", bad)["passed"]
    phased = "PhasedElimination, one design"
    assert not sparse_arms.judge("conspiring", 100, phased, good)["passed"]
    assert sparse_arms.judge("conspiring", 50, phased, good)["passed"] is None


def test_shares_of_the_programme_are_held_against_the_goal_and_the_random_policy(monkeypatch):
    near, random = np.array([0.9, 0.92, 0.94]), np.array([0.5, 0.6, 0.7])
    row = knapsacks.judge("lagrange-bwk", 5_000, near, random)
    assert row["share"] == pytest.approx(0.92)
    assert row["interval"] == pytest.approx((0.92 - 0.0497, 0.92 + 0.0497), abs=1e-4)  # t = 4.303
    assert row["passed"]
    assert not knapsacks.judge("lagrange-bwk", 5_000, near - 0.08, random)["passed"], "low end 0.79"
    assert not knapsacks.judge("lagrange-bwk", 5_000, near, random + 0.1)["passed"], "up to 0.95"
    assert knapsacks.judge("lagrange-bwk", 2_500, near, random)["passed"] is None
    assert knapsacks.judge("random", 5_000, random, random)["passed"] is None
    monkeypatch.setattr(knapsacks, "RUNS", 30)
    found = knapsacks.shares("primal-dual-bwk", family="pricing", budget=500, horizon=2_000)
    assert found.shape == (30,)
    assert 0.85 < found.mean() < 1
