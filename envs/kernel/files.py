"""Files that are written whole or not at all, and the folders for what can be made again."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import platformdirs


def user_folders() -> list[Path]:
    """Where to keep what can be made again, best first; each may turn out not to be writable.

    `SPELUNK_CACHE_DIR` comes first, then the user's cache folder, then the temporary folder.
    """
    named = os.environ.get("SPELUNK_CACHE_DIR")
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return [
        *([Path(named)] if named else []),
        Path(platformdirs.user_cache_dir("spelunk", appauthor=False)),
        Path(tempfile.gettempdir()) / f"spelunk-{user}",
    ]


def write_whole(path: Path, data: bytes) -> None:
    """Write beside `path`, force it to the disk, and move it into place at once."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(file.name, 0o666 & ~mask)  # Temporary files are private; results are not.
    os.replace(file.name, path)


def write_json(path: Path, data: Any) -> None:
    """Write plain data as JSON; see `write_whole`."""
    write_whole(path, (json.dumps(data, indent=2) + "\n").encode())
