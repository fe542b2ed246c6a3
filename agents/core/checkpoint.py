"""Checkpoints: one safetensors file, written whole or not at all, holding arrays and plain JSON."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ...envs.kernel.errors import SpelunkError
from ...envs.kernel.files import write_whole
from .trainer import Arrays

_FORMAT = 1


class CheckpointError(SpelunkError, ValueError):
    """A checkpoint that is missing, cut short, or not one of ours."""


def write_checkpoint(path: Path, arrays: Arrays, meta: dict[str, Any]) -> None:
    """Write a checkpoint; see `write_whole`."""
    header = {"spelunk": json.dumps({"format": _FORMAT, **meta})}
    data = save({k: np.ascontiguousarray(v) for k, v in arrays.items()}, metadata=header)
    write_whole(path, data)


def read_checkpoint(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """The arrays and JSON data of a checkpoint.

    Raises:
        CheckpointError: the file is missing, damaged, or of another kind or version.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            header, names = file.metadata() or {}, file.keys()
            arrays = {name: file.get_tensor(name) for name in names}
    except FileNotFoundError:
        raise CheckpointError(f"there is no checkpoint at {path}") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"the checkpoint {path} cannot be read: {error}") from None
    if "spelunk" not in header:
        raise CheckpointError(f"{path} is no checkpoint of spelunk: its header lacks the record")
    meta = json.loads(header["spelunk"])
    if meta["format"] != _FORMAT:
        raise CheckpointError(
            f"{path} has checkpoint format {meta['format']}; this version reads format {_FORMAT}"
        )
    return arrays, meta


def pack_records(states: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """State records as bytes, (n, record size), for a checkpoint."""
    return np.ascontiguousarray(states).view(np.uint8).reshape(len(states), -1).copy()


def unpack_records(data: np.ndarray[Any, Any], like: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The records that `pack_records` made bytes of; `like` has their type.

    Raises:
        CheckpointError: the bytes are of other records, as after a change of the environment.
    """
    if data.shape != (len(like), like.dtype.itemsize):
        raise CheckpointError(
            f"the checkpoint holds {len(data)} states of {data.shape[-1]} bytes; this environment "
            f"has {len(like)} of {like.dtype.itemsize}"
        )
    return np.frombuffer(data.tobytes(), like.dtype).copy()
