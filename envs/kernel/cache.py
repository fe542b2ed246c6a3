"""The cache of generated modules, private to the user.

A module's name is a hash of everything it is compiled from: its own text, the files in which the
kernels (and all they call) are defined, the globals they read, and the versions of Numba and NumPy.
That also cures Numba's blindness to edits in other files.
"""

import hashlib
import importlib.util
import inspect
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numba
import numpy as np

from .compile import PLAIN_PYTHON
from .files import user_folders, write_whole


def load_module(source: str, globals_: dict[str, Any]) -> types.ModuleType:
    """The module that a text makes, with the given globals, from the cache where it is there.

    Args:
        source: the text.
        globals_: kernels and types that it uses by these names.
    """
    name = "spelunk_kernels_" + _fingerprint(source, [*globals_.values()])
    module = sys.modules.get(name)
    if module is None:
        module = _import(name, source, globals_)
        if PLAIN_PYTHON:
            _silence_wrap_around(module)
        sys.modules[name] = module
    return module


def _fingerprint(source: str, roots: list[Any]) -> str:
    """A hash of the module's text and of all that its kernels are made of."""
    digest = hashlib.sha256()
    for part in (source, numba.__version__, np.__version__, sys.version):
        digest.update(part.encode())
    seen: set[int] = set()
    files: set[str] = set()
    stack = [r for r in roots if r is not None]
    while stack:
        item = stack.pop()
        function = getattr(item, "py_func", item)
        if id(function) in seen:
            continue
        seen.add(id(function))
        if not isinstance(function, types.FunctionType):
            _hash_constant(digest, function)
            continue
        # The module too: what Numba keeps names the types of params by it.
        digest.update(f"{function.__module__}.{function.__qualname__}".encode())
        file = inspect.getsourcefile(function)
        if file is None or not os.path.isfile(file):
            digest.update(inspect.getsource(function).encode())
        elif file not in files:
            files.add(file)
            digest.update(Path(file).read_bytes())
        stack.extend(_globals_read(function))
    return digest.hexdigest()[:32]


def _globals_read(function: types.FunctionType) -> Iterator[Any]:
    """The values of the globals a function names, modules opened up by the attributes it reads."""
    for name in sorted(function.__code__.co_names):
        value = function.__globals__.get(name)
        if isinstance(value, types.ModuleType) and value.__name__.split(".")[0] not in (
            "math",
            "numpy",
            "numba",
        ):
            yield from (getattr(value, n, None) for n in sorted(function.__code__.co_names))
        elif value is not None and not isinstance(value, types.ModuleType):
            yield value


def _hash_constant(digest: Any, value: Any) -> None:
    if isinstance(value, np.ndarray):
        digest.update(repr((value.dtype, value.shape)).encode() + value.tobytes())
    elif isinstance(value, type):
        digest.update(f"{value.__qualname__}{getattr(value, '_fields', '')}".encode())
    elif isinstance(value, int | float | str | tuple | dict | np.generic):
        digest.update(repr(value).encode())


_warned = False


def cache_folder() -> Path | None:
    """The folder of compiled kernels, private to this user; None where there is none to be had.

    Of the user's folders, one that others may write to is never used: Numba's cache files are
    pickles.
    """
    global _warned
    for candidate in user_folders():
        folder = candidate / "kernels"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if _is_private(folder) and os.access(folder, os.W_OK | os.X_OK):
                return folder
        except OSError:
            continue
    if not _warned:
        _warned = True
        gymnasium.logger.warn(
            "spelunk found no folder to keep compiled kernels in, so each process compiles them "
            "again. Set SPELUNK_CACHE_DIR to a folder that you can write to."
        )
    return None


def _is_private(folder: Path) -> bool:
    if not hasattr(os, "getuid"):
        return True
    stat = folder.stat()
    return stat.st_uid == os.getuid() and not stat.st_mode & 0o022


def _import(name: str, source: str, globals_: dict[str, Any]) -> types.ModuleType:
    folder = None if PLAIN_PYTHON else cache_folder()
    if folder is None:
        module = types.ModuleType(name)
        module.__dict__.update(globals_)
        exec(compile(source.replace("cache=True", "cache=False"), name, "exec"), module.__dict__)
        return module
    path = folder / f"{name}.py"
    if not path.exists():
        write_whole(path, source.encode())  # Several processes may start together.
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    module.__dict__.update(globals_)
    sys.modules[name] = module  # Numba looks a cached function's module up by its name.
    spec.loader.exec_module(module)
    return module


def _silence_wrap_around(module: types.ModuleType) -> None:
    """64-bit wrap-around is what the generator means; plain NumPy warns of it."""
    for name, value in list(vars(module).items()):
        if isinstance(value, types.FunctionType) and value.__module__ == module.__name__:
            setattr(module, name, np.errstate(over="ignore")(value))
