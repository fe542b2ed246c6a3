"""NAVIX's DoorKey, in JAX."""

# Pyright takes this file for the package of its name.
# pyright: reportAttributeAccessIssue=false

import jax
import navix
from scans import ways
from slices import Game, serve


def door_key():
    """The ways to play it; its steps reset what has ended."""
    env = navix.make("Navix-DoorKey-8x8-v0")
    actions = len(env.action_set)
    return ways(
        env.reset,
        lambda key, carries, n: jax.random.randint(key, (n,), 0, actions),
        env.step,
    )


if __name__ == "__main__":
    serve(
        "navix",
        {
            "DoorKey": Game(
                door_key(),
                target=20,
                differs="the agent starts in the corner; episodes of up to 100 steps, not 640; the "
                "whole grid is observed",
            )
        },
    )
