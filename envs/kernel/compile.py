"""`@kernel`: the one decorator under which an environment's dynamics are written."""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.core import config

#: True in Numba's CUDA simulator, `NUMBA_ENABLE_CUDASIM=1`.
SIMULATED: bool = bool(config.ENABLE_CUDASIM)  # pyright: ignore[reportAttributeAccessIssue]
if SIMULATED:
    # The simulator calls plain functions only, and compiled loops cannot call those.
    config.DISABLE_JIT = True  # pyright: ignore[reportAttributeAccessIssue]

#: True when kernels run as plain Python: `NUMBA_DISABLE_JIT=1`, or the CUDA simulator.
PLAIN_PYTHON: bool = bool(config.DISABLE_JIT)  # pyright: ignore[reportAttributeAccessIssue]

#: How kernels and the loops over them are compiled. The error model "numpy" makes a division by
#: zero inf or nan instead of an exception, which no batch could raise. Without Numba's run-time
#: system arrays cannot be made, and are not counted as references, which would cost more than most
#: environments do.
OPTIONS: dict[str, Any] = {"error_model": "numpy", "_nrt": False}


def kernel(function: Callable[..., Any]) -> Any:
    """Mark a module-level function as a kernel: compiled by Numba, callable from other kernels.

    A kernel works on state records, parameter tuples and arrays only, and makes no new arrays. It
    reads small integer and `float32` fields through `int(...)` and `float(...)`, calls `math.*`
    rather than `np.sin` and the like, and draws randomness only through `spelunk.envs.kernel.rng`,
    so that it computes the same bits as plain Python, in a batch and on any number of threads.
    """
    return numba.njit(**OPTIONS)(function)


def compiled(function: Callable[..., Any]) -> Any:
    """Mark a loop that Python calls: compiled, kept on disk, run without the interpreter's lock.

    Like a kernel it makes no new arrays, and assigns to no slices of arrays.
    """
    return _loop(function, OPTIONS)


def compiled_with_arrays(function: Callable[..., Any]) -> Any:
    """Mark a loop as `compiled` does, one that makes or slices arrays."""
    return _loop(function, {"error_model": "numpy"})


def _loop(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    if PLAIN_PYTHON:  # 64-bit wrap-around is what random numbers and hashes mean
        return np.errstate(over="ignore")(function)
    return numba.njit(cache=True, nogil=True, **options)(function)
