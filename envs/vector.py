"""Vector constructors under the names of the environments' classes, for `gymnasium.make_vec`."""

import functools
from typing import Any

from .kernel import HostEnv, HostVectorEnv, KernelVectorEnv
from .registry import ENTRIES


def __getattr__(name: str) -> Any:
    for row in ENTRIES:
        if row.name == name:
            env_class = row.load()
            batch = HostVectorEnv if issubclass(env_class, HostEnv) else KernelVectorEnv
            return functools.partial(batch, env_class)
    raise AttributeError(f"no environment's class is called {name}")
