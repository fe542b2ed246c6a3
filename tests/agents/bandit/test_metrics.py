import math

import numpy as np
import pytest

from spelunk.agents.bandit.metrics import (
    draw_regret,
    fit_regret,
    greedy_fraction,
    lai_robbins,
    min_fraction,
    suffix_failure,
    summarize,
    win_rates,
)
from spelunk.agents.bandit.simulation import Runs, simulate
from spelunk.agents.registry import entry
from spelunk.envs.kernel import InvalidArgumentError

ID = "spelunk/BernoulliBandit-v0"


def runs_with(curve, times, last_best=()):
    nothing = np.zeros((len(curve), 0))
    return Runs(times, curve, np.zeros(len(curve)), np.array(last_best), nothing, nothing, 1.0)


def test_lai_robbins_by_hand():
    kl = 0.5 * math.log(0.5 / 0.6) + 0.5 * math.log(0.5 / 0.4)
    assert lai_robbins([0.6, 0.5]) == pytest.approx(0.1 / kl)
    assert lai_robbins([0.5, 0.6, 0.5]) == pytest.approx(0.2 / kl)
    assert lai_robbins([0.5, 0.5]) == 0.0
    assert lai_robbins([0.0, 0.5]) == pytest.approx(0.5 / math.log(2))
    assert lai_robbins([0.3, 1.0]) == 0.0
    with pytest.raises(InvalidArgumentError, match="between 0 and 1"):
        lai_robbins([0.5, 1.5])


def test_suffix_failure_counts_runs_that_never_come_back():
    runs = runs_with(np.zeros((4, 1)), np.array([100]), [-1, 49, 50, 99])
    assert suffix_failure(runs) == 0.5
    assert suffix_failure(runs, start=0.2) == 0.25


def test_greedy_fails_for_good_where_its_mean_regret_may_be_lower():
    """The catalogue's anchor: 20 arms, gap 0.2, 1,000 rounds: about half of the runs fail."""
    means = [0.6] + [0.4] * 19
    greedy, ucb = (
        simulate(entry(name).load()(), ID, horizon=1000, runs=400, means=means)
        for name in ("greedy", "ucb1")
    )
    assert 0.4 < suffix_failure(greedy) < 0.7
    assert suffix_failure(ucb) == 0.0
    assert greedy.regret[:, -1].mean() < ucb.regret[:, -1].mean()


def test_fractions_by_hand():
    actions = np.array([[0, 1, 1, 1], [0, 0, 1, 2]])
    assert min_fraction(actions, 3) == pytest.approx(3 * (0 + 1 / 4) / 2)
    rewards = np.array([[1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 1.0, 1.0]])
    # The best so far: arm 0 always; then 0, 0 and 1.
    assert greedy_fraction(actions, rewards, 3) == pytest.approx((0 + 1) / 6)


def test_fit_finds_the_law_that_a_curve_has():
    times = np.unique(np.geomspace(1, 10_000, 60).astype(int))
    curve = 3 * np.log(times) / 0.2 + 0.01 * times
    fit = fit_regret(runs_with(np.array([curve, curve]), times), gap=0.2)
    assert fit.scale == pytest.approx(3, rel=0.1)
    assert fit.exponent == pytest.approx(1, rel=0.1)
    assert fit.slope == pytest.approx(0.01, rel=0.1)


def test_win_rates_ask_for_significance():
    rng = np.random.default_rng(0)
    regrets = {"good": rng.normal(1, 1, 200), "twin": rng.normal(1, 1, 200), "bad": np.full(9, 9.0)}
    regrets["bad"][0] = 8.9
    rates = win_rates(regrets)
    assert rates["bad"] == 0.0
    assert rates["good"] >= 0.5
    assert rates["good"] + rates["twin"] <= 1.5


def test_summary_and_picture(tmp_path):
    runs = simulate(entry("ucb1").load()(), ID, horizon=30, runs=10)
    told = summarize(runs)
    low, high = told["regret_ci"]
    assert low < told["regret_mean"] < high
    draw_regret({"ucb1": runs}, tmp_path / "r.png", {"bound": np.log(runs.times)})
    assert (tmp_path / "r.png").read_bytes()[:4] == b"\x89PNG"
