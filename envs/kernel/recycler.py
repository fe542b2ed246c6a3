"""Arrays that are handed out, from memory that callers have let go of."""

import sys
from typing import Any

import numpy as np

_KEPT = 4


class Recycler:
    """Hands out arrays of one shape and dtype, from few buffers used again and again.

    Fresh memory for every step's observations costs more in page faults than filling it. A buffer
    is used again only when nobody but this object refers to it: what is handed out is a view, and
    every view of it, in NumPy or torch, keeps a reference to the buffer.
    """

    def __init__(self) -> None:
        self._buffers: list[np.ndarray[Any, Any]] = [np.empty(0)]
        # How many references the loop in `take` sees of a buffer that nobody else holds.
        for buffer in self._buffers:
            self._idle = sys.getrefcount(buffer)
        self._buffers.clear()

    def take(self, like: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """An array like the given one that nobody else holds, with anything in it.

        `like` must have the same shape and dtype at each call.
        """
        for buffer in self._buffers:
            if sys.getrefcount(buffer) == self._idle:
                return buffer.view()
        buffer = np.empty_like(like)
        if len(self._buffers) < _KEPT:
            self._buffers.append(buffer)
        return buffer.view()

    def copy(self, source: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """A copy of `source`; see `take`."""
        copied = self.take(source)
        np.copyto(copied, source)
        return copied
