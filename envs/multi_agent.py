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


def _single(id: str, **kwargs: Any) -> Any:
    """A game for two in turns as its one agent meets it: there must be an opponent."""
    row = entry(id)
    if "parallel" in row.faces:
        row.require("single")
    if kwargs.get("opponent") is None:
        from .kernel.errors import UnsupportedFaceError

        raise UnsupportedFaceError(
            f"{id} is played by two: choose whom to play against, as in gymnasium.make({id!r}, "
            'opponent="random"), or play both with spelunk.aec_env or gymnasium.make_vec'
        )
    return row.load()(**kwargs)


def __getattr__(name: str) -> Callable[..., Any]:
    """What `gymnasium.make` calls for games, which one agent can play only against an opponent."""
    for row in ENTRIES:
        if row.name == name and "single" not in row.faces:
            return functools.partial(_single, row.id)
    raise AttributeError(f"no environment of many agents is called {name}")
