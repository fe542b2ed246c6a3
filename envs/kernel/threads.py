"""When a batch may be spread over Numba's threads.

After one parallel call a forked child is killed by the OpenMP layer, and the `workqueue` layer
aborts the process when two Python threads call it. So threads are used from the process and the
thread that imported this module only, and never through `workqueue`.
"""

import functools
import importlib
import os
import threading

from numba.core import config

#: Below this many environments one thread is faster than waking others.
MIN_BATCH = 512

_home = os.getpid()


@functools.cache
def _safe_layer() -> bool:
    for layer in ("tbbpool", "omppool"):
        try:
            importlib.import_module(f"numba.np.ufunc.{layer}")
            return True
        except ImportError:
            continue
    return False


def threads_for(num_envs: int, wanted: int | None) -> int:
    """How many threads a batch is to be spread over here and now.

    Args:
        num_envs: the size of the batch.
        wanted: the number asked for; None for as many as pay off.
    """
    available: int = config.NUMBA_NUM_THREADS  # pyright: ignore[reportAttributeAccessIssue]
    most = min(wanted or available, available)
    if most == 1 or (wanted is None and num_envs < MIN_BATCH):
        return 1
    if os.getpid() != _home or threading.current_thread() is not threading.main_thread():
        return 1
    return most if _safe_layer() else 1
