"""Every agent of the suite, once: one row of data each."""

import importlib
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Entry:
    """One agent.

    Attributes:
        name: what the command line calls it.
        entry_point: `module:Class`, below `spelunk.agents`.
        kind: `"scripted"` agents act as they are, `"planner"` ones search the model face, and
            `"trained"` ones have a `train` function beside the class.
        about: a line of help.
    """

    name: str
    entry_point: str
    kind: Literal["scripted", "planner", "trained"]
    about: str

    def load(self) -> Any:
        """The agent's class."""
        module, name = self.entry_point.split(":")
        return getattr(importlib.import_module(f"{__package__}.{module}"), name)

    def module(self) -> Any:
        """The agent's module."""
        return importlib.import_module(f"{__package__}.{self.entry_point.split(':')[0]}")


ENTRIES: tuple[Entry, ...] = (
    Entry("random", "core.agent:RandomAgent", "scripted", "legal actions, drawn uniformly"),
)


def entry(name: str) -> Entry:
    """The row of a name.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    for row in ENTRIES:
        if row.name == name:
            return row
    raise ValueError(f"unknown agent {name!r}; there are {', '.join(r.name for r in ENTRIES)}")
