"""`FeasibleSpace`: combinatorial actions, rows of zeros and ones that obey constraints.

The sets themselves are in `feasible_sets` and `feasible_searches`; here is what they have in
common, and what Gymnasium's vector environments must know to carry their rows.
"""

import functools
import itertools
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.spaces.utils import flatdim, flatten, flatten_space, unflatten
from gymnasium.vector.utils import (
    batch_space,
    concatenate,
    create_empty_array,
    create_shared_memory,
    iterate,
    read_from_shared_memory,
    write_to_shared_memory,
)

from .errors import InvalidArgumentError

Row = np.ndarray[Any, np.dtype[np.int8]]
Array = np.ndarray[Any, Any]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Seed = int | np.random.Generator | None

#: Beyond this many rows `enumerate` gives up.
MOST_ROWS = 200_000
#: Up to so many rows `maximise` looks at each.
_FEW_ROWS = 10_000


class Constraints(NamedTuple):
    """Linear constraints `lower ≤ matrix @ x ≤ upper` over variables that are 0 or 1.

    The first variables are those of the row; auxiliary ones follow, and a row is feasible where
    some values of theirs satisfy all constraints.

    Attributes:
        matrix: (constraints, variables) `float64`.
        lower: (constraints,) `float64`.
        upper: (constraints,) `float64`.
    """

    matrix: Array
    lower: Array
    upper: Array


class FeasibleSpace(gymnasium.Space[Row]):
    """Rows (n,) of zeros and ones, `int8`, that obey constraints: a set of combinatorial actions.

    A subclass gives `are_feasible` and `constraints`. As it stands here the space is closed
    downwards (a feasible row stays feasible when ones turn into zeros); a subclass that is not
    overrides `draw`, `maximise` and `enumerate`.

    Args:
        n: the length of a row.
        seed: of `sample`.
        definition: what the space is made of, by name; spaces of one class and equal definitions
            are equal.
    """

    def __init__(self, n: int, seed: Seed = None, **definition: Any):
        self.n = n
        self.definition = {
            name: np.asarray(value) if isinstance(value, list | tuple) else value
            for name, value in definition.items()
        }
        super().__init__((n,), np.int8, seed)

    # --- what a subclass gives ---

    @abstractmethod
    def are_feasible(self, rows: Array) -> Flags:
        """Which rows (m, n) of zeros and ones obey the constraints, (m,)."""

    @abstractmethod
    def constraints(self) -> Constraints:
        """The set as linear constraints, for integer programmes."""

    # --- the set ---

    def is_feasible(self, row: Array) -> bool:
        """Whether a row (n,) of zeros and ones obeys the constraints."""
        return bool(self.are_feasible(row[None])[0])

    def draw(self, rng: np.random.Generator) -> Row:
        """A feasible row: the variables in random order, each set to 1 where that is feasible."""
        row = np.zeros(self.n, np.int8)
        for i in rng.permutation(self.n):
            row[i] = 1
            if not self.is_feasible(row):
                row[i] = 0
        return row

    def maximise(self, values: Any) -> Row:
        """The feasible row of the largest `values @ row`, exactly.

        Small sets are listed once; of others an integer programme finds it.

        Args:
            values: (n,) numbers, which may be negative.
        """
        if self.listed is not None:
            return self.listed[(self.listed @ np.asarray(values, float)).argmax()].copy()
        return solve(self.constraints(), np.asarray(values, float))[: self.n].astype(np.int8)

    def grow(self, worth: Callable[[Row], Array]) -> Row:
        """A feasible row found greedily: from zeros, the best one is added while any pays.

        Args:
            worth: gives the values (m,) of rows (m, n).
        """
        row = np.zeros(self.n, np.int8)
        while True:
            larger = (row | np.eye(self.n, dtype=np.int8))[row == 0]
            rows = np.concatenate([row[None], larger[self.are_feasible(larger)]])
            best = int(worth(rows).argmax())
            if best == 0:
                return row
            row = rows[best]

    def enumerate(self) -> Row:
        """All feasible rows, (rows, n).

        Raises:
            InvalidArgumentError: there are more than `MOST_ROWS`.
        """
        return gather(self._extend(np.zeros(self.n, np.int8), 0))

    @functools.cached_property
    def listed(self) -> Row | None:
        """All feasible rows of a small set, (rows, n); None of a larger one."""
        rows = self._extend(np.zeros(self.n, np.int8), 0)
        found = list(itertools.islice(rows, _FEW_ROWS + 1))
        return None if len(found) > _FEW_ROWS else np.array(found, np.int8)

    def _extend(self, row: Row, begin: int) -> Iterator[Row]:
        yield row
        for i in range(begin, self.n):
            larger = row.copy()
            larger[i] = 1
            if self.is_feasible(larger):
                yield from self._extend(larger, i + 1)

    def first_infeasible(self, rows: Array) -> int:
        """The index of the first of rows (m, n) that is not in the set, or −1."""
        right = ((rows == 0) | (rows == 1)).all(axis=1) & self.are_feasible(rows)
        return -1 if right.all() else int(right.argmin())

    # --- Gymnasium ---

    @property
    def is_np_flattenable(self) -> bool:
        """Yes: a row is a vector already."""
        return True

    def contains(self, x: Any) -> bool:
        """Whether `x` is a feasible row, an array of integers."""
        if not isinstance(x, np.ndarray) or x.shape != self.shape or x.dtype.kind not in "iub":
            return False
        return self.first_infeasible(x[None]) < 0

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> Row:
        """A feasible row; see `draw`.

        Raises:
            InvalidArgumentError: a mask or probabilities were given; this space takes none.
        """
        if mask is not None or probability is not None:
            raise InvalidArgumentError("the samples of a feasible set take no mask or probability")
        return self.draw(self.np_random)

    def to_jsonable(self, sample_n: Any) -> list[list[int]]:
        """Rows as lists."""
        return np.asarray(sample_n).tolist()

    def from_jsonable(self, sample_n: list[Any]) -> list[Row]:
        """The rows of `to_jsonable`."""
        return [np.asarray(row, np.int8) for row in sample_n]

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other) or not isinstance(other, FeasibleSpace):
            return False
        mine, its = self.definition, other.definition
        return self.n == other.n and all(np.array_equal(mine[k], its[k]) for k in mine)

    def __repr__(self) -> str:
        shown = [f"{k}={v}" for k, v in self.definition.items() if not isinstance(v, np.ndarray)]
        return f"{type(self).__name__}({', '.join([f'n={self.n}', *shown])})"


