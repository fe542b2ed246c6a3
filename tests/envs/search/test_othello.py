import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.kernel.game_tree import GameTree
from spelunk.envs.search.othello import Othello

WAYS = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]


def turned(board, row, column, player):
    """The discs that a move turns over: the rule written a second way."""
    size, found = len(board), []
    if board[row, column]:
        return found
    for down, right in WAYS:
        line, r, c = [], row + down, column + right
        while 0 <= r < size and 0 <= c < size and board[r, c] == 3 - player:
            line.append((r, c))
            r, c = r + down, c + right
        if line and 0 <= r < size and 0 <= c < size and board[r, c] == player:
            found += line
    return found


def movable(board, player):
    size = len(board)
    return [
        row * size + column
        for row in range(size)
        for column in range(size)
        if turned(board, row, column, player)
    ]


@pytest.mark.parametrize("size", [4, 6, 8])
def test_games_against_the_rules_written_a_second_way(size):
    env, rng = Othello(size=size, reward="margin"), np.random.default_rng(size)
    passes = 0
    for _ in range(25):
        observation, info = env.reset()
        board, player, over = np.zeros((size, size), int), 1, False
        middle = size // 2
        board[middle - 1, middle] = board[middle, middle - 1] = 1
        board[middle - 1, middle - 1] = board[middle, middle] = 2
        while not over:
            np.testing.assert_array_equal(observation[0, :, :, 0], board == 1)
            np.testing.assert_array_equal(observation[1, :, :, 0], board == 2)
            legal = movable(board, player) or [size * size]
            assert np.flatnonzero(info["action_mask"]).tolist() == legal
            action = env.sample_action(rng)
            observation, rewards, terminated, _, info = env.step(action)
            if action == size * size:
                passes += 1
            else:
                row, column = divmod(int(action), size)
                for cell in turned(board, row, column, player):
                    board[cell] = player
                board[row, column] = player
            player = 3 - player
            over = not movable(board, 1) and not movable(board, 2)
            assert terminated.all() == over
            margin = int((board == 1).sum() - (board == 2).sum()) if over else 0
            assert rewards.tolist() == [margin, -margin]
    assert passes


def test_the_numbers_of_ways_to_play():
    """Published perft counts of Othello."""
    model = Othello().model
    states, ways, counts = model.reset([0]), np.array([1]), []
    for _ in range(6):
        children = model.successors(states)
        legal = children.legal != 0
        after, number = children.states[legal], np.repeat(ways, legal.sum(axis=1))
        counts.append(int(number.sum()))
        _, first, group = np.unique(
            model.key(after), axis=0, return_index=True, return_inverse=True
        )
        states, ways = after[first], np.bincount(group.ravel(), number).astype(int)
    assert counts == [4, 12, 56, 244, 1396, 8200]


def test_on_the_smallest_board_the_second_player_wins_by_eight():
    env = Othello(size=4, reward="margin")
    assert GameTree(env, ("max", "min")).value(env.model.reset([0])) == -8


@pytest.mark.parametrize("wrong", [{"size": 5}, {"reward": "discs"}])
def test_wrong_arguments(wrong):
    with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
        Othello(**wrong)
