"""Jumanji's sliding tiles and travelling salesman, in JAX."""

# Pyright takes this file for the package of its name.
# pyright: reportAttributeAccessIssue=false

import jax
import jax.numpy as jnp
import jumanji
from jumanji.wrappers import AutoResetWrapper
from scans import ways
from slices import Game, serve


def masked(name):
    """The ways to play an environment with same-step resets and legal random actions."""
    env = AutoResetWrapper(jumanji.make(name))
    return ways(
        env.reset,
        lambda key, carries, n: draw(key, carries[1].observation.action_mask),
        lambda carry, action: env.step(carry[0], action),
    )


def draw(key, mask):
    """For each row, one of the legal actions; drawn as `ours.py` draws them."""
    passed = jnp.cumsum(mask, axis=-1)
    wanted = jax.random.randint(key, mask.shape[:1], 0, passed[:, -1])
    return jnp.argmax(passed > wanted[:, None], axis=-1)


if __name__ == "__main__":
    serve(
        "jumanji",
        {
            "SlidingTile": Game(
                masked("SlidingTilePuzzle-v0"),
                target=10,
                differs="boards are the solved one after 200 random moves, not any; rewards for "
                "tiles in place; up to 500 steps, not 625; the observation has the tiles' "
                "numbers, not one-hot codes; same-step resets",
            ),
            "TSP": Game(
                masked("TSP-v1"),
                target=10,
                differs="the first city is chosen too, which makes 20 steps, not 19; the order of "
                "the cities is observed, not just which were visited; same-step resets",
            ),
        },
    )
