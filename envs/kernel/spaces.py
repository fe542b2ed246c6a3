"""Spaces that Gymnasium does not have."""

import multiprocessing
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector.utils import (
    create_empty_array,
    create_shared_memory,
    read_from_shared_memory,
    write_to_shared_memory,
)

from .errors import InvalidArgumentError

#: The most code points of a sample where any length is allowed.
_SAMPLED = 256
_CODE_POINTS, _SURROGATES, _FIRST_SURROGATE = 0x110000, 0x800, 0xD800


class Unicode(gymnasium.Space[str]):
    """Texts of any characters, up to a length or of any length.

    Gymnasium's `Text` lists its characters one by one; this space has them all. A batch of it is a
    `Tuple`, a batch of its elements a tuple of strings, and Gymnasium's vector environments, those
    with shared memory too, can carry it.

    Args:
        max_length: the largest number of code points of a text, at least 1; None for any length,
            where samples have at most 256 and shared memory cannot be used.
        seed: of `sample`.

    Raises:
        InvalidArgumentError: `max_length` is neither None nor a positive integer.
    """

    def __init__(self, max_length: int | None, seed: int | np.random.Generator | None = None):
        whole = isinstance(max_length, int) and not isinstance(max_length, bool)
        if max_length is not None and not (whole and max_length >= 1):
            raise InvalidArgumentError(
                f"max_length must be a positive integer or None; got {max_length!r}"
            )
        self.max_length = max_length
        super().__init__(dtype=str, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """No: a text has no one meaning as a vector of numbers."""
        return False

    def contains(self, x: Any) -> bool:
        """Whether `x` is a text of at most `max_length` code points."""
        return isinstance(x, str) and (self.max_length is None or len(x) <= self.max_length)

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> str:
        """A text of uniform length, its characters uniform over Unicode.

        Raises:
            InvalidArgumentError: a mask or probabilities were given; this space takes none.
        """
        if mask is not None or probability is not None:
            raise InvalidArgumentError("the samples of a Unicode space take no mask or probability")
        most = _SAMPLED if self.max_length is None else self.max_length
        length = int(self.np_random.integers(most + 1))
        points = self.np_random.integers(_CODE_POINTS - _SURROGATES, size=length)
        return "".join(chr(p + _SURROGATES * (p >= _FIRST_SURROGATE)) for p in points.tolist())

    def __repr__(self) -> str:
        return f"Unicode({self.max_length})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unicode) and self.max_length == other.max_length


class LegalDiscrete(gymnasium.spaces.Discrete):
    """A `Discrete` space whose samples are legal in the environment it belongs to.

    It equals, and contains what, the plain space does; only `sample()` looks at the present mask.

    Args:
        n: the number of actions.
        mask: gives the present mask, (n,) `int8`.
    """

    def __init__(self, n: int, mask: Callable[[], np.ndarray[Any, np.dtype[np.int8]] | None]):
        super().__init__(n)
        self._legal = mask

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> np.int64:
        """A legal action drawn uniformly, unless a mask or probabilities are given."""
        if mask is None and probability is None:
            mask = self._legal()
        return super().sample(mask, probability)


class _SharedTexts(Sequence[str]):
    """The texts of all workers as they stand in shared memory; a deep copy of it is a tuple.

    Each row holds the length of a text and then its code points. Gymnasium reads the memory once
    and hands out (copies of) what it was given for ever after, so that this must be a live view.
    """

    def __init__(self, memory: Any, n: int):
        self._rows = np.frombuffer(memory.get_obj(), np.int32).reshape(n, -1)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        row = self._rows[index]
        return row[1 : 1 + row[0]].tobytes().decode(_ENCODING, "surrogatepass")

    def __deepcopy__(self, memo: dict[int, Any]) -> tuple[str, ...]:
        return tuple(self)

    def write(self, index: int, text: str) -> None:
        """Store a text in a row."""
        points = np.frombuffer(text.encode(_ENCODING, "surrogatepass"), np.int32)
        self._rows[index, 0] = len(points)
        self._rows[index, 1 : 1 + len(points)] = points


_ENCODING = "utf-32-le" if np.little_endian else "utf-32-be"


@create_empty_array.register(Unicode)
def _create_empty_array(space: Unicode, n: int = 1, fn: Any = np.zeros) -> tuple[str, ...]:
    return ("",) * n


@create_shared_memory.register(Unicode)
def _create_shared_memory(space: Unicode, n: int = 1, ctx: Any = multiprocessing) -> Any:
    if space.max_length is None:
        raise InvalidArgumentError("texts of any length do not fit into shared memory")
    return ctx.Array(np.dtype(np.int32).char, n * (1 + space.max_length))


@read_from_shared_memory.register(Unicode)
def _read_from_shared_memory(space: Unicode, shared_memory: Any, n: int = 1) -> Any:
    return _SharedTexts(shared_memory, n)


@write_to_shared_memory.register(Unicode)
def _write_to_shared_memory(space: Unicode, index: int, values: str, shared_memory: Any) -> None:
    assert space.max_length is not None
    rows = len(shared_memory) // (1 + space.max_length)
    _SharedTexts(shared_memory, rows).write(index, values)
