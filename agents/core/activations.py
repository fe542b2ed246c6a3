"""Activation functions by name."""

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

Activation = Literal["tanh", "relu"]


class Tanh(nn.Module):
    """The hyperbolic tangent: on a CPU NumPy's, which is several times faster than torch's."""

    def forward(self, values: Tensor) -> Tensor:
        """Element by element."""
        if values.device.type != "cpu" or values.dtype != torch.float32:
            return values.tanh()
        if not torch.is_grad_enabled():
            return torch.from_numpy(np.tanh(values.numpy()))
        return _NumpyTanh.apply(values)  # pyright: ignore[reportReturnType]


class _NumpyTanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        outputs = torch.from_numpy(np.tanh(values.numpy()))
        ctx.save_for_backward(outputs)
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (outputs,) = ctx.saved_tensors
        return torch.ops.aten.tanh_backward(gradients[0], outputs)


ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": Tanh, "relu": nn.ReLU}
