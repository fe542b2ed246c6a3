import itertools
from fractions import Fraction

import numpy as np
import pytest

from spelunk.envs.kernel import InvalidActionError, InvalidArgumentError, UnparseableActionError
from spelunk.envs.search.arithmetic import plans_for
from spelunk.envs.search.countdown import Countdown


def moves(numbers):
    """The rules written a second way: what is left after each move, by its words."""
    found = {}
    for a, b in itertools.combinations(sorted((n for n in numbers if n), reverse=True), 2):
        rest = [n for n in numbers if n]
        rest.remove(a)
        rest.remove(b)
        results = {"+": a + b, "-": a - b, "*": a * b, "/": Fraction(a, b)}
        for sign, made in results.items():
            if made > 0 and made == int(made):
                found[f"{a} {sign} {b}"] = sorted([*rest, int(made)])
    return found


@pytest.mark.parametrize("use_all", [False, True])
@pytest.mark.parametrize("numbers", [3, 4, 6])
def test_moves_masks_and_ends_against_the_rules_written_a_second_way(numbers, use_all):
    env, rng = Countdown(numbers, use_all=use_all), np.random.default_rng(numbers)
    wins = 0
    for seed in range(120):
        observation, info = env.reset(seed=seed)
        terminated, left = False, numbers
        while not terminated:
            after = moves(observation[:-1].tolist())
            legal = {env.action_words(a): a for a in np.flatnonzero(info["action_mask"])}
            assert legal.keys() == after.keys()
            assert len(legal) == info["action_mask"].sum()
            words = str(rng.choice(list(legal)))
            target = int(observation[-1])
            observation, reward, terminated, _, info = env.step(int(legal[words]))
            left -= 1
            assert sorted(n for n in observation[:-1].tolist() if n) == after[words]
            made = target in observation[:-1]
            won = made and (left == 1 or not use_all)
            assert (reward, info["success"]) == (float(won), int(won))
            assert terminated == (won or left == 1)
            assert env.model.is_goal(env.state[None])[0] == won
            wins += won
    assert wins > 0


@pytest.mark.parametrize(
    "arguments",
    [
        {"numbers": 3, "target": (10, 50)},
        {"numbers": 4, "target": [100, 999]},
        {"numbers": 4, "target": (1, 20), "highest": 10},
        {"numbers": 6, "target": (999, 1000)},
    ],
)
def test_every_start_can_be_solved_with_all_numbers(arguments):
    env = Countdown(**arguments)
    states = env.model.reset(range(200))
    low, high = arguments["target"]
    highest = arguments.get("highest", 100)
    assert ((states["target"] >= low) & (states["target"] <= high)).all()
    assert ((states["numbers"] >= 1) & (states["numbers"] <= highest)).all()
    assert (states["numbers"] != states["target"][:, None]).all()
    for state in states:
        numbers, target = state["numbers"].tolist(), int(state["target"])
        assert len(plans_for(numbers, target, fractions=False, use_all=True))


def test_targets_are_uniform():
    targets = Countdown(target=(11, 20)).model.reset(range(10_000))["target"]
    counts = np.bincount(targets - 11, minlength=10)
    assert ((counts - 1000) ** 2 / 1000).sum() < 27.9  # chi-squared, 9 degrees, p = 0.001


def test_plans_of_the_exhaustive_solver_earn_the_best_return():
    for use_all in (False, True):
        env = Countdown(use_all=use_all)
        for seed in range(50):
            env.reset(seed=seed)
            numbers, target = env.state["numbers"].tolist(), int(env.state["target"])
            plan = plans_for(numbers, target, fractions=False, use_all=use_all)[0]
            *_, last = (env.step(int(move)) for move in plan[plan >= 0])
            assert last[1:3] == (1.0, True)
            assert env.best_return(seed) == 1.0


def test_best_return_within_a_short_time_limit():
    best = [Countdown(max_episode_steps=1).best_return(seed) for seed in range(40)]
    for seed, found in enumerate(best):
        env = Countdown()
        env.reset(seed=seed)
        numbers, target = env.state["numbers"].tolist(), int(env.state["target"])
        assert found == any(target in rest for rest in moves(numbers).values())


def test_slots_make_no_difference_to_keys():
    env = Countdown()
    keys = []
    for numbers in itertools.permutations([3, 5, 7, 7]):
        env.reset(seed=0, options={"numbers": list(numbers), "target": 22})
        keys.append(env.model.key(env.state[None])[0].tobytes())
    assert len(set(keys)) == 1


def test_words_and_given_numbers():
    env = Countdown(numbers=6, target=(100, 999))
    env.reset(seed=0, options={"numbers": [100, 75, 50, 25, 6, 3], "target": 952})
    assert "Make 952" in env.describe()
    assert "100, 75, 50, 25, 6 and 3" in env.describe()
    words = ("6 + 100", "106×3", "75 * 318", "23850 − 50", "23800 ÷ 25")
    for text in words:
        outcome = env.step(env.parse(text))
    assert outcome[1:3] == (1.0, True)
    env.reset(seed=0, options={"numbers": [100, 75, 50, 25, 6, 3], "target": 952})
    for text in ("3 - 6", "75 / 50", "100 + 7", "100 + 100", "", "100 ** 3"):
        with pytest.raises(UnparseableActionError):
            env.parse(text)


def test_equal_numbers_are_one_choice():
    env = Countdown(numbers=3, target=(10, 50))
    _, info = env.reset(seed=0, options={"numbers": [7, 7, 4], "target": 18})
    words = [env.action_words(a) for a in np.flatnonzero(info["action_mask"])]
    assert words == ["7 + 7", "7 * 7", "7 / 7", "7 + 4", "7 - 4", "7 * 4"]
    with pytest.raises(InvalidActionError):
        env.step(8)  # the second 7 with the 4


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"numbers": [1, 2, 3, 4]}, "target"),
        ({"target": 24}, "numbers"),
        ({"numbers": [1, 2, 3], "target": 24}, "4 integers"),
        ({"numbers": [0, 1, 2, 3], "target": 24}, "4 integers"),
        ({"numbers": [1, 2, 3, 4], "target": 4}, "none of the numbers"),
        ({"numbers": [1, 1, 1, 1], "target": 24}, "cannot be made"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, problem):
    with pytest.raises(InvalidArgumentError, match=problem):
        Countdown().reset(seed=0, options=options)


@pytest.mark.parametrize(
    "arguments",
    [
        {"numbers": 2},
        {"numbers": 7},
        {"target": 24},
        {"target": (50, 10)},
        {"target": (10, 1001)},
        {"target": (0, 10)},
        {"highest": 9},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match=next(iter(arguments))):
        Countdown(**arguments)
