"""Environments of many agents, by their ids: with the interfaces of PettingZoo."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .registry import ENTRIES, entry

if TYPE_CHECKING:
    from .kernel.team import AECFace, ParallelFace


def parallel_env(id: str, **kwargs: Any) -> "ParallelFace":
    """An environment of agents that act at once, as a PettingZoo `ParallelEnv`.

    Args:
        id: as the registry lists it.
        kwargs: the environment's own arguments.

    Raises:
        gymnasium.error.UnregisteredEnv: there is no such id.
        UnsupportedFaceError: it is played in turns, or by one agent.
    """
    row = entry(id)
    row.require("parallel")
    from .kernel.team import ParallelFace

    return ParallelFace(row.load()(**kwargs))


def aec_env(id: str, **kwargs: Any) -> "AECFace":
    """An environment of many agents as a PettingZoo `AECEnv`, which asks one after the other.

    Args:
        id: as the registry lists it.
        kwargs: the environment's own arguments.

    Raises:
        gymnasium.error.UnregisteredEnv: there is no such id.
        UnsupportedFaceError: it is played by one agent.
    """
    row = entry(id)
    row.require("aec")
    from .kernel.team import AECFace

    return AECFace(row.load()(**kwargs))


def _refuse(id: str, **kwargs: Any) -> None:
    entry(id).require("single")


def __getattr__(name: str) -> Callable[..., None]:
    """What `gymnasium.make` calls for the environments that have no single-agent face."""
    for row in ENTRIES:
        if row.name == name and "single" not in row.faces:
            return functools.partial(_refuse, row.id)
    raise AttributeError(f"no environment of many agents is called {name}")