class FeasibleRows(gymnasium.Space[Row]):
    """Batches (m, n) of rows of one `FeasibleSpace`: what a vector environment takes.

    Args:
        single: the space of each row.
        m: the number of rows.
    """

    def __init__(self, single: FeasibleSpace, m: int):
        self.single = single
        super().__init__((m, single.n), np.int8)

    @property
    def is_np_flattenable(self) -> bool:
        """Yes: rows are numbers."""
        return True

    def contains(self, x: Any) -> bool:
        """Whether all rows are feasible."""
        if not isinstance(x, np.ndarray) or x.shape != self.shape or x.dtype.kind not in "iub":
            return False
        return self.single.first_infeasible(x) < 0

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> Row:
        """A feasible row for each; see `FeasibleSpace.draw`."""
        if mask is not None or probability is not None:
            raise InvalidArgumentError("the samples of a feasible set take no mask or probability")
        m = (self.shape or (0,))[0]
        return np.array([self.single.draw(self.np_random) for _ in range(m)], np.int8)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FeasibleRows):
            return False
        return self.shape == other.shape and self.single == other.single

    def __repr__(self) -> str:
        return f"FeasibleRows({self.single!r}, {(self.shape or (0,))[0]})"


def gather(rows: Iterator[Row]) -> Row:
    """Rows, one by one, as an array.

    Raises:
        InvalidArgumentError: there are more than `MOST_ROWS`.
    """
    found: list[Row] = []
    for row in rows:
        found.append(row)
        if len(found) > MOST_ROWS:
            raise InvalidArgumentError(f"there are more than {MOST_ROWS} rows: too many to list")
    return np.array(found, np.int8)


def solve(constraints: Constraints, values: Array) -> Array:
    """The best values, 0 or 1, of the variables of `constraints`, by HiGHS.

    Args:
        constraints: of a set that is not empty.
        values: what the first variables are worth; the others are worth nothing.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    matrix, lower, upper = constraints
    cost = np.zeros(matrix.shape[1])
    cost[: len(values)] = -values
    found = milp(
        cost,
        integrality=np.ones_like(cost),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(matrix, lower, upper),  # pyright: ignore[reportArgumentType]
        options={"mip_rel_gap": 0.0},
    )
    return np.rint(found.x)


@batch_space.register(FeasibleSpace)
def _batch_space(space: FeasibleSpace, n: int = 1) -> FeasibleRows:
    return FeasibleRows(space, n)


def _carry_as_multi_binary(*functions: Callable[..., Any]) -> None:
    """Have functions of Gymnasium treat the rows as they do those of a `MultiBinary`."""
    for function in functions:
        dispatch: Any = function
        for space in (FeasibleSpace, FeasibleRows):
            dispatch.register(space, dispatch.dispatch(spaces.MultiBinary))


_carry_as_multi_binary(
    concatenate,
    create_empty_array,
    create_shared_memory,
    iterate,
    read_from_shared_memory,
    write_to_shared_memory,
    flatdim,
    flatten,
    unflatten,
    flatten_space,
)
