"""Moving pictures of an agent at work."""

from pathlib import Path
from typing import Any

import gymnasium
import imageio.v3 as imageio
import numpy as np

from .agent import Agent, interact

_LAST = 4  # how many times the last picture of an episode is shown


def record(
    agent: Agent, id: str, path: Path, *, episodes: int = 3, seed: int = 0, **env_kwargs: Any
) -> None:
    """Write an animated GIF of an agent's first episodes from `seed`.

    Args:
        agent: the agent.
        id: the environment.
        path: the file, ending in `.gif`.
        episodes: how many episodes to show, one after the other.
        seed: of the first; each next has the next seed.
        env_kwargs: the environment's arguments.
    """
    env: Any = gymnasium.make_vec(id, num_envs=1, autoreset_mode="SAME_STEP", **env_kwargs)
    frames: list[np.ndarray[Any, Any]] = []
    for episode in range(episodes):
        seen = env.reset(seed=seed + episode)
        frames.append(env.prototype.draw_state(env.states[0]))
        for step in interact(agent, env, seen, seed + episode):
            ended = step.ended[0]
            state = env.final_states[0] if ended else env.states[0]
            frames += [env.prototype.draw_state(state)] * (_LAST if ended else 1)
            if ended:
                break
    rate = env.metadata["render_fps"]
    env.close()
    imageio.imwrite(path, np.stack(frames), duration=1000 / rate, loop=0)
