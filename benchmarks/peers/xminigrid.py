"""XLand-MiniGrid's DoorKey, in JAX."""

# Pyright takes this file for the package of its name.
# pyright: reportAttributeAccessIssue=false

import jax
import xminigrid
from scans import ways
from slices import Game, serve
from xminigrid.wrappers import GymAutoResetWrapper


def door_key():
    """The ways to play it, with same-step resets."""
    env, params = xminigrid.make("MiniGrid-DoorKey-8x8")
    env = GymAutoResetWrapper(env)
    actions = env.num_actions(params)
    return ways(
        lambda key: env.reset(params, key),
        lambda key, carries, n: jax.random.randint(key, (n,), 0, actions),
        lambda timestep, action: env.step(params, timestep, action),
    )


if __name__ == "__main__":
    serve(
        "xminigrid",
        {
            "DoorKey": Game(
                door_key(),
                target=20,
                differs="no action that does nothing; walls hide nothing; two numbers a cell, not "
                "three; same-step resets",
            )
        },
    )
