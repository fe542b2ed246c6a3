"""The replay of a run in its folder: chunks of transitions, one for each checkpoint.

A chunk is written before the checkpoint that names it, and what it replaces is removed after it:
whenever a run is killed, the checkpoint in its folder finds the chunks it names.
"""

from pathlib import Path
from typing import Any

import numpy as np

from .checkpoint import read_checkpoint, write_checkpoint
from .trainer import Arrays, Trainer


class Journal:
    """The chunks `replay-XXXXXXXX.safetensors` of a run folder.

    Args:
        folder: the run folder.
        chunks: what the checkpoint says of its chunks, oldest first: of each the `file` and the
            `position` of the replay at its end.
    """

    def __init__(self, folder: Path, chunks: list[dict[str, Any]]):
        self._folder, self.chunks = folder, chunks

    def append(self, trainer: Trainer) -> None:
        """Write what a trainer's replay has got since the last chunk.

        `chunks` is then what the checkpoint written next must say.
        """
        since = self.chunks[-1]["position"] if self.chunks else 0
        arrays, position, oldest = trainer.added(since)
        if position == since:
            return
        number = int(self.chunks[-1]["file"][7:15]) + 1 if self.chunks else 0
        file = f"replay-{number:08}.safetensors"
        write_checkpoint(self._folder / file, arrays, {"position": position})
        held = [chunk for chunk in self.chunks if chunk["position"] > oldest]
        self.chunks = [*held, {"file": file, "position": position}]

    def prune(self) -> None:
        """Remove the chunks that the checkpoint in the folder does not name."""
        named = {chunk["file"] for chunk in self.chunks}
        for path in self._folder.glob("replay-*.safetensors"):
            if path.name not in named:
                path.unlink()

    def read(self) -> Arrays:
        """All chunks, one after the other, for `Trainer.load_state`.

        Raises:
            CheckpointError: a chunk is missing or damaged.
        """
        parts = [read_checkpoint(self._folder / chunk["file"])[0] for chunk in self.chunks]
        names = parts[0] if parts else ()
        return {f"replay.{name}": np.concatenate([part[name] for part in parts]) for name in names}
