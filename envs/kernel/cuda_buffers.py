"""The memory of a batch on a GPU: torch tensors, some of which hold records."""

from typing import Any

import numpy as np
import torch

from .buffers import Buffers
from .definition import Definition
from .device import dtypes_of, to_device, views

Tensor = torch.Tensor


class DeviceBuffers(Buffers):
    """The tensors of a batch on a device; see `Buffers`."""

    def __init__(
        self, definition: Definition, num_envs: int, copy: bool, finals: bool, device: torch.device
    ):
        super().__init__(definition, num_envs, copy, finals)
        arrays = {name: value for name, value in vars(self).items() if _holds_arrays(value)}
        self._dtypes = {name: dtypes_of(array) for name, array in arrays.items()}
        for name, array in arrays.items():
            setattr(self, name, to_device(array, device))
        self.rows = self.observations
        self._own = {name: getattr(self, name) for name in self._own}
        self._views: dict[str, Any] = {}

    def view(self, name: str) -> Any:
        """The kernels' view of a buffer."""
        view = self._views.get(name)
        if view is None:
            view = self._views[name] = views(getattr(self, name), self._dtypes[name])
        return view

    def give(self, **arrays: Any) -> None:
        super().give(**arrays)
        self._views.clear()

    def turn_over(self) -> None:
        """Nothing: a CUDA graph writes to the same addresses each time."""

    def show_rows(self) -> None:
        if self.rows is not self.observations:
            for target, source in zip(_parts(self.observations), _parts(self.rows), strict=True):
                target.copy_(source)

    def copied(self, name: str) -> Tensor:
        values = getattr(self, name)
        return values.clone() if self._copy or name == "mask" else values

    def shown(self, name: str) -> Any:
        values = getattr(self, name)
        copy = self._copy and name not in self._given
        parts = [part.clone() if copy else part for part in _parts(values)]
        return dict(zip(values._fields, parts, strict=True)) if _is_tuple(values) else parts[0]

    def _shared(self, given: Any, own: Tensor) -> Tensor | None:
        fits = (
            isinstance(given, Tensor)
            and given.device == own.device
            and given.dtype == own.dtype
            and given.shape == own.shape
            and given.is_contiguous()
        )
        return given if fits else None


def _parts(values: Any) -> tuple[Tensor, ...]:
    return values if _is_tuple(values) else (values,)


def _is_tuple(values: Any) -> bool:
    return isinstance(values, tuple)


def _holds_arrays(value: Any) -> bool:
    return isinstance(value, np.ndarray) or hasattr(value, "_fields")


def records(states: Tensor, definition: Definition) -> np.ndarray[Any, Any]:
    """A copy of records of bytes on the host."""
    return np.array(states.cpu().numpy()).reshape(-1).view(definition.layout.dtype)


def field(states: Tensor, definition: Definition, name: str) -> Tensor:
    """One field of records of bytes, (n, …): a view of the same memory.

    Unsigned integers of more than 8 bits come as signed ones, which torch can reckon with.
    """
    fields: Any = definition.layout.dtype.fields
    dtype, offset = fields[name][:2]
    base, shape = dtype.subdtype or (dtype, ())
    if base.kind == "u" and base.itemsize > 1:
        base = np.dtype(f"i{base.itemsize}")
    values = states[:, offset : offset + dtype.itemsize]
    values = values.view(torch.from_numpy(np.empty(0, base)).dtype)
    return values.unflatten(1, shape) if shape else values[:, 0]
