"""Low-rank adapters: few parameters that are trained in place of all others of a network.

W x becomes W x + (α / r) B A x, where only A (r × in) and B (out × r) are trained (Hu et al. 2022,
"LoRA: low-rank adaptation of large language models"); the library `peft` puts them in.
"""

import copy
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ....envs.kernel.errors import InvalidArgumentError

#: The files of a folder of adapters.
SETTINGS, PARAMETERS = "adapter_config.json", "adapter_model.safetensors"


@dataclass(frozen=True)
class Lora:
    """What adapters there are.

    Attributes:
        rank: r, above 0.
        alpha: α, above 0.
        modules: the names of the linear layers that get one, such as `"q_proj"`; None for all but
            the last one, which gives the logits.
        seed: of the initial A; B is 0 at first.

    Raises:
        InvalidArgumentError: a number is out of range, or no layers are named.
    """

    rank: int = 16
    alpha: float = 32.0
    modules: tuple[str, ...] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rank < 1 or not 0 < self.alpha < float("inf"):
            raise InvalidArgumentError(
                f"rank must be at least 1 and alpha positive; got {self.rank!r} and {self.alpha!r}"
            )
        if self.modules is not None and not self.modules:
            raise InvalidArgumentError("modules must name at least one layer, or be None")


def add_adapters(network: Any, lora: Lora) -> Any:
    """The network with fresh adapters, which change nothing yet; all else is frozen.

    Raises:
        InvalidArgumentError: the network has no linear layers of those names.
    """
    from peft import LoraConfig, TaskType, get_peft_model

    settings = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=lora.rank,
        lora_alpha=lora.alpha,  # pyright: ignore[reportArgumentType]
        target_modules="all-linear" if lora.modules is None else list(lora.modules),
    )
    linear = {
        name.rpartition(".")[2]
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear)
    }
    if unknown := set(lora.modules or ()) - linear:
        raise InvalidArgumentError(
            f"the model has no linear layers {sorted(unknown)}; it has {sorted(linear)}"
        )
    with torch.random.fork_rng(devices=[]), _quiet():
        torch.manual_seed(lora.seed)
        return get_peft_model(network, settings)


def base_of(folder: str | Path) -> Path | None:
    """The folder of the model that the adapters in a folder belong to; None if it holds none.

    Raises:
        InvalidArgumentError: the adapters are damaged.
    """
    settings = Path(folder) / SETTINGS
    if not settings.is_file():
        return None
    try:
        base = json.loads(settings.read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidArgumentError(f"{settings} does not say whose adapters they are") from error
    if not base or not (Path(folder) / PARAMETERS).is_file():
        raise InvalidArgumentError(
            f"{folder} holds no adapters that can be loaded: it needs {PARAMETERS}, and in "
            f"{SETTINGS} the base_model_name_or_path"
        )
    return Path(base)


def load_adapters(network: Any, folder: str | Path) -> Any:
    """The network with the adapters of a folder, which are trained on; all else is frozen.

    Raises:
        InvalidArgumentError: they are no adapters of this network.
    """
    from peft import PeftModel

    try:
        with _quiet():
            return PeftModel.from_pretrained(network, str(folder), is_trainable=True)
    except (OSError, ValueError, RuntimeError, TypeError, KeyError) as error:
        raise InvalidArgumentError(
            f"the adapters in {folder} do not fit their model: {error}"
        ) from error


def save_adapters(network: Any, folder: str | Path) -> None:
    """Write the adapters alone (safetensors), with a note of the folder of their model.

    Raises:
        InvalidArgumentError: the model has no folder.
    """
    if not getattr(network.config, "_name_or_path", ""):
        raise InvalidArgumentError(
            "adapters are saved without the model they belong to, which must come from a folder: "
            "save it first, and load it from there"
        )
    network.save_pretrained(folder, save_embedding_layers=False)


def has_adapters(network: Any) -> bool:
    """Whether a network has adapters."""
    return hasattr(network, "peft_config")


def adapters(network: Any) -> nn.Module:
    """The parameters of the adapters alone, the very tensors."""
    found = {
        name.replace(".", "/"): parameter
        for name, parameter in network.named_parameters()
        if "lora_" in name
    }
    return nn.ParameterDict(found)


def merged(network: Any) -> Any:
    """A copy in which the adapters have been added to the weights: a plain network again."""
    with _quiet():
        return copy.deepcopy(network).merge_and_unload().requires_grad_(False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings that `peft` calls forth in `transformers`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield
