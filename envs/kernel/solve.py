"""Exact solutions of small deterministic environments, for reference scores."""

from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np

from .env import KernelEnv
from .errors import UnsupportedFaceError
from .model import States
from .threads import threads_for


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


#: In a distance table: no goal can be reached from here, or no state has this number.
UNREACHED = 255

_SWEEPS = f"""
@spread
def mark_goals(states, params, distances):
    chunks = len(states) // 2
    for chunk in prange(chunks):
        state = states[2 * chunk]
        for number in range(
            chunk * len(distances) // chunks, (chunk + 1) * len(distances) // chunks
        ):
            unrank_kernel(state, number, params)
            if is_goal_lane(state, params) and rank_kernel(state, params) == number:
                distances[number] = 0

@inlined
def next_number(state, i, action, params, mask, reward, terminated):
    '''The number of the state that an action leads to; -1 where it leads nowhere.'''
    if not is_legal(i, action, mask):
        return -1
    advance(i, state, action, params, reward, terminated)
    if terminated[i] and not is_goal_lane(state, params):
        return -1
    return rank_kernel(state, params)

@spread
def sweep(depth, forward, states, params, distances, mask, reward, terminated, found):
    '''Mark what is one step further from the goals than `depth`.

    Forward from the states marked last, where every step can be taken back; otherwise all states
    that are not marked yet look whether one of their children is.
    '''
    chunks = len(states) // 2
    for chunk in prange(chunks):
        found[chunk] = 0
        parent, child = 2 * chunk, 2 * chunk + 1
        for number in range(
            chunk * len(distances) // chunks, (chunk + 1) * len(distances) // chunks
        ):
            if distances[number] != (depth if forward else {UNREACHED}):
                continue
            unrank_kernel(states[parent], number, params)
            mask_lane(chunk, states[parent], params, mask)
            for action in range(mask.shape[1]):
                states[child] = states[parent]
                to = next_number(
                    states[child], chunk, action, params, mask, reward, terminated
                )
                if to < 0:
                    continue
                if forward and distances[to] == {UNREACHED}:
                    distances[to] = depth + 1
                    found[chunk] += 1
                elif not forward and distances[to] == depth:
                    distances[number] = depth + 1
                    found[chunk] += 1
                    break
"""


def distance_table(env: KernelEnv) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The fewest steps from every state to a goal, (n_ranks,), by the number of the state.

    Breadth-first search backwards from all goals, a level at a time, on all threads.

    Args:
        env: an environment with the kernels `rank` and `unrank`, and without chance.

    Returns:
        `UNREACHED` where no goal can be reached.

    Raises:
        UnsupportedFaceError: its states are not numbered.
    """
    d = env.definition
    if d.kernels.rank is None or d.kernels.goal is None:
        raise UnsupportedFaceError("a distance table needs states that are numbered, and goals")
    loops = d.generate(_SWEEPS)
    n_ranks: int = env.n_ranks  # pyright: ignore[reportAttributeAccessIssue]
    chunks = min(64, n_ranks)
    numba.set_num_threads(threads_for(n_ranks, None))
    states = np.repeat(env.model.prepared(env.model.reset([0])), 2 * chunks)
    distances = np.full(n_ranks, UNREACHED, np.uint8)
    loops.mark_goals(states, d.params, distances)
    mask, found = d.allocate_mask(chunks), np.ones(chunks, np.int64)
    buffers = mask, np.zeros(chunks, np.float32), np.zeros(chunks, bool), found
    forward, depth = bool(d.inverse_actions), 0
    while found.any() and depth < UNREACHED - 1:
        loops.sweep(depth, forward, states, d.params, distances, *buffers)
        depth += 1
    return distances


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
