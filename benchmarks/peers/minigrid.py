"""Minigrid's own DoorKey, as Gymnasium's `SyncVectorEnv` runs it."""

import gymnasium
import minigrid
import numpy as np
from slices import Game, serve

ENVS = 64


def door_key():
    """64 environments, next-step resets, actions drawn beforehand."""
    gymnasium.register_envs(minigrid)
    env = gymnasium.make_vec("MiniGrid-DoorKey-8x8-v0", ENVS, vectorization_mode="sync")
    env.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 7, (64, ENVS))

    def play():
        for drawn in actions:
            env.step(drawn)
        return actions.size

    return play


def one_door_key():
    """One environment through `gymnasium.make`, reset when its episode is over."""
    env = gymnasium.make("MiniGrid-DoorKey-8x8-v0")
    env.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 7, 64).tolist()

    def play():
        for drawn in actions:
            _, _, terminated, truncated, _ = env.step(drawn)
            if terminated or truncated:
                env.reset()
        return len(actions)

    return play


if __name__ == "__main__":
    serve(
        "minigrid",
        {
            "DoorKey": Game(
                {f"SyncVectorEnv of {ENVS}": door_key},
                target=1000,
                differs="the observation also has the direction and the mission's text",
            ),
            "DoorKey, one": Game(
                {"gymnasium.make": one_door_key},
                target=30,
                differs="the observation also has the direction and the mission's text",
            ),
        },
    )
