"""Work that a GPU repeats, launched as one CUDA graph."""

from collections.abc import Callable
from typing import Any

import torch


class Captured:
    """A function without arguments that reads and writes the same tensors at each call.

    On a GPU its first calls run as they are, which compiles and allocates what it needs. Then it is
    captured in a CUDA graph, and each further call is one launch; what it returned at the capture
    is returned again, with the numbers of the latest call. On the CPU it is simply called.

    Args:
        function: what is called; on a GPU it must not wait for the device.
        device: where its tensors are.
        eager_calls: calls before the capture.
    """

    def __init__(
        self, function: Callable[[], Any], device: torch.device | str, eager_calls: int = 1
    ):
        self._function = function
        self._on_gpu = torch.device(device).type == "cuda"
        self._eager_calls = eager_calls
        self._graph: Any = None
        self._result: Any = None

    def __call__(self) -> Any:
        """Call the function, or launch its graph."""
        if not self._on_gpu:
            return self._function()
        if self._eager_calls > 0:
            self._eager_calls -= 1
            return self._function()
        if self._graph is None:
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._result = self._function()
        self._graph.replay()
        return self._result
