import math

import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.kernel.solve import distance_table
from spelunk.envs.search.top_spin import TopSpin, rank, unrank


def turned(ring, first, turnstile):
    """The rules written a second way: bring the tokens to the front, turn them over, rotate."""
    ring = ring[first:] + ring[:first]
    ring = ring[:turnstile][::-1] + ring[turnstile:]
    return rotated(ring)


def rotated(ring):
    place = ring.index(0)
    return ring[place:] + ring[:place]


def gaps(ring):
    n = len(ring)
    return sum(
        (a - b) % n not in (1, n - 1) for a, b in zip(ring, ring[1:] + ring[:1], strict=True)
    )


@pytest.mark.parametrize(("size", "turnstile"), [(4, 2), (7, 4), (7, 5), (8, 6), (20, 4)])
def test_moves_against_the_rules_written_a_second_way(size, turnstile):
    env = TopSpin(size, turnstile, max_episode_steps=-1)
    rng = np.random.default_rng(size)
    ring, _ = env.reset(seed=size)
    for _ in range(200):
        action = env.sample_action(rng)
        expected = turned(ring.tolist(), int(env.action_words(action).split()[-1]), turnstile)
        before = env.snapshot()
        ring, reward, terminated, _, _ = env.step(action)
        assert ring.tolist() == expected
        assert (reward, terminated) == (-1.0, expected == sorted(expected))
        assert env.state["gaps"] == gaps(expected)
        back = env.definition.inverse_actions[action]
        assert turned(expected, back, turnstile) == before["ring"].tolist()
        if terminated:
            ring, _ = env.reset()


@pytest.mark.parametrize(("size", "turnstile", "rings"), [(7, 4, 360), (7, 3, 720), (8, 4, 5040)])
def test_fewest_moves_of_all_rings(size, turnstile, rings):
    """Breadth-first search with the other rules finds every ring where the table says."""
    env = TopSpin(size, turnstile)
    params = env.definition.params
    distances = distance_table(env)
    assert env.n_ranks == len(distances) == rings
    level, found, depth = {tuple(range(size))}, set(), 0
    state = env.definition.layout.empty(1)[0]
    while level:
        for ring in level:
            state["ring"] = ring
            number = rank(state, params)
            assert distances[number] == depth
            unrank(state, number, params)
            assert tuple(state["ring"]) == ring
            assert state["gaps"] == gaps(list(ring)) <= 2 * depth
        found |= level
        depth += 1
        level = {
            tuple(turned(list(ring), first, turnstile)) for ring in level for first in range(size)
        } - found
    assert len(found) == rings
    for seed in range(10):
        number = rank(env.model.reset([seed])[0], params)
        assert env.best_return(seed) == -float(distances[number])


@pytest.mark.parametrize(("size", "turnstile"), [(7, 3), (7, 4)])
def test_starts_are_uniform_among_the_rings_that_can_be_reached(size, turnstile):
    env = TopSpin(size, turnstile)
    n = env.n_ranks - 1
    ranks = [rank(state, env.definition.params) for state in env.model.reset(range(40 * n))]
    counts = np.bincount(ranks, minlength=n + 1)
    assert counts[0] == 0
    assert len(counts) == n + 1
    # The chi-squared value is normal enough: at most 3.3 deviations above its mean.
    assert ((counts[1:] - 40) ** 2 / 40).sum() < n - 1 + 3.3 * math.sqrt(2 * n)
    states = env.model.reset(range(100))
    assert all(distance_table(env)[rank(s, env.definition.params)] < 255 for s in states)


def test_the_given_ring_is_where_it_starts():
    env = TopSpin(7, 3)
    ring, _ = env.reset(seed=0, options={"ring": [3, 4, 5, 6, 0, 2, 1]})
    assert ring.tolist() == [0, 2, 1, 3, 4, 5, 6]
    assert "0 2 1 3 4 5 6" in env.describe()
    assert env.parse("Turn place 6") == 6
    for ring, problem in (([2, 3, 4, 5, 6, 0, 1], "sorted"), ([1, 2, 3], "0 to 6")):
        with pytest.raises(InvalidArgumentError, match=problem):
            env.reset(options={"ring": ring})
    with pytest.raises(InvalidArgumentError, match="cannot be sorted"):
        TopSpin(7, 4).reset(options={"ring": [1, 0, 2, 3, 4, 5, 6]})
    assert TopSpin(13).best_return(0) is None


@pytest.mark.parametrize(
    "arguments",
    [
        {"size": 3},
        {"size": 61},
        {"size": 12.0},
        {"turnstile": 1},
        {"turnstile": 11},
        {"turnstile": 3},
        {"turnstile": True},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match=next(iter(arguments))):
        TopSpin(**arguments)
