"""What the subcommands of `spelunk` share: reading arguments, and showing results."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from ...envs import registry as env_registry
from ...envs.kernel.errors import InvalidArgumentError, UnsupportedFaceError
from .. import registry
from .formats import number, plain
from .overrides import read_arguments

Positional = tyro.conf.Positional
Json = Annotated[bool, tyro.conf.arg(name="json", help="Print one JSON value on the last line.")]


class CommandLine:
    """The words of a command line, and where its results go.

    Args:
        env_arguments: the words after `--env.`, as `--name value`.
        agent_arguments: those after `--agent.`.
    """

    def __init__(self, env_arguments: list[str], agent_arguments: list[str]):
        self._env_arguments = env_arguments
        self._agent_arguments = agent_arguments
        self._console = Console(highlight=False)

    def _environment(
        self, env_id: str, face: str = "single"
    ) -> tuple[env_registry.Entry, dict[str, Any]]:
        row = env_registry.entry(env_id)
        kwargs = read_arguments(row.load(), self._env_arguments, "env")
        if not (face == "single" and kwargs.get("opponent")):
            row.require(face)
        return row, kwargs

    def _trained(self, name: str) -> registry.Entry:
        """The row of an agent that learns."""
        row = registry.entry(name)
        if row.kind != "trained":
            raise InvalidArgumentError(f"{name} is a {row.kind} agent: nothing to train")
        return row

    def _agent(self, name: str) -> tuple[Any, Any]:
        """An agent from its name or its run folder; the run is None for a name."""
        from ..core.run import RunError, load_agent

        if any(row.name == name for row in registry.ENTRIES):
            row = registry.entry(name)
            if row.kind == "trained":
                raise RunError(f"{name} must be trained first: name its run folder instead")
            cls = row.load()
            return cls(**read_arguments(cls, self._agent_arguments, "agent")), None
        if not Path(name).exists():
            known = ", ".join(row.name for row in registry.ENTRIES)
            raise RunError(f"{name!r} is neither a run folder nor one of the agents {known}")
        return load_agent(Path(name))

    def _record(self, folder: Path) -> None:
        """Film the agent of a run, where its environment can be drawn."""
        from ..core.recording import record
        from ..core.run import load_agent

        agent, run = load_agent(folder)
        path, kwargs = folder / "agent.gif", run.task.env_kwargs
        try:
            record(agent, run.task.env_id, path, seed=2**41, **kwargs)
        except UnsupportedFaceError as error:
            self._console.print(f"no agent.gif: {error}")

    def _table(self, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
        table = Table(*head, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*row)
        self._console.print(table)
        self._console.print()

    def _figures(self, figures: dict[str, Any]) -> None:
        shown = {k: v for k, v in figures.items() if k != "versions"}
        self._table(("", ""), [(k.replace("_", " "), number(v)) for k, v in shown.items()])

    def _json(self, wanted: bool, value: Any) -> None:
        if wanted:
            print(json.dumps(value, default=plain))
