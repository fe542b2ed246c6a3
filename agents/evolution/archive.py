"""What a search has found so far: an archive that grows, and how far things lie from it."""

import math
from collections.abc import Mapping
from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..core.trainer import Arrays


class Archive:
    """Named columns of equally many rows, appended to in place.

    A row may hold a behaviour, a genome, a return, a number of visits, a snapshot of an
    environment: whatever the search wants to come back to.

    Args:
        columns: what a row holds under each name, as (type, shape); a state record is a type too.
    """

    def __init__(self, columns: Mapping[str, tuple[DTypeLike, tuple[int, ...]]]):
        self._columns = {
            name: np.empty((0, *shape), dtype) for name, (dtype, shape) in columns.items()
        }
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, column: str) -> np.ndarray[Any, Any]:
        """A column, (rows, …): a view, so that writing to it changes the archive.

        The next `append` may move the archive elsewhere; ask again after it.
        """
        return self._columns[column][: self._size]

    def append(self, **rows: ArrayLike) -> None:
        """Add rows at the end.

        Args:
            rows: (n, …) of every column.
        """
        given = {name: np.asarray(rows[name]) for name in self._columns}
        size = self._size + len(next(iter(given.values())))
        for name, column in self._columns.items():
            if size > len(column):
                # Doubling, so that appending row by row takes linear time.
                column = np.resize(column, (max(size, 2 * len(column)), *column.shape[1:]))
                self._columns[name] = column
            column[self._size : size] = given[name]
        self._size = size

    def arrays(self) -> Arrays:
        """A copy of every column, for a checkpoint."""
        return {name: self[name].copy() for name in self._columns}

    def load(self, arrays: Arrays) -> None:
        """Hold exactly what `arrays` returned."""
        self._size = 0
        self.append(**{name: arrays[name] for name in self._columns})


def novelty(
    behaviours: np.ndarray[Any, Any], archived: np.ndarray[Any, Any], neighbours: int = 15
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """How far each behaviour of a population is from what is known: (n,) `float64`.

    The mean Euclidean distance to the nearest others, in the population and the archive together
    (Lehman & Stanley 2011, "Abandoning objectives", equation 2), by comparison with all of them.

    Args:
        behaviours: (n, d) of the population; nobody is a neighbour of itself.
        archived: (m, d).
        neighbours: k, how many of the nearest count; where there are fewer, all do.
    """
    known = np.concatenate((behaviours, archived), dtype=np.float64)
    k = min(neighbours, len(known) - 1)
    result = np.zeros(len(behaviours))
    if k > 0:
        _mean_nearest(known, k, result)
    return result


@numba.njit
def _mean_nearest(points, k, out):
    """Mean distance of the first `len(out)` points to their `k` nearest others."""
    nearest = np.empty(k)  # squared distances, ascending
    for i in range(len(out)):
        nearest[:] = np.inf
        for j in range(len(points)):
            if j == i:
                continue
            squared = 0.0
            for d in range(points.shape[1]):
                difference = points[i, d] - points[j, d]
                squared += difference * difference
            place = k
            while place > 0 and squared < nearest[place - 1]:
                if place < k:
                    nearest[place] = nearest[place - 1]
                place -= 1
            if place < k:
                nearest[place] = squared
        total = 0.0
        for place in range(k):
            total += math.sqrt(nearest[place])
        out[i] = total / k
