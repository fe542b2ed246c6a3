"""Indices, bounds and draws against values from elsewhere."""

import numpy as np
import pytest
from scipy import special, stats

from spelunk.agents.bandit import draws
from spelunk.agents.bandit.gittins import gittins_indices, late_index
from spelunk.agents.bandit.kl_ucb import divergence, upper_bound
from spelunk.envs.kernel import InvalidArgumentError, rng


@pytest.mark.parametrize(
    ("discount", "wins", "losses", "index"),
    [  # Gittins, Glazebrook & Weber, "Multi-armed bandit allocation indices" (2011), section 8.
        (0.9, 0, 0, 0.7029), (0.9, 1, 0, 0.8001), (0.9, 0, 1, 0.5001),
        (0.95, 0, 0, 0.7614), (0.99, 0, 0, 0.8699), (0.99, 1, 0, 0.9102), (0.99, 0, 1, 0.7005),
    ],
)  # fmt: skip
def test_gittins_indices_are_the_published_ones(discount, wins, losses, index):
    assert gittins_indices(discount, 10)[wins, losses] == pytest.approx(index, abs=2e-4)


def test_gittins_index_is_above_the_mean_and_falls_towards_it():
    table = gittins_indices(0.95, 60)
    means = [(n + 1) / (2 * n + 2) for n in range(31)]
    index = [table[n, n] for n in range(31)]
    assert (np.array(index) > means).all()
    assert (np.diff(index) < 0).all()
    assert late_index(31.0, 31.0, -np.log(0.95)) == pytest.approx(index[30], abs=0.01)
    assert np.isnan(table[31, 30])


def test_gittins_arguments_are_checked():
    with pytest.raises(InvalidArgumentError, match="discount"):
        gittins_indices(1.0, 3)


def test_kl_bound_is_where_the_divergence_is_used_up():
    generator = np.random.default_rng(0)
    for average, allowed in generator.uniform([0, 1e-4], [1, 3], (200, 2)):
        q = upper_bound(average, allowed)
        assert average <= q <= 1
        assert q > 1 - 1e-6 or divergence(average, q) == pytest.approx(allowed, abs=1e-4)
    assert upper_bound(0.0, 0.5) == pytest.approx(1 - np.exp(-0.5))


@pytest.mark.parametrize(("a", "b"), [(0.3, 0.5), (1.0, 1.0), (2.5, 7.0), (40.0, 3.0)])
def test_beta_draws_have_their_law(a, b):
    record = np.zeros(1, rng.STREAM)
    drawn = [draws.beta(record[0], a, b) for _ in range(4000)]
    assert stats.kstest(drawn, stats.beta(a, b).cdf).pvalue > 1e-3


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (2.0, 30.0), (500.0, 100.0), (0.7, 3.0)])
def test_beta_quantiles_are_those_of_scipy(a, b):
    for p in (0.01, 0.5, 0.9, 0.999, 0.99999):
        x = special.betaincinv(a, b, p)
        assert draws.beta_cdf(a, b, x) == pytest.approx(p, abs=1e-9)
        assert draws.beta_quantile(a, b, p) == pytest.approx(x, abs=1e-7)
