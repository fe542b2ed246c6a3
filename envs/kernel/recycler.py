"""Copies of large arrays that reuse memory the caller has let go of."""

import sys
from typing import Any

import numpy as np

_KEPT = 4


class Recycler:
    """Hands out copies of same-shaped arrays, from few buffers used again and again.

    Fresh memory for every step's observations costs more in page faults than the copy itself. A
    buffer is used again only when nobody but this object refers to it: what is handed out is a
    view, and every view of it, in NumPy or torch, keeps a reference to the buffer.
    """

    def __init__(self) -> None:
        self._buffers: list[np.ndarray[Any, Any]] = [np.empty(0)]
        # How many references the loop in `copy` sees of a buffer that nobody else holds.
        for buffer in self._buffers:
            self._idle = sys.getrefcount(buffer)
        self._buffers.clear()

    def copy(self, source: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """A copy of `source`, which must have the same shape and dtype at each call."""
        for buffer in self._buffers:
            if sys.getrefcount(buffer) == self._idle:
                np.copyto(buffer, source)
                return buffer.view()
        buffer = source.copy()
        if len(self._buffers) < _KEPT:
            self._buffers.append(buffer)
        return buffer.view()
