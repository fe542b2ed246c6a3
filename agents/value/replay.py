"""Experience replay in preallocated arrays."""

from typing import Any

import torch
from torch import Tensor

from ..core.trainer import Arrays

_FIELDS = ("rows", "actions", "rewards", "next_rows", "terminated", "next_mask")


class Replay:
    """The latest transitions, sampled uniformly (Lin 1992).

    Args:
        capacity: how many transitions are kept, at least the size of the batches added.
        row: an observation row, for its shape and dtype.
        n_actions: the number of actions.
        device: where the arrays live.
    """

    def __init__(self, capacity: int, row: Tensor, n_actions: int, device: str):
        self.capacity, self.size, self._next = capacity, 0, 0
        self.rows = torch.zeros((capacity, *row.shape), dtype=row.dtype, device=device)
        self.next_rows = torch.zeros_like(self.rows)
        self.actions = torch.zeros(capacity, dtype=torch.int64, device=device)
        self.rewards = torch.zeros(capacity, device=device)
        self.terminated = torch.zeros(capacity, dtype=torch.bool, device=device)
        self.next_mask = torch.ones((capacity, n_actions), dtype=torch.bool, device=device)

    def add(self, **batch: Tensor) -> None:
        """Add transitions: one tensor for each field, (n, …). The oldest make room."""
        n = len(batch["actions"])
        where = torch.arange(self._next, self._next + n) % self.capacity
        for name in _FIELDS:
            getattr(self, name)[where] = batch[name]
        self._next = (self._next + n) % self.capacity
        self.size = min(self.capacity, self.size + n)

    def sample(self, n: int, generator: torch.Generator) -> dict[str, Tensor]:
        """`n` transitions drawn uniformly with replacement, by field."""
        device = self.actions.device
        index = torch.randint(self.size, (n,), generator=generator, device=device)
        return {name: getattr(self, name)[index] for name in _FIELDS}

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """The transitions held, for a checkpoint."""
        arrays = {name: getattr(self, name)[: self.size].cpu().numpy() for name in _FIELDS}
        return arrays, {"size": self.size, "next": self._next}

    def load_state(self, arrays: Arrays, meta: dict[str, Any]) -> None:
        """Put back what `state` gave."""
        self.size, self._next = meta["size"], meta["next"]
        for name in _FIELDS:
            getattr(self, name)[: self.size] = torch.from_numpy(arrays[name].copy())
