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


class Pace:
    """Keeps to one thread while others only wait.

    Threads wait for each other by spinning. Where something else keeps a core busy, a step on all
    threads lasts until the system has given every one of them its turn, which may be fifty times
    what it takes on one. So steps are timed, and what those on all threads take longer than one
    thread is summed up (a cumulative sum test, Page 1954). When it has come to several steps, some
    are made on one thread, twice as many each time, until a try on all pays off again.
    """

    _FIRST, _FEWEST, _MOST, _PATIENCE = 3, 16, 1024, 6.0

    def __init__(self) -> None:
        self._alone = float("inf")  # seconds of a step on one thread, lately
        self._left = self._FIRST
        self._pause = self._FEWEST
        self._lost = 0.0

    @property
    def alone(self) -> bool:
        """Whether the next step is to be made on one thread."""
        return self._left > 0

    def note(self, seconds: float) -> None:
        """Take note of how long that step has taken."""
        if self._left > 0:
            self._left -= 1
            # The first one may have been compiled; later ones may run in busier minutes.
            recent = 0.9 * self._alone + 0.1 * seconds
            self._alone = min(seconds, recent)
            return
        self._lost = max(0.0, self._lost + seconds - self._alone)
        if self._lost > self._PATIENCE * self._alone:
            self._left, self._lost = self._pause, 0.0
            self._pause = min(2 * self._pause, self._MOST)
        elif self._lost == 0.0:
            self._pause = self._FEWEST
