"""The games of `benchmarks/games.py` keep PufferLib's rules, written here a second way."""

import gymnasium
import numpy as np
import pytest

from spelunk.benchmarks.games.cartpole import CartPole
from spelunk.benchmarks.games.squared import AGENT, TARGET, Squared
from spelunk.benchmarks.games.triple_triad import HANDS, PLACES, TripleTriad
from spelunk.envs.kernel import InvalidArgumentError, KernelVectorEnv

MOVES = [(0, 0), (1, 0), (-1, 0), (0, -1), (0, 1)]


def test_squared_by_its_rules():
    env, rng, outcomes = Squared(), np.random.default_rng(0), set()
    for seed in range(100):
        seen, _ = env.reset(seed=seed)
        board = seen.reshape(11, 11)
        place, target = np.argwhere(board == AGENT)[0], np.argwhere(board == TARGET)[0]
        assert place.tolist() == [5, 5]
        for t in range(1, 100):
            action = rng.integers(5)
            place = place + MOVES[action]
            seen, reward, terminated, truncated, _ = env.step(action)
            lost = ((place < 0) | (place > 10)).any() or t == 34
            expected = -1.0 if lost else float((place == target).all())
            assert (reward, terminated, truncated) == (expected, expected != 0, False)
            if terminated:
                outcomes.add((reward, t == 34))
                break
            board = np.zeros((11, 11), np.uint8)
            board[tuple(target)], board[tuple(place)] = TARGET, AGENT
            assert (seen == board.ravel()).all()
    assert outcomes == {(-1.0, False), (-1.0, True), (1.0, False)}


def test_squared_wants_an_odd_size():
    with pytest.raises(InvalidArgumentError, match="odd"):
        Squared(size=10)


@pytest.mark.parametrize("mode", ["NEXT_STEP", "SAME_STEP"])
def test_rows_changed_in_place_show_what_new_rows_show(mode):
    env = KernelVectorEnv(Squared, 64, num_threads=1, copy=False, autoreset_mode=mode, size=5)
    env.reset(seed=0)
    rng, endings = np.random.default_rng(0), 0
    for _ in range(200):
        seen, _, terminated, _, _ = env.step(rng.integers(0, 5, 64))
        changed = seen.copy()
        env.restore(env.snapshot())
        assert (env.present()[0] == changed).all()
        endings += terminated.sum()
    assert endings > 100


def test_cartpole_moves_as_gymnasiums_does():
    ours, theirs = CartPole(), gymnasium.make("CartPole-v1").unwrapped
    theirs.reset(seed=0)
    rng = np.random.default_rng(0)
    for seed in range(30):
        before, _ = ours.reset(seed=seed)
        assert (np.abs(before) <= 0.04).all()
        terminated = False
        while not terminated:
            theirs.state, theirs.steps_beyond_terminated = before.astype(float), None
            action = int(rng.integers(2))
            before, reward, terminated, _, _ = ours.step(action)
            after, _, ended, _, _ = theirs.step(action)
            np.testing.assert_allclose(before, after, atol=2e-6)
            assert (reward, terminated) == (float(not ended), ended)


def test_cartpole_is_cut_off_after_200_steps():
    env = CartPole()
    (_, _, angle, speed), _ = env.reset(seed=0)
    rewards, truncated = [], False
    while not truncated:
        (_, _, angle, speed), reward, terminated, truncated, _ = env.step(int(angle + speed > 0))
        rewards.append(reward)
        assert not terminated
    assert rewards == [1.0] * 199 + [0.0]


SIDES = ((-1, 0), (1, 0), (0, 1), (0, -1))  # where north, south, east and west lie


def lay(board, cards, cell, owner):
    """Lay a card on a board (3, 3); the cards' numbers (3, 3, 4) say what it turns over."""
    row, column = divmod(cell, 3)
    board[row, column] = owner
    for edge, (down, right) in enumerate(SIDES):
        y, x = row + down, column + right
        facing = SIDES.index((-down, -right))
        inside = 0 <= y < 3 and 0 <= x < 3
        if inside and board[y, x] == -owner and cards[y, x, facing] < cards[row, column, edge]:
            board[y, x] = owner


def test_triple_triad_by_its_rules():
    env, rng, outcomes = TripleTriad(), np.random.default_rng(0), set()
    for seed in range(60):
        seen, _ = env.reset(seed=seed)
        hands = seen[HANDS:PLACES].reshape(2, 5, 4)
        assert hands.min() >= 1
        assert hands.max() <= 7
        assert seen[:HANDS].nonzero()[0].tolist() == [24, 25, 26, 27]
        board, cards, terminated = np.zeros((3, 3)), np.zeros((3, 3, 4)), False
        while not terminated:
            card = rng.choice(np.flatnonzero(seen[104:109] == 0))
            seen, reward, *_ = env.step(card)
            assert (reward, seen[24]) == (pytest.approx(-0.1), card)
            before = seen
            cell = rng.choice(np.flatnonzero(board.ravel() == 0))
            seen, reward, terminated, truncated, _ = env.step(5 + cell)
            for i in np.flatnonzero(seen[PLACES:] != before[PLACES:]):
                owner, laid = (1, i) if i < 5 else (-1, i - 5)
                at = int(seen[PLACES + i]) - 1
                assert owner == -1 or (laid, at) == (card, cell)
                cards[divmod(at, 3)] = hands[i // 5, laid]
                lay(board, cards, at, owner)
            assert (seen[:9] == board.ravel()).all()
            assert (seen[9:24] == [0] * 5 + [*(board.ravel() != 0)] + [0]).all()
            own = (board == 1).sum() + 5 - (seen[104:109] != 0).sum()
            assert seen[24:28].tolist() == [-1, -1, own, 10 - own]
            assert (seen[28:64] == cards.ravel()).all()
            assert (seen[HANDS:PLACES] == hands.ravel()).all()
            assert (terminated, truncated) == (board.all(), False)
            assert reward == (np.sign(2 * own - 10) if terminated else 0.0)
        outcomes.add(reward)
    assert outcomes == {-1.0, 0.0, 1.0}


def test_triple_triad_has_no_patience():
    env = TripleTriad()
    env.reset(seed=0)
    for t in range(1, 31):
        before = env.snapshot()
        _, reward, terminated, truncated, _ = env.step(5)  # nothing was picked
        assert reward == pytest.approx(-1.0 if t == 30 else -0.1)
        assert (terminated, truncated) == (False, t == 30)
        assert (env.state["table"] == before["table"]).all()
