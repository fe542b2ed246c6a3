"""What every search procedure is given and gives back: limits, a watch, a result."""

import dataclasses
import time
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ...envs.kernel import InvalidArgumentError

Status = Literal["solved", "no_plan", "expansion_limit", "time_limit", "memory_limit"]

_PATIENCE = 1.0  # seconds before a search shows how far it is


class NegativeCostError(InvalidArgumentError):
    """A step gains something, so that no way to a goal is known to be the cheapest."""

    def __init__(self, cost: float):
        super().__init__(
            f"search needs costs that are not negative; a step costs {cost}. "
            "Where only the goal is rewarded, search with unit_costs=True"
        )


@dataclass(frozen=True)
class Limits:
    """When a search is to give up. A plan found until then is given all the same.

    Args:
        max_expanded: the most states expanded; None for no limit.
        max_seconds: the most time; None for no limit.
        max_memory: the most bytes of nodes, lists and tables.
        progress: whether a search that takes longer than a second shows how far it is.

    Raises:
        InvalidArgumentError: a limit is not positive.
    """

    max_expanded: int | None = None
    max_seconds: float | None = None
    max_memory: int = 2 * 2**30
    progress: bool = False

    def __post_init__(self) -> None:
        for name in ("max_expanded", "max_seconds", "max_memory"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InvalidArgumentError(f"{name} must be positive; got {value!r}")


#: As much memory as `Limits` says by default, and no other limit.
UNLIMITED = Limits()


@dataclass(frozen=True)
class SearchResult:
    """What a search found, and what it cost to find.

    Attributes:
        status: `"solved"`; `"no_plan"`, there is none, or this kind of search has found none and
            has nowhere left to look; or the limit that ended it.
        plan: (length,) `int64` actions from the root to a goal; None where none was found.
        cost: of the plan; infinite where there is none.
        proven_optimal: whether no plan is cheaper, provided that the heuristic never overestimates.
        expanded: how many states were expanded, again after a cheaper way to them was found.
        generated: how many children that took.
        calls: how often a batch of states was given to the heuristic; 0 where it is compiled in.
        memory: the most bytes of nodes, lists and tables held at a time.
        seconds: how long it took.
    """

    status: Status
    plan: np.ndarray[Any, np.dtype[np.int64]] | None
    cost: float
    proven_optimal: bool
    expanded: int
    generated: int
    calls: int = 0
    memory: int = 0
    seconds: float = 0.0

    def figures(self) -> dict[str, Any]:
        """All but the plan, by name."""
        found = dataclasses.asdict(self)
        del found["plan"]
        return found


def solved_already() -> SearchResult:
    """The result where the root is a goal."""
    return SearchResult("solved", np.empty(0, np.int64), 0.0, True, 0, 0)


class Watch:
    """Keeps the time of a search, and shows how far a long one is.

    Args:
        limits: of the search.
    """

    def __init__(self, limits: Limits):
        self.limits = limits
        self._shown: Progress | None = None
        self.start()

    def start(self) -> None:
        """Begin to count: what was compiled before is not the search's."""
        self._begin = time.perf_counter()

    @property
    def seconds(self) -> float:
        """How long the search has taken."""
        return time.perf_counter() - self._begin

    def stops(self, expanded: int, memory: int) -> Status | None:
        """The limit that has been reached, if any."""
        limits = self.limits
        self._show(expanded, memory)
        if limits.max_expanded is not None and expanded >= limits.max_expanded:
            return "expansion_limit"
        if limits.max_seconds is not None and self.seconds >= limits.max_seconds:
            return "time_limit"
        return "memory_limit" if memory > limits.max_memory else None

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._shown is not None:
            self._shown.stop()
            self._shown = None

    def _show(self, expanded: int, memory: int) -> None:
        if not self.limits.progress or self.seconds < _PATIENCE:
            return
        if self._shown is None:
            columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
            self._shown = Progress(*columns, console=Console(stderr=True), transient=True)
            self._shown.add_task("searching", total=None)
            self._shown.start()
        rate = expanded / self.seconds
        text = f"{expanded:,} states expanded, {rate:,.0f} a second, {memory / 2**20:,.0f} MiB"
        self._shown.update(self._shown.task_ids[0], description=text)
