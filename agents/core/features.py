"""From raw observation rows to what networks compute with.

A raw row holds the parts of an observation flattened one after the other, in the dtype the
environment has them in where that is one.
"""

import math
from typing import Any

import numba
import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.nn import functional

from ...envs.kernel.errors import UnsupportedFaceError
from .distributed import World
from .normalization import RunningMoments

#: Integers of fewer values than this are read as kinds, not as quantities.
_MOST_KINDS = 32


class Features(nn.Module):
    """Turns raw observation rows into floats a perceptron can use.

    Small integers stand for kinds of things, whose order means nothing: each becomes a one-hot
    vector. Other bounded numbers are scaled to [−1, 1]; unbounded ones stay as they are.

    Args:
        space: the observation space of one environment; see `parts_of`.
        normalize: whether numbers are normalised by their running moments instead.
    """

    kinds: Tensor
    numbers: Tensor
    offsets: Tensor
    centre: Tensor
    scale: Tensor

    def __init__(self, space: spaces.Space[Any], normalize: bool = False):
        super().__init__()
        boxes = list(parts_of(space).values())
        low = np.concatenate([np.ravel(box.low).astype(np.float64) for box in boxes])
        high = np.concatenate([np.ravel(box.high).astype(np.float64) for box in boxes])
        integer = np.concatenate([np.full(box.low.size, box.dtype.kind in "iu") for box in boxes])
        kinds = integer & (low == 0) & (high > 1) & (high < _MOST_KINDS)
        sizes = (high[kinds] + 1).astype(np.int64)
        bounded = np.isfinite(low) & np.isfinite(high) & (high > low)
        low, high = np.where(bounded, low, -1), np.where(bounded, high, 1)
        self._keep("kinds", np.flatnonzero(kinds), torch.int64)
        self._keep("numbers", np.flatnonzero(~kinds), torch.int64)
        self._keep("offsets", np.cumsum(sizes) - sizes, torch.int32)
        self._keep("centre", (low + high)[~kinds] / 2, torch.float32)
        self._keep("scale", 2 / (high - low)[~kinds], torch.float32)
        self.one_hot_width = int(sizes.sum())
        self.width = self.one_hot_width + int((~kinds).sum())
        self.moments = RunningMoments(int((~kinds).sum())) if normalize else None

    def _keep(self, name: str, values: np.ndarray[Any, Any], dtype: torch.dtype) -> None:
        self.register_buffer(name, torch.as_tensor(values, dtype=dtype), persistent=False)

    def indices(self, rows: Tensor) -> Tensor:
        """(n, kinds): which of the one-hot features are 1."""
        whole = rows if len(self.kinds) == rows.shape[1] else rows[:, self.kinds]
        return (whole.int() if whole.is_floating_point() else whole) + self.offsets

    def quantities(self, rows: Tensor) -> Tensor:
        """(n, numbers): the features that are numbers."""
        some = rows if len(self.numbers) == rows.shape[1] else rows[:, self.numbers]
        if self.moments is not None:
            return self.moments(some.float())
        return (some.float() - self.centre) * self.scale

    def forward(self, rows: Tensor) -> Tensor:
        """(n, raw width) rows to (n, width) floats."""
        parts = []
        if len(self.kinds):
            one_hot = rows.new_zeros((len(rows), self.one_hot_width), dtype=torch.float32)
            parts.append(one_hot.scatter_(1, self.indices(rows).long(), 1.0))
        if len(self.numbers):
            parts.append(self.quantities(rows))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


