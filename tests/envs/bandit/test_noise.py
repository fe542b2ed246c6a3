import math

import numpy as np
import pytest

from spelunk.envs.bandit import noise
from spelunk.envs.kernel.state import StateLayout


def draws(function, *arguments, n=40_000):
    state = StateLayout([], [], []).empty(1)[0]
    return np.array([function(state, *arguments) for _ in range(n)])


@pytest.mark.parametrize("x", [1e-300, 2.0**-53, 0.3, 0.70710678, 1.0, 1.5, 3.0, 1e9])
def test_logarithms(x):
    assert noise.log(x) == pytest.approx(math.log(x), rel=1e-14, abs=1e-15)


@pytest.mark.parametrize("x", [-40.0, -1.0, -0.3466, 0.0, 1e-9, 0.5, 1.0, 36.7, 80.0])
def test_exponentials(x):
    assert noise.exp(x) == pytest.approx(math.exp(x), rel=1e-13)


def test_normal_deviates():
    stats = pytest.importorskip("scipy.stats")
    deviates = draws(noise.normal)
    assert stats.kstest(deviates, "norm").pvalue > 0.001
    assert deviates.std() == pytest.approx(1, abs=4 / np.sqrt(2 * len(deviates)))


@pytest.mark.parametrize("tail", [1.2, 3.0])
def test_heavy_tailed_deviates(tail):
    stats = pytest.importorskip("scipy.stats")
    student = draws(noise.student, tail)
    assert stats.kstest(student, stats.t(tail).cdf).pvalue > 0.001
    centred = stats.pareto(tail, loc=-tail / (tail - 1))
    assert abs(centred.mean()) < 1e-9
    assert stats.kstest(draws(noise.pareto, tail), centred.cdf).pvalue > 0.001
