"""Logarithm and exponential from + − × ÷ alone, so that every device computes the same bits.

Those of mathematical libraries differ between processors and graphics cards; these do not. They
agree with `math` to a few units in the last place.
"""

import math

from .compile import kernel

_LN2 = 0.6931471805599453
_ROOT = 0.7071067811865476  # √½


@kernel
def log(x):
    """The natural logarithm of a positive number."""
    power = 0
    while x < _ROOT:
        x *= 2.0
        power -= 1
    while x > 2.0 * _ROOT:
        x *= 0.5
        power += 1
    z = (x - 1.0) / (x + 1.0)
    total = 0.0
    for k in range(10, -1, -1):  # the series of 2 artanh z, |z| < 0.172
        total = total * (z * z) + 1.0 / (2 * k + 1)
    return 2.0 * z * total + power * _LN2


@kernel
def exp(x):
    """The exponential function."""
    power = int(math.floor(x / _LN2 + 0.5))
    rest = x - power * _LN2
    total = 1.0
    for k in range(13, 0, -1):  # the Taylor series, |rest| < 0.347
        total = 1.0 + total * rest * (1.0 / k)
    for _ in range(power):
        total *= 2.0
    for _ in range(-power):
        total *= 0.5
    return total
