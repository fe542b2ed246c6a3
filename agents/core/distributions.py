"""Action distributions, batched; lighter than `torch.distributions` and mask-aware."""

import math
from typing import Any

import torch
from gymnasium import spaces
from torch import Tensor, nn

from ...envs.kernel.errors import UnsupportedFaceError


class Categorical:
    """One of n actions in each row.

    Args:
        logits: (batch, n).
        mask: (batch, n), 0 where an action is illegal; None where all are legal.
    """

    def __init__(self, logits: Tensor, mask: Tensor | None = None):
        if mask is not None:
            logits = logits.masked_fill(mask == 0, -torch.inf)
        self.log_probabilities = torch.log_softmax(logits, dim=-1)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """(batch,) `int64`, by the Gumbel trick."""
        noise = torch.empty_like(self.log_probabilities).exponential_(generator=generator)
        return (self.log_probabilities - noise.log()).argmax(dim=-1)

    def log_prob(self, actions: Tensor) -> Tensor:
        """(batch,) log-probabilities of the actions (batch,)."""
        return self.log_probabilities.gather(-1, actions.unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """(batch,) in nats."""
        logs = self.log_probabilities
        return -(logs.exp() * logs.clamp(min=-1e9)).sum(dim=-1)


class Gaussian:
    """A diagonal normal distribution over rows of real numbers.

    Args:
        mean: (batch, d).
        log_std: (d,).
    """

    def __init__(self, mean: Tensor, log_std: Tensor):
        self.mean, self.log_std = mean, log_std

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """(batch, d)."""
        noise = torch.empty_like(self.mean).normal_(generator=generator)
        return self.mean + self.log_std.exp() * noise

    def log_prob(self, actions: Tensor) -> Tensor:
        """(batch,) log-densities of the actions (batch, d)."""
        z = (actions - self.mean) / self.log_std.exp()
        return (-0.5 * z**2 - self.log_std - 0.5 * math.log(2 * math.pi)).sum(dim=-1)

    def entropy(self) -> Tensor:
        """(batch,) in nats."""
        per_row = (0.5 + 0.5 * math.log(2 * math.pi) + self.log_std).sum()
        return per_row.expand(len(self.mean))


class ActionHead(nn.Module):
    """From the outputs of a network to a distribution over an action space.

    Args:
        space: `Discrete`, or a 1-D `Box`.

    Raises:
        UnsupportedFaceError: for any other space.
    """

    def __init__(self, space: spaces.Space[Any]):
        super().__init__()
        self.log_std: nn.Parameter | None = None
        if isinstance(space, spaces.Discrete):
            self.inputs, self.shape, self.dtype = int(space.n), (), torch.int64
        elif isinstance(space, spaces.Box) and len(space.shape) == 1:
            self.inputs, self.shape, self.dtype = space.shape[0], space.shape, torch.float32
            self.log_std = nn.Parameter(torch.full(space.shape, -0.5))
        else:
            raise UnsupportedFaceError(
                f"this agent acts in Discrete and 1-D Box spaces, not in {space}"
            )

    def forward(self, outputs: Tensor, mask: Tensor | None) -> Categorical | Gaussian:
        """The distribution for network outputs (batch, inputs) and masks (batch, n) or None."""
        if self.log_std is not None:
            return Gaussian(outputs, self.log_std)
        return Categorical(outputs, mask)
