"""Spelunk's side: the same games, in batches of 4,096 and 16,384 environments."""

from functools import partial

import gymnasium
import numpy as np
from numba import njit, prange
from slices import Game, serve

import spelunk
from spelunk.envs.kernel.rng import mix64

BATCHES = (4096, 16384)
GAMMA = np.uint64(0x9E3779B97F4A7C15)
HALF = np.uint64(32)


@njit(parallel=True, error_model="numpy")
def draw(mask, key, actions):
    """Write a legal action for each lane; the number of lanes that have one."""
    able = 0
    for lane in prange(len(mask)):
        legal = 0
        for action in range(mask.shape[1]):
            legal += mask[lane, action]
        bits = mix64(key + np.uint64(lane) * GAMMA) >> HALF
        wanted = int((bits * np.uint64(legal)) >> HALF)
        passed, drawn = 0, 0
        for action in range(mask.shape[1]):
            passed += mask[lane, action]
            drawn += passed <= wanted
        actions[lane] = drawn if legal else 0
        able += legal > 0
    return able


def door_key(envs, **arguments):
    """Every action is legal; they are drawn beforehand."""
    env = gymnasium.make_vec("spelunk/DoorKey-v0", num_envs=envs, **arguments)
    env.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 7, (64, envs))

    def play():
        for drawn in actions:
            env.step(drawn)
        return actions.size

    return play


def one_door_key():
    """One environment through `gymnasium.make`, reset when its episode is over."""
    env = gymnasium.make("spelunk/DoorKey-v0")
    env.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 7, 64).tolist()

    def play():
        for drawn in actions:
            _, _, terminated, truncated, _ = env.step(drawn)
            if terminated or truncated:
                env.reset()
        return len(actions)

    return play


def masked(envs, id, **arguments):
    """Legal actions, drawn from the mask as part of each step; mere resets do not count."""
    env = gymnasium.make_vec(id, num_envs=envs, **arguments)
    mask = env.reset(seed=0)[1]["action_mask"]
    rng, actions = np.random.default_rng(0), np.zeros(envs, np.int64)

    def play():
        nonlocal mask
        steps = 0
        for key in rng.integers(0, 2**64, 64, np.uint64):
            steps += draw(mask, key, actions)
            mask = env.step(actions)[4]["action_mask"]
        return steps

    return play


def ways(make, **arguments):
    """With arrays that stay as they are, which is the default, and without."""
    found = {f"{n} environments": partial(make, n, **arguments) for n in BATCHES}
    return found | {f"{way}, copy=False": partial(play, copy=False) for way, play in found.items()}


if __name__ == "__main__":
    gymnasium.register_envs(spelunk)
    serve(
        "spelunk",
        {
            "DoorKey": Game(ways(door_key)),
            "DoorKey, one": Game({"gymnasium.make": one_door_key}),
            "SlidingTile": Game(ways(masked, id="spelunk/SlidingTile-v0", size=5)),
            "TSP": Game(ways(masked, id="spelunk/TSP-v0", cities=20)),
        },
    )
