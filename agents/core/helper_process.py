"""Processes that work for another one."""

import os
import signal
import threading
from multiprocessing import parent_process
from typing import Any


def begin_helper() -> None:
    """To be called first in a process that another has started: leave it to that one when to stop.

    Signals to stop are ignored, as terminals send them to both; when the other process is gone,
    however it ended, this one ends too.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent: Any = parent_process()
    parent.join()
    os._exit(1)
