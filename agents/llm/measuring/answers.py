"""Answers of a language model to problems that it is asked many times each."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from ..agent import LanguageModelAgent
from ..rollout import play
from .measure import Samples

#: The first seed of the problems of tests; training draws from lower ones.
TEST_SEEDS = 2**40
_LANES = 512


def ask(
    agent: LanguageModelAgent,
    env_id: str,
    env_kwargs: Mapping[str, Any],
    *,
    problems: int = 256,
    samples: int = 16,
    seed: int = 0,
) -> Samples:
    """Let an agent play each start several times.

    Args:
        agent: who is asked.
        env_id: the environment; an episode with a return of 1 or more is a right answer.
        env_kwargs: its arguments.
        problems: how many starts.
        samples: how many episodes of each.
        seed: of the agent; the starts are always the same.
    """
    at_once = max(1, _LANES // samples)
    answers, correct = [], []
    for first in range(0, problems, at_once):
        count = min(at_once, problems - first)
        env: Any = gymnasium.make_vec(
            env_id, num_envs=count * samples, autoreset_mode="SAME_STEP", **env_kwargs
        )
        seeds = [TEST_SEEDS + first + lane // samples for lane in range(count * samples)]
        rollout = play(agent, env, seeds, seed=seed * problems + first, pad=agent.model.end)
        env.close()
        right = rollout.rewards.sum(1).numpy() >= 1 - 1e-6
        correct.append(right.reshape(count, samples))
        rows = np.array(rollout.answers, object).reshape(count, samples)
        answers += rows.tolist()
    return Samples(answers, np.concatenate(correct))
