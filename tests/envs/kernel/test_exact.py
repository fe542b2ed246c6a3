import math

import pytest

from spelunk.envs.kernel import exact


@pytest.mark.parametrize("x", [1e-300, 2.0**-53, 0.3, 0.70710678, 1.0, 1.5, 3.0, 1e9])
def test_logarithms(x):
    assert exact.log(x) == pytest.approx(math.log(x), rel=1e-14, abs=1e-15)


@pytest.mark.parametrize("x", [-40.0, -1.0, -0.3466, 0.0, 1e-9, 0.5, 1.0, 36.7, 80.0])
def test_exponentials(x):
    assert exact.exp(x) == pytest.approx(math.exp(x), rel=1e-13)
