import functools

import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.kernel.game_tree import GameTree
from spelunk.envs.search.connect_four import ConnectFour


def lined(board, mark, connect):
    """Whether a mark is in line somewhere: the rule written a second way."""
    rows, columns = board.shape
    for row in range(rows):
        for column in range(columns):
            for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
                cells = [(row + k * down, column + k * right) for k in range(connect)]
                inside = all(0 <= r < rows and 0 <= c < columns for r, c in cells)
                if inside and all(board[cell] == mark for cell in cells):
                    return True
    return False


@pytest.mark.parametrize(("rows", "columns", "connect"), [(6, 7, 4), (4, 4, 3), (3, 9, 5)])
def test_games_against_the_rules_written_a_second_way(rows, columns, connect):
    env, rng = ConnectFour(rows, columns, connect), np.random.default_rng(0)
    for _ in range(60):
        observation, info = env.reset()
        board, player, over = np.zeros((rows, columns), int), 0, False
        while not over:
            assert info["action_mask"].tolist() == (board[0] == 0).astype(int).tolist()
            for agent in (0, 1):
                np.testing.assert_array_equal(observation[agent, :, :, 0], board == agent + 1)
                np.testing.assert_array_equal(observation[agent, :, :, 1], board == 2 - agent)
            action = env.sample_action(rng)
            observation, rewards, terminated, _, info = env.step(action)
            board[np.flatnonzero(board[:, action] == 0)[-1], action] = player + 1
            won = lined(board, player + 1, connect)
            over = won or (board != 0).all()
            assert terminated.tolist() == [over, over]
            assert rewards[player] == won
            assert rewards[1 - player] == -float(won)
            np.testing.assert_array_equal(env.board(env.state), board)
            player = 1 - player


def test_the_numbers_of_boards_by_ply():
    """Published: OEIS A212693."""
    model, counts = ConnectFour().model, []
    states = model.reset([0])
    for _ in range(7):
        counts.append(len(states))
        children = model.successors(states)
        after = children.states[(children.legal != 0) & ~children.terminated.all(axis=-1)]
        ended = children.states[children.terminated.all(axis=-1)]
        both = np.concatenate([after, ended])
        _, first = np.unique(both["discs"], axis=0, return_index=True)
        states = both[first]
    assert counts == [1, 7, 49, 238, 1120, 4263, 16422]


def test_mirror_images_have_the_same_key():
    env = ConnectFour()
    for moves in ([0, 1, 1, 3], [6, 2, 2, 5, 4]):
        env.reset(options={"moves": moves})
        key = env.model.key(env.snapshot()[None])
        env.reset(options={"moves": [6 - move for move in moves]})
        assert (env.model.key(env.snapshot()[None]) == key).all()
        env.reset(options={"moves": [*moves[:-1], moves[-1] - 1]})
        assert (env.model.key(env.snapshot()[None]) != key).any()


def minimax(rows, columns, connect):
    """The value of the empty board, by the rules written a second way."""

    @functools.cache
    def value(cells, player):
        board = np.array(cells).reshape(rows, columns)
        best = -1
        for column in np.flatnonzero(board[0] == 0):
            after = board.copy()
            after[np.flatnonzero(board[:, column] == 0)[-1], column] = player
            if lined(after, player, connect):
                return 1
            if (after != 0).all():
                best = max(best, 0)
            else:
                best = max(best, -value(tuple(after.ravel().tolist()), 3 - player))
        return best

    return value((0,) * (rows * columns), 1)


@pytest.mark.parametrize(("rows", "columns", "connect"), [(3, 3, 3), (3, 4, 3), (4, 3, 3)])
def test_small_boards_are_solved(rows, columns, connect):
    env = ConnectFour(rows, columns, connect)
    solved = GameTree(env, ("max", "min")).value(env.model.reset([0]))
    assert solved == minimax(rows, columns, connect)


def test_four_on_a_board_of_four_is_a_draw():
    """Known from Tromp's table of board sizes."""
    env = ConnectFour(4, 4, 4)
    assert GameTree(env, ("max", "min"), (-1, 1)).value(env.model.reset([0])) == 0


@pytest.mark.parametrize("wrong", [{"rows": 1}, {"columns": 20}, {"connect": 9}, {"rows": 2.0}])
def test_wrong_arguments(wrong):
    with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
        ConnectFour(**wrong)
