"""A binary tree of sums, from which indices are drawn in proportion to their values."""

from typing import Any

import numba
import numpy as np

from ...envs.kernel.errors import InvalidArgumentError

Array = np.ndarray[Any, Any]


class SegmentTree:
    """Values that are not negative, their sum, and where a prefix sum is reached.

    Every inner node is the sum of its two children, whatever the order of the changes: a tree
    filled anew from its values is the same bit for bit.

    Args:
        size: how many values there are, all 0 at first.

    Raises:
        InvalidArgumentError: the size is not positive.
    """

    def __init__(self, size: int):
        if size < 1:
            raise InvalidArgumentError(f"a segment tree has at least one value; got size {size!r}")
        # The root is node 1, the children of node i are 2i and 2i + 1, the values are the leaves.
        self._leaves = 1 << (size - 1).bit_length()
        self._nodes = np.zeros(2 * self._leaves)
        #: The values, (size,) `float64`; change them by `set`.
        self.values = self._nodes[self._leaves : self._leaves + size]

    @property
    def total(self) -> float:
        """The sum of all values."""
        return float(self._nodes[1])

    @property
    def nbytes(self) -> int:
        """The memory it takes, in bytes."""
        return self._nodes.nbytes

    def set(self, indices: Array, values: Array) -> None:
        """Change values.

        Args:
            indices: (k,) `int64`; of one that comes twice, the last value counts.
            values: (k,) `float64`.
        """
        _set(self._nodes, self._leaves, indices, values)

    def find(self, targets: Array) -> Array:
        """Where prefix sums exceed targets.

        Args:
            targets: (k,) `float64`, at least 0 and below `total`.

        Returns:
            (k,) `int64`, for each target the first index at which the sum of the values up to and
            with it is greater. Values of 0 are never found, unless all are.
        """
        return _find(self._nodes, self._leaves, targets)

    def sample(self, uniform: Array) -> Array:
        """Indices drawn in proportion to their values, one from each equal share of the total.

        Args:
            uniform: (k,) random numbers in [0, 1).

        Returns:
            (k,) `int64`.
        """
        return self.find((np.arange(len(uniform)) + uniform) * (self.total / len(uniform)))


@numba.njit(cache=True)
def _set(nodes, leaves, indices, values):  # pragma: no cover
    for k in range(len(indices)):
        node = leaves + indices[k]
        nodes[node] = values[k]
        while node > 1:
            node //= 2
            nodes[node] = nodes[2 * node] + nodes[2 * node + 1]


@numba.njit(cache=True)
def _find(nodes, leaves, targets):  # pragma: no cover
    found = np.empty(len(targets), np.int64)
    for k in range(len(targets)):
        target, node = targets[k], 1
        while node < leaves:
            node *= 2
            # Rounding may leave a target beyond the last positive value: then stay before it.
            if target >= nodes[node] and nodes[node + 1] > 0.0:
                target -= nodes[node]
                node += 1
        found[k] = node - leaves
    return found
