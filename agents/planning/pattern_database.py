"""Additive pattern databases for SlidingTile.

A pattern is a set of tiles. Its database holds the fewest moves of these tiles that bring them
home, whatever the others do and wherever they are; as each move is of one tile, the sum over
disjoint patterns never overestimates (Korf & Felner 2002, "Disjoint pattern database heuristics";
Felner, Korf & Hanan 2004, "Additive pattern database heuristics"). As it does not look where the
gap is, it is not consistent: a search must be ready to reopen states.

A database is made by breadth-first search backwards from the solved board, and kept as a file in
the user's cache folder.
"""

import functools
import hashlib
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import Progress

from ...envs.kernel import InvalidArgumentError, kernel
from ...envs.kernel.compile import compiled
from ...envs.kernel.files import user_folders, write_whole
from .compiled import Heuristic

Array = np.ndarray[Any, Any]
Pattern = tuple[int, ...]

#: Partitions of the tiles by size of the board and name, the default of a size first.
PARTITIONS: dict[int, dict[str, tuple[Pattern, ...]]] = {
    3: {"4-4": ((1, 2, 3, 6), (4, 5, 7, 8))},
    4: {
        "5-5-5": ((2, 3, 4, 7, 8), (1, 5, 6, 9, 10), (11, 12, 13, 14, 15)),
        "6-6-3": ((1, 5, 6, 9, 10, 13), (7, 8, 11, 12, 14, 15), (2, 3, 4)),
    },
    5: {
        "5-5-5-5-4": (
            (1, 2, 6, 7, 12),
            (5, 9, 10, 14, 15),
            (11, 16, 17, 21, 22),
            (18, 19, 20, 23, 24),
            (3, 4, 8, 13),
        )
    },
}

_LARGEST = 2**25  # entries of a database
_UNKNOWN = 255


class Tables(NamedTuple):
    """What the heuristic reads: some words for each board, and in each word some patterns' numbers.

    Attributes:
        boards: (boards + 1,) `int64`, the first word of each board and the end; the second board is
            the first reflected.
        adds: (words, places, tiles) `int64`, what a tile in a place adds to a word.
        words: (words + 1,) `int64`, the first pattern of each word and the end.
        shifts, masks: (patterns,) `int64`, where in its word the number of a pattern is.
        offsets: (patterns,) `int64`, where in `moves` its database begins.
        moves: `uint8`, all databases, one behind the other.
    """

    boards: Array
    adds: Array
    words: Array
    shifts: Array
    masks: Array
    offsets: Array
    moves: Array


@kernel
def _sum_of_patterns(state, params, tables):
    highest = 0
    for board in range(len(tables.boards) - 1):
        total = 0
        for word in range(tables.boards[board], tables.boards[board + 1]):
            numbers = 0
            for place in range(tables.adds.shape[1]):
                numbers += tables.adds[word, place, int(state.board[place])]
            for pattern in range(tables.words[word], tables.words[word + 1]):
                number = numbers >> tables.shifts[pattern] & tables.masks[pattern]
                total += int(tables.moves[tables.offsets[pattern] + number])
        highest = max(highest, total)
    return float(highest)


def pattern_database(
    size: int, patterns: str | Sequence[Sequence[int]] | None = None, mirror: bool = True
) -> Heuristic:
    """The moves of the tiles of each pattern, summed up. Made now unless the databases are there.

    Args:
        size: of the board.
        patterns: disjoint sets of tiles; or the name of a partition in `PARTITIONS`; None for the
            default one of that size.
        mirror: whether the board is also looked up reflected along the diagonal through the gap's
            home, and the greater sum counts.

    Raises:
        InvalidArgumentError: the patterns are not disjoint sets of tiles of a board of this size,
            or one is too large; or there is no such partition.
    """
    return Heuristic(_sum_of_patterns, _tables(size, _read(size, patterns), mirror))


def database_files(size: int, patterns: str | Sequence[Sequence[int]] | None = None) -> list[Path]:
    """Where the databases of these patterns are kept; those that are not there yet are left out."""
    found = (_file(size, pattern) for pattern in _read(size, patterns))
    return [file for file in found if file is not None]


def _read(size: int, patterns: str | Sequence[Sequence[int]] | None) -> tuple[Pattern, ...]:
    """The patterns, checked."""
    known = PARTITIONS.get(size, {})
    if patterns is None or isinstance(patterns, str):
        name = next(iter(known), None) if patterns is None else patterns
        if name not in known:
            sizes = {s: [*names] for s, names in PARTITIONS.items()}
            raise InvalidArgumentError(
                f"size {size} has no partition {name!r}; by size there are {sizes}. Others can be "
                "given as sets of tiles"
            )
        return known[name]
    given = tuple(tuple(int(tile) for tile in pattern) for pattern in patterns)
    tiles = [tile for pattern in given for tile in pattern]
    if len({*tiles}) < len(tiles) or not {*tiles} <= {*range(1, size * size)} or () in given:
        raise InvalidArgumentError(
            f"patterns must be disjoint sets of tiles from 1 to {size * size - 1}; got {patterns!r}"
        )
    most = int(math.log(_LARGEST, size * size))
    if max(map(len, given), default=0) > most:
        raise InvalidArgumentError(
            f"patterns of size {size} may have up to {most} tiles; got {patterns!r}"
        )
    return given