class InputLayer(nn.Module):
    """A linear layer over `Features` that never writes the one-hot vectors down.

    What they would select of the weights is looked up and summed, which is a fraction of the
    arithmetic of a product with a vector that is nearly all zeros.

    Args:
        features: what the layer reads.
        outputs: its width.
    """

    def __init__(self, features: Features, outputs: int):
        super().__init__()
        self.features = features
        dense = orthogonal(features.width, outputs, gain=math.sqrt(2))
        of_kinds, of_numbers = dense.weight.data.split(
            (features.one_hot_width, features.width - features.one_hot_width), dim=1
        )
        self.table = nn.Parameter(of_kinds.T.contiguous()) if of_kinds.shape[1] else None
        self.weight = nn.Parameter(of_numbers.contiguous()) if of_numbers.shape[1] else None
        self.bias = dense.bias

    def forward(self, rows: Tensor) -> Tensor:
        """(n, raw width) rows to (n, outputs)."""
        if self.table is None:
            return functional.linear(self.features.quantities(rows), self.weight, self.bias)  # pyright: ignore
        indices = self.features.indices(rows)
        if indices.device.type == "cpu" and torch.is_grad_enabled():
            found: Tensor = _SumOfRows.apply(self.table, indices)  # pyright: ignore
        else:
            found = functional.embedding_bag(indices, self.table, mode="sum")
        if self.weight is None:
            return found + self.bias
        return found + functional.linear(self.features.quantities(rows), self.weight, self.bias)


class _SumOfRows(torch.autograd.Function):
    """Sums of rows of a table: torch's own gradient of it is far slower on a CPU."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, indices: Tensor) -> Tensor:
        ctx.save_for_backward(indices)
        ctx.shape = table.shape
        return functional.embedding_bag(indices, table, mode="sum")

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (indices,) = ctx.saved_tensors
        table = torch.zeros(ctx.shape)
        _add_to_rows(table.numpy(), indices.numpy(), gradients[0].float().contiguous().numpy())
        return table, None


@numba.njit(cache=True, nogil=True)
def _add_to_rows(table, indices, gradients):  # pragma: no cover
    """Add each row of gradients to the rows of the table that it was summed from."""
    for i in range(len(indices)):
        gradient = gradients[i]
        for j in range(indices.shape[1]):
            row = table[indices[i, j]]
            for h in range(len(gradient)):
                row[h] += gradient[h]


def orthogonal(inputs: int, outputs: int, gain: float) -> nn.Linear:
    """A linear layer with orthogonal weights of the given gain, and no bias at the start."""
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


@torch.no_grad()
def update_moments(network: nn.Module, rows: Tensor, world: World) -> None:
    """Have all running moments of a network take note of what these rows show them."""
    hooks = [
        module.register_forward_pre_hook(lambda moments, given: _note(moments, given[0], world))
        for module in network.modules()
        if isinstance(module, RunningMoments)
    ]
    if hooks:
        network(rows)
    for hook in hooks:
        hook.remove()


def _note(moments: Any, rows: Tensor, world: World) -> None:
    moments.update(rows, world)


def parts_of(space: spaces.Space[Any]) -> dict[str, spaces.Box]:
    """The parts of an observation as boxes, in the order of a raw row.

    Args:
        space: a `Box`, `Discrete`, `MultiDiscrete`, `MultiBinary`, or a `Dict` of such.

    Raises:
        UnsupportedFaceError: for any other space.
    """
    if isinstance(space, spaces.Dict):
        found: dict[str, spaces.Box] = {}
        for name, part in space.spaces.items():
            inner = parts_of(part)
            found |= {f"{name}.{k}" if k else name: box for k, box in inner.items()}
        return found
    if isinstance(space, spaces.Discrete):
        low = int(space.start)
        return {"": spaces.Box(low, low + int(space.n) - 1, (1,), np.int64)}
    if isinstance(space, spaces.MultiDiscrete):
        start = np.asarray(space.start)
        return {"": spaces.Box(start, start + space.nvec - 1, dtype=np.int64)}
    if isinstance(space, spaces.MultiBinary):
        return {"": spaces.Box(0, 1, space.shape, np.int8)}
    if isinstance(space, spaces.Box):
        return {"": space}
    raise UnsupportedFaceError(f"no network reads observations of {space}")


def flatten_observations(observations: Any) -> Tensor:
    """A batch of observations as one tensor of rows (n, width), without a copy where possible."""
    if isinstance(observations, dict):
        parts = [flatten_observations(part).float() for part in observations.values()]
        return torch.cat(parts, dim=1)
    rows = torch.as_tensor(observations)
    return rows.flatten(1) if rows.ndim > 1 else rows.unsqueeze(1)
