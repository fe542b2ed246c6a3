"""What a vector environment writes at each step, and how it is handed out."""

from collections import defaultdict
from typing import Any

import numpy as np

from .definition import Definition
from .errors import InvalidArgumentError
from .recycler import Recycler

Array = np.ndarray[Any, Any]


class Buffers:
    """The arrays of a batch that the loops write.

    Args:
        definition: what the environment is made of.
        num_envs: the number of environments.
        copy: whether what was handed out stays as it was. Each step then writes into arrays that
            nobody holds, which costs less than copies.
        finals: whether final observations are kept, as same-step resets need.

    Attributes:
        observations: an array (n, …), or a named tuple of such arrays.
        mask: (n, …, actions) `int8`; one row where every action is always legal.
        rewards: (n,) `float32`; (n, agents) of a game, and so `terminated` and `returns`.
        terminated, truncated, ended: `bool`; `ended` says whether the last step ended an episode.
        returns, lengths: those of the latest episode that has ended in each lane.
        final_states: the records that those episodes ended in.
        final_observations, final_mask: what the episodes that have just ended showed at last.
        rows: what the loops write observations into. Where steps only change what the row of the
            step before shows, these are rows of the batch's own, and `observations` are copies;
            otherwise they are the same.
    """

    def __init__(self, definition: Definition, num_envs: int, copy: bool, finals: bool):
        d, n = definition, num_envs
        self._copy = copy
        self._revised = d.revised
        self._recyclers: dict[str, Recycler] = defaultdict(Recycler)
        self.observations = self.rows = d.allocate_observations(n)
        self.mask = d.allocate_mask(n)
        self.rewards = d.allocate_scalars(n, np.float32)
        self.terminated = d.allocate_scalars(n, bool)
        self.truncated = np.zeros(n, bool)
        self.ended = np.zeros(n, bool)
        self.returns = d.allocate_scalars(n, np.float64)
        self.lengths = np.zeros(n, np.int32)
        self.final_states = d.layout.empty(n)
        self.final_observations = d.allocate_observations(n if finals else 1)
        self.final_mask = d.allocate_mask(n if finals else 1)
        self._turned = (*_OUTPUTS, "final_observations", "final_mask") if finals else _OUTPUTS
        self._own = {name: getattr(self, name) for name in self._turned}
        self._given: set[str] = set()

    def give(self, **arrays: Any) -> None:
        """Write into these arrays from now on; None stands for the batch's own.

        Args:
            arrays: `observations`, `rewards`, `terminated` and `truncated`.

        Raises:
            InvalidArgumentError: an array that does not fit; then none is taken.
        """
        given = {
            name: self._fitting(name, array, self._own[name])
            for name, array in arrays.items()
            if array is not None
        }
        self._given = set(given)
        for name in arrays:
            setattr(self, name, given.get(name, self._own[name]))
        if not self._revised:
            self.rows = self.observations

    def turn_over(self) -> None:
        """Before anything is written: let go of the arrays that may have been handed out."""
        for name in self._turned if self._copy else ():
            if name not in self._given:
                setattr(self, name, None)  # So that a buffer nobody else holds is used again.
                if name == "observations" and not self._revised:
                    self.rows = None
                setattr(self, name, self._fresh(name))
        if not self._revised:
            self.rows = self.observations

    def show_rows(self) -> None:
        """Copy the rows to what is handed out, where that is another array."""
        if self.rows is self.observations:
            return
        rows = self.rows if isinstance(self.rows, tuple) else (self.rows,)
        shown = self.observations if isinstance(self.rows, tuple) else (self.observations,)
        for source, target in zip(rows, shown, strict=True):
            target[...] = source

    def copied(self, name: str) -> Array:
        """A copy of a buffer that stays the same one."""
        if not self._copy and name != "mask":  # Steps are checked against the mask.
            return getattr(self, name)
        return self._recyclers[name].copy(getattr(self, name))

    def shown(self, name: str) -> Any:
        """Observations as the caller gets them: a dict of the parts, a tuple of texts."""
        values = getattr(self, name)
        if isinstance(values, tuple):
            parts = values._asdict()  # pyright: ignore[reportAttributeAccessIssue]
            return {part: _shown(array) for part, array in parts.items()}
        return _shown(values)

    def _fresh(self, name: str) -> Any:
        """Arrays that nobody holds, in the place of an array or of each of a named tuple."""
        like = self._own[name]
        if isinstance(like, tuple):
            parts = like._asdict()  # pyright: ignore[reportAttributeAccessIssue]
            return type(like)(*(self._recyclers[name + p].take(a) for p, a in parts.items()))
        if like.dtype.hasobject:
            return like  # Texts are handed out as a tuple, never as the array.
        return self._recyclers[name].take(like)

    def _fitting(self, name: str, given: Any, own: Any) -> Any:
        """The given arrays in the place of a buffer of one's own: an array or a named tuple."""
        if isinstance(own, tuple):
            parts: dict[str, Any] = own._asdict()  # pyright: ignore[reportAttributeAccessIssue]
            if not isinstance(given, dict) or given.keys() != parts.keys():
                raise InvalidArgumentError(f"{name} must be a dict of {list(parts)}")
            fitting = [
                self._fitting(f"{name} {part!r}", given[part], parts[part]) for part in parts
            ]
            return type(own)(*fitting)
        array = self._shared(given, own)
        if array is None:
            raise InvalidArgumentError(
                f"{name} must be a writeable contiguous array of shape {tuple(own.shape)} and "
                f"dtype {own.dtype}; got {getattr(given, 'dtype', type(given).__name__)} "
                f"{getattr(given, 'shape', '')}"
            )
        return array

    def _shared(self, given: Any, own: Any) -> Any:
        """An array over the very memory that is given; None if it cannot stand in for `own`."""
        # A torch tensor shares its memory through `numpy()`; other things would be copied.
        array = given.numpy() if hasattr(given, "numpy") else given
        fits = (
            isinstance(array, np.ndarray)
            and array.dtype == own.dtype
            and array.shape == own.shape
            and array.flags.c_contiguous
            and array.flags.writeable
            and not array.dtype.hasobject
        )
        return array if fits else None


_OUTPUTS = ("observations", "rewards", "terminated", "truncated")


def _shown(values: Array) -> Any:
    return tuple(values) if values.dtype.hasobject else values
