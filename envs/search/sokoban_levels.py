"""Levels of Sokoban: made so that they can be solved, or read from Boxoban and XSB files."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..kernel import InvalidArgumentError, rng
from .sokoban_grid import flood, push_distances
from .sokoban_maker import make_level

#: How files write a cell; the place in it is the code of `observation="codes"`.
SYMBOLS = "# .*$@+"
WALL, FLOOR, TARGET, PLACED, BOX, PLAYER, PLAYER_ON_TARGET = range(7)

_FLOOR_SYMBOLS = " -_"
_CODES = {symbol: code for code, symbol in enumerate(SYMBOLS)} | dict.fromkeys("-_", FLOOR)
_SUFFIXES = (".txt", ".xsb", ".sok")

Array = np.ndarray[Any, Any]


class Levels(NamedTuple):
    """n levels of one shape; smaller ones are filled up with walls.

    Attributes:
        height, width: of all of them.
        walls, targets, boxes: (n, words) `int64`, sets of cells: cell c is bit c % 64 of word
            c // 64.
        players: (n,) `int16`, the cell where the player starts.
        pushes: (n, cells) `int16`, the fewest pushes that bring a lone box from a cell to a
            target; −1 where none do.
        plans: (n, longest) `int8`, moves that solve each level, filled up with −1; empty where no
            plan is known.
        costs: (n,) `int32`, the moves of the plans.
    """

    height: int
    width: int
    walls: Array
    targets: Array
    boxes: Array
    players: Array
    pushes: Array
    plans: Array
    costs: Array

    def flags(self, k: int) -> tuple[Array, Array, Array]:
        """The walls, targets and boxes of a level as flags, (cells,) `bool` each."""
        walls, targets, boxes = (
            unpack(words[k], self.height * self.width)
            for words in (self.walls, self.targets, self.boxes)
        )
        return walls, targets, boxes


@functools.lru_cache(maxsize=16)
def generate(count: int, seed: int, size: int, boxes: int, least: int, most: int) -> Levels:
    """Levels made by pulling boxes away from the targets, with the plan that pushes them back.

    Level i is made from `seed` and i alone, so that a smaller bank is the beginning of a larger.

    Args:
        count: how many levels.
        seed: of the levels.
        size: side of the levels.
        boxes: in each.
        least: a lower bound on the pushes that each takes: every box alone to its nearest target.
        most: the most moves that a plan may have.

    Raises:
        InvalidArgumentError: levels like this are not to be found.
    """
    if 5 * boxes > (size - 2) ** 2:
        raise InvalidArgumentError(
            f"boxes must be at most a fifth of the cells inside, {(size - 2) ** 2 // 5} for "
            f"size={size}; got {boxes!r}"
        )
    draws = np.zeros(count, rng.STREAM)
    cells = size * size
    walls, targets = np.empty((count, cells), bool), np.empty((count, cells), bool)
    starts, plans = np.empty((count, boxes), np.int16), np.empty((count, most), np.int8)
    players, costs = np.empty(count, np.int16), np.empty(count, np.int32)
    for i in range(count):
        draws["rng"][i] = np.random.SeedSequence([seed, i]).generate_state(1, np.uint64)[0]
        players[i], costs[i] = make_level(
            draws[i], size, size, least, walls[i], targets[i], starts[i], plans[i]
        )
        if players[i] < 0:
            raise InvalidArgumentError(
                f"no level of size={size} with boxes={boxes} and min_pushes={least} was found; ask "
                "for fewer boxes, fewer pushes or a larger size"
            )
    placed = np.zeros((count, cells), bool)
    np.put_along_axis(placed, starts.astype(np.int64), True, axis=1)
    return _levels(size, size, walls, targets, placed, players, plans, costs)


def read(path: str) -> Levels:
    """The levels of a file, or of all `.txt`, `.xsb` and `.sok` files in a folder.

    A level is a block of lines of `# .*$@+`, also with `-` or `_` for the floor; other lines
    (titles, comments, the `; 12` of Boxoban) are between levels.

    Raises:
        InvalidArgumentError: nothing can be read there, or a level is broken; the message says
            which and how.
    """
    place = Path(path)
    files = [place]
    if place.is_dir():
        files = sorted(file for file in place.rglob("*") if file.suffix in _SUFFIXES)
    blocks = [block for file in files for block in _blocks(file)]
    if not blocks:
        raise InvalidArgumentError(
            f"{path!r} holds no levels: they are lines of {SYMBOLS!r}, in a file or in a folder's "
            f"{', '.join(_SUFFIXES)} files"
        )
    height = max(len(rows) for _, rows in blocks)
    width = max(len(row) for _, rows in blocks for row in rows)
    if height * width > 4096:
        raise InvalidArgumentError(
            f"{path!r} has levels of {height}×{width} cells; accepted are up to 4,096 cells"
        )
    codes = np.stack([_read_level(where, rows, height, width) for where, rows in blocks])
    walls = codes == WALL
    targets = (codes == TARGET) | (codes == PLACED) | (codes == PLAYER_ON_TARGET)
    boxes = (codes == PLACED) | (codes == BOX)
    players = ((codes == PLAYER) | (codes == PLAYER_ON_TARGET)).argmax(axis=1).astype(np.int16)
    none = np.zeros(len(codes), np.int32)
    plans = np.empty((len(codes), 0), np.int8)
    return _levels(height, width, walls, targets, boxes, players, plans, none)


def unpack(words: Array, cells: int) -> Array:
    """Sets of cells, (…, words) `int64`, as flags, (…, cells) `bool`."""
    flat = np.unpackbits(words.astype("<i8").view(np.uint8), axis=-1, bitorder="little")
    return flat[..., :cells].astype(bool)


def _levels(
    height: int,
    width: int,
    walls: Array,
    targets: Array,
    boxes: Array,
    players: Array,
    plans: Array,
    costs: Array,
) -> Levels:
    """Pack the flags (n, cells) and measure the pushes."""
    pushes = np.empty(walls.shape, np.int16)
    for k in range(len(walls)):
        push_distances(walls[k], targets[k], width, pushes[k])
    found = Levels(
        height, width, _pack(walls), _pack(targets), _pack(boxes), players, pushes, plans, costs
    )
    for array in found[2:]:
        array.flags.writeable = False
    return found


def _pack(flags: Array) -> Array:
    n, cells = flags.shape
    padded = np.zeros((n, -(-cells // 64) * 64), bool)
    padded[:, :cells] = flags
    return np.packbits(padded, axis=1, bitorder="little").view("<i8").astype(np.int64)


def _blocks(file: Path) -> Iterator[tuple[str, list[str]]]:
    """The levels of a file as rows of text, each with its place."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgumentError(f"levels {str(file)!r} cannot be read: {error}") from None
    rows: list[str] = []
    for number, line in enumerate([*lines, ""], start=1):
        if "#" in line and not set(line.rstrip()) - set(SYMBOLS + _FLOOR_SYMBOLS):
            rows.append(line.rstrip())
        elif rows:
            yield f"{file}, line {number - len(rows)}", rows
            rows = []