@functools.lru_cache(maxsize=8)
def _tables(size: int, patterns: tuple[Pattern, ...], mirror: bool) -> Tables:
    places = size * size
    databases = _databases(size, patterns)
    place = np.arange(places)
    reflected = place % size * size + place // size
    adds, words, shifts = [], [0], []
    for board in [place, reflected] if mirror else [place]:
        used = 64
        for pattern in patterns:
            bits = (places ** len(pattern) - 1).bit_length()
            if used + bits > 62:
                adds.append(np.zeros((places, places), np.int64))
                words.append(words[-1])
                used = 0
            for k, tile in enumerate(pattern):
                # Reflected, the tile at home at the reflected place stands for this one.
                stands_for = board[tile - 1] + 1
                adds[-1][:, stands_for] = board * places**k << used
            words[-1] += 1
            shifts.append(used)
            used += bits
    boards = 1 + mirror
    lengths = np.array([len(database) for database in databases])
    return Tables(
        np.arange(boards + 1) * (len(adds) // boards),
        np.array(adds),
        np.array(words),
        np.array(shifts),
        np.tile([(1 << int(n - 1).bit_length()) - 1 for n in lengths], boards),
        np.tile(lengths.cumsum() - lengths, boards),
        np.concatenate(databases),
    )


# --- making and keeping ---


def _databases(size: int, patterns: Sequence[Pattern]) -> list[Array]:
    """The databases of the patterns, from the cache, or made now and put there."""
    files = [_file(size, pattern) for pattern in patterns]
    missing = [p for p, file in zip(patterns, files, strict=True) if file is None]
    if missing:
        console = Console(stderr=True)
        with Progress(console=console, transient=True) as bar:
            total = sum(math.perm(size * size, len(pattern)) for pattern in missing)
            task = bar.add_task("making pattern databases", total=total)
            for pattern in missing:
                _keep(size, pattern, make_database(size, pattern, lambda n: bar.advance(task, n)))
    return [_load(size, pattern) for pattern in patterns]


def make_database(size: int, pattern: Pattern, found: Callable[[int], Any] = int) -> Array:
    """The fewest moves of a pattern's tiles from everywhere home: (places^tiles,) `uint8`.

    The number of an arrangement is the sum of the tiles' places times the powers of the number of
    places; 255 where two tiles share a place.

    Args:
        size: of the board.
        pattern: the tiles.
        found: is told how many more arrangements are known.
    """
    places, count = size * size, len(pattern)
    whole = np.int32 if places < 31 else np.int64
    moves = np.full(places**count, _UNKNOWN, np.uint8)
    gaps, more, seen = (np.zeros(len(moves), whole) for _ in range(3))
    gaps[sum((tile - 1) * places**k for k, tile in enumerate(pattern))] = 1 << places - 1
    depth, opened = 0, 1
    while opened:
        news, opened = _next_level(depth, size, count, gaps, more, seen, moves)
        found(news)
        gaps, more = more, gaps
        depth += 1
    return moves


@compiled
def _next_level(depth, size, count, gaps, more, seen, moves):
    """Mark the arrangements `depth` moves from home, and open those one move further.

    Of each arrangement a set of places of the gap, a bit each: `gaps` and `more` are those open at
    this level and the next, `seen` all that have been open. The gap wanders free of charge where
    there is no tile of the pattern.

    Returns:
        How many arrangements were found here, and how many places of the gap were opened.
    """
    places = size * size
    first_column, one = 0, np.int64(1)
    for row in range(size):
        first_column |= one << row * size
    last_column = first_column << (size - 1)
    news, opened = 0, 0
    for number in range(len(gaps)):
        region = np.int64(gaps[number]) & ~np.int64(seen[number])
        gaps[number] = 0
        if region == 0:
            continue
        free, rest = (one << places) - 1, number
        for _ in range(count):
            free &= ~(one << rest % places)
            rest //= places
        before = 0
        while region != before:
            before = region
            beside = (region & ~last_column) << 1 | (region & ~first_column) >> 1
            region |= (beside | region << size | region >> size) & free
        seen[number] |= region
        if moves[number] == _UNKNOWN:
            moves[number] = depth
            news += 1
        rest, weight = number, 1
        for _ in range(count):
            place = rest % places
            rest //= places
            for way in range(4):
                if way == 0:
                    to = place - size
                elif way == 1:
                    to = place + size
                elif way == 2:
                    to = place - 1 if place % size > 0 else -1
                else:
                    to = place + 1 if place % size < size - 1 else -1
                if 0 <= to < places and region >> to & 1 != 0:
                    after = number + (to - place) * weight
                    if np.int64(seen[after]) >> place & 1 == 0:
                        more[after] |= one << place
                        opened += 1
            weight *= places
    return news, opened


def _name(size: int, pattern: Pattern) -> str:
    """Of the file. What is made is made again where this module has changed."""
    source = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    return f"sliding_tile-{size}-{'.'.join(map(str, pattern))}-{source[:16]}.npy"


def _folders() -> list[Path]:
    return [folder / "pattern_databases" for folder in user_folders()]


def _file(size: int, pattern: Pattern) -> Path | None:
    files = (folder / _name(size, pattern) for folder in _folders())
    return next((file for file in files if file.is_file()), None)


def _keep(size: int, pattern: Pattern, database: Array) -> None:
    """Write a database into the first folder that can be written to."""
    file = io.BytesIO()
    np.save(file, database, allow_pickle=False)
    for folder in _folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / _name(size, pattern), file.getvalue())
            return
        except OSError:
            continue


def _load(size: int, pattern: Pattern) -> Array:
    file = _file(size, pattern)
    assert file is not None
    return np.load(file, allow_pickle=False)
