"""How bandit algorithms are measured: regret over time."""

from typing import Any

import gymnasium
import numpy as np

from ...envs.kernel import InvalidArgumentError
from ..core.agent import Agent, interact


def regret_curves(
    agent: Agent, id: str, *, episodes: int = 256, seed: int = 0, **env_kwargs: Any
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The pseudo-regret after each pull, (horizon, episodes).

    Pseudo-regret sums the gaps between the best arm's mean and the means of the arms pulled; its
    expectation is the regret, with less spread than rewards would give.

    Args:
        agent: the agent.
        id: a bandit environment, whose infos hold `pseudo_regret`.
        episodes: how many to play, side by side.
        seed: of the environment and the agent.
        env_kwargs: the environment's arguments.

    Raises:
        InvalidArgumentError: the environment is no bandit.
    """
    env: Any = gymnasium.make_vec(
        id, num_envs=episodes, autoreset_mode="SAME_STEP", copy=False, **env_kwargs
    )
    seen = env.reset(seed=seed)
    if "pseudo_regret" not in seen[1]:
        raise InvalidArgumentError(f"{id} is no bandit: its infos hold no pseudo_regret")
    curves = []
    for step in interact(agent, env, seen, seed):
        over = step.ended.any()  # Every episode of a bandit lasts as long as its horizon.
        last = step.infos["final_info"] if over else step.infos
        curves.append(last["pseudo_regret"])
        if over:
            break
    env.close()
    return np.array(curves)
