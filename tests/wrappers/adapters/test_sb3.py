import gymnasium
import numpy as np
import pytest

import spelunk
from spelunk.envs.kernel import InvalidArgumentError


def make(id="spelunk/DoorKey-v0", num_envs=8, **kwargs):
    env = gymnasium.make_vec(id, num_envs=num_envs, autoreset_mode="SAME_STEP", **kwargs)
    return spelunk.as_sb3_vec_env(env)


def test_other_reset_modes_are_refused():
    with pytest.raises(InvalidArgumentError, match="SAME_STEP"):
        spelunk.as_sb3_vec_env(gymnasium.make_vec("spelunk/DoorKey-v0", num_envs=2))


def test_endings_are_told_in_sb3s_words():
    env, twin = make(size=5, max_episode_steps=4), make(size=5, max_episode_steps=4)
    env.seed(3)
    twin.seed(3)
    assert (env.reset() == twin.reset()).all()
    for _ in range(3):
        *_, dones, infos = env.step(np.zeros(8, int))
        assert not dones.any()
        assert "terminal_observation" not in infos[0]
    first = twin.env.prototype.model.observe(twin.env.snapshot())
    observations, _, dones, infos = env.step(np.zeros(8, int))
    assert dones.all()
    for i, info in enumerate(infos):
        assert info["TimeLimit.truncated"] is True
        assert info["episode"] == {"r": 0.0, "l": 4}
        # After four left turns the agent looks where it looked at first.
        assert (info["terminal_observation"] == first[i]).all()
    assert not (observations == np.stack([i["terminal_observation"] for i in infos])).all()


def test_masks_are_a_method_of_the_batch_and_of_each_lane():
    env = make("spelunk/SlidingTile-v0")
    env.reset()
    assert env.has_attr("action_masks")
    assert (np.stack(env.env_method("action_masks")) == env.action_masks()).all()
    assert env.action_masks().dtype == bool
    assert (env.action_masks() == env.env.action_mask).all()


@pytest.mark.slow
def test_sb3_learns_door_key():
    from stable_baselines3 import PPO

    env = make(size=5, num_envs=32)
    model = PPO(
        "MlpPolicy", env, n_steps=64, batch_size=512, n_epochs=4, learning_rate=1e-3,
        ent_coef=0.01, gae_lambda=0.95, seed=0, device="cpu",
    )  # fmt: skip
    model.learn(250_000)
    returns = [episode["r"] for episode in model.ep_info_buffer or ()]
    assert np.mean(returns) > 0.9
