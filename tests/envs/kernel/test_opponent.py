import gymnasium
import numpy as np
import pytest

import spelunk
from spelunk.envs.kernel import InvalidArgumentError, UnsupportedFaceError

ID = "spelunk/TicTacToe-v0"


def returns(plays, n=4000):
    """Of uniformly random play against a uniformly random opponent."""
    env = gymnasium.make_vec(
        ID, num_envs=n, opponent="random", plays=plays, autoreset_mode="DISABLED"
    )
    env.reset(seed=0)
    rng, total, done = np.random.default_rng(1), np.zeros(n), np.zeros(n, bool)
    for _ in range(9):
        _, rewards, terminated, _, _ = env.step(env.sample_actions(rng))
        total[~done] += rewards[~done]
        done |= terminated
        if done.all():
            break
        env.reset(options={"reset_mask": done}) if done.any() else None
    return total


def test_random_play_against_random_play_is_worth_what_is_known():
    """Of uniformly random games of noughts and crosses the first wins 187/630 more."""
    expected = 187 / 630
    first, second = returns("first"), returns("second")
    assert first.mean() == pytest.approx(expected, abs=0.05)
    assert second.mean() == pytest.approx(-expected, abs=0.05)
    assert abs(returns("random").mean()) < 0.05


def test_a_step_is_a_move_and_the_reply_to_it():
    env = gymnasium.make(ID, opponent="random")
    observation, info = env.reset(seed=0)
    assert observation.shape == (3, 3, 2)
    assert not observation.any()
    observation, reward, terminated, _, info = env.step(4)
    assert (reward, terminated) == (0.0, False)
    assert observation[1, 1].tolist() == [1, 0]
    assert observation.sum() == 2
    assert info["action_mask"].sum() == 7


def test_the_second_player_finds_a_move_made():
    env = gymnasium.make(ID, opponent="random", plays="second")
    for seed in range(5):
        observation, info = env.reset(seed=seed)
        assert observation[:, :, 0].sum() == 0
        assert observation[:, :, 1].sum() == 1
        assert info["action_mask"].sum() == 8


def test_the_best_replies_win_nearly_always():
    env = gymnasium.make(ID, opponent="random").unwrapped
    assert env.best_return(0) == pytest.approx(191 / 192)
    second = gymnasium.make(ID, opponent="random", plays="second").unwrapped
    assert 0.8 < second.best_return(0) < 191 / 192


def test_without_an_opponent_there_is_no_single_face():
    with pytest.raises(UnsupportedFaceError, match='opponent="random"'):
        gymnasium.make(ID)
    assert spelunk.aec_env(ID).possible_agents == ["x", "o"]
    with pytest.raises(InvalidArgumentError, match="opponent"):
        gymnasium.make(ID, opponent="perfect")
    with pytest.raises(InvalidArgumentError, match="plays"):
        gymnasium.make(ID, opponent="random", plays="third")
    with pytest.raises(InvalidArgumentError, match="needs an opponent"):
        gymnasium.make_vec(ID, num_envs=2, plays="second")


def test_ppo_learns_against_it():
    from spelunk.agents.core.evaluation import evaluate
    from spelunk.agents.core.trainer import Task
    from spelunk.agents.policy.ppo import PPO, Config

    kwargs = {"opponent": "random"}
    trainer = PPO(Task(ID, 80_000, 64, kwargs), Config(num_steps=32))
    while trainer.env_steps < 80_000:
        trainer.step()
    score = evaluate(trainer.agent(), ID, episodes=500, **kwargs)
    assert score.return_mean > 0.7  # at random it is 0.3, at best 0.995
