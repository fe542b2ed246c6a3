"""What a checkpoint holds of torch: parameters, optimiser and random numbers, as plain arrays."""

import torch
from torch import Tensor, nn

from .optimizer import FlatOptimizer
from .trainer import Arrays


def torch_state(network: nn.Module, optimizer: FlatOptimizer, generator: torch.Generator) -> Arrays:
    """Arrays from which `load_torch_state` goes on exactly."""
    return {
        **pack_tensors("network", network.state_dict()),
        **pack_tensors("optimizer", optimizer.state()),
        "generator": generator.get_state().numpy(),
    }


def load_torch_state(
    network: nn.Module, optimizer: FlatOptimizer, generator: torch.Generator, arrays: Arrays
) -> None:
    """Put back what `torch_state` took."""
    network.load_state_dict(unpack_tensors("network", arrays))
    optimizer.load_state(unpack_tensors("optimizer", arrays))
    generator.set_state(torch.from_numpy(arrays["generator"].copy()))


def pack_tensors(name: str, tensors: dict[str, Tensor]) -> Arrays:
    """Tensors as arrays, named `name.…`."""
    return {f"{name}.{k}": v.detach().cpu().numpy() for k, v in tensors.items()}


def unpack_tensors(name: str, arrays: Arrays) -> dict[str, Tensor]:
    """The tensors that `pack_tensors` packed under a name."""
    prefix = f"{name}."
    return {
        k.removeprefix(prefix): torch.from_numpy(v.copy())
        for k, v in arrays.items()
        if k.startswith(prefix)
    }