def _read_level(where: str, rows: list[str], height: int, width: int) -> Array:
    """The codes of a level's cells, (height · width,) `int8`; what is outside becomes wall."""
    text = "\n".join(rows)
    players = text.count("@") + text.count("+")
    boxes, targets = (sum(map(text.count, symbols)) for symbols in ("$*", ".*+"))
    if players != 1 or boxes < 1 or boxes != targets or boxes == text.count("*"):
        raise InvalidArgumentError(
            f"{where}: a level must have one player, as many boxes as targets, and a box that is "
            f"not on one; this has {players} players, {boxes} boxes and {targets} targets"
        )
    codes = np.full((height + 2, width + 2), WALL, np.int8)
    codes[1:-1, 1:-1] = FLOOR  # also where rows are short: outside the walls
    for y, row in enumerate(rows, start=1):
        codes[y, 1 : len(row) + 1] = [_CODES[symbol] for symbol in row]
    flat = codes.ravel()
    distances, queue = np.empty((2, flat.size), np.int16)
    flood(flat == WALL, int((flat >= PLAYER).argmax()), width + 2, distances, queue)
    inside = distances >= 0
    grid = inside.reshape(codes.shape)
    edges = (grid[1], grid[-2], grid[:, 1], grid[:, -2])
    lost = ~inside & (flat != WALL) & (flat != FLOOR)
    if any(edge.any() for edge in edges) or lost.any():
        raise InvalidArgumentError(
            f"{where}: walls must enclose the player and all that can be reached, with every box "
            "and target inside"
        )
    flat[~inside] = WALL
    return codes[1:-1, 1:-1].ravel()
