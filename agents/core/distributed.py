"""Training by several processes, each with its share of the environments.

Started by `torchrun`, each process steps its lanes and computes its part of each gradient; sums
over the processes give what one process with all lanes would have computed. Gloo carries the sums
between CPUs, NCCL between GPUs.
"""

import gc
import os
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from ...envs.kernel.errors import InvalidArgumentError

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """The processes that train together.

    Attributes:
        rank: this process's number, from 0.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    def share(self, lanes: int) -> slice:
        """The lanes of this process, out of those of all.

        Raises:
            InvalidArgumentError: they cannot be shared equally.
        """
        if lanes % self.size:
            raise InvalidArgumentError(
                f"num_envs must be a multiple of the {self.size} processes; got {lanes}"
            )
        each = lanes // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over the processes, in place."""
        if self.size > 1:
            distributed.all_reduce(tensor)
        return tensor

    def gather(self, tensor: Tensor) -> Tensor:
        """The tensors of all processes, equal in shape, one after the other."""
        if self.size == 1:
            return tensor
        parts = [torch.empty_like(tensor) for _ in range(self.size)]
        distributed.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    def collect(self, thing: T) -> list[T]:
        """What each of the processes has, in order; anything that can be pickled."""
        if self.size == 1:
            return [thing]
        parts: list[Any] = [None] * self.size
        distributed.all_gather_object(parts, thing)
        return parts

    def rows(self, n: int) -> Tensor:
        """This process's share of n rows: every `size`-th of them."""
        return torch.arange(self.rank, n, self.size)

    def merge(self, rows: Tensor, values: Tensor, n: int) -> Tensor:
        """The n rows of which each process has some; only to our own a gradient goes back."""
        whole = values.new_zeros(n, *values.shape[1:])
        whole = self.sum(whole.index_copy(0, rows, values.detach()))
        return whole.index_copy(0, rows, values)

    def agree(self, wish: bool) -> bool:
        """Whether any of the processes wishes something."""
        return wish if self.size == 1 else bool(self.sum(torch.tensor([int(wish)])).item())


def join_world(device: str) -> World:
    """The world that `torchrun` started this process in; one of one process otherwise."""
    if "RANK" not in os.environ or not distributed.is_available():
        return World()
    if not distributed.is_initialized():
        if device != "cpu":
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        distributed.init_process_group("cpu:gloo,cuda:nccl" if device != "cpu" else "gloo")
    return World(distributed.get_rank(), distributed.get_world_size())


def leave_world() -> None:
    """End what `join_world` began."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()  # A process that ends while others speak to it takes them along.
        distributed.destroy_process_group()
        gc.collect()  # What is left of it at the interpreter's end would abort the process.
