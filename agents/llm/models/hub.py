"""Folders of models, on this machine or from the Hugging Face hub."""

import os
import re
from pathlib import Path

from ....envs.kernel.errors import InvalidArgumentError
from ....envs.kernel.http import ServiceError

_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)
#: What is fetched: settings, tokenizers and weights as safetensors; no code, and no pickles.
_WANTED = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
_UNWANTED = ["*/*", "consolidated*"]
_WEIGHTS, _PICKLES = ("*.safetensors",), ("*.bin", "*.pt", "*.pth", "*.ckpt")


def is_hub_id(name: str | Path) -> bool:
    """Whether a name that is no folder can be one of the hub: `owner/name`, or `name`."""
    return isinstance(name, str) and not Path(name).exists() and bool(_ID.fullmatch(name))


def model_folder(name: str | Path) -> Path:
    """The folder of a model.

    Models of the hub are kept in its cache (`HF_HOME`), from which they are read where there is no
    network, or `HF_HUB_OFFLINE=1` forbids to use it. `HF_TOKEN` opens private ones.

    Args:
        name: a folder, or the hub's id of a model.

    Raises:
        InvalidArgumentError: there is neither such a folder nor such a model.
        ServiceError: the hub cannot be reached, and the cache does not have the model.
    """
    if not is_hub_id(name):
        if not Path(name).is_dir():
            raise InvalidArgumentError(f"there is no folder {name}")
        return Path(name)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        folder = snapshot_download(
            str(name), allow_patterns=_WANTED, ignore_patterns=_UNWANTED, library_name="spelunk"
        )
    except RepositoryNotFoundError as error:
        raise InvalidArgumentError(
            f"there is no folder {name}, and no model of that id on the Hugging Face hub that can "
            "be read; what is private or gated needs a token in HF_TOKEN"
        ) from error
    except LocalEntryNotFoundError as error:
        raise ServiceError(
            f"there is no folder {name}, and the model of that id is not in the cache "
            f"({_cache()}); it cannot be fetched: {_first_line(error.__cause__ or error)}"
        ) from error
    # The errors of the client's connections have no common class that can be imported.
    except Exception as error:
        raise ServiceError(f"{name} cannot be fetched: {_first_line(error)}") from error
    return Path(folder)


def check_weights(folder: Path, name: str | Path) -> None:
    """Make sure that a folder holds a model whose weights can be read without running code.

    Raises:
        InvalidArgumentError: it does not; the message says what there is instead.
    """
    if not (folder / "config.json").is_file():
        raise InvalidArgumentError(
            f"{name} is no folder of a Hugging Face model: it has no config.json"
        )
    if any(path for pattern in _WEIGHTS for path in folder.glob(pattern)):
        return
    pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
    if pickles:
        raise InvalidArgumentError(
            f"the weights in {name} are pickles ({', '.join(pickles[:3])}), which can hold code "
            "and are not loaded: save them as safetensors"
        )
    raise InvalidArgumentError(f"{name} holds no weights, such as model.safetensors")


def _cache() -> str:
    from huggingface_hub import constants

    return os.fspath(constants.HF_HUB_CACHE)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:300] or type(error).__name__
