"""What an environment is made of, and the compiled loops that run it: shared by all its faces."""

import functools
import inspect
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from . import codegen
from .errors import InvalidActionError, InvalidArgumentError
from .state import StateLayout


@dataclass(frozen=True)
class Definition:
    """One environment, taken apart: kernels, state record, parameters and spaces.

    Args:
        kernels: the dynamics.
        layout: the state record.
        params: a named tuple of scalars and arrays, fixed for the life of the environment.
        observation_space: a `Box` (or other array space), or a `Dict` of them.
        action_space: `Discrete`, `MultiDiscrete`, `MultiBinary` or a 1-D `Box`.
        max_episode_steps: the time limit; −1 for none.
        metrics: state fields handed out in the infos under their own names.
        stochastic: whether `step` draws random numbers.
    """

    kernels: codegen.Kernels
    layout: StateLayout
    params: Any
    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    max_episode_steps: int
    metrics: tuple[str, ...] = ()
    stochastic: bool = False

    def __post_init__(self) -> None:
        limit = self.max_episode_steps
        if isinstance(limit, bool) or not isinstance(limit, int) or (limit < 1 and limit != -1):
            raise InvalidArgumentError(
                f"max_episode_steps must be a positive integer, or -1 for none; got {limit!r}"
            )
        unknown = set(self.metrics) - set(self.layout.dtype.names or ())
        if unknown:
            raise InvalidArgumentError(f"metrics {sorted(unknown)} are not fields of the state")

    @property
    def discrete(self) -> bool:
        """Whether an action is one integer."""
        return isinstance(self.action_space, spaces.Discrete)

    @property
    def n_actions(self) -> int:
        """The number of actions of a discrete space; 1 otherwise."""
        return int(self.action_space.n) if isinstance(self.action_space, spaces.Discrete) else 1

    @functools.cached_property
    def parts(self) -> dict[str, spaces.Space[Any]] | None:
        """The named parts of a composite observation; None for one array."""
        space = self.observation_space
        return dict(space.spaces) if isinstance(space, spaces.Dict) else None

    @functools.cached_property
    def loops(self) -> Any:
        """The compiled module (see `codegen`)."""
        kind = "integer" if self.discrete else "row"
        return codegen.load(self.kernels, self.layout, self._observation_type, kind)

    @functools.cached_property
    def _observation_type(self) -> type[tuple[Any, ...]] | None:
        return None if self.parts is None else _observation_type(tuple(self.parts))

    def allocate_observations(self, n: int) -> Any:
        """`n` observation rows: an array, or a named tuple of arrays."""
        if self.parts is None or self._observation_type is None:
            space = self.observation_space
            return np.zeros((n, *(space.shape or ())), space.dtype)
        return self._observation_type(
            *(np.zeros((n, *(s.shape or ())), s.dtype) for s in self.parts.values())
        )

    def allocate_mask(self, n: int) -> np.ndarray[Any, np.dtype[np.int8]]:
        """`n` mask rows; one row where every action is always legal."""
        return np.ones((n if self.kernels.legal is not None else 1, self.n_actions), np.int8)

    def allocate_actions(self, n: int) -> np.ndarray[Any, Any]:
        """A buffer for `n` actions, which keeps the loops to one compiled signature."""
        if self.discrete:
            return np.zeros(n, np.int64)
        return np.zeros((n, *(self.action_space.shape or ())), self.action_space.dtype)

    def read_actions(self, actions: Any, buffer: np.ndarray[Any, Any]) -> None:
        """Copy actions into a buffer; clip those of a `Box`.

        Raises:
            InvalidActionError: for a wrong shape, a fraction where an integer is wanted, or a
                `MultiDiscrete` choice out of range. NaN and illegal integers are found later, by
                the compiled loop.
        """
        try:
            given = np.asarray(actions)
            if given.shape != buffer.shape:
                raise TypeError(f"the shape is {given.shape} and must be {buffer.shape}")
            if given.dtype == bool and self.discrete:
                raise TypeError("the dtype is bool and must be an integer")
            np.copyto(buffer, given, casting="same_kind")
        except TypeError as error:
            raise InvalidActionError(
                f"the actions do not fit the action space {self.action_space}: {error}"
            ) from error
        if isinstance(self.action_space, spaces.Box):
            np.clip(buffer, self.action_space.low, self.action_space.high, out=buffer)
        elif isinstance(self.action_space, spaces.MultiDiscrete | spaces.MultiBinary):
            top = getattr(self.action_space, "nvec", 2)
            wrong = ((buffer < 0) | (buffer >= top)).any(axis=-1)
            if wrong.any():
                raise self.illegal_action(int(np.argmax(wrong)), buffer[np.argmax(wrong)], None)

    def illegal_action(self, index: int, action: Any, mask: Any) -> InvalidActionError:
        """The error that names the environment, the action and what was allowed."""
        allowed = f"the action space is {self.action_space}"
        if mask is not None and self.kernels.legal is not None:
            legal = np.flatnonzero(mask)
            shown = ", ".join(map(str, legal[:20])) + (", …" if len(legal) > 20 else "")
            allowed = f"allowed were {shown}"
        return InvalidActionError(f"environment {index}: action {action} is illegal; {allowed}")


@functools.cache
def _observation_type(names: tuple[str, ...]) -> type[tuple[Any, ...]]:
    # Numba tells named tuples apart by class: one class for one set of names.
    return namedtuple("Observation", names)  # noqa: PYI024


def constructor_arguments(cls: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a constructor call by name, as they were given.

    Raises:
        InvalidArgumentError: for an unknown argument; the message lists the accepted ones.
    """
    signature = inspect.signature(cls.__init__)
    try:
        bound = signature.bind(None, *args, **kwargs)
    except TypeError as error:
        accepted = ", ".join(list(signature.parameters)[1:])
        raise InvalidArgumentError(f"{cls.__name__}: {error}; accepted are {accepted}") from None
    arguments = dict(bound.arguments)
    arguments.pop(next(iter(signature.parameters)))
    return arguments
