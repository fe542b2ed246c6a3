"""Tours of the travelling salesman: exact ones by dynamic programming, good ones by local search.

A tour is an `int32` array (n,) of cities that starts with city 0; distances are symmetric (n, n).
"""

from typing import Any

import numpy as np

from ..kernel.compile import compiled_with_arrays

Array = np.ndarray[Any, Any]


_STARTS = 4

#: Improvements smaller than this are rounding.
_EPSILON = 1e-12


def tour_length(distances: Array, tour: Array) -> float:
    """The length of a closed tour."""
    return float(distances[tour, np.roll(tour, -1)].sum())


def best_tour(distances: Array, seed: int = 0) -> Array:
    """A shortest tour for up to 12 cities; for more, the best that iterated local search finds."""
    n = len(distances)
    if n <= 12:
        return held_karp(distances)
    rng = np.random.default_rng(seed)
    kicks = np.sort(rng.integers(1, n, (_STARTS, max(2500 // n, 5), 3))).astype(np.int32)
    tours = np.zeros((_STARTS, n), np.int32)
    tours[0] = nearest_neighbour(distances)
    for tour in tours[1:]:
        tour[1:] = rng.permutation(n - 1) + 1
    for tour, some in zip(tours, kicks, strict=True):
        iterate(distances, tour, some)
    return min(tours, key=lambda tour: tour_length(distances, tour))


@compiled_with_arrays
def held_karp(distances):
    """A shortest tour by dynamic programming over sets of cities (Held & Karp 1962).

    Time grows as n² 2ⁿ and memory as n 2ⁿ: 16 cities take some ten milliseconds, 20 some 80 MB.
    """
    n = len(distances)
    last = n - 1  # city 0 is where the tour starts; bit c stands for city c + 1
    cost = np.full((1 << last, last), np.inf)
    for c in range(last):
        cost[1 << c, c] = distances[0, c + 1]
    for subset in range(1, 1 << last):
        for c in range(last):
            here = cost[subset, c]
            if here == np.inf:
                continue
            for d in range(last):
                if subset >> d & 1 == 0:
                    longer = here + distances[c + 1, d + 1]
                    if longer < cost[subset | 1 << d, d]:
                        cost[subset | 1 << d, d] = longer
    tour = np.zeros(n, np.int32)
    subset, after = (1 << last) - 1, 0
    for place in range(last, 0, -1):
        best, city = np.inf, -1
        for c in range(last):
            total = cost[subset, c] + distances[c + 1, after]
            if total < best:
                best, city = total, c
        tour[place] = city + 1
        subset ^= 1 << city
        after = city + 1
    return tour


@compiled_with_arrays
def nearest_neighbour(distances):
    """The tour that always goes on to the nearest city not yet visited."""
    n = len(distances)
    tour, visited = np.zeros(n, np.int32), np.zeros(n, np.bool_)
    visited[0] = True
    for place in range(1, n):
        nearest = -1
        for city in range(n):
            if not visited[city] and (
                nearest < 0
                or distances[tour[place - 1], city] < distances[tour[place - 1], nearest]
            ):
                nearest = city
        tour[place] = nearest
        visited[nearest] = True
    return tour


@compiled_with_arrays
def _reverse(tour, i, j):
    while i < j:
        tour[i], tour[j] = tour[j], tour[i]
        i += 1
        j -= 1


@compiled_with_arrays
def two_opt(distances, tour):
    """Improve a tour in place until no exchange of two edges shortens it (Croes 1958)."""
    n = len(tour)
    improved, ever = True, False
    while improved:
        improved = False
        for i in range(n - 1):
            for j in range(i + 2, n if i > 0 else n - 1):
                a, b = tour[i], tour[i + 1]
                c, d = tour[j], tour[(j + 1) % n]
                gain = distances[a, b] + distances[c, d] - distances[a, c] - distances[b, d]
                if gain > _EPSILON:
                    _reverse(tour, i + 1, j)
                    improved = ever = True
    return ever


@compiled_with_arrays
def or_opt(distances, tour):
    """Move chains of up to three cities elsewhere, either way round, while that helps (Or 1976)."""
    n = len(tour)
    improved, ever = True, False
    while improved:
        improved = False
        for length in range(1, min(4, n - 2)):
            for first in range(1, n - length + 1):
                last = first + length - 1
                for place in range(n):
                    if first - 1 <= place <= last:
                        continue
                    head, tail = tour[first], tour[last]
                    before, after = tour[first - 1], tour[(last + 1) % n]
                    p, q = tour[place], tour[(place + 1) % n]
                    freed = (
                        distances[before, head] + distances[tail, after] - distances[before, after]
                    ) + distances[p, q]
                    straight = distances[p, head] + distances[tail, q]
                    turned = distances[p, tail] + distances[head, q]
                    if freed - min(straight, turned) <= _EPSILON:
                        continue
                    # Reversing both blocks together swaps them; each is then set right by itself.
                    if place > last:
                        low, high, split = first, place, first + place - last
                        turn_low, turn_high = True, straight <= turned
                    else:
                        low, high, split = place + 1, last, place + 1 + length
                        turn_low, turn_high = straight <= turned, True
                    _reverse(tour, low, high)
                    if turn_low:
                        _reverse(tour, low, split - 1)
                    if turn_high:
                        _reverse(tour, split, high)
                    improved = ever = True
    return ever


@compiled_with_arrays
def _improve(distances, tour):
    """A tour that neither 2-opt nor Or-opt improves; its length."""
    while True:
        two_opt(distances, tour)
        if not or_opt(distances, tour):
            break
    length = 0.0
    for place in range(len(tour)):
        length += distances[tour[place - 1], tour[place]]
    return length


@compiled_with_arrays
def iterate(distances, tour, kicks):
    """Improve a tour in place by iterated local search (Martin, Otto & Felten 1991).

    Args:
        distances: (n, n).
        tour: (n,).
        kicks: (kicks, 3) ascending places from 1 to n − 1, where double bridges cut the tour.
    """
    best = _improve(distances, tour)
    for p, q, r in kicks:
        other = np.concatenate((tour[:p], tour[q:r], tour[p:q], tour[r:]))
        length = _improve(distances, other)
        if length < best + _EPSILON:
            best = length
            tour[:] = other
