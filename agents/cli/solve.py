"""Solving one instance with a planner."""

import time
from typing import Any

import gymnasium

from ..planning.plan_agent import PlanAgent


def solve(planner: PlanAgent, env_id: str, env_kwargs: dict[str, Any], seed: int) -> dict[str, Any]:
    """Plan from `reset(seed=seed)`, carry the plan out, and tell what it took.

    Args:
        planner: the planner.
        env_id: the environment.
        env_kwargs: its arguments.
        seed: of the instance.

    Returns:
        The figures of the search; `plan`, the actions in words (empty where none was found), and
        the `return` of carrying it out.
    """
    env: Any = gymnasium.make_vec(env_id, num_envs=1, autoreset_mode="SAME_STEP", **env_kwargs)
    env.reset(seed=seed)
    planner.start(env, seed)
    begin = time.perf_counter()
    plan = planner.plan(env.states[:1].copy())
    seconds = time.perf_counter() - begin
    words, total = [], 0.0
    for action in plan or ():
        words.append(env.action_words(0, action))
        total += float(env.step([action])[1][0])
    return {
        "id": env_id,
        "env_kwargs": env_kwargs,
        "seed": seed,
        "seconds": seconds,
        **planner.figures(),
        "steps": len(words),
        "return": total if words else None,
        "plan": words,
    }
