import heapq

import numpy as np
import pytest

from spelunk.agents.planning.best_first import best_first
from spelunk.agents.planning.compiled import estimates
from spelunk.agents.planning.ida_star import ida_star
from spelunk.agents.planning.pattern_database import (
    PARTITIONS,
    database_files,
    make_database,
    pattern_database,
)
from spelunk.agents.planning.perfect import perfect
from spelunk.agents.planning.problem import ModelProblem
from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.search.sliding_tile import SlidingTile

#: The first of Korf's hundred 15-puzzles and their optimal solutions (1985). His gap ends first.
KORF = [
    ("14 13 15 7 11 12 9 5 6 0 2 1 4 8 10 3", 57),
    ("13 5 4 10 9 12 8 14 2 3 7 1 0 15 11 6", 55),
    ("14 7 8 2 13 11 10 4 9 12 5 0 3 6 1 15", 59),
    ("5 12 10 7 15 11 14 0 8 2 1 13 3 4 9 6", 56),
    ("4 7 14 13 10 3 9 12 11 5 6 15 1 2 8 0", 56),
]


def moves_of_some_tiles(size, pattern):
    """The same by Dijkstra's algorithm over places of the gap and of the pattern's tiles."""
    home = size * size - 1, *(tile - 1 for tile in pattern)
    cost, queue = {home: 0}, [(0, home)]
    while queue:
        g, state = heapq.heappop(queue)
        if g > cost[state]:
            continue
        gap, *tiles = state
        y, x = divmod(gap, size)
        for ny, nx in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= ny < size and 0 <= nx < size:
                to = ny * size + nx
                after = (to, *(gap if place == to else place for place in tiles))
                new = g + (to in tiles)
                if new < cost.get(after, 99):
                    cost[after] = new
                    heapq.heappush(queue, (new, after))
    found = {}
    for (_, *tiles), g in cost.items():
        number = sum(place * size ** (2 * k) for k, place in enumerate(tiles))
        found[number] = min(g, found.get(number, 99))
    return found


@pytest.mark.parametrize(
    ("size", "pattern"), [(3, (1, 5, 8)), (3, (2,)), (3, (3, 1, 4, 6)), (4, (9, 6))]
)
def test_databases_against_dijkstra(size, pattern):
    known = []
    database = make_database(size, pattern, known.append)
    found = moves_of_some_tiles(size, pattern)
    assert dict(enumerate(database[database != 255])) == {
        i: found[number] for i, number in enumerate(sorted(found))
    }
    assert np.flatnonzero(database != 255).tolist() == sorted(found)
    assert sum(known) == len(found)


@pytest.mark.parametrize("mirror", [False, True])
def test_sums_are_admissible_and_mirrors_help(mirror):
    env = SlidingTile(3)
    states = env.model.reset(range(20_000))
    found = estimates(env.definition, pattern_database(3, mirror=mirror), states)
    plain = estimates(env.definition, pattern_database(3, mirror=False), states)
    exact = estimates(env.definition, perfect(env), states)
    assert (found <= exact).all()
    assert (found >= plain).all()
    assert (found % 2 == exact % 2).all()
    assert found.mean() > (18.5 if mirror else 18)


@pytest.mark.parametrize("size", PARTITIONS)
def test_partitions_are_of_all_tiles(size):
    for patterns in PARTITIONS[size].values():
        assert sorted(tile for p in patterns for tile in p) == [*range(1, size * size)]


def test_15_puzzles_are_solved_optimally_in_seconds():
    env, heuristic = SlidingTile(4), pattern_database(4)
    for text, moves in KORF:
        tiles = [int(word) for word in text.split()]
        # Turned by half and renumbered, so that the gap ends last.
        board = [[tile and 16 - tile for tile in tiles[i : i + 4][::-1]] for i in (12, 8, 4, 0)]
        env.reset(seed=0, options={"board": board})
        problem = ModelProblem(env.model, env.state[None].copy(), heuristic)
        for search in (ida_star, best_first):
            result = search(problem)
            assert result.cost == moves == len(result.plan)
            assert result.proven_optimal
            assert result.seconds < 20


def test_databases_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("SPELUNK_CACHE_DIR", str(tmp_path))
    patterns = ((1, 2, 4), (3, 6, 5))
    states = SlidingTile(3).model.reset(range(100))
    made = estimates(SlidingTile(3).definition, pattern_database(3, patterns), states)
    files = database_files(3, patterns)
    assert [file.parent.parent for file in files] == [tmp_path] * 2
    # A file of zeros in the place of one shows that it is read.
    np.save(files[0], np.zeros_like(np.load(files[0])))
    again = pattern_database(3, patterns[:1], mirror=False)
    assert (estimates(SlidingTile(3).definition, again, states) == 0).all()
    assert made.mean() > 10


@pytest.mark.parametrize(
    ("size", "patterns", "problem"),
    [
        (4, ((1, 2), (2, 3)), "disjoint"),
        (4, ((1, 16),), "from 1 to 15"),
        (4, ((),), "disjoint"),
        (4, (tuple(range(1, 8)),), "up to 6 tiles"),
        (4, "8-7", "no partition"),
        (6, None, "sets of tiles"),
    ],
)
def test_wrong_patterns_are_refused(size, patterns, problem):
    with pytest.raises(InvalidArgumentError, match=problem):
        pattern_database(size, patterns)
