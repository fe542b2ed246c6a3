"""From seeds to generator keys: what Gymnasium's seeding does to one seed, for arrays of them.

`gymnasium.utils.seeding.np_random(seed)` is NumPy's PCG64 behind a `SeedSequence`, and takes some
ten microseconds a seed. Written out for arrays, the same arithmetic seeds a million environments
in a second. Sources: O'Neill, "PCG: a family of simple fast space-efficient statistically good
algorithms for random number generation" (2014), the XSL-RR 128/64 generator, and her "Developing
a seed_seq alternative" (2015) for the hash.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from gymnasium.utils import seeding

Words = np.ndarray[Any, np.dtype[np.uint64]]

_MANY = 16  # seeds, from which on arrays are faster
_POOL = 4
_INIT_A, _MULT_A = 0x43B0D7E5, 0x931E8875
_INIT_B, _MULT_B = 0x8B51F9DD, 0x58F38DED
_MIX_L, _MIX_R = 0xCA01F9DD, 0x4973F715
_PCG_HIGH, _PCG_LOW = 2549297995355413924, 4865540595714422341
_LOW_HALF = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


def draw_key(generator: np.random.Generator) -> np.uint64:
    """A fresh 64-bit generator key from a NumPy generator."""
    return generator.integers(0, 2**64, dtype=np.uint64)


def keys_from_seeds(seeds: Iterable[int]) -> Words:
    """The generator keys that `reset(seed=…)` gives the environments of these seeds, (n,) `uint64`.

    Raises:
        gymnasium.error.Error: a seed that is negative or not an integer.
    """
    given = [int(s) if isinstance(s, np.integer) else s for s in seeds]
    words = all(isinstance(s, int) and 0 <= s < 2**64 for s in given)
    if words and len(given) >= _MANY:
        return _first_draw(_seed_words(np.array(given, np.uint64)))
    # Gymnasium's own seeding takes larger seeds too, and says what is wrong with others.
    return np.array([draw_key(seeding.np_random(s)[0]) for s in given], np.uint64)


def _constants(value: int, factor: int) -> Iterator[tuple[np.uint32, np.uint32]]:
    """The multiplier of the hash before and after each use."""
    while True:
        following = value * factor & 0xFFFFFFFF
        yield np.uint32(value), np.uint32(following)
        value = following


def _hash(words: Any, constants: Iterator[tuple[np.uint32, np.uint32]]) -> Any:
    before, after = next(constants)
    words = (words ^ before) * after
    return words ^ words >> np.uint32(16)


def _seed_words(values: Words) -> list[Words]:
    """Four 64-bit words a seed: `SeedSequence(seed).generate_state(4, uint64)`."""
    zero = np.zeros(len(values), np.uint32)
    entropy = [values.astype(np.uint32), (values >> _32).astype(np.uint32), zero, zero]
    constants = _constants(_INIT_A, _MULT_A)
    pool = [_hash(words, constants) for words in entropy]
    for source in range(_POOL):
        for target in range(_POOL):
            if source != target:
                hashed = _hash(pool[source], constants)
                mixed = pool[target] * np.uint32(_MIX_L) - hashed * np.uint32(_MIX_R)
                pool[target] = mixed ^ mixed >> np.uint32(16)
    constants = _constants(_INIT_B, _MULT_B)
    halves = [_hash(pool[i % _POOL], constants).astype(np.uint64) for i in range(2 * _POOL)]
    return [low | high << _32 for low, high in zip(halves[::2], halves[1::2], strict=True)]


def _first_draw(words: list[Words]) -> Words:
    """The first 64 bits that PCG64 draws, seeded with these words."""
    start_high, start_low, stream_high, stream_low = words
    one, top = np.uint64(1), np.uint64(63)
    inc_high, inc_low = stream_high << one | stream_low >> top, stream_low << one | one
    # The first of PCG's two seeding steps starts from 0, and so leaves the increment.
    high, low = _add(inc_high, inc_low, start_high, start_low)
    for _ in range(2):
        high, low = _add(*_times_multiplier(high, low), inc_high, inc_low)
    folded, turn = high ^ low, high >> np.uint64(58)
    return folded >> turn | folded << (np.uint64(64) - turn & top)


def _add(high: Words, low: Words, other_high: Words, other_low: Words) -> tuple[Words, Words]:
    total = low + other_low
    return high + other_high + (total < low), total


def _times_multiplier(high: Words, low: Words) -> tuple[Words, Words]:
    """A 128-bit number times PCG's multiplier, modulo 2^128."""
    factor = np.uint64(_PCG_LOW)
    a, b, c, d = low >> _32, low & _LOW_HALF, factor >> _32, factor & _LOW_HALF
    middle = (b * d >> _32) + (a * d & _LOW_HALF) + (b * c & _LOW_HALF)
    carried = a * c + (a * d >> _32) + (b * c >> _32) + (middle >> _32)
    return carried + high * factor + low * np.uint64(_PCG_HIGH), low * factor
