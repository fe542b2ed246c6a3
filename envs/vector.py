"""Vector constructors under the names of the environments' classes, for `gymnasium.make_vec`."""

import functools
from typing import Any

from .kernel import HostEnv, HostVectorEnv, KernelVectorEnv
from .registry import ENTRIES, Entry


def __getattr__(name: str) -> Any:
    for row in ENTRIES:
        if row.name == name:
            return functools.partial(_make, row)
    raise AttributeError(f"no environment's class is called {name}")


def _make(row: Entry, num_envs: int = 1, *, device: str = "cpu", **kwargs: Any) -> Any:
    env_class = row.load()
    if device == "cpu":
        batch = HostVectorEnv if issubclass(env_class, HostEnv) else KernelVectorEnv
        return batch(env_class, num_envs, **kwargs)
    row.require("cuda")
    from .kernel.cuda import CudaVectorEnv  # Torch and Numba's CUDA compiler, only when wanted.

    return CudaVectorEnv(env_class, num_envs, device=device, **kwargs)
