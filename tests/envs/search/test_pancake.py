import itertools

import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.kernel.solve import distance_table
from spelunk.envs.search.pancake import Pancake, fewest_flips, rank, unrank

#: How many stacks need 0, 1, 2, … moves: the most are 4, 5, 7, 8 and 10 (OEIS A058986).
DISTANCES = {
    4: [1, 3, 6, 11, 3],
    5: [1, 4, 12, 35, 48, 20],
    6: [1, 5, 20, 79, 199, 281, 133, 2],
    7: [1, 6, 30, 149, 543, 1357, 1903, 1016, 35],
    9: [1, 8, 56, 391, 2278, 10666, 38015, 93585, 132697, 79379, 5804],
}


def gaps(stack):
    """Neighbours, the plate among them, that do not differ by one."""
    return int((abs(np.diff([*stack, len(stack)])) != 1).sum())


@pytest.mark.parametrize("size", [3, 10, 60])
def test_moves_against_the_rules_written_a_second_way(size):
    env = Pancake(size, max_episode_steps=-1)
    rng = np.random.default_rng(size)
    stack, _ = env.reset(seed=size)
    for _ in range(200):
        action = env.sample_action(rng)
        n = int(env.action_words(action).split()[1])
        expected = [*stack[:n][::-1], *stack[n:]]
        stack, reward, terminated, _, _ = env.step(action)
        assert stack.tolist() == expected
        assert (reward, terminated) == (-1.0, expected == sorted(expected))
        assert env.state["gaps"] == gaps(stack)
        if terminated:
            stack, _ = env.reset()


@pytest.mark.parametrize("size", [4, 5, 6, 7])
def test_fewest_moves_of_all_small_stacks(size):
    moves = [fewest_flips(np.array(stack)) for stack in itertools.permutations(range(size))]
    assert np.bincount(moves).tolist() == DISTANCES[size]


def test_fewest_moves_of_all_stacks():
    size = 9
    env = Pancake(size)
    params = env.definition.params
    distances = distance_table(env)
    assert len(distances) == env.n_ranks
    assert np.bincount(distances).tolist() == DISTANCES[size]
    state = env.definition.layout.empty(1)[0]
    for number in np.random.default_rng(size).integers(env.n_ranks, size=100).tolist():
        unrank(state, number, params)
        assert rank(state, params) == number
        assert fewest_flips(state["stack"]) == distances[number] >= state["gaps"]
        assert state["gaps"] == gaps(state["stack"])


def test_best_returns():
    env = Pancake(10)
    for seed in range(30):
        stack = env.model.reset([seed])["stack"][0]
        assert gaps(stack) <= -env.best_return(seed) <= 11
    # A stack that needs one move more than it has gaps (Helmert 2010), and one that needs none.
    assert fewest_flips(np.array([1, 0, 2, 3])) == 1
    assert fewest_flips(np.array([0, 2, 1, 3])) == 3 == gaps([0, 2, 1, 3]) + 1
    assert fewest_flips(np.arange(7)) == 0
    assert Pancake(41).best_return(0) is None


def test_starts_are_uniform_among_the_stacks_but_the_sorted():
    env = Pancake(4)
    ranks = [rank(state, env.definition.params) for state in env.model.reset(range(11_500))]
    counts = np.bincount(ranks, minlength=24)
    assert counts[0] == 0
    assert ((counts[1:] - 500) ** 2 / 500).sum() < 48.3  # chi-squared, 22 degrees, p = 0.001


def test_the_given_stack_is_where_it_starts():
    env = Pancake(4)
    stack, _ = env.reset(seed=0, options={"stack": [2, 1, 0, 3]})
    assert stack.tolist() == [2, 1, 0, 3]
    assert "2 1 0 3" in env.describe()
    assert env.step(env.parse("Flip 3"))[2]
    for stack, problem in (
        ([0, 1, 2, 3], "sorted"),
        ([1, 2, 3, 4], "0 to 3"),
        ([[0, 1], [3, 2]], "0 to 3"),
    ):
        with pytest.raises(InvalidArgumentError, match=problem):
            env.reset(options={"stack": stack})


@pytest.mark.parametrize("size", [2, 101, 5.0, True])
def test_wrong_sizes_are_refused(size):
    with pytest.raises(InvalidArgumentError, match="size"):
        Pancake(size)
