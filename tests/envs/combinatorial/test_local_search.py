import itertools

import numpy as np
import pytest

from spelunk.envs.combinatorial.local_search import (
    best_tour,
    held_karp,
    iterate,
    nearest_neighbour,
    or_opt,
    tour_length,
    two_opt,
)


def random_distances(n, seed, euclidean=True):
    rng = np.random.default_rng(seed)
    if euclidean:
        points = rng.random((n, 2))
        return np.linalg.norm(points[:, None] - points, axis=2)
    half = np.triu(rng.integers(1, 100, (n, n)), 1).astype(float)
    return half + half.T


def length(distances, tour):
    """The length of a closed tour, summed leg by leg."""
    tour = [int(city) for city in tour]
    assert sorted(tour) == list(range(len(distances)))
    assert tour[0] == 0
    return sum(distances[a][b] for a, b in zip(tour, tour[1:] + tour[:1], strict=True))


@pytest.mark.parametrize("euclidean", [True, False])
@pytest.mark.parametrize("n", [3, 4, 5, 7])
def test_held_karp_against_all_tours(n, euclidean):
    for seed in range(10):
        distances = random_distances(n, seed, euclidean)
        shortest = min(
            length(distances, (0, *rest)) for rest in itertools.permutations(range(1, n))
        )
        assert length(distances, held_karp(distances)) == pytest.approx(shortest)
        assert tour_length(distances, held_karp(distances)) == pytest.approx(shortest)


@pytest.mark.parametrize("euclidean", [True, False])
@pytest.mark.parametrize("n", [13, 14])
def test_iterated_local_search_finds_the_exact_optimum(n, euclidean):
    for seed in range(20):
        distances = random_distances(n, seed, euclidean)
        found = length(distances, best_tour(distances))
        assert found == pytest.approx(length(distances, held_karp(distances)))


def test_nearest_neighbour():
    line = np.array([0.0, 1.0, -1.5, 4.0, 2.0])
    assert nearest_neighbour(abs(line[:, None] - line)).tolist() == [0, 1, 4, 3, 2]


def test_two_opt_leaves_no_exchange_of_two_edges_that_helps():
    for seed in range(5):
        distances = random_distances(30, seed)
        tour = nearest_neighbour(distances)
        before = length(distances, tour)
        two_opt(distances, tour)
        after = length(distances, tour)
        assert after < before
        for i, j in itertools.combinations(range(1, 31), 2):
            turned = np.concatenate([tour[:i], tour[i:j][::-1], tour[j:]])
            assert length(distances, turned) >= after - 1e-9


def test_or_opt_leaves_no_chain_that_wants_to_move():
    for seed in range(5):
        distances = random_distances(16, seed)
        tour = nearest_neighbour(distances)
        or_opt(distances, tour)
        after = length(distances, tour)
        for size in (1, 2, 3):
            for first in range(1, 17 - size):
                chain = tour[first : first + size]
                rest = np.delete(tour, range(first, first + size))
                for place in range(1, len(rest) + 1):
                    for way in (chain, chain[::-1]):
                        moved = np.concatenate([rest[:place], way, rest[place:]])
                        assert length(distances, moved) >= after - 1e-9


def test_kicks_never_make_a_tour_worse():
    distances = random_distances(40, 0)
    tour = nearest_neighbour(distances)
    two_opt(distances, tour)
    or_opt(distances, tour)
    before = length(distances, tour)
    kicks = np.sort(np.random.default_rng(0).integers(1, 40, (200, 3))).astype(np.int32)
    iterate(distances, tour, kicks)
    assert length(distances, tour) < before
