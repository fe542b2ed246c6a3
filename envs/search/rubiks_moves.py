"""The turns of Rubik's cube as tables, made from the names of its faces.

A place is named by the faces it shows, "URF" being the corner up, right and front: corners
clockwise, beginning with U or D, edges with U, D, F or B. The piece at home there has the same
name. Where a piece shows its first colour on the k-th face of its place, it is twisted (or flipped)
by k.
"""

import itertools
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]

FACES = "URFDLB"
#: The last corner is the one that the small cube holds: U, R and F do not move it.
CORNERS = ("URF", "UFL", "ULB", "UBR", "DFR", "DLF", "DRB", "DBL")
EDGES = ("UR", "UF", "UL", "UB", "DR", "DF", "DL", "DB", "FR", "FL", "BL", "BR")

#: Where a clockwise quarter turn takes what shows on the faces around it.
_AROUND = {"U": "FLBR", "R": "UBDF", "F": "URDL", "D": "FRBL", "L": "UFDB", "B": "ULDR"}
#: The neighbours of each face in the unfolded net: above, below, left, right.
_NEIGHBOURS = {"U": "BFLR", "R": "UDFB", "F": "UDLR", "D": "FBLR", "L": "UDBF", "B": "UDRL"}
_SUFFIXES = ("", "2", "'")


class Moves(NamedTuple):
    """Moves as tables, one row a move.

    Attributes:
        names: in standard notation, a composed move with spaces between its turns.
        lengths: (n,) `int64`, the number of turns.
        corner_from, edge_from: (n, 8) and (n, 12) `int64`, the place that what comes here was in.
        corner_twist, edge_flip: by how much it is twisted or flipped on the way.
    """

    names: tuple[str, ...]
    lengths: Array
    corner_from: Array
    corner_twist: Array
    edge_from: Array
    edge_flip: Array

    def then(self, other: "Moves") -> "Moves":
        """Each of these moves followed by each of the others, (n · m) rows."""
        pairs = list(itertools.product(range(len(self.names)), range(len(other.names))))
        a, b = np.array(pairs).T
        corners, edges = other.corner_from[b], other.edge_from[b]
        rows = a[:, None]
        return Moves(
            tuple(f"{self.names[i]} {other.names[j]}" for i, j in pairs),
            self.lengths[a] + other.lengths[b],
            self.corner_from[rows, corners],
            (self.corner_twist[rows, corners] + other.corner_twist[b]) % 3,
            self.edge_from[rows, edges],
            (self.edge_flip[rows, edges] + other.edge_flip[b]) % 2,
        )


def moves_of(faces: str, half_turns: bool, length: int) -> Moves:
    """The turns of the faces and their compositions of up to `length` turns, the shortest first.

    Args:
        faces: which may be turned.
        half_turns: whether a half turn is one turn rather than two.
        length: the most turns of a composed move.
    """
    single = _join(
        [_turn(face, times) for face in faces for times in (1, 2, 3) if half_turns or times != 2]
    )
    found = [single]
    while len(found) < length:
        found.append(found[-1].then(single))
    return _join(found)


def inverse(name: str) -> str:
    """The move that takes a move back, in standard notation."""
    back = {"": "'", "2": "2", "'": ""}
    return " ".join(turn[0] + back[turn[1:]] for turn in reversed(name.split()))


def _turn(face: str, times: int) -> Moves:
    """A face turned clockwise by that many quarters."""
    around = _AROUND[face]
    to = {face: face} | {f: around[(i + times) % 4] for i, f in enumerate(around)}
    name = face + _SUFFIXES[times - 1]
    corners, edges = _carried(CORNERS, face, to), _carried(EDGES, face, to)
    return Moves((name,), np.ones(1, np.int64), *corners, *edges)


def _carried(places: tuple[str, ...], face: str, to: dict[str, str]) -> tuple[Array, Array]:
    """Where what comes to each place of a turn was, (1, places), and how far it is twisted."""
    origins, twists = np.arange(len(places))[None], np.zeros((1, len(places)), np.int64)
    for i, place in enumerate(places):
        if face in place:
            shown = "".join(to[f] for f in place)
            j = next(j for j, other in enumerate(places) if set(other) == set(shown))
            origins[0, j], twists[0, j] = i, places[j].index(shown[0])
    return origins, twists


def _join(parts: list[Moves]) -> Moves:
    names = tuple(name for part in parts for name in part.names)
    return Moves(names, *(np.concatenate(arrays) for arrays in list(zip(*parts, strict=True))[1:]))


def sticker_places(places: tuple[str, ...], size: int) -> Array:
    """Where the stickers of the places are in the net: (places, k, 3) face, row and column."""
    return np.array([[_sticker(place, face, size) for face in place] for place in places], np.int8)


def _sticker(place: str, face: str, size: int) -> tuple[int, int, int]:
    above, below, left, right = _NEIGHBOURS[face]
    row = size - 1 if below in place else 0 if above in place else 1
    column = size - 1 if right in place else 0 if left in place else 1
    return FACES.index(face), row, column


def sticker_colours(pieces: tuple[str, ...]) -> Array:
    """The colours of the pieces, (pieces, twists, k) `int8`, face by face of their place."""
    k = len(pieces[0])
    turned = [[piece[k - t :] + piece[: k - t] for t in range(k)] for piece in pieces]
    return np.array([[[FACES.index(f) for f in shown] for shown in row] for row in turned], np.int8)
