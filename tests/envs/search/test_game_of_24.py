import functools
import itertools
from fractions import Fraction

import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError, UnparseableActionError
from spelunk.envs.search.game_of_24 import GameOf24, solvable_hands


@functools.cache
def can_make_24(numbers):
    """The rules written a second way, with negative numbers too."""
    if len(numbers) == 1:
        return numbers[0] == 24
    for i, j in itertools.permutations(range(len(numbers)), 2):
        a, b = numbers[i], numbers[j]
        rest = [n for k, n in enumerate(numbers) if k not in (i, j)]
        results = [a + b, a - b, a * b] + ([a / b] if b else [])
        if any(can_make_24(tuple(sorted([*rest, made]))) for made in results):
            return True
    return False


def fraction_hand(hand):
    return tuple(Fraction(int(card)) for card in hand)


def test_the_hands_are_those_of_the_literature():
    assert len(solvable_hands(13)) == 1362
    assert len(solvable_hands(10)) == 566
    solvable = {tuple(hand) for hand in solvable_hands(6).tolist()}
    for hand in itertools.combinations_with_replacement(range(1, 7), 4):
        assert (hand in solvable) == can_make_24(fraction_hand(hand))


def left(env):
    fractions = zip(env.state["tops"].tolist(), env.state["bottoms"].tolist(), strict=True)
    return [Fraction(top, bottom) for top, bottom in fractions if bottom]


def test_moves_masks_and_ends_against_the_rules_written_a_second_way():
    env, rng = GameOf24(), np.random.default_rng(0)
    wins = 0
    for seed in range(150):
        _, info = env.reset(seed=seed)
        terminated = False
        while not terminated:
            before, after = left(env), {}
            for a, b in itertools.permutations(before, 2):
                rest = before.copy()
                rest.remove(a)
                rest.remove(b)
                made = {a + b, abs(a - b), a * b} | ({a / b} if b else set())
                after.update({(tuple(sorted([*rest, n]))): None for n in made})
            mask = info["action_mask"]
            reached = set()
            start = env.snapshot()
            for action in np.flatnonzero(mask):
                words = env.action_words(action).replace("/", "//").replace(" // ", " / ")
                first, sign, second = words.replace("//", "/").split(" ")
                a, b = (Fraction(text.strip("()")) for text in (first, second))
                expected = {"+": a + b, "-": a - b, "*": a * b}.get(sign)
                expected = a / b if expected is None else expected
                env.step(int(action))
                rest = before.copy()
                rest.remove(a)
                rest.remove(b)
                assert sorted(left(env)) == sorted([*rest, expected])
                reached.add(tuple(sorted(left(env))))
                env.restore(start)
            assert reached == set(after)
            action = env.sample_action(rng)
            _, reward, terminated, _, info = env.step(action)
            won = left(env) == [24]
            assert terminated == (len(left(env)) == 1)
            assert (reward, info["success"]) == (float(won), int(won))
            assert env.model.is_goal(env.state[None])[0] == won
            wins += won
    assert wins > 0


def test_fractions_in_words():
    env = GameOf24()
    observation, _ = env.reset(seed=0, options={"cards": [3, 3, 8, 8]})
    assert observation.tolist() == [[3, 1], [3, 1], [8, 1], [8, 1]]
    assert "There are 3, 3, 8 and 8." in env.describe()
    env.step(env.parse("8/3"))
    assert "8/3" in env.show_state(env.state)
    env.step(env.parse("3 - (8/3)"))
    with pytest.raises(UnparseableActionError):
        env.parse("8 / 1 / 3")
    assert env.step(env.parse("8 / (1/3)"))[1:3] == (1.0, True)


def test_tasks_are_the_hands():
    env = GameOf24(highest=10)
    hands = solvable_hands(10)
    for task in (0, 17, 565):
        observation, _ = env.reset(seed=0, options={"task": task})
        assert observation[:, 0].tolist() == hands[task].tolist()
    assert env.best_return(0) == 1.0
    assert GameOf24(max_episode_steps=2).best_return(0) == 0.0


@pytest.mark.parametrize("cards", [[1, 1, 1, 1], [1, 2, 3], [0, 4, 6, 1], [14, 10, 1, 1], "1346"])
def test_cards_that_do_not_fit_are_refused(cards):
    with pytest.raises(InvalidArgumentError, match=r"cannot be made|4 integers"):
        GameOf24().reset(seed=0, options={"cards": cards})


@pytest.mark.parametrize("highest", [5, 14, True, 9.0])
def test_wrong_arguments_are_refused(highest):
    with pytest.raises(InvalidArgumentError, match="highest"):
        GameOf24(highest=highest)
