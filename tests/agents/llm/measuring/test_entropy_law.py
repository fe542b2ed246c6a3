"""The entropy law on points that obey it, and on a case worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spelunk.agents.llm.measuring.entropy_law import fit_entropy_law, forecast_reward
from spelunk.envs.kernel.errors import InvalidArgumentError

coefficients = st.floats(-2, 2)


@given(st.floats(0.1, 2), coefficients, st.lists(st.integers(0, 50), min_size=3, unique=True))
def test_the_law_is_found_where_it_holds(a, b, steps):
    entropies = np.array(steps) / 50
    law = fit_entropy_law(entropies, b - a * np.exp(entropies))
    assert (law.a, law.b) == pytest.approx((a, b), abs=1e-8)
    assert law.r_squared == pytest.approx(1, abs=1e-8)
    assert law.ceiling == pytest.approx(b - a, abs=1e-8)
    assert law.predict(0.5) == pytest.approx(b - a * math.exp(0.5), abs=1e-8)


def test_the_fit_by_hand():
    # over exp(H) = 1, 2, 3 rewards deviate by 0.2, 0.1, −0.3 from 0.5: slope (−0.2 − 0.3) / 2
    law = fit_entropy_law(np.log([1, 2, 3]), [0.7, 0.6, 0.2])
    assert (law.a, law.b) == pytest.approx((0.25, 1.0))
    # residuals −0.05, 0.1, −0.05 against deviations 0.2, 0.1, −0.3
    assert law.r_squared == pytest.approx(1 - 0.015 / 0.14)
    np.testing.assert_allclose(law.predict(np.log([1, 4])), [0.75, 0])


def test_the_forecast_uses_the_first_steps_only():
    entropies = np.linspace(1.5, 0.1, 50)
    rewards = 0.8 - 0.1 * np.exp(entropies)
    forecast = forecast_reward(entropies, rewards)
    assert forecast.error == pytest.approx(0, abs=1e-12)
    assert forecast.actual == pytest.approx(rewards[-5:].mean())
    rewards[20:] -= 0.07
    missed = forecast_reward(entropies, rewards)
    assert missed.law == forecast.law
    assert missed.error == pytest.approx(0.07)
    assert abs(forecast_reward(entropies, rewards, 0.6).error - 0.07) > 0.01


def test_constant_rewards_have_no_variance_to_explain():
    law = fit_entropy_law([1, 0.5, 0.1], [0.25, 0.25, 0.25])
    assert (law.a, law.b) == (0, 0.25)
    assert math.isnan(law.r_squared)


@pytest.mark.parametrize(
    ("entropies", "rewards", "message"),
    [
        ([1, 1, 1], [0, 0.5, 1], "must change"),
        ([1, 2], [0, 1], "at least 3"),
        ([1, 2, 3], [0, 1, 2, 3], "3 entropies came with 4 rewards"),
        ([1, 2, math.inf], [0, 1, 2], "finite"),
    ],
)
def test_no_law_can_be_fitted(entropies, rewards, message):
    with pytest.raises(InvalidArgumentError, match=message):
        fit_entropy_law(entropies, rewards)


def test_forecasts_need_enough_first_steps():
    with pytest.raises(InvalidArgumentError, match="at least 3"):
        forecast_reward(np.arange(5), np.arange(5))
    with pytest.raises(InvalidArgumentError, match="fraction"):
        forecast_reward(np.arange(5), np.arange(5), 1.0)
