"""`@kernel`: the one decorator under which an environment's dynamics are written."""

from collections.abc import Callable
from typing import Any

import numba
from numba.core import config

_SIMULATED = bool(config.ENABLE_CUDASIM)  # pyright: ignore[reportAttributeAccessIssue]

#: True when kernels run as plain Python: `NUMBA_DISABLE_JIT=1`, or the CUDA simulator.
PLAIN_PYTHON: bool = (
    _SIMULATED or bool(config.DISABLE_JIT)  # pyright: ignore[reportAttributeAccessIssue]
)


def kernel(function: Callable[..., Any]) -> Any:
    """Mark a module-level function as a kernel: compiled by Numba, callable from other kernels.

    A kernel works on state records, parameter tuples and arrays only. It reads small integer and
    `float32` fields through `int(...)` and `float(...)`, calls `math.*` rather than `np.sin` and
    the like, and draws randomness only through `spelunk.envs.kernel.rng`, so that it computes the
    same bits as plain Python, in a batch and on any number of threads.

    The function itself is returned in the CUDA simulator, which can only call plain Python.
    """
    if _SIMULATED:
        return function
    # "numpy": a division by zero gives inf or nan instead of an exception no batch could raise.
    return numba.njit(error_model="numpy")(function)
