"""What a vector environment writes at each step, and how it is handed out."""

from typing import Any

import numpy as np

from .definition import Definition
from .errors import InvalidArgumentError
from .recycler import Recycler

Array = np.ndarray[Any, Any]


class Buffers:
    """The arrays of a batch, all of them written by the loops and kept for good.

    Args:
        definition: what the environment is made of.
        num_envs: the number of environments.
        copy: whether what is handed out is a copy.
        finals: whether final observations are kept, as same-step resets need.

    Attributes:
        observations: an array (n, …), or a named tuple of such arrays.
        mask: (n, …, actions) `int8`; one row where every action is always legal.
        rewards: (n,) `float32`; (n, agents) of a game, and so `terminated` and `returns`.
        terminated, truncated, ended: `bool`; `ended` says whether the last step ended an episode.
        returns, lengths: those of the latest episode that has ended in each lane.
        final_states: the records that those episodes ended in.
        final_observations, final_mask: what they showed.
        anew: whether the rows of `observations` show nothing yet.
    """

    def __init__(self, definition: Definition, num_envs: int, copy: bool, finals: bool):
        d, n = definition, num_envs
        self._copy = copy
        self._recyclers: dict[int, Recycler] = {}
        self.observations = d.allocate_observations(n)
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
        self.anew = False
        self._own = {name: getattr(self, name) for name in _OUTPUTS}

    def give(self, **arrays: Any) -> None:
        """Write into these arrays from now on; None stands for the batch's own.

        Args:
            arrays: `observations`, `rewards`, `terminated` and `truncated`.

        Raises:
            InvalidArgumentError: an array that does not fit; then none is taken.
        """
        given = {
            name: own if arrays[name] is None else _fitting(name, arrays[name], own)
            for name, own in self._own.items()
        }
        for name, array in given.items():
            setattr(self, name, array)
        self.anew = True

    def hand_out(self, name: str) -> Any:
        """A buffer as the caller gets it: the caller's own array, a copy, or the buffer itself.

        Composite observations come as a dict, texts as a tuple of strings.
        """
        values = getattr(self, name)
        copy = self._copy and values is self._own.get(name, values)
        if isinstance(values, tuple):
            parts = values._asdict()  # pyright: ignore[reportAttributeAccessIssue]
            return {part: self._one(array, copy) for part, array in parts.items()}
        # Steps are checked against the mask, so that nobody else may change it.
        return self._one(values, copy or name == "mask")

    def _one(self, values: Array, copy: bool) -> Any:
        if values.dtype.hasobject:
            return tuple(values)
        if not copy:
            return values
        return self._recyclers.setdefault(id(values), Recycler()).copy(values)


_OUTPUTS = ("observations", "rewards", "terminated", "truncated")


def _fitting(name: str, given: Any, own: Any) -> Any:
    """The given arrays in the place of a buffer of one's own: an array or a named tuple."""
    if isinstance(own, tuple):
        parts: dict[str, Any] = own._asdict()  # pyright: ignore[reportAttributeAccessIssue]
        if not isinstance(given, dict) or given.keys() != parts.keys():
            raise InvalidArgumentError(f"{name} must be a dict of {list(parts)}")
        fitting = [_fitting(f"{name} {part!r}", given[part], parts[part]) for part in parts]
        return type(own)(*fitting)
    # A torch tensor shares its memory through `numpy()`; other things would be copied unnoticed.
    array = given.numpy() if hasattr(given, "numpy") else given
    fits = (
        isinstance(array, np.ndarray)
        and array.dtype == own.dtype
        and array.shape == own.shape
        and array.flags.c_contiguous
        and array.flags.writeable
        and not array.dtype.hasobject
    )
    if not fits:
        raise InvalidArgumentError(
            f"{name} must be a writeable contiguous array of shape {own.shape} and dtype "
            f"{own.dtype}; got {getattr(array, 'dtype', type(array).__name__)} "
            f"{getattr(array, 'shape', '')}"
        )
    return array
