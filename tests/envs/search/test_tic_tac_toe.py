import itertools

import numpy as np
import pytest

import spelunk
from spelunk.envs.kernel.solve import game_value
from spelunk.envs.search.tic_tac_toe import TicTacToe

LINES = ["012", "345", "678", "036", "147", "258", "048", "246"]


def winner(board):
    """The rules written a second way: "x", "o", "draw" or None, of a board as a string."""
    for line in LINES:
        marks = {board[int(place)] for place in line}
        if len(marks) == 1 and marks != {"_"}:
            return marks.pop()
    return None if "_" in board else "draw"


@pytest.mark.parametrize("misere", [False, True])
def test_games_against_the_rules_written_a_second_way(misere):
    env, rng = TicTacToe(misere=misere), np.random.default_rng(0)
    endings = set()
    for _ in range(200):
        observation, info = env.reset()
        board, player = ["_"] * 9, "x"
        terminated = [False, False]
        while not any(terminated):
            for k, (own, other) in enumerate(("xo", "ox")):
                for place in range(9):
                    seen = observation[k, place // 3, place % 3].tolist()
                    assert seen == [board[place] == own, board[place] == other]
            assert info["action_mask"].tolist() == [mark == "_" for mark in board]
            assert "xo"[env.state["turn"]] == player
            action = env.sample_action(rng)
            observation, rewards, terminated, truncated, info = env.step(action)
            board[action] = player
            player = "o" if player == "x" else "x"
            assert env.show_state(env.state).split() == board
            ending = winner(board)
            assert terminated.tolist() == [ending is not None] * 2
            assert not truncated
            sign = ((ending == "x") - (ending == "o")) * (-1.0 if misere else 1.0)
            assert rewards.tolist() == [sign, -sign]
            if ending is not None:
                endings.add(ending)
                assert env.state["episode_return"].tolist() == [sign, -sign]
    assert endings == {"x", "o", "draw"}


def expand(env, symmetric):
    """Every board and the number of games, layer by layer: (boards, of each (winner, how many))."""
    states, ways = env.model.reset([0]), np.array([1])
    boards, games, layers = 1, 0, []
    while len(states):
        children = env.model.successors(states)
        legal = children.legal != 0
        after, ends = children.states[legal], children.terminated[legal].all(axis=1)
        counts = np.repeat(ways, legal.sum(axis=1))
        games += counts[ends].sum()
        keys = env.model.key(after) if symmetric else after["board"]
        _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        boards += len(first)
        for i in first[ends[first]]:
            layers.append(winner(env.show_state(after[i]).replace(" ", "").replace("\n", "")))
        ways = np.bincount(group.ravel(), counts).astype(int)[~ends[first]]
        states = after[first[~ends[first]]]
    return boards, games, {who: layers.count(who) for who in ("x", "o", "draw")}


def test_the_numbers_of_boards_and_games():
    assert expand(TicTacToe(), symmetric=False) == (5478, 255168, {"x": 626, "o": 316, "draw": 16})


def test_the_numbers_but_for_rotation_and_reflection():
    assert expand(TicTacToe(), symmetric=True) == (765, 255168, {"x": 91, "o": 44, "draw": 3})


def test_boards_that_are_alike_have_the_same_key():
    env, rng = TicTacToe(), np.random.default_rng(1)
    state = env.model.reset([0])
    for move in range(6):
        board = rng.permutation([1] * ((move + 1) // 2) + [2] * (move // 2) + [0] * (9 - move))
        alike = np.repeat(state, 8)
        for k in range(4):
            turned = np.rot90(board.reshape(3, 3), k)
            alike["board"][2 * k], alike["board"][2 * k + 1] = turned.ravel(), turned.T.ravel()
        alike["turn"] = move % 2
        kept = alike.copy()
        assert len(np.unique(env.model.key(alike), axis=0)) == 1
        assert (alike == kept).all()


@pytest.mark.parametrize("misere", [False, True])
def test_the_value_is_a_draw(misere):
    env = TicTacToe(misere=misere)
    assert game_value(env, env.model.reset([0]), (max, min)) == 0
    after_corner = env.model.step(env.model.reset([0]), [0])[0]
    after_replies = env.model.successors(after_corner)
    values = [
        game_value(env, after_replies.states[0, action : action + 1], (max, min))
        for action in range(1, 9)
    ]
    if misere:
        assert max(values) > -1
    else:
        # Only the centre holds against a corner.
        assert values == [1, 1, 1, 0, 1, 1, 1, 1]


def test_reference_scores_are_those_of_the_games_tree():
    env = TicTacToe()
    start = env.model.reset([0])
    stored = spelunk.reference("spelunk/TicTacToe-v0")
    # The best replies to random play win or draw all but every 192nd game's worth.
    assert env.best_return(0) == pytest.approx(191 / 192)
    assert stored.best == pytest.approx(191 / 192)
    # Of uniformly random games x wins 58.49% and o 28.81%: 187/630 more.
    exact = game_value(env, start, (np.mean, np.mean))
    assert exact == pytest.approx(187 / 630)
    error = 1.0 / np.sqrt(stored.episodes)
    assert abs(stored.random - exact) < 3 * error
    assert TicTacToe(misere=True).best_return(0) == pytest.approx(0.84375)


def test_goals_are_boards_that_the_first_player_has_won():
    for misere in (False, True):
        env = TicTacToe(misere=misere)
        states = np.repeat(env.model.reset([0]), 3)
        states["board"][1] = [1, 1, 1, 2, 2, 0, 0, 0, 0]
        states["board"][2] = [2, 2, 2, 1, 1, 0, 0, 0, 0]
        assert env.model.is_goal(states).tolist() == [False, not misere, misere]


def test_words():
    env = TicTacToe()
    env.reset()
    env.step(env.parse("Centre"))
    assert env.state["board"][4] == 1
    assert "_ _ _ / _ x _ / _ _ _" in env.describe()
    assert "o's turn to mark one of: top left, top, top right, left, right" in env.describe()
    for place in ("top left", "top", "bottom", "top right"):
        env.step(env.parse(place))
    assert "It is o's turn" in env.describe()
    for place in ("left", "bottom left"):
        env.step(env.parse(place))
    assert "x has three in a row" in env.describe()
    assert "wins" in env.describe()
    assert "loses" in TicTacToe(misere=True).describe_state(env.state)
    env.state["board"] = [1, 2, 1, 1, 2, 2, 2, 1, 1]
    assert "draw" in env.describe()


def test_marks_are_drawn():
    env = TicTacToe(render_mode="rgb_array")
    env.reset()
    pictures = [env.render()]
    for action in (4, 0):
        env.step(action)
        pictures.append(env.render())
    changed = [(a != b).any(axis=2) for a, b in itertools.pairwise(pictures)]
    for where, place in zip(changed, (4, 0), strict=True):
        rows, columns = np.nonzero(where)
        assert {((r - 12) // 64, (c - 12) // 64) for r, c in zip(rows, columns, strict=True)} == {
            (place // 3, place % 3)
        }
