"""The heuristics of the environments that have some, by name."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...envs.kernel import InvalidArgumentError, KernelEnv
from ...envs.registry import entry as env_entry
from . import puzzle_heuristics as puzzles
from . import relaxation
from .compiled import BLIND, Heuristic
from .cube_heuristics import corners
from .pattern_database import PARTITIONS, pattern_database
from .perfect import perfect
from .tile_heuristics import MANHATTAN, linear_conflict


def _always(env: KernelEnv) -> bool:
    return True


@dataclass(frozen=True)
class Entry:
    """One heuristic.

    Attributes:
        name: what the planners call it.
        environment: the name of the environment's class, or of one that it extends.
        make: the heuristic for an environment: compiled, or a function from (n,) states to (n,)
            costs.
        admissible: whether it never overestimates.
        at_hand: whether it is ready in no time; otherwise it is used only where it is asked for.
        fits: whether it is for this environment.
    """

    name: str
    environment: str
    make: Callable[[Any], Any]
    admissible: bool = True
    at_hand: bool = True
    fits: Callable[[Any], bool] = _always


#: Of an environment's heuristics the first one at hand is used where none is asked for.
ENTRIES: tuple[Entry, ...] = (
    Entry("manhattan", "SlidingTile", lambda env: MANHATTAN),
    Entry("linear_conflict", "SlidingTile", lambda env: linear_conflict(env.size)),
    Entry(
        "pattern_database",
        "SlidingTile",
        lambda env: pattern_database(env.size),
        at_hand=False,
        fits=lambda env: env.size in PARTITIONS,
    ),
    Entry(
        "pattern_database_6_6_3",
        "SlidingTile",
        lambda env: pattern_database(4, "6-6-3"),
        at_hand=False,
        fits=lambda env: env.size == 4,
    ),
    Entry("corners", "RubiksCube", lambda env: corners(env.metric), at_hand=False),
    Entry("gaps", "Pancake", lambda env: puzzles.PANCAKE_GAPS),
    Entry("gaps", "TopSpin", lambda env: puzzles.RING_GAPS),
    Entry("lights", "LightsOut", lambda env: puzzles.LIGHTS),
    Entry("manhattan", "Maze", lambda env: puzzles.WAY),
    Entry("pushes", "Sokoban", lambda env: puzzles.PUSHES),
    Entry("h_max", "Strips", relaxation.h_max),
    Entry("goal_count", "Strips", relaxation.goal_count, admissible=False),
    Entry("h_add", "Strips", relaxation.h_add, admissible=False),
    Entry("h_ff", "Strips", relaxation.h_ff, admissible=False),
    Entry(
        "distance_table",
        "KernelEnv",
        perfect,
        at_hand=False,
        fits=lambda env: env.definition.kernels.rank is not None,
    ),
)


def entries_for(env: KernelEnv) -> list[Entry]:
    """The heuristics that an environment has."""
    bases = {base.__name__ for base in type(env).__mro__}
    return [entry for entry in ENTRIES if entry.environment in bases and entry.fits(env)]


def make_heuristic(env: KernelEnv, name: str | None = None) -> Any:
    """A heuristic for an environment.

    Args:
        env: the environment.
        name: of the heuristic; `"blind"` is zero everywhere. Or the folder of a run that has
            learned one. None for the best at hand.

    Raises:
        InvalidArgumentError: the environment has no such heuristic; the message lists those it has.
        RunError: the folder's run cannot be read.
    """
    own = entries_for(env)
    if name is None:
        return next((entry.make(env) for entry in own if entry.at_hand), BLIND)
    if name == "blind":
        return BLIND
    for entry in own:
        if entry.name == name:
            return entry.make(env)
    if Path(name).is_dir():
        return _learned(env, Path(name))
    known = ", ".join([entry.name for entry in own] + ["blind"])
    raise InvalidArgumentError(
        f"{type(env).__name__} has no heuristic {name!r}; there are {known}, and folders of runs"
    )


def _learned(env: KernelEnv, folder: Path) -> Any:
    """What a run has learned of the costs to go."""
    from ..core.run import load_agent

    agent, run = load_agent(folder)
    if not hasattr(agent, "costs"):
        raise InvalidArgumentError(f"{folder} is a run of {run.agent}, which learns no heuristic")
    return agent.costs(env.model)  # pyright: ignore[reportAttributeAccessIssue]


def build_heuristic(name: str, env_id: str, env_kwargs: dict[str, Any]) -> dict[str, Any]:
    """Make the tables of a heuristic, and keep those that are kept in the user's cache folder.

    Args:
        name: of the heuristic.
        env_id: the environment.
        env_kwargs: its arguments.

    Returns:
        The seconds that it took and the bytes of the tables, besides what was given.

    Raises:
        InvalidArgumentError: the environment has no such heuristic.
    """
    env = env_entry(env_id).load()(**env_kwargs)
    begin = time.perf_counter()
    made = make_heuristic(env, name)
    tables = made.tables if isinstance(made, Heuristic) else ()
    return {
        "id": env_id,
        "env_kwargs": env_kwargs,
        "heuristic": name,
        "seconds": time.perf_counter() - begin,
        "bytes": sum(int(np.asarray(table).nbytes) for table in tables),
    }
