from typing import NamedTuple

import numpy as np
import pytest
from gymnasium import spaces

from spelunk.envs.gridworld.door_key import DoorKey
from spelunk.envs.kernel import KernelEnv, Kernels, StateLayout, UnsupportedFaceError, kernel
from spelunk.envs.kernel.solve import UNREACHED, distance_table
from spelunk.envs.search.pancake import Pancake
from spelunk.envs.search.rubiks_cube import RubiksCube

PLACES, LAVA, GOAL = 10, 6, 8


class Params(NamedTuple):
    pass


@kernel
def reset(state, params):
    state.place = 0


@kernel
def step(state, action, params):
    """One place on, or three; the last leads nowhere, and the lava ends it."""
    state.place = min(int(state.place) + (3 if action == 1 else 1), PLACES - 1)
    return -1.0, state.place == LAVA or state.place == GOAL


@kernel
def observe(state, params, obs):
    obs[0] = state.place


@kernel
def goal(state, params):
    return state.place == GOAL


@kernel
def rank(state, params):
    return int(state.place)


@kernel
def unrank(state, index, params):
    state.place = index


class OneWay(KernelEnv):
    """Places in a row, along which there is no way back."""

    n_ranks = PLACES

    def __init__(self):
        super().__init__(
            kernels=Kernels(reset, step, observe, goal=goal, rank=rank, unrank=unrank),
            layout=StateLayout([], [("place", np.int8)]),
            params=Params(),
            observation_space=spaces.Box(0, PLACES, (1,), np.int8),
            action_space=spaces.Discrete(2),
            max_episode_steps=-1,
        )


def test_where_steps_cannot_be_taken_back():
    # 7 reaches 8 in one step, 5 by 3, 4 by 5 or 7; 6 is lava, which does not end another's way.
    expected = [4, 3, 2, 3, 2, 1, 2, 1, 0, UNREACHED]
    found = distance_table(OneWay())
    assert found.tolist() == expected


def test_the_small_cube_has_the_published_numbers_of_states():
    """Of the 2×2×2, by fewest half turns: God's number is 11."""
    counts = np.bincount(distance_table(RubiksCube(size=2)))
    assert counts.tolist() == [
        1, 9, 54, 321, 1847, 9992, 50136, 227536, 870072, 1887748, 623800, 2644,
    ]  # fmt: skip


@pytest.mark.parametrize(("size", "most"), [(4, 4), (5, 5), (6, 7), (7, 8), (8, 9)])
def test_the_worst_stacks_of_pancakes(size, most):
    """Known values: OEIS A058986."""
    assert distance_table(Pancake(size=size)).max() == most


def test_states_that_are_not_numbered():
    with pytest.raises(UnsupportedFaceError, match="numbered"):
        distance_table(DoorKey())
