"""The contracts of Gymnasium and PettingZoo, as checks of the conformance kit."""

import contextlib
import copy
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from .subject import Subject, over, same


def check_interface(subject: Subject) -> None:
    """Gymnasium's checker finds nothing to say, not even a warning; of a game PettingZoo's do."""
    if subject.agents:
        _check_pettingzoo(subject)
        return
    for render_mode in (None, "rgb_array", "ansi"):
        env = subject.single(render_mode=render_mode)
        if env.definition.masked:
            # The checker draws an action, resets, and only then steps: bend it to what is legal.
            step = env.step
            env.step = lambda action, env=env, step=step: step(
                action if env.action_mask()[action] else int(env.action_mask().argmax())
            )
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", message=".*Box observation space.*infinity.*")
            check_env(env, skip_render_check=True)
        env.close()
        env.close()


def _check_pettingzoo(subject: Subject) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Their tests import an example that is deprecated.
        from pettingzoo import test

    from .team import AECFace, ParallelFace

    def aec(**more: Any) -> AECFace:
        return AECFace(subject.construct(**more))

    def parallel(**more: Any) -> ParallelFace:
        return ParallelFace(subject.construct(**more))

    def rendered(render_mode: str) -> AECFace:
        return aec(render_mode=None if render_mode == "human" else render_mode)

    with warnings.catch_warnings(), contextlib.redirect_stdout(None):
        warnings.simplefilter("error")
        for accepted in _RECOMMENDATIONS:
            warnings.filterwarnings("ignore", message=accepted)
        test.api_test(aec(), 100)
        test.seed_test(aec, 100)
        test.render_test(rendered)  # pyright: ignore[reportArgumentType]
        if not aec().joint.definition.turns:
            test.parallel_api_test(parallel(), 100)
            test.parallel_seed_test(parallel, 100)


#: What PettingZoo's tests advise against, but allow.
_RECOMMENDATIONS = (
    ".*We recommend agents to be named",
    ".*numpy array is all zeros",
    ".*more than 3 dimensions",
    ".*Observation is not a NumPy array",
    ".*Observation space for each agent probably should be",
    # The API test itself gives an option that no environment has.
    ".*reset options \\['options'\\] are unknown",
)


def check_types(subject: Subject) -> None:
    """Rewards are `float`, flags `bool`; observations and infos are fresh and inside the space.

    Of a game rewards and terminated flags are arrays of one entry an agent.
    """
    env, rng = subject.single(), np.random.default_rng(0)
    observation, info = env.reset(seed=0)
    for _ in range(60):
        assert observation in env.observation_space, f"{observation!r} is not in the space"
        kept, kept_info = copy.deepcopy(observation), info
        after, reward, terminated, truncated, info = env.step(env.sample_action(rng))
        if subject.agents:
            assert (reward.shape, reward.dtype) == ((len(subject.agents),), np.float32)
            assert (terminated.shape, terminated.dtype) == ((len(subject.agents),), bool)
        else:
            assert type(reward) is float
            assert type(terminated) is bool
        assert type(truncated) is bool
        assert same(observation, kept), "an observation handed out earlier has changed"
        assert info is not kept_info
        mask = info.get("action_mask")
        assert mask is None or (mask.dtype == np.int8 and mask is not kept_info["action_mask"])
        observation = after
        if over(terminated, truncated):
            with pytest.raises(gymnasium.error.ResetNeeded):
                env.step(env.sample_action(rng) if mask is None or mask.any() else 0)
            observation, info = env.reset()
