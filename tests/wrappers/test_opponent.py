import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import spelunk
from spelunk.envs.kernel import InvalidActionError, InvalidArgumentError
from spelunk.envs.kernel.game_tree import GameTree
from spelunk.wrappers.opponent import Opponent

ID = "spelunk/TicTacToe-v0"


def lowest(observation, mask, game):
    return int(np.flatnonzero(mask)[0])


def perfect(observation, mask, game):
    """The reply after which the other gets least, by search of the whole game."""
    tree, sign = GameTree(game, ("max", "min")), 1 if game.state["turn"] == 0 else -1
    children = game.model.successors(game.snapshot()[None])
    values = {}
    for action in np.flatnonzero(mask):
        value = float(children.rewards[0, action, 0])
        if not children.terminated[0, action].all():
            value += tree.value(children.states[0, action : action + 1])
        values[int(action)] = sign * value
    return max(values, key=lambda action: values[action])


@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version")
def test_gymnasiums_checker():
    env = Opponent(spelunk.aec_env(ID), lowest)
    step = env.step
    env.step = lambda action: step(
        action if env.unwrapped.action_mask()[action] else int(env.unwrapped.action_mask().argmax())
    )
    check_env(env, skip_render_check=True)


def test_a_step_is_a_move_and_the_reply_to_it():
    env = Opponent(spelunk.aec_env(ID), lowest)
    observation, info = env.reset(seed=0)
    assert not observation.any()
    observation, reward, terminated, _, info = env.step(4)
    assert observation[:, :, 0].sum() == 1
    assert observation[0, 0].tolist() == [0, 1]
    assert np.flatnonzero(info["action_mask"]).tolist() == [1, 2, 3, 5, 6, 7, 8]
    _, reward, terminated, _, _ = env.step(2)
    assert (reward, terminated) == (0.0, False)
    _, reward, terminated, _, _ = env.step(6)  # 2, 4, 6 are in a line
    assert (reward, terminated) == (1.0, True)


def test_the_second_player():
    env = Opponent(spelunk.aec_env(ID), lowest, plays="second")
    observation, _ = env.reset(seed=0)
    assert observation[0, 0].tolist() == [0, 1]
    env.step(4)
    _, reward, terminated, _, _ = env.step(3)
    assert (reward, terminated) == (-1.0, True)  # 0, 1, 2 are in a line


def test_nobody_beats_perfect_play():
    env, rng = Opponent(spelunk.aec_env(ID), perfect, plays="random"), np.random.default_rng(0)
    for seed in range(6):
        _, info = env.reset(seed=seed)
        over, total = False, 0.0
        while not over:
            _, reward, over, _, info = env.step(rng.choice(np.flatnonzero(info["action_mask"])))
            total += reward
        assert total <= 0


def test_illegal_replies_and_wrong_arguments():
    env = Opponent(spelunk.aec_env(ID), lambda observation, mask, game: 4)
    env.reset(seed=0)
    with pytest.raises(InvalidActionError):
        env.step(4)
    with pytest.raises(InvalidArgumentError, match="plays"):
        Opponent(spelunk.aec_env(ID), lowest, plays="third")
    with pytest.raises(InvalidArgumentError, match="two in turns"):
        Opponent(spelunk.aec_env("spelunk/PressurePlates-v0"), lowest)
