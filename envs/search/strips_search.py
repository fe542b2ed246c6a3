"""Shortest plans of small planning tasks."""

import numpy as np

from ..kernel.compile import compiled_with_arrays
from ..kernel.rng import mix64


@compiled_with_arrays
def _slot(table, states, state):
    """The slot of a state, or the free one where it belongs."""
    key = np.uint64(0)
    for word in state:
        key = mix64(key ^ np.uint64(word))
    mask = len(table) - 1
    slot = np.int64(key >> np.uint64(2)) & mask
    while table[slot] >= 0:
        same = True
        for k in range(len(state)):
            same = same and states[table[slot], k] == state[k]
        if same:
            return slot
        slot = (slot + 1) & mask
    return slot


@compiled_with_arrays
def _is_off(state, want, care):
    """Whether a state differs from what is wanted, where one cares."""
    wrong = np.int64(0)
    for k in range(len(state)):
        wrong |= (state[k] ^ want[k]) & care[k]
    return wrong != 0


@compiled_with_arrays
def fewest_steps(want, care, keep, add, start, goal, goal_care, most):
    """The length of a shortest plan, by breadth-first search.

    Args:
        want, care, keep, add: of the operators; see `strips_grounding.Task`.
        start, goal, goal_care: (words,) of the problem.
        most: how many states may be kept.

    Returns:
        The length; −1 where there is no plan, or none was found before `most` states were kept.
    """
    states = np.empty((most, len(start)), np.int64)
    depths = np.empty(most, np.int32)
    table = np.full(1 << int(np.ceil(np.log2(2.0 * most))), -1, np.int32)
    after = start.copy()
    states[0], depths[0] = start, 0
    table[_slot(table, states, start)] = 0
    count, node = 1, 0
    while node < count:
        for k in range(len(want)):
            if _is_off(states[node], want[k], care[k]):
                continue
            for j in range(len(start)):
                after[j] = states[node, j] & keep[k, j] | add[k, j]
            slot = _slot(table, states, after)
            if table[slot] >= 0:
                continue
            if not _is_off(after, goal, goal_care):
                return depths[node] + 1
            if count == most:
                return -1
            table[slot] = count
            states[count], depths[count] = after, depths[node] + 1
            count += 1
        node += 1
    return -1
