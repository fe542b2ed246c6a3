"""Worlds kept on disk: what takes seconds to make is mapped into memory by later processes."""

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import numpy as np

from ..kernel.files import user_folders

#: Worlds of fewer pages are made anew each time, which takes a tenth of a second.
WORTH = 50_000

#: The modules that say what a world is.
_CODE = ("names", "schema", "templates", "graph", "vocabulary", "corpus", "bm25", "kept")


def kept_folder(settings: object, make: Callable[[Path], None]) -> Path | None:
    """A folder of files that follow from settings and from the code; made if it is not there.

    It is in the first of `user_folders` that can be written to, and appears there whole or not at
    all, even when several processes make it at the same time.

    Args:
        settings: what the files depend on, told apart by its `repr`.
        make: writes the files into an empty folder.

    Returns:
        The folder, None where none can be written.
    """
    digest = _digest(settings)
    for base in user_folders():
        folder = base / "worlds" / digest
        if folder.is_dir():
            return folder
        with suppress(OSError):
            folder.parent.mkdir(parents=True, exist_ok=True)
            new = Path(tempfile.mkdtemp(dir=folder.parent))
            try:
                make(new)
                with suppress(OSError):  # another process was faster
                    os.replace(new, folder)
            finally:
                shutil.rmtree(new, ignore_errors=True)
            return folder
    return None


def _digest(settings: object) -> str:
    found = blake2b(repr((settings, np.__version__)).encode(), digest_size=12)
    for module in _CODE:
        found.update((Path(__file__).parent / f"{module}.py").read_bytes())
    return found.hexdigest()
