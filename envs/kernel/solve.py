"""Exact solutions of small deterministic environments, for reference scores."""

import numpy as np

from .env import KernelEnv


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
