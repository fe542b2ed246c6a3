"""Exact solutions of small deterministic environments, for reference scores."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .env import KernelEnv
from .model import States


def shortest_success(env: KernelEnv, seed: int) -> float | None:
    """The return of the shortest way from `reset(seed=seed)` to a rewarded terminal state.

    Breadth-first search over the model face, right where the only reward is that of the last step
    and falls with time. None where no such state can be reached within the time limit.
    """
    model = env.model
    frontier = model.reset([seed])
    seen = {model.key(frontier)[0].tobytes()}
    limit = env.definition.max_episode_steps
    depth = 0
    while len(frontier) and (limit < 0 or depth < limit):
        depth += 1
        children = model.successors(frontier)
        won = children.terminated & (children.costs < 0)
        if won.any():
            return float(-children.costs[won].min())
        states = children.states[(children.legal != 0) & ~children.terminated]
        keys = model.key(states)
        _, first = np.unique(keys, axis=0, return_index=True)
        fresh = [i for i in first if keys[i].tobytes() not in seen]
        seen.update(keys[i].tobytes() for i in fresh)
        frontier = states[fresh]
    return None


def game_value(
    env: KernelEnv,
    states: States,
    choices: Sequence[Callable[..., Any]],
    known: dict[bytes, float] | None = None,
) -> float:
    """What the first agent of a game in turns will get from a state on.

    Args:
        env: the game; every way through it must end.
        states: (1,) records, the state.
        choices: for each agent, what it makes of the values of its actions: of a game for two
            `(max, min)` is minimax, and `np.mean` stands for uniformly random play.
        known: values found before, by keys.
    """
    known = {} if known is None else known
    key = env.model.key(states)[0].tobytes()
    if key not in known:
        children = env.model.successors(states)
        values = []
        for action in np.flatnonzero(children.legal[0]):
            value = float(children.rewards[0, action, 0])
            if not children.terminated[0, action].all():
                value += game_value(env, children.states[0, action : action + 1], choices, known)
            values.append(value)
        known[key] = float(choices[int(states["turn"][0])](values))
    return known[key]
