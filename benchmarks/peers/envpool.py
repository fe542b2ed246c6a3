"""EnvPool's DoorKey, written in C++."""

# Pyright takes this file for the package of its name.
# pyright: reportAttributeAccessIssue=false

import envpool
import numpy as np
from slices import Game, serve

ENVS, THREADS = 256, 2


def door_key():
    """256 environments on two threads, next-step resets, actions drawn beforehand."""
    env = envpool.make(
        "MiniGrid-DoorKey-8x8-v0", env_type="gymnasium", num_envs=ENVS, num_threads=THREADS, seed=0
    )
    env.reset()
    actions = np.random.default_rng(0).integers(0, 7, (64, ENVS), np.int32)

    def play():
        for drawn in actions:
            env.step(drawn)
        return actions.size

    return play


if __name__ == "__main__":
    serve(
        "envpool",
        {
            "DoorKey": Game(
                {f"{ENVS} environments, {THREADS} threads": door_key},
                target=50,
                differs="the observation also has the direction and the mission's text; the infos "
                "have the agent's place",
            )
        },
    )
