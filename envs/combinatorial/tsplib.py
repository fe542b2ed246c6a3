"""Travelling salesman instances from TSPLIB files, with the library's own rounding of distances.

The format is that of Reinelt, "TSPLIB: a traveling salesman problem library", ORSA Journal on
Computing 3 (1991).
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ..kernel import InvalidArgumentError

_LARGEST = 5000
Array = np.ndarray[Any, np.dtype[np.float64]]


class Instance(NamedTuple):
    """One symmetric instance.

    Attributes:
        distances: (n, n), symmetric, 0 on the diagonal.
        coordinates: (n, 2) as in the file; None where only distances are given.
        display: (n, 2) where to draw the cities, x to the right and y upwards.
    """

    distances: Array
    coordinates: Array | None
    display: Array


def load(path: str) -> Instance:
    """Read a TSPLIB file of `TYPE: TSP`.

    `EDGE_WEIGHT_TYPE` may be EUC_2D, CEIL_2D, MAN_2D, MAX_2D, ATT, GEO or EXPLICIT, the last with
    any of the library's matrix formats.

    Raises:
        InvalidArgumentError: the file cannot be read or is malformed; the message names the line,
            what is wrong with it and what is accepted.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgumentError(f"file {path!r} cannot be read as text: {error}") from None
    return _Reader(path, text.splitlines()).instance()


def _nearest(values: Array) -> Array:
    return np.floor(values + 0.5)


def _differences(coordinates: Array) -> tuple[Array, Array]:
    x, y = coordinates.T
    return x[:, None] - x, y[:, None] - y


def _euclidean(coordinates: Array) -> Array:
    return _nearest(np.hypot(*_differences(coordinates)))


def _euclidean_up(coordinates: Array) -> Array:
    return np.ceil(np.hypot(*_differences(coordinates)))


def _manhattan(coordinates: Array) -> Array:
    dx, dy = _differences(coordinates)
    return _nearest(abs(dx) + abs(dy))


def _maximum(coordinates: Array) -> Array:
    dx, dy = _differences(coordinates)
    return np.maximum(_nearest(abs(dx)), _nearest(abs(dy)))


def _pseudo_euclidean(coordinates: Array) -> Array:
    dx, dy = _differences(coordinates)
    return np.ceil(np.sqrt((dx * dx + dy * dy) / 10.0))


def _geographical(coordinates: Array) -> Array:
    """Kilometres between points given as degrees.minutes; constants as the library has them."""
    degrees = np.trunc(coordinates)
    latitude, longitude = (3.141592 * (degrees + 5.0 * (coordinates - degrees) / 3.0) / 180.0).T
    q1 = np.cos(longitude[:, None] - longitude)
    q2 = np.cos(latitude[:, None] - latitude)
    q3 = np.cos(latitude[:, None] + latitude)
    angle = np.arccos(np.clip(0.5 * ((1.0 + q1) * q2 - (1.0 - q1) * q3), -1.0, 1.0))
    return np.floor(6378.388 * angle + 1.0)


_FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "EUC_2D": _euclidean,
    "CEIL_2D": _euclidean_up,
    "MAN_2D": _manhattan,
    "MAX_2D": _maximum,
    "ATT": _pseudo_euclidean,
    "GEO": _geographical,
}
#: Each triangle as the rows it is read by: whether they are the lower one's, and the diagonal.
_TRIANGLES = {
    "UPPER_ROW": (False, False),
    "LOWER_ROW": (True, False),
    "UPPER_DIAG_ROW": (False, True),
    "LOWER_DIAG_ROW": (True, True),
    "UPPER_COL": (True, False),
    "LOWER_COL": (False, False),
    "UPPER_DIAG_COL": (True, True),
    "LOWER_DIAG_COL": (False, True),
}
_FORMATS = ("FULL_MATRIX", *_TRIANGLES)
_HEADERS = (
    "NAME", "TYPE", "COMMENT", "DIMENSION", "EDGE_WEIGHT_TYPE", "EDGE_WEIGHT_FORMAT",
    "NODE_COORD_TYPE", "DISPLAY_DATA_TYPE",
)  # fmt: skip
_SECTIONS = ("NODE_COORD_SECTION", "EDGE_WEIGHT_SECTION", "DISPLAY_DATA_SECTION")


