"""The state record: one NumPy record holds everything an environment remembers."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import InvalidArgumentError

#: A field: `(name, type)` or `(name, type, shape)`, as NumPy writes them.
Field = tuple[str, Any] | tuple[str, Any, tuple[int, ...]]

#: What the engine itself keeps in every record, besides `episode_return`. `max_steps` is −1 where
#: no time limit applies, and `task` where `reset` is to draw one.
BOOKKEEPING: tuple[Field, ...] = (
    ("rng", np.uint64),
    ("step_count", np.int32),
    ("max_steps", np.int32),
    ("task", np.int32),
    ("done", np.uint8),
)


@dataclass(frozen=True)
class StateLayout:
    """The three declared parts of a state record.

    Args:
        instance: fields fixed within an episode (walls, coordinates, arm means).
        dynamic: fields that make up the problem's state (positions, what is carried).
        bookkeeping: fields that are kept but do not tell states apart (regrets, orders of visits).
        agents: the number of agents, each of which has a return; 0 where there is one return.

    The engine's own bookkeeping (`BOOKKEEPING`) is added behind them: the random-number state, the
    return and the number of steps so far, the time limit, the task that was asked for and whether
    the episode has ended. The key of a state is made from `instance` and `dynamic`, never from the
    bookkeeping.
    """

    instance: Sequence[Field]
    dynamic: Sequence[Field]
    bookkeeping: Sequence[Field] = ()
    agents: int = 0

    def __post_init__(self) -> None:
        # Without compilation, `state.size` would be NumPy's attribute rather than the field.
        taken = [
            field[0] for field in (*self.fields, *self.bookkeeping) if hasattr(np.record, field[0])
        ]
        if taken:
            raise InvalidArgumentError(
                f"state fields must not be called {taken}: records have them"
            )

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields that identify a state, instance first."""
        return (*self.instance, *self.dynamic)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The aligned record type; batches are arrays of it and a snapshot is a copy of a row."""
        returns: Field = ("episode_return", np.float64)
        if self.agents:
            returns = ("episode_return", np.float64, (self.agents,))
        fields = [*self.fields, *self.bookkeeping, returns, *BOOKKEEPING]
        return np.dtype((np.record, np.dtype(fields, align=True)))

    def empty(self, n: int) -> np.ndarray[Any, Any]:
        """`n` records of zeros, without a time limit or a task."""
        states = np.zeros(n, self.dtype)
        states["max_steps"] = -1
        states["task"] = -1
        return states


def pack_states(states: Any) -> bytes:
    """Records as bytes, in NumPy's own file format: for other machines, faces and times.

    Args:
        states: what `snapshot()` gave: a record, or an array of them.
    """
    file = io.BytesIO()
    np.save(file, np.atleast_1d(np.asarray(states)), allow_pickle=False)
    return file.getvalue()


def unpack_states(data: bytes) -> np.ndarray[Any, Any]:
    """The records of `pack_states`, (n,): for `restore`, one of them or all.

    Raises:
        InvalidArgumentError: the bytes are not of records.
    """
    try:
        states = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InvalidArgumentError(f"these bytes are not of states: {error}") from error
    if states.dtype.names is None:
        raise InvalidArgumentError(f"these bytes are of {states.dtype} rather than of states")
    return states.view(np.dtype((np.record, states.dtype)))
