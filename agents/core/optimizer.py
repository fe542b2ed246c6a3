"""One optimiser step over all parameters at once."""

from typing import Literal

import torch
from torch import Tensor, nn

from ...envs.kernel.errors import InvalidArgumentError
from .distributed import World

OptimizerKind = Literal["adam", "rmsprop"]


class FlatOptimizer:
    """Adam or RMSprop over a network whose parameters lie one after the other in memory.

    So a gradient is one vector: it is cleared, summed over processes, clipped and applied by one
    operation each. Elementwise optimisers do the same to it as to its parts.

    Args:
        network: its parameters are moved into one vector, and stay views of it.
        kind: `"adam"` (Kingma & Ba 2015) or `"rmsprop"` (Hinton 2012).
        learning_rate: the step size, until `set_learning_rate`.
        max_grad_norm: gradients are scaled down to this norm.
        eps: added to the root of the second moment.
        world: the processes whose gradients are summed; None for this one alone.

    Raises:
        InvalidArgumentError: there is no optimiser of that kind.
    """

    def __init__(
        self, network: nn.Module, kind: OptimizerKind, learning_rate: float, max_grad_norm: float,
        eps: float, world: World | None = None,
    ):  # fmt: skip
        parameters = list(network.parameters())
        flat = torch.cat([p.detach().flatten() for p in parameters])
        self._flat = nn.Parameter(flat)
        self._flat.grad = torch.zeros_like(flat)
        begin = 0
        for parameter in parameters:
            end = begin + parameter.numel()
            parameter.data = flat[begin:end].view_as(parameter)
            parameter.grad = self._flat.grad[begin:end].view_as(parameter)
            begin = end
        on_gpu = flat.device.type == "cuda"
        # On a GPU the step size is read from its memory, so that a captured step can change it.
        rate = torch.tensor(learning_rate, device=flat.device) if on_gpu else learning_rate
        if kind == "adam":
            self.inner: torch.optim.Optimizer = torch.optim.Adam(
                [self._flat], rate, eps=eps, fused=True, capturable=on_gpu
            )
        elif kind == "rmsprop":
            self.inner = torch.optim.RMSprop([self._flat], rate, eps=eps, capturable=on_gpu)
        else:
            raise InvalidArgumentError(f"the optimizer must be adam or rmsprop; got {kind!r}")
        self._max_norm = max_grad_norm
        self._world = world or World()

    def state(self) -> dict[str, Tensor]:
        """The moments and the number of steps, by name; empty before the first step."""
        return dict(self.inner.state[self._flat])

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Put back what `state` gave."""
        self.inner.state[self._flat] = {k: v.to(self._flat.device) for k, v in state.items()}

    def set_learning_rate(self, value: float) -> None:
        """Change the step size."""
        group = self.inner.param_groups[0]
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(value)
        else:
            group["lr"] = value

    def step(self, loss: Tensor) -> None:
        """One step down the gradient of a loss, of which the processes each hold a summand."""
        gradient = self._flat.grad
        assert gradient is not None
        gradient.zero_()
        loss.backward()
        self._world.sum(gradient)
        norm = torch.linalg.vector_norm(gradient)
        gradient.mul_((self._max_norm / (norm + 1e-6)).clamp(max=1.0))
        self.inner.step()
