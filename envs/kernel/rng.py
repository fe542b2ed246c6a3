"""Random numbers for kernels: SplitMix64 on `state.rng`.

One `uint64` field holds the whole generator, so a snapshot of a state carries its future chance
with it. The generator is SplitMix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014). Every literal is an `np.uint64`, because Numba types `uint64 + 1` as a
signed integer, which would change the shifts that follow.
"""

import math

import numpy as np

from .compile import kernel
from .exact import log

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11, _32 = (np.uint64(n) for n in (30, 27, 31, 11, 32))
_TO_UNIT = 1.0 / 9007199254740992.0  # 2^-53

#: A record that holds a generator and nothing else.
STREAM = np.dtype((np.record, np.dtype([("rng", np.uint64)], align=True)))


@kernel
def mix64(x):
    """SplitMix64's finaliser: a bijection of words in which every bit affects every other."""
    x = (x ^ (x >> _30)) * _MIX_1
    x = (x ^ (x >> _27)) * _MIX_2
    return x ^ (x >> _31)


@kernel
def random_bits(state):
    """The next 64 random bits of the state's generator, as a `uint64`."""
    state.rng = state.rng + _GAMMA
    return mix64(state.rng)


@kernel
def uniform(state):
    """A float drawn uniformly from [0, 1), with 53 random bits."""
    return float(random_bits(state) >> _11) * _TO_UNIT


@kernel
def integer(state, n):
    """An integer drawn from 0 … n−1, for n ≤ 2^31 (multiply-shift; bias below n / 2^32)."""
    return int(np.int64(((random_bits(state) >> _32) * np.uint64(n)) >> _32))


@kernel
def normal(state):
    """A standard normal deviate (the polar method of Marsaglia & Bray 1964)."""
    while True:
        x = 2.0 * uniform(state) - 1.0
        y = 2.0 * uniform(state) - 1.0
        s = x * x + y * y
        if 0.0 < s < 1.0:
            return x * math.sqrt(-2.0 * log(s) / s)


@kernel
def task(state, n):
    """The task that `reset` was asked for, or one of 0 … n−1 drawn uniformly."""
    if int(state.task) >= 0:
        return int(state.task)
    return integer(state, n) if n > 1 else 0


@kernel
def shuffle(state, values):
    """Shuffle a 1-D array in place (Fisher & Yates)."""
    for i in range(len(values) - 1, 0, -1):
        j = integer(state, i + 1)
        values[i], values[j] = values[j], values[i]
