import copy
import itertools
import json
import pickle
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces.utils import flatdim, flatten, unflatten
from gymnasium.vector.utils import (
    batch_space,
    concatenate,
    create_empty_array,
    create_shared_memory,
    iterate,
    read_from_shared_memory,
    write_to_shared_memory,
)

from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.kernel.feasible import solve
from spelunk.envs.kernel.feasible_searches import Packing, Schedule, Tour
from spelunk.envs.kernel.feasible_sets import Budget, Matching, Path, lattice


def ring(n, *chords):
    adjacent = np.zeros((n, n), bool)
    for i, j in [*((i, (i + 1) % n) for i in range(n)), *chords]:
        adjacent[i, j] = adjacent[j, i] = True
    return adjacent


def schedule(seed, jobs=6, workers=6):
    rng = np.random.default_rng(seed)
    free = [rng.permutation(5) for _ in range(jobs + workers)]
    rows = np.array([np.isin(np.arange(5), order[: 2 if i < jobs else 3])
                     for i, order in enumerate(free)])  # fmt: skip
    return rows[:jobs], rows[jobs:]


SETS = [
    Budget(6, 3),
    Budget(6, 3, exact=True),
    Matching(2, 4),
    Matching(3, 3),
    Path(lattice(3)),
    Path([(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]),
    Tour(ring(8), 0, 6, 3),
    Tour(ring(8, (0, 4), (2, 6)), 4, 6, 2),
    Schedule(*schedule(0)),
    Schedule(*schedule(1, jobs=8, workers=4)),
    Packing([2, 3, 4, 5, 6, 2, 3], [5, 4, 7]),
]


def rows_of(n):
    return np.array(list(itertools.product((0, 1), repeat=n)), np.int8)


def walks(adjacent, source, length):
    """The sets of nodes on closed walks, by walking."""
    found, ways = set(), [(source,)]
    while ways:
        way = ways.pop()
        if way[-1] == source:
            found.add(frozenset(way))
        if len(way) <= length:
            ways += [(*way, v) for v in np.flatnonzero(adjacent[way[-1]]).tolist()]
    return found


def by_the_rules(space, row):
    """Whether a row is feasible, in other words than the space's."""
    chosen = set(np.flatnonzero(row).tolist())
    if isinstance(space, Budget):
        return len(chosen) == space.k or (len(chosen) < space.k and not space.exact)
    if isinstance(space, Matching):
        pairs = [divmod(i, space.slots) for i in chosen]
        return all(a[0] != b[0] and a[1] != b[1] for a, b in itertools.combinations(pairs, 2))
    if isinstance(space, Path):
        edges = [tuple(space.edges[i]) for i in sorted(chosen)]
        ends = [0, *(v for _, v in edges)]
        return [u for u, _ in edges] == ends[:-1] and ends[-1] == space.nodes - 1
    if isinstance(space, Tour):
        if len(chosen) > space.k:
            return False
        return any(chosen <= nodes for nodes in walks(space.adjacent, space.source, space.length))
    if isinstance(space, Schedule):
        workers = range(len(space.worker_slots))
        choices = [np.flatnonzero(space.job_slots[i]).tolist() for i in chosen]
        for slots in itertools.product(*choices):
            busy = [set()]
            for slot in slots:
                busy = [
                    used | {a, b}
                    for used in busy
                    for a, b in itertools.combinations(workers, 2)
                    if not {a, b} & used
                    and space.worker_slots[a, slot]
                    and space.worker_slots[b, slot]
                ]
            if busy:
                return True
        return False
    assert isinstance(space, Packing)
    return any(
        all(
            sum(space.costs[i] for i, w in zip(chosen, who, strict=True) if w == worker) <= capacity
            for worker, capacity in enumerate(space.capacities)
        )
        for who in itertools.product(range(len(space.capacities)), repeat=len(chosen))
    )


@pytest.mark.parametrize("space", SETS, ids=repr)
def test_sets_are_what_the_rules_say(space):
    rows = rows_of(space.n)
    rules = np.array([by_the_rules(space, row) for row in rows])
    assert [space.contains(row) for row in rows] == rules.tolist()
    listed = space.enumerate()
    assert listed.dtype == np.int8
    assert sorted(map(bytes, listed)) == sorted(map(bytes, rows[rules]))


@pytest.mark.parametrize("space", SETS, ids=repr)
def test_constraints_say_the_same_and_the_oracle_is_exact(space):
    rng, rows = np.random.default_rng(0), space.enumerate()
    for _ in range(12):
        values = rng.normal(size=space.n)
        best = (rows @ values).max()
        by_rows = solve(space.constraints(), values)[: space.n]
        for found in (space.maximise(values), by_rows.astype(np.int8)):
            assert found in space
            assert found @ values == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("space", SETS, ids=repr)
def test_samples_are_feasible_seeded_and_various(space):
    space.seed(3)
    first = [space.sample() for _ in range(50)]
    assert all(row in space for row in first)
    assert len(set(map(bytes, first))) > 1
    space.seed(3)
    assert np.array_equal(first, [space.sample() for _ in range(50)])
    with pytest.raises(InvalidArgumentError, match="mask"):
        space.sample(mask=np.ones(space.n, np.int8))


@pytest.mark.parametrize("space", SETS, ids=repr)
def test_gymnasium_can_carry_the_rows(space):
    assert space == copy.deepcopy(space)
    assert space == pickle.loads(pickle.dumps(space))
    assert space != Budget(space.n + 1, 1)
    rows = [space.sample() for _ in range(4)]
    assert np.array_equal(
        space.from_jsonable(json.loads(json.dumps(space.to_jsonable(rows)))), rows
    )
    batch = batch_space(space, 4)
    assert batch == batch_space(copy.deepcopy(space), 4)
    joined = concatenate(space, rows, create_empty_array(space, 4))
    assert joined in batch
    assert np.array_equal(np.array([*iterate(batch, joined)]), rows)
    batch.seed(1)
    assert batch.sample() in batch
    memory = create_shared_memory(space, 4)
    for i, row in enumerate(rows):
        write_to_shared_memory(space, i, row, memory)
    shared: Any = read_from_shared_memory(space, memory, 4)
    assert np.array_equal(shared, rows)
    assert flatdim(space) == space.n
    back: Any = unflatten(space, flatten(space, rows[0]))
    assert np.array_equal(back, rows[0])


def test_what_is_no_row_is_not_contained():
    space = Budget(4, 2)
    assert np.array([1, 0, 1, 0], np.int8) in space
    for wrong in ([1, 0, 0, 0], np.zeros(3, np.int8), np.zeros(4), np.array([2, 0, 0, 0])):
        assert wrong not in space
    assert np.array([-1, 0, 0, 0]) not in space


def test_spaces_differ_where_their_numbers_do():
    assert Packing([2, 3], [4]) != Packing([2, 3], [5])
    assert Budget(4, 2) != Budget(4, 2, exact=True)
    assert Budget(4, 2) != Matching(2, 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Budget(3, 4),
        lambda: Budget(3, 0),
        lambda: Matching(0, 3),
        lambda: Path([(0, 2), (2, 1)]),
        lambda: Path([(0, 1), (2, 3)]),
        lambda: Tour(np.triu(np.ones((3, 3))), 0, 4, 2),
        lambda: Tour(ring(4), 4, 4, 2),
        lambda: Schedule(np.ones((3, 5)), np.ones((3, 4))),
        lambda: Packing([0, 2], [3]),
        lambda: Budget(40, 20).enumerate(),
    ],
)
def test_wrong_sets_are_refused(make):
    with pytest.raises(InvalidArgumentError):
        make()
