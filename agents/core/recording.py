"""Moving pictures of an agent at work."""

from pathlib import Path
from typing import Any

import gymnasium
import imageio.v3 as imageio
import numpy as np

from ...envs.kernel.errors import UnsupportedFaceError
from ...envs.registry import entry
from .agent import Agent, interact

_LAST = 4  # how many times the last picture of an episode is shown


def record(
    agent: Agent,
    id: str,
    path: Path,
    *,
    episodes: int = 3,
    max_frames: int = 300,
    seed: int = 0,
    **env_kwargs: Any,
) -> None:
    """Write an animated GIF of an agent's first episodes from `seed`.

    Args:
        agent: the agent.
        id: the environment.
        path: the file, ending in `.gif`.
        episodes: how many episodes to show, one after the other.
        max_frames: where the film ends at the latest, in the middle of an episode if need be.
        seed: of the first; each next has the next seed.
        env_kwargs: the environment's arguments.

    Raises:
        UnsupportedFaceError: the environment cannot be drawn.
    """
    if "rgb_array" not in entry(id).faces:
        raise UnsupportedFaceError(f"{id} cannot be drawn: it has no rgb_array face")
    env: Any = gymnasium.make_vec(id, num_envs=1, autoreset_mode="SAME_STEP", **env_kwargs)
    frames: list[np.ndarray[Any, Any]] = []
    for episode in range(episodes):
        seen = env.reset(seed=seed + episode)
        frames.append(env.prototype.draw_state(env.states[0]))
        for step in interact(agent, env, seen, seed + episode):
            ended = step.ended[0]
            state = env.final_states[0] if ended else env.states[0]
            frames += [env.prototype.draw_state(state)] * (_LAST if ended else 1)
            if ended or len(frames) >= max_frames:
                break
        if len(frames) >= max_frames:
            break
    rate = env.metadata["render_fps"]
    env.close()
    imageio.imwrite(path, _same_size(frames[:max_frames]), duration=1000 / rate, loop=0)


def _same_size(frames: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """The pictures as one array, (n, H, W, 3): episodes may differ in size."""
    height, width = np.max([frame.shape[:2] for frame in frames], axis=0)
    film = np.zeros((len(frames), height, width, 3), np.uint8)
    for place, frame in zip(film, frames, strict=True):
        place[: frame.shape[0], : frame.shape[1]] = frame
    return film
