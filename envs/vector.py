"""Vector constructors under the names of the environments' classes, for `gymnasium.make_vec`."""

import functools
from typing import Any

from .kernel import KernelVectorEnv
from .registry import ENTRIES


def __getattr__(name: str) -> Any:
    for row in ENTRIES:
        if row.name == name:
            return functools.partial(KernelVectorEnv, row.load())
    raise AttributeError(f"no environment's class is called {name}")
