"""Finished episodes of an evaluation in a file: a run that breaks off loses none of them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...envs.kernel.errors import InvalidArgumentError


class KeptEpisodes:
    """Returns and lengths by seed, of which each is added to a file as soon as it is known.

    A line of the file is a JSON object: the environment, its arguments, and the seed, the return
    and the length of an episode. A last line that was not written to its end is dropped.

    Args:
        path: the file; need not exist.
        env_id: the environment.
        env_kwargs: its arguments.

    Raises:
        InvalidArgumentError: the file holds something else, or episodes of another environment.

    Attributes:
        found: the return and the length of each episode, by its seed.
    """

    def __init__(self, path: str | Path, env_id: str, env_kwargs: Mapping[str, Any]):
        self.path = Path(path)
        plain = json.loads(json.dumps(dict(env_kwargs), default=str))
        self._about = {"env_id": env_id, "env_kwargs": plain}
        self.found: dict[int, tuple[float, int]] = {}
        if self.path.exists():
            self._read()

    def add(self, seed: int, figures: tuple[float, int]) -> None:
        """Note the return and the length of an episode, in the file too."""
        self.found[seed] = figures
        row = {**self._about, "seed": seed, "return": figures[0], "length": figures[1]}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def _read(self) -> None:
        held = self.path.read_bytes()
        whole = held[: held.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                row = json.loads(line)
                about = {name: row[name] for name in self._about}
                figures = float(row["return"]), int(row["length"])
                seed = int(row["seed"])
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise InvalidArgumentError(
                    f"{self.path}, line {number}, is no episode of an evaluation"
                ) from error
            if about != self._about:
                raise InvalidArgumentError(
                    f"{self.path}, line {number}, is of another environment: {about}, not "
                    f"{self._about}"
                )
            self.found[seed] = figures
        if len(whole) < len(held):
            self.path.write_bytes(whole)
