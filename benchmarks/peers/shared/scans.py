"""How the JAX peers are played: compiled scans over vmapped steps, resets included.

This is how their users train. A conditional reset under `vmap` is computed for every environment in
every step, and kept where an episode has ended.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
from slices import Play

BATCHES = (1024, 4096, 16384)
STEPS = 32


def ways(
    reset: Callable[[Any], Any],
    draw: Callable[[Any, Any, int], Any],
    step: Callable[[Any, Any], Any],
) -> Mapping[str, Callable[[], Play]]:
    """The ways to play a JAX environment: batches of different sizes.

    Args:
        reset: `reset(key)` starts one environment and returns its carry.
        draw: `draw(key, carries, n)` draws random actions for a batch of n.
        step: `step(carry, action)` steps one environment, or starts its next episode.
    """
    return {f"{n} environments": partial(_start, reset, draw, step, n) for n in BATCHES}


def _start(reset: Any, draw: Any, step: Any, n: int) -> Play:
    @jax.jit
    def rollout(carries, key):
        """The whole last carry is returned: XLA leaves out what nobody can see."""

        def advance(carries, key):
            return jax.vmap(step)(carries, draw(key, carries, n)), None

        key, *keys = jax.random.split(key, STEPS + 1)
        return jax.lax.scan(advance, carries, jax.numpy.stack(keys))[0], key

    key, begin = jax.random.split(jax.random.key(0))
    latest = jax.jit(jax.vmap(reset))(jax.random.split(begin, n)), key

    def play() -> int:
        nonlocal latest
        latest = jax.block_until_ready(rollout(*latest))
        return STEPS * n

    return play
