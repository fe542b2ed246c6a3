"""Gymnasium environments for search and exploration, and the agents that learn to explore them.

Importing this package registers the environments: `gymnasium.make("spelunk/DoorKey-v0")`. Anything
heavier than Gymnasium is imported when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from spelunk.envs.registry import register_all

if TYPE_CHECKING:
    from spelunk.envs.kernel import KernelEnv, KernelVectorEnv, kernel, restore
    from spelunk.envs.multi_agent import aec_env, parallel_env
    from spelunk.envs.reference import Reference, reference
    from spelunk.wrappers.adapters.sb3 import as_sb3_vec_env
    from spelunk.wrappers.adapters.trl import as_trl_task

__version__ = "0.1.0"

_LAZY = {
    "KernelEnv": "spelunk.envs.kernel",
    "KernelVectorEnv": "spelunk.envs.kernel",
    "Reference": "spelunk.envs.reference",
    "aec_env": "spelunk.envs.multi_agent",
    "as_sb3_vec_env": "spelunk.wrappers.adapters.sb3",
    "as_trl_task": "spelunk.wrappers.adapters.trl",
    "kernel": "spelunk.envs.kernel",
    "parallel_env": "spelunk.envs.multi_agent",
    "reference": "spelunk.envs.reference",
    "restore": "spelunk.envs.kernel",
}

__all__ = [
    "KernelEnv",
    "KernelVectorEnv",
    "Reference",
    "aec_env",
    "as_sb3_vec_env",
    "as_trl_task",
    "kernel",
    "parallel_env",
    "reference",
    "restore",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'spelunk' has no attribute {name!r}")


register_all()
