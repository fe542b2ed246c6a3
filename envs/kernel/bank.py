"""Instance banks: levels too dear to draw in `reset`, made once and kept.

An environment whose instances must be searched for (a level that can be solved, a puzzle with one
solution) makes a number of them on the host, keeps them as arrays in its params, and draws an index
in `reset`. Making them is spread over processes, and what was made is found again on disk.
"""

import concurrent.futures
import functools
import hashlib
import importlib
import inspect
import io
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from .errors import SpelunkError
from .files import user_folders, write_whole

#: Makes one instance from a seed: arrays and numbers by name. The bank adds the first axis.
Make = Callable[[int], Mapping[str, Any]]
Bank = dict[str, np.ndarray[Any, Any]]

_PATIENCE = 1.0  # seconds of work that are not worth starting processes for


@functools.lru_cache(maxsize=32)
def load_bank(name: str, make: Make, count: int, seed: int = 0) -> Bank:
    """A bank of instances, from the user's cache folder or made now.

    Instance i is `make(s)` for a seed s drawn from `seed` and i, so that a smaller bank is the
    beginning of a larger one. By convention `cost` is the cost of the best plan known and `plan`
    its actions.

    Args:
        name: of the file in the cache.
        make: a function of a module. Its file is part of the bank's identity: after an edit the
            bank is made again.
        count: the number of instances.
        seed: of the bank.

    Returns:
        Read-only arrays whose first axis is the instance. Where instances differ in shape they are
        filled up with −1, or with 0 where the type has no negative numbers.
    """
    source = Path(inspect.getfile(make)).read_bytes()
    identity = hashlib.sha256(source + f"{make.__qualname__} {count} {seed}".encode()).hexdigest()
    folders = [folder / "banks" for folder in user_folders()]
    files = [folder / f"{name}-{identity[:16]}.npz" for folder in folders]
    found = next((file.read_bytes() for file in files if file.is_file()), None)
    if found is None:
        found = _pack(_make_all(name, make, _seeds(seed, count)))
        for file in files:
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                write_whole(file, found)
                break
            except OSError:
                continue
    bank = _unpack(found)
    for array in bank.values():
        array.flags.writeable = False
    return bank


def _seeds(seed: int, count: int) -> list[int]:
    return [int(np.random.SeedSequence([seed, i]).generate_state(1)[0]) for i in range(count)]


def _make_all(name: str, make: Make, seeds: list[int]) -> Bank:
    """Here as long as it is quick, and by other processes from then on."""
    begin, instances = time.monotonic(), []
    importable = make.__module__ != "__main__"
    while len(instances) < len(seeds):
        instances.append(make(seeds[len(instances)]))
        if importable and time.monotonic() - begin > _PATIENCE:
            break
    left = seeds[len(instances) :]
    if not left:
        return _stack([_one(instance) for instance in instances])
    workers = os.cpu_count() or 1
    size = math.ceil(len(left) / (4 * workers))
    parts = [left[i : i + size] for i in range(0, len(left), size)]
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        made = pool.map(functools.partial(_in_a_process, make), parts)
        shown = track(
            made, f"making {name}", total=len(parts), console=Console(stderr=True), transient=True
        )
        return _stack([*(_one(instance) for instance in instances), *shown])


def _in_a_process(make: Make, seeds: list[int]) -> Bank:
    # A process of its own rather than a pool's: it neither forks threads nor runs the caller's
    # script again.
    command = [sys.executable, "-m", __name__, make.__module__, make.__qualname__]
    text = " ".join(map(str, seeds)).encode()
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, input=text, capture_output=True, env=env, check=False)
    if done.returncode != 0:
        raise SpelunkError(f"{make.__qualname__} failed:\n{done.stderr.decode()}")
    return _unpack(done.stdout)


def _one(instance: Mapping[str, Any]) -> Bank:
    return {name: np.asarray(value)[None] for name, value in instance.items()}


def _stack(banks: Iterable[Bank]) -> Bank:
    """Banks end to end, filled up to the largest shape."""
    parts = list(banks)
    return {name: _joined([part[name] for part in parts]) for name in parts[0]}


def _joined(arrays: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    shape = np.max([array.shape[1:] for array in arrays], axis=0, initial=0).astype(int)
    dtype = arrays[0].dtype
    joined = np.full((sum(map(len, arrays)), *shape), -1 if dtype.kind in "if" else 0, dtype)
    row = 0
    for array in arrays:
        joined[(slice(row, row + len(array)), *map(slice, array.shape[1:]))] = array
        row += len(array)
    return joined


def _pack(bank: Bank) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **bank)  # pyright: ignore[reportArgumentType]
    return file.getvalue()


def _unpack(data: bytes) -> Bank:
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return dict(file)


def _main(module: str, function: str) -> None:
    """Make the instances whose seeds come on standard input; the bank goes to standard output."""
    make: Make = getattr(importlib.import_module(module), function)
    seeds = [int(word) for word in sys.stdin.read().split()]
    sys.stdout.buffer.write(_pack(_stack(_one(make(seed)) for seed in seeds)))


if __name__ == "__main__":
    _main(*sys.argv[1:])
