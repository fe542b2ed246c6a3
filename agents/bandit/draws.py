"""Draws and quantiles of the laws that posteriors have, as kernels."""

import math

from ...envs.kernel import kernel, rng

_STEPS, _TINY, _CLOSE = 200, 1e-300, 1e-12


@kernel
def gamma(state, shape):
    """A draw of the gamma law with scale 1, for a positive shape.

    Marsaglia & Tsang, "A simple method for generating gamma variables" (2000); shapes below 1 are
    raised by 1 and the draw multiplied by a power of a uniform one.
    """
    raised = shape if shape >= 1.0 else shape + 1.0
    d = raised - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = rng.normal(state)
        v = 1.0 + c * x
        if v > 0.0:
            v = v * v * v
            u = 1.0 - rng.uniform(state)
            if math.log(u) < 0.5 * x * x + d - d * v + d * math.log(v):
                break
    if shape < 1.0:
        return d * v * math.pow(1.0 - rng.uniform(state), 1.0 / shape)
    return d * v


@kernel
def beta(state, a, b):
    """A draw of the beta law, for positive a and b: a gamma draw's share of two."""
    x, y = gamma(state, a), gamma(state, b)
    return x / (x + y) if x + y > 0.0 else 0.5


@kernel
def beta_fraction(a, b, x):
    """Gauss's continued fraction of the incomplete beta function, by Lentz's method (1976)."""
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    value = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        d = 1.0 + even * d
        c = 1.0 + even / c
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        c = c if abs(c) > _TINY else _TINY
        value *= c * d
        d = 1.0 + odd * d
        c = 1.0 + odd / c
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        c = c if abs(c) > _TINY else _TINY
        value *= c * d
        if abs(c * d - 1.0) < _CLOSE:
            break
    return value


@kernel
def beta_cdf(a, b, x):
    """The probability of at most x under the beta law: the regularised incomplete beta function."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(front + a * math.log(x) + b * math.log(1.0 - x))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * beta_fraction(a, b, x) / a
    return 1.0 - front * beta_fraction(b, a, 1.0 - x) / b


@kernel
def beta_quantile(a, b, probability):
    """The x that the beta law stays below with this probability, to 1e-9.

    Newton's method, within a bracket that is halved where a step leaves it.
    """
    low, high, x = 0.0, 1.0, a / (a + b)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    for _ in range(_STEPS):
        excess = beta_cdf(a, b, x) - probability
        if excess > 0.0:
            high = x
        else:
            low = x
        density = math.exp(scale + (a - 1.0) * math.log(x) + (b - 1.0) * math.log(1.0 - x))
        following = x - excess / density if density > 0.0 else low
        if not low < following < high:
            following = 0.5 * (low + high)
        if abs(following - x) < 1e-9:
            return following
        x = following
    return x
