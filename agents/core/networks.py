"""Networks over any observation of the suite."""

import math
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from ...envs.kernel.errors import UnsupportedFaceError

#: Integers of fewer values than this are read as kinds, not as quantities.
_MOST_KINDS = 32


class Features(nn.Module):
    """Turns raw observation rows into floats a perceptron can use.

    Small integers stand for kinds of things, whose order means nothing: each becomes a one-hot
    vector. Other bounded numbers are scaled to [−1, 1]; unbounded ones stay as they are.

    Args:
        space: the observation space of one environment, a `Box` or a `Dict` of them.
    """

    kinds: Tensor
    numbers: Tensor
    offsets: Tensor
    centre: Tensor
    scale: Tensor

    def __init__(self, space: spaces.Space[Any]):
        super().__init__()
        boxes = space.spaces.values() if isinstance(space, spaces.Dict) else [space]
        boxes = [_box(box) for box in boxes]
        low = np.concatenate([np.ravel(box.low).astype(np.float64) for box in boxes])
        high = np.concatenate([np.ravel(box.high).astype(np.float64) for box in boxes])
        integer = np.concatenate([np.full(box.low.size, box.dtype.kind in "iu") for box in boxes])
        kinds = integer & (low == 0) & (high > 1) & (high < _MOST_KINDS)
        sizes = (high[kinds] + 1).astype(np.int64)
        bounded = np.isfinite(low) & np.isfinite(high) & (high > low)
        low, high = np.where(bounded, low, -1), np.where(bounded, high, 1)
        self._keep("kinds", np.flatnonzero(kinds), torch.int64)
        self._keep("numbers", np.flatnonzero(~kinds), torch.int64)
        self._keep("offsets", np.cumsum(sizes) - sizes, torch.int64)
        self._keep("centre", (low + high)[~kinds] / 2, torch.float32)
        self._keep("scale", 2 / (high - low)[~kinds], torch.float32)
        self.one_hot_width = int(sizes.sum())
        self.width = self.one_hot_width + int((~kinds).sum())

    def _keep(self, name: str, values: np.ndarray[Any, Any], dtype: torch.dtype) -> None:
        self.register_buffer(name, torch.as_tensor(values, dtype=dtype), persistent=False)

    def forward(self, rows: Tensor) -> Tensor:
        """(n, raw width) rows to (n, width) floats."""
        parts = []
        if len(self.kinds):
            one_hot = rows.new_zeros((len(rows), self.one_hot_width), dtype=torch.float32)
            whole = rows if len(self.kinds) == rows.shape[1] else rows[:, self.kinds]
            parts.append(one_hot.scatter_(1, whole.long() + self.offsets, 1.0))
        if len(self.numbers):
            some = rows if len(self.numbers) == rows.shape[1] else rows[:, self.numbers]
            parts.append((some.float() - self.centre) * self.scale)
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def flatten_observations(observations: Any) -> Tensor:
    """A batch of observations as one tensor of rows (n, width), without a copy where possible."""
    if isinstance(observations, dict):
        parts = [torch.from_numpy(part).flatten(1).float() for part in observations.values()]
        return torch.cat(parts, dim=1)
    return torch.from_numpy(observations).flatten(1)


def mlp(inputs: int, hidden: tuple[int, ...], activation: type[nn.Module]) -> nn.Sequential:
    """Hidden layers of the given widths, each followed by the activation."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [orthogonal(inputs, width, gain=math.sqrt(2)), activation()]
        inputs = width
    return nn.Sequential(*layers)


def orthogonal(inputs: int, outputs: int, gain: float) -> nn.Linear:
    """A linear layer with orthogonal weights of the given gain, and no bias at the start."""
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


def _box(space: spaces.Space[Any]) -> spaces.Box:
    if not isinstance(space, spaces.Box):
        raise UnsupportedFaceError(f"no network reads observations of {space}")
    return space
