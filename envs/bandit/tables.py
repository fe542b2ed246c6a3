"""Tables with a label on each row, for bandits made from classification problems."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..kernel import InvalidArgumentError

Array = np.ndarray[Any, Any]

_ACCEPTED = '"digits", the path of an .npz file with arrays X and y, or (X, y)'


class Table(NamedTuple):
    """A classification problem.

    Attributes:
        rows: (n, dimension) `float32`.
        labels: (n,) `int32`, the class of each row, from 0.
        names: of the classes.
    """

    rows: Array
    labels: Array
    names: list[str]


def read_table(data: Any) -> Table:
    """The table that an argument `data` names.

    Args:
        data: `"digits"`, scikit-learn's 1,797 handwritten digits of 8×8 pixels, scaled to [0, 1];
            the path of an `.npz` file with arrays `X` and `y`; or `(X, y)` itself. X has a row of
            finite numbers for each entry of y, whose distinct values are the classes.

    Raises:
        InvalidArgumentError: it is none of these, X and y do not fit each other, there are fewer
            than two classes, or scikit-learn is missing.
    """
    if isinstance(data, str) and data == "digits":
        given = _load_digits()
    elif isinstance(data, str | Path):
        given = _load_file(Path(data))
    elif isinstance(data, tuple | list) and len(data) == 2:
        given = data
    else:
        raise InvalidArgumentError(f"data must be {_ACCEPTED}; got {type(data).__name__}")
    try:
        rows, labels = np.asarray(given[0], np.float32), np.asarray(given[1])
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"data must be {_ACCEPTED}: {error}") from None
    if rows.ndim != 2 or not rows.size or labels.shape != rows.shape[:1]:
        raise InvalidArgumentError(
            f"data needs X of shape (n, dimension) and y of shape (n,); got {rows.shape} and "
            f"{labels.shape}"
        )
    if not np.isfinite(rows).all():
        raise InvalidArgumentError("data needs finite numbers in X")
    classes, indices = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise InvalidArgumentError(f"data needs at least two classes in y; got {len(classes)}")
    names = [str(name) for name in classes.tolist()]
    return Table(np.ascontiguousarray(rows), indices.astype(np.int32), names)


def _load_digits() -> tuple[Array, Array]:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise InvalidArgumentError(
            'data="digits" needs scikit-learn: pip install "spelunk[tabular]"'
        ) from None
    found: Any = load_digits()
    return found.data / 16.0, found.target


def _load_file(path: Path) -> tuple[Array, Array]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return file["X"], file["y"]
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise InvalidArgumentError(
            f"data must be {_ACCEPTED}; {str(path)!r} could not be read: {error}"
        ) from None
