"""Flat Monte Carlo: how well playouts alone do, where a game is too large to be searched."""

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np

from .env import KernelEnv
from .errors import UnsupportedFaceError
from .threads import threads_for

_TEXT = """
@inlined
def random_return(i, states, params, mask, reward, terminated):
    \"\"\"What the episode in record i brings from here on, by uniformly drawn legal actions.\"\"\"
    total = 0.0
    while True:
        mask_lane(i, states[i], params, mask)
        left = 0
        for action in range(mask.shape[1]):
            left += is_legal(i, action, mask)
        left = integer(states[i], left)
        action = -1
        while left >= 0:
            action += 1
            left -= is_legal(i, action, mask)
        advance(i, states[i], action, params, reward, terminated)
        total += float(reward[i])
        if terminated[i]:
            return total

@inlined
def best_action(i, states, trial, playouts, params, mask, reward, terminated):
    \"\"\"The action after which random play brings most; record `trial` is there to try.\"\"\"
    mask_lane(i, states[i], params, mask)
    legal = 0
    for action in range(mask.shape[1]):
        legal += is_legal(i, action, mask)
    best, chosen = -np.inf, -1
    for action in range(mask.shape[1]):
        if not is_legal(i, action, mask):
            continue
        total = 0.0
        tries = max(playouts // legal, 1)
        for _ in range(tries):
            rng = states[trial].rng
            states[trial] = states[i]
            states[trial].rng = rng
            advance(trial, states[trial], action, params, reward, terminated)
            total += float(reward[trial])
            if not terminated[trial]:
                total += random_return(trial, states, params, mask, reward, terminated)
        if total / tries > best:
            best, chosen = total / tries, action
    return chosen

@spread
def play(states, playouts, params, mask, reward, terminated, returns):
    for i in prange(len(returns)):
        trial = len(returns) + i
        returns[i] = 0.0
        terminated[i] = False
        while not terminated[i]:
            action = best_action(
                i, states, trial, playouts, params, mask, reward, terminated
            )
            advance(i, states[i], action, params, reward, terminated)
            returns[i] += float(reward[i])
"""


def flat_monte_carlo(
    env: KernelEnv, seeds: Sequence[int], playouts: int
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The returns of episodes, (n,), whose every action did best in random playouts before.

    A step of policy improvement from uniformly random play, without a tree (Abramson 1990,
    "Expected-outcome: a general model of static evaluation"). Playouts draw chance anew.

    Args:
        env: of one agent, whose every episode ends; time limits do not apply.
        seeds: of the n episodes.
        playouts: of each step, shared equally among the legal actions.

    Raises:
        UnsupportedFaceError: there are many agents, or an action is not one integer.
    """
    d, n = env.definition, len(seeds)
    if d.agents or not d.discrete:
        raise UnsupportedFaceError(f"playouts need one agent with integer actions; got {env!r}")
    model = env.model
    starts = model.prepared(model.reset(seeds), seeds)
    # Behind the episodes are the records in which playouts are tried, each with its own chance.
    tried = model.prepared(starts, [seed + 2**31 for seed in seeds])
    states, returns = np.concatenate([starts, tried]), np.zeros(n)
    buffers = d.allocate_mask(2 * n), np.zeros(2 * n, np.float32), np.zeros(2 * n, bool)
    numba.set_num_threads(threads_for(n * playouts, None))
    d.generate(_TEXT).play(states, playouts, d.params, *buffers, returns)
    return returns
