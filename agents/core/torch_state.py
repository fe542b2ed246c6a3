"""What a checkpoint holds of torch: parameters, optimiser and random numbers, as plain arrays."""

from typing import Any

import torch
from torch import nn

from .trainer import Arrays


def torch_state(
    network: nn.Module, optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and JSON data from which `load_torch_state` goes on exactly."""
    arrays = {f"network.{k}": v.cpu().numpy() for k, v in network.state_dict().items()}
    kept = optimizer.state_dict()
    for index, moments in kept["state"].items():
        for name, value in moments.items():
            arrays[f"optimizer.{index}.{name}"] = torch.as_tensor(value).cpu().numpy()
    arrays["generator"] = generator.get_state().numpy()
    return arrays, {"param_groups": kept["param_groups"]}


def load_torch_state(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    arrays: Arrays,
    meta: dict[str, Any],
) -> None:
    """Put back what `torch_state` took."""
    tensors = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
    prefix = "network."
    network.load_state_dict(
        {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    )
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            moments.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": moments, "param_groups": meta["param_groups"]})
    generator.set_state(tensors["generator"])
