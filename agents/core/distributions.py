"""Action distributions, batched; lighter than `torch.distributions` and mask-aware.

Randomness comes from outside as noise, so that a whole rollout's can be drawn at once, and several
processes can each take their lanes' part of the same draw.
"""

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from ...envs.kernel.errors import UnsupportedFaceError


class Distribution(ABC):
    """A distribution over the actions of each row of a batch."""

    @abstractmethod
    def sample(self, noise: Tensor) -> Tensor:
        """Actions (batch, …), from noise as `ActionHead.noise` draws it."""

    @abstractmethod
    def mode(self) -> Tensor:
        """The most probable actions, (batch, …)."""

    @abstractmethod
    def log_prob(self, actions: Tensor) -> Tensor:
        """(batch,) log-probabilities, or log-densities, of actions (batch, …)."""

    @abstractmethod
    def entropy(self) -> Tensor:
        """(batch,) in nats."""


class Categorical(Distribution):
    """One of n actions in each row.

    Args:
        logits: (…, n).
        mask: (…, n), 0 where an action is illegal; None where all are legal.
    """

    def __init__(self, logits: Tensor, mask: Tensor | None = None):
        if mask is not None:
            logits = logits.masked_fill(mask == 0, -torch.inf)
        self.logits = logits
        self._logs: Tensor | None = None

    @property
    def log_probabilities(self) -> Tensor:
        """(…, n)."""
        if self._logs is None:
            self._logs = torch.log_softmax(self.logits, dim=-1)
        return self._logs

    def sample(self, noise: Tensor) -> Tensor:
        """(…) `int64`: the Gumbel trick, with Gumbel noise (…, n)."""
        return (self.logits + noise).argmax(dim=-1)

    def mode(self) -> Tensor:
        return self.logits.argmax(dim=-1)

    def log_prob(self, actions: Tensor) -> Tensor:
        return self.log_probabilities.gather(-1, actions.unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        logs = self.log_probabilities
        return -(logs.exp() * logs.clamp(min=-1e9)).sum(dim=-1)


class MultiCategorical(Distribution):
    """Several independent choices in each row.

    Args:
        logits: (batch, total), those of one choice after the other.
        sizes: how many actions each choice has.
        mask: (batch, total) or (batch, choices, most actions), 0 where an action is illegal.
    """

    def __init__(self, logits: Tensor, sizes: tuple[int, ...], mask: Tensor | None = None):
        parts = logits.split(sizes, dim=-1)
        masks: tuple[Tensor | None, ...] = (None,) * len(sizes)
        if mask is not None and mask.ndim == logits.ndim:
            masks = mask.split(sizes, dim=-1)
        elif mask is not None:
            masks = tuple(mask[..., i, :n] for i, n in enumerate(sizes))
        self.choices = [Categorical(part, m) for part, m in zip(parts, masks, strict=True)]
        self._sizes = sizes

    def sample(self, noise: Tensor) -> Tensor:
        """(batch, choices) `int64`."""
        noises = noise.split(self._sizes, dim=-1)
        drawn = [c.sample(n) for c, n in zip(self.choices, noises, strict=True)]
        return torch.stack(drawn, dim=-1)

    def mode(self) -> Tensor:
        return torch.stack([c.mode() for c in self.choices], dim=-1)

    def log_prob(self, actions: Tensor) -> Tensor:
        each = [c.log_prob(a) for c, a in zip(self.choices, actions.unbind(-1), strict=True)]
        return torch.stack(each).sum(dim=0)

    def entropy(self) -> Tensor:
        return torch.stack([c.entropy() for c in self.choices]).sum(dim=0)


class Gaussian(Distribution):
    """A diagonal normal distribution over rows of real numbers.

    Args:
        mean: (batch, d).
        log_std: (d,).
    """

    def __init__(self, mean: Tensor, log_std: Tensor):
        self.mean, self.log_std = mean, log_std

    def sample(self, noise: Tensor) -> Tensor:
        """(batch, d), from standard normal noise."""
        return self.mean + self.log_std.exp() * noise

    def mode(self) -> Tensor:
        return self.mean

    def log_prob(self, actions: Tensor) -> Tensor:
        z = (actions - self.mean) / self.log_std.exp()
        return (-0.5 * z**2 - self.log_std - 0.5 * math.log(2 * math.pi)).sum(dim=-1)

    def entropy(self) -> Tensor:
        per_row = (0.5 + 0.5 * math.log(2 * math.pi) + self.log_std).sum()
        return per_row.expand(self.mean.shape[:-1])


class ActionHead(nn.Module):
    """From the outputs of a network to a distribution over an action space.

    Args:
        space: `Discrete`, `MultiDiscrete`, `MultiBinary`, or a 1-D `Box`.

    Attributes:
        inputs: the width of the network outputs it reads.
        shape: of one action.
        dtype: of actions.

    Raises:
        UnsupportedFaceError: for any other space.
    """

    def __init__(self, space: spaces.Space[Any]):
        super().__init__()
        self.log_std: nn.Parameter | None = None
        self.sizes: tuple[int, ...] | None = None
        self.shape, self.dtype = tuple(space.shape or ()), torch.int64
        if isinstance(space, spaces.Discrete):
            self.inputs = int(space.n)
        elif isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1:
            self.sizes = tuple(space.nvec.tolist())
            self.inputs = sum(self.sizes)
        elif isinstance(space, spaces.MultiBinary) and len(self.shape) == 1:
            self.sizes = (2,) * self.shape[0]
            self.inputs = sum(self.sizes)
        elif isinstance(space, spaces.Box) and len(self.shape) == 1:
            self.inputs, self.dtype = self.shape[0], torch.float32
            self.log_std = nn.Parameter(torch.full(self.shape, -0.5))
        else:
            raise UnsupportedFaceError(
                "this agent acts in Discrete, MultiDiscrete, MultiBinary and 1-D Box spaces, not "
                f"in {space}"
            )
        if np.any(getattr(space, "start", 0)):
            raise UnsupportedFaceError(f"this agent counts actions from 0, and {space} does not")

    def forward(self, outputs: Tensor, mask: Tensor | None) -> Distribution:
        """The distribution for network outputs (batch, inputs) and masks (batch, n) or None."""
        if self.log_std is not None:
            return Gaussian(outputs, self.log_std)
        if self.sizes is not None:
            return MultiCategorical(outputs, self.sizes, mask)
        return Categorical(outputs, mask)

    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """The noise that `shape` actions are sampled from, (*shape, inputs) on its device."""
        return self.renew(torch.empty((*shape, self.inputs), device=generator.device), generator)

    def renew(self, noise: Tensor, generator: torch.Generator) -> Tensor:
        """Draw noise anew, in place."""
        if self.log_std is not None:
            return noise.normal_(generator=generator)
        return noise.exponential_(generator=generator).log_().neg_()