class _Reader:
    """Takes one file apart, line by line."""

    def __init__(self, path: str, lines: list[str]):
        self.path = path
        self.headers: dict[str, tuple[str, int]] = {}
        self.sections: dict[str, tuple[list[tuple[int, str]], int]] = {}
        body: list[tuple[int, str]] | None = None
        for number, line in enumerate(lines, 1):
            words = line.split()
            if not words:
                continue
            key = line.split(":")[0].strip()
            if key == "EOF":
                break
            if key in _SECTIONS:
                body = []
                self.sections[key] = (body, number)
            elif key in _HEADERS:
                self.headers[key] = (line.partition(":")[2].strip(), number)
            elif body is not None and _is_number(words[0]):
                body += [(number, word) for word in words]
            else:
                self.fail(
                    number, f"{line.strip()[:40]!r} is not understood", (*_HEADERS, *_SECTIONS)
                )

    def instance(self) -> Instance:
        self.header("TYPE", ("TSP",), "TSP")
        n = self.dimension()
        kind = self.header("EDGE_WEIGHT_TYPE", (*_FUNCTIONS, "EXPLICIT"))
        if kind == "EXPLICIT":
            display = None
            if "DISPLAY_DATA_SECTION" in self.sections:
                display = self.points("DISPLAY_DATA_SECTION", n)
            return Instance(self.matrix(n), None, _circle(n) if display is None else display)
        coordinates = self.points("NODE_COORD_SECTION", n)
        distances = _FUNCTIONS[kind](coordinates)
        np.fill_diagonal(distances, 0.0)
        # A latitude comes first, and north is up.
        display = coordinates[:, ::-1] if kind == "GEO" else coordinates
        return Instance(distances, coordinates, display)

    def fail(self, number: int, problem: str, accepted: tuple[str, ...] = ()) -> NoReturn:
        hint = f"; accepted are {', '.join(accepted)}" if accepted else ""
        raise InvalidArgumentError(f"{self.path}, line {number}: {problem}{hint}")

    def header(self, key: str, accepted: tuple[str, ...], default: str | None = None) -> str:
        if key not in self.headers and default is not None:
            return default
        if key not in self.headers:
            raise InvalidArgumentError(
                f"{self.path}: {key} is missing; accepted are {', '.join(accepted)}"
            )
        text, number = self.headers[key]
        value = text.split()[0] if text else ""  # a remark may follow
        if value not in accepted:
            self.fail(number, f"{key} is {value!r}", accepted)
        return value

    def dimension(self) -> int:
        text, number = self.headers.get("DIMENSION", ("missing", 1))
        if not text.isdigit() or not 3 <= int(text) <= _LARGEST:
            self.fail(number, f"DIMENSION is {text}; accepted is a number from 3 to {_LARGEST}")
        return int(text)

    def numbers(self, section: str, count: int) -> tuple[Array, list[int]]:
        """The numbers of a section and the lines they stand on."""
        if section not in self.sections:
            raise InvalidArgumentError(f"{self.path}: {section} is missing")
        body, number = self.sections[section]
        for line, word in body:
            if not _is_number(word):
                self.fail(line, f"{word!r} is not a finite number")
        if len(body) != count:
            last = body[-1][0] if body else number
            self.fail(last, f"{section} holds {len(body)} numbers and must hold {count}")
        return np.array([float(word) for _, word in body]), [line for line, _ in body]

    def points(self, section: str, n: int) -> Array:
        values, lines = self.numbers(section, 3 * n)
        rows = values.reshape(n, 3)
        for row, line in zip(rows, lines[::3], strict=True):
            if row[0] not in range(1, n + 1):
                self.fail(line, f"node {row[0]:g} is not a number from 1 to {n}")
        if len(set(rows[:, 0])) < n:
            nodes = rows[:, 0].tolist()
            twice = next(i for i, node in enumerate(nodes) if node in nodes[:i])
            self.fail(lines[3 * twice], f"node {nodes[twice]:g} is given twice")
        return rows[rows[:, 0].argsort(), 1:]

    def matrix(self, n: int) -> Array:
        form = self.header("EDGE_WEIGHT_FORMAT", _FORMATS)
        distances = np.zeros((n, n))
        if form == "FULL_MATRIX":
            values, lines = self.numbers("EDGE_WEIGHT_SECTION", n * n)
            distances[:] = values.reshape(n, n)
            skewed = np.argwhere(distances != distances.T)
            if len(skewed):
                i, j = skewed[-1]
                self.fail(
                    lines[i * n + j],
                    f"the distances from {i + 1} to {j + 1} and back differ: the matrix of a TSP "
                    "must be symmetric",
                )
        else:
            lower, diagonal = _TRIANGLES[form]
            offset = (0 if diagonal else 1) * (-1 if lower else 1)
            places = np.tril_indices(n, offset) if lower else np.triu_indices(n, offset)
            values, lines = self.numbers("EDGE_WEIGHT_SECTION", len(places[0]))
            distances[places] = values
            distances = np.maximum(distances, distances.T)
        if values.min() < 0:
            self.fail(lines[int(values.argmin())], f"the distance {values.min():g} is negative")
        np.fill_diagonal(distances, 0.0)
        return distances


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False


def _circle(n: int) -> Array:
    angle = 2 * np.pi * np.arange(n) / n
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)
