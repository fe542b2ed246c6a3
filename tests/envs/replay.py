"""Plays one episode after another on each face of an environment and notes all that it shows.

`python -m tests.envs.replay` does so for the lines of JSON on its standard input, so that other
processes, with other threads or without compilation, can be compared with this one.
"""

import hashlib
import importlib
import json
import sys
from typing import Any

import numpy as np
from gymnasium import spaces

from spelunk.envs.kernel import KernelEnv, Model
from spelunk.envs.kernel.batch import BatchEnv
from spelunk.envs.kernel.host import HostEnv, HostVectorEnv
from spelunk.envs.kernel.vector import KernelVectorEnv

_LANE, _LANES = 2, 4  # the lane of a batch that is compared, and how many there are


def load(name: str) -> type[Any]:
    """The class of `module:Class`."""
    module, attribute = name.split(":")
    return getattr(importlib.import_module(module), attribute)


def choose(env_space: Any, mask: Any, draw: float) -> Any:
    """An action for a number in [0, 1]: a legal one, or one of a box with its corners."""
    if isinstance(env_space, spaces.Discrete):
        legal = np.arange(env_space.n) if mask is None else np.flatnonzero(mask)
        return int(legal[min(int(draw * len(legal)), len(legal) - 1)]) if len(legal) else 0
    if isinstance(env_space, spaces.MultiDiscrete):
        rows = np.ones((len(env_space.nvec), env_space.nvec[0])) if mask is None else mask
        parts = [draw * 7**i % 1.0 for i in range(len(rows))]
        one = [
            choose(spaces.Discrete(len(row)), row, part)
            for row, part in zip(rows, parts, strict=True)
        ]
        return np.array(one)
    signs = np.linspace(draw, 1 - draw, env_space.shape[0]) * 2 - 1
    return np.clip(signs * 1.2, env_space.low, env_space.high).astype(env_space.dtype)


def digest(*parts: Any) -> str:
    """A short hash of arrays, numbers and dicts of them."""
    found = hashlib.sha256()
    for part in parts:
        values = part.values() if isinstance(part, dict) else [part]
        for value in values:
            found.update(np.asarray(value).tobytes())
    return found.hexdigest()[:12]


def outcome(observation: Any, reward: Any, terminated: Any, truncated: Any, info: Any) -> str:
    """The digest of a step."""
    shown = [info[name] for name in sorted(info)]
    flags = np.asarray(terminated, bool), np.asarray(truncated, bool)
    return digest(observation, np.asarray(reward, np.float32), *flags, *map(float_or_mask, shown))


def float_or_mask(value: Any) -> Any:
    """Metrics as one type: the single face gives Python's numbers."""
    array = np.asarray(value)
    return array if array.dtype == np.int8 and array.ndim else array.astype(np.float64)


def play_single(env: Any, seed: int, draws: list[float]) -> list[str]:
    """Digests of the steps, and of the observation of each reset."""
    observation, info = env.reset(seed=seed)
    shown = [digest(observation)]
    for draw in draws:
        if env.state["done"]:
            observation, info = env.reset()
            shown.append(digest(observation))
            continue
        mask = info.get("action_mask")
        observation, reward, terminated, truncated, info = env.step(
            choose(env.definition.action_space, mask, draw)
        )
        shown.append(outcome(observation, reward, terminated, truncated, info))
    return shown


def play_batch(env: BatchEnv, seed: int, draws: list[float]) -> list[str]:
    """The same of one lane of a batch in next-step mode."""
    observations, infos = env.reset(seed=seed - _LANE)
    shown = [digest(row(observations))]
    for draw in draws:
        over = env.states["done"].copy()
        masks = infos.get("action_mask", [None] * _LANES)
        actions = [
            choose(env.single_action_space, mask, draw)
            for mask in (masks if len(masks) == _LANES else [None] * _LANES)
        ]
        observations, rewards, terminated, truncated, infos = env.step(np.array(actions))
        if over[_LANE]:
            shown.append(digest(row(observations)))
            continue
        names = ("action_mask", *env.definition.metrics)
        info = {name: infos[name][_LANE] for name in names if name in infos}
        shown.append(
            outcome(row(observations), rewards[_LANE], terminated[_LANE], truncated[_LANE], info)
        )
    return shown


def row(observations: Any) -> Any:
    """The compared lane's observation."""
    if isinstance(observations, dict):
        return {name: part[_LANE] for name, part in observations.items()}
    return observations[_LANE]


def play_model(model: Model, env: KernelEnv, seed: int, draws: list[float]) -> None:
    """Step the model beside the environment until the episode ends; they must agree."""
    _, info = env.reset(seed=seed)
    states = model.reset([seed])
    for draw in draws:
        action = choose(env.definition.action_space, info.get("action_mask"), draw)
        states, rewards, terminated = model.step(states, [action])
        _, reward, over, truncated, info = env.step(action)
        assert digest(rewards[0]) == digest(np.float32(reward))
        assert np.array_equal(terminated[0], over)
        assert (model.key(states) == model.key(env.snapshot()[None])).all()
        if np.all(over) or truncated:
            return


def batch(cls: type[Any], kwargs: dict[str, Any], threads: int) -> BatchEnv:
    """A batch of a class that need not be registered."""
    kind = HostVectorEnv if issubclass(cls, HostEnv) else KernelVectorEnv
    return kind(cls, _LANES, num_threads=threads, **kwargs)


def main() -> None:
    """Answer each line of requests with a line of digests: of one environment, and of a lane."""
    for line in sys.stdin:
        name, kwargs, seed, draws = json.loads(line)
        single = play_single(load(name)(**kwargs), seed, draws)
        lane = play_batch(batch(load(name), kwargs, 1), seed, draws)
        print(json.dumps([single, lane]), flush=True)


if __name__ == "__main__":
    main()
