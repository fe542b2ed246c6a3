import numpy as np
import pytest

from spelunk.envs.bandit import noise
from spelunk.envs.kernel.state import StateLayout


def draws(function, *arguments, n=40_000):
    state = StateLayout([], [], []).empty(1)[0]
    return np.array([function(state, *arguments) for _ in range(n)])


@pytest.mark.parametrize("tail", [1.2, 3.0])
def test_heavy_tailed_deviates(tail):
    stats = pytest.importorskip("scipy.stats")
    student = draws(noise.student, tail)
    assert stats.kstest(student, stats.t(tail).cdf).pvalue > 0.001
    centred = stats.pareto(tail, loc=-tail / (tail - 1))
    assert abs(centred.mean()) < 1e-9
    assert stats.kstest(draws(noise.pareto, tail), centred.cdf).pvalue > 0.001
