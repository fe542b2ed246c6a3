"""Throughput of an environment under random actions."""

import time
from typing import Any

import gymnasium
import numpy as np

_REPEATS = 5


def throughput(
    env_id: str, env_kwargs: dict[str, Any], num_envs: int, threads: int | None, seconds: float
) -> dict[str, Any]:
    """Steps a second over all environments, the median of five repeats.

    Actions are legal, random and drawn beforehand where the mask allows it: where not every action
    is legal, drawing them from the mask is part of what is timed.
    """
    start = time.perf_counter()
    env: Any = gymnasium.make_vec(
        env_id, num_envs=num_envs, num_threads=threads, autoreset_mode="SAME_STEP", **env_kwargs
    )
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    env.step(env.sample_actions(rng))
    first = time.perf_counter() - start
    masked = env.action_mask is not None
    drawn = [env.sample_actions(rng) for _ in range(1 if masked else 64)]
    rates = []
    for _ in range(_REPEATS):
        steps, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < seconds:
            env.step(env.sample_actions(rng) if masked else drawn[steps % len(drawn)])
            steps += 1
        rates.append(steps * num_envs / (time.perf_counter() - begin))
    env.close()
    return {
        "id": env_id,
        "env_kwargs": env_kwargs,
        "num_envs": num_envs,
        "threads": env.threads,
        "device": "cpu",
        "steps_per_second": float(np.median(rates)),
        "first_step_seconds": first,
    }
