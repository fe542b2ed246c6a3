"""The most that a combinatorial choice can be worth, as kernels over `state.means`."""

import math

import numpy as np

from ..kernel import kernel
from ..kernel.state import Field


@kernel
def best_top_k(state, k):
    """The sum of the `k` largest means."""
    arms, total = state.means.shape[0], 0.0
    for arm in range(arms):
        mean, before = float(state.means[arm]), 0
        for other in range(arms):
            rival = float(state.means[other])
            if rival > mean or (rival == mean and other < arm):
                before += 1
        if before < k:
            total += mean
    return total


def path_fields(nodes: int) -> list[Field]:
    """Bookkeeping that `best_path` needs."""
    return [("worth", np.float64, (nodes,))]


@kernel
def best_path(state, edges):
    """The largest sum of means along a path; `edges`: as in `Path`, sorted."""
    nodes = state.worth.shape[0]
    for node in range(nodes):
        state.worth[node] = -math.inf
    state.worth[nodes - 1] = 0.0
    for edge in range(len(edges) - 1, -1, -1):
        tail, head = edges[edge, 0], edges[edge, 1]
        worth = float(state.means[edge]) + float(state.worth[head])
        state.worth[tail] = max(float(state.worth[tail]), worth)
    return float(state.worth[0])


def matching_fields(size: int) -> list[Field]:
    """Bookkeeping that `best_matching` needs."""
    numbers = [(name, np.float64, (size + 1,)) for name in ("worker_price", "slot_price", "slack")]
    places = [(name, np.int32, (size + 1,)) for name in ("partner", "previous", "reached")]
    return [*numbers, *places]


@kernel
def best_matching(state, size):
    """The largest sum of means of a matching of `size` workers and slots.

    The Hungarian method (Kuhn 1955), one shortest augmenting path a worker; workers and slots
    count from 1, and 0 stands for none.
    """
    for i in range(size + 1):
        state.worker_price[i] = 0.0
        state.slot_price[i] = 0.0
        state.partner[i] = 0
        state.previous[i] = 0
    for worker in range(1, size + 1):
        state.partner[0] = worker
        slot = augmenting_path(state, size)
        while slot != 0:
            before = int(state.previous[slot])
            state.partner[slot] = state.partner[before]
            slot = before
    total = 0.0
    for slot in range(1, size + 1):
        total += gain(state, int(state.partner[slot]), slot, size)
    return total


@kernel
def gain(state, worker, slot, size):
    """What a pair adds; one that costs is left unpaired."""
    return max(float(state.means[(worker - 1) * size + slot - 1]), 0.0)


@kernel
def augmenting_path(state, size):
    """The free slot at the end of the shortest augmenting path from the worker at slot 0."""
    for slot in range(size + 1):
        state.slack[slot] = math.inf
        state.reached[slot] = 0
    slot = 0
    while int(state.partner[slot]) != 0:
        state.reached[slot] = 1
        worker, least, following = int(state.partner[slot]), math.inf, 0
        for other in range(1, size + 1):
            if int(state.reached[other]) == 0:
                prices = float(state.worker_price[worker]) + float(state.slot_price[other])
                reduced = -gain(state, worker, other, size) - prices
                if reduced < float(state.slack[other]):
                    state.slack[other] = reduced
                    state.previous[other] = slot
                if float(state.slack[other]) < least:
                    least, following = float(state.slack[other]), other
        for other in range(size + 1):
            if int(state.reached[other]) == 1:
                state.worker_price[int(state.partner[other])] += least
                state.slot_price[other] -= least
            else:
                state.slack[other] -= least
        slot = following
    return slot
