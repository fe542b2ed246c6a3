import gymnasium
import numpy as np
import pytest
from gymnasium.utils import seeding
from hypothesis import given
from hypothesis import strategies as st

from spelunk.envs.kernel.seeds import keys_from_seeds


def gymnasiums(seed):
    generator, _ = seeding.np_random(seed)
    return int(generator.integers(0, 2**64, dtype=np.uint64))


@given(st.lists(st.integers(0, 2**64 - 1), min_size=16, max_size=40))
def test_keys_are_those_of_gymnasiums_seeding(seeds):
    assert keys_from_seeds(seeds).tolist() == [gymnasiums(seed) for seed in seeds]


@pytest.mark.parametrize("seeds", [[7], [0, 2**64 - 1, 2**64, 2**100], [np.int64(3)], []])
def test_few_or_large_seeds(seeds):
    assert keys_from_seeds(seeds).tolist() == [gymnasiums(int(seed)) for seed in seeds]


def test_bad_seeds_are_gymnasiums_errors():
    with pytest.raises(gymnasium.error.Error):
        keys_from_seeds([*range(20), -1])
