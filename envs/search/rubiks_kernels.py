"""The kernels of Rubik's cube: all corners are in one word and all edges in another."""

from typing import Any, NamedTuple

import numpy as np

from ..kernel import kernel, rng
from .permutations import rank_permutation, unrank_permutation
from .rubiks_moves import CORNERS, EDGES, Moves, sticker_colours, sticker_places

#: Eight corners and twelve edges at home, five bits a place: of a corner the piece in the upper
#: three and its twist in the lower two, of an edge the piece in the upper four and its flip in one.
SOLVED_CORNERS = sum(piece << 2 << 5 * piece for piece in range(8))
SOLVED_EDGES = sum(piece << 1 << 5 * piece for piece in range(12))
_ONES = sum(1 << 5 * place for place in range(8))
_PIECES, _TWISTS = 28 * _ONES, 3 * _ONES

N_SMALL = 5040 * 729  # states of the 2×2×2: orders and twists of seven corners


class Params(NamedTuple):
    """Fixed for the life of the environment.

    Attributes:
        corner_shifts: (actions, 8) `int8`, the bit from which each place takes its corner.
        edge_shifts: (actions, 12) `int8`, the same of edges.
        twists, flips: (actions,) `int64`, what is added to the places, five bits each.
        rewards: (actions,) `float32`, minus the number of turns.
        singles: how many of the actions, the first ones, are single turns.
        scramble: the number of random turns from the solved cube.
        corner_stickers: (8, 3, 3) `int8`, face, row and column of a place's stickers.
        edge_stickers: (12, 2, 3) `int8`, the same of edges.
        corner_colours: (32, 3) `int8`, what a corner, as five bits, shows there.
        edge_colours: (32, 2) `int8`, the same of edges.
    """

    corner_shifts: np.ndarray[Any, np.dtype[np.int8]]
    edge_shifts: np.ndarray[Any, np.dtype[np.int8]]
    twists: np.ndarray[Any, np.dtype[np.int64]]
    flips: np.ndarray[Any, np.dtype[np.int64]]
    rewards: np.ndarray[Any, np.dtype[np.float32]]
    singles: int
    scramble: int
    corner_stickers: np.ndarray[Any, np.dtype[np.int8]]
    edge_stickers: np.ndarray[Any, np.dtype[np.int8]]
    corner_colours: np.ndarray[Any, np.dtype[np.int8]]
    edge_colours: np.ndarray[Any, np.dtype[np.int8]]


@kernel
def _turn_corners(state, action, params):
    word, corners = state.corners, 0
    for place in range(8):
        corners |= (word >> params.corner_shifts[action, place] & 31) << 5 * place
    twists = (corners & _TWISTS) + params.twists[action]
    over = twists + _ONES >> 2 & _ONES  # where a twist is three or four
    state.corners = corners & _PIECES | twists - 3 * over


@kernel
def _turn_edges(state, action, params):
    word, edges = state.edges, 0
    for place in range(12):
        edges |= (word >> params.edge_shifts[action, place] & 31) << 5 * place
    state.edges = edges ^ params.flips[action]


@kernel
def step_small(state, action, params):
    """One turn, or several; the episode ends when the cube is solved."""
    _turn_corners(state, action, params)
    return params.rewards[action], state.corners == SOLVED_CORNERS


@kernel
def step(state, action, params):
    """The same for the 3×3×3."""
    _turn_corners(state, action, params)
    _turn_edges(state, action, params)
    return params.rewards[action], goal(state, params)


@kernel
def goal_small(state, params):
    """Every corner is at home."""
    return state.corners == SOLVED_CORNERS


@kernel
def goal(state, params):
    """Every corner and every edge is at home."""
    return state.corners == SOLVED_CORNERS and state.edges == SOLVED_EDGES


@kernel
def reset_small_scrambled(state, params):
    """The solved cube after `scramble` random turns, repeated should they cancel out."""
    while True:
        state.corners = SOLVED_CORNERS
        for _ in range(params.scramble):
            _turn_corners(state, rng.integer(state, params.singles), params)
        if not goal_small(state, params):
            return


@kernel
def reset_scrambled(state, params):
    """The same for the 3×3×3."""
    while True:
        state.corners = SOLVED_CORNERS
        state.edges = SOLVED_EDGES
        for _ in range(params.scramble):
            action = rng.integer(state, params.singles)
            _turn_corners(state, action, params)
            _turn_edges(state, action, params)
        if not goal(state, params):
            return


@kernel
def reset_small_uniform(state, params):
    """A state drawn uniformly among all but the solved one."""
    while True:
        unrank(state, rng.integer(state, 5040) * 729 + rng.integer(state, 729), params)
        if not goal_small(state, params):
            return


@kernel
def reset_uniform(state, params):
    """A state drawn uniformly among those that can be reached, the solved one left out."""
    while True:
        order, odd = unrank_permutation(rng.integer(state, 40320), 8)
        state.corners = _pack_corners(order, rng.integer(state, 2187), 7)
        index = rng.integer(state, 11880) * 40320 + rng.integer(state, 40320)
        order, other = unrank_permutation(index, 12)
        if other != odd:  # A turn changes both parities. The last two edges change places:
            order, other = unrank_permutation(index ^ 1, 12)
        flips, total, edges = rng.integer(state, 2048), 0, 0
        for place in range(12):
            flip = total & 1 if place == 11 else flips >> place & 1
            total += flip
            edges |= ((order >> 4 * place & 15) << 1 | flip) << 5 * place
        state.edges = edges
        if not goal(state, params):
            return


@kernel
def _pack_corners(order, twists, n):
    """Corners in an order, n of them with the digits of `twists`, one with what is left."""
    total, corners = 0, 0
    for place in range(8):
        twist = twists % 3
        twists //= 3
        if place == n:
            twist = 2 * total % 3
        total += twist
        corners |= ((order >> 4 * place & 15) << 2 | twist) << 5 * place
    return corners


@kernel
def rank(state, params):
    """Of the 2×2×2: the number of the corners' order, then of their twists."""
    word, order, twists = state.corners, 0, 0
    for place in range(6, -1, -1):
        corner = word >> 5 * place & 31
        order = order << 4 | corner >> 2
        if place < 6:  # The seventh twist follows from the others.
            twists = 3 * twists + (corner & 3)
    return rank_permutation(order, 7) * 729 + twists


@kernel
def unrank(state, index, params):
    """The 2×2×2 of a number, solved at 0."""
    order, _ = unrank_permutation(index // 729, 7)
    state.corners = _pack_corners(order | 7 << 28, index % 729, 6)


@kernel
def observe_small(state, params, obs):
    """The colours of the corners' stickers."""
    for place in range(8):
        corner = int(state.corners >> 5 * place & 31)
        for k in range(3):
            face = params.corner_stickers[place, k, 0]
            row, column = params.corner_stickers[place, k, 1], params.corner_stickers[place, k, 2]
            obs[face, row, column] = params.corner_colours[corner, k]


@kernel
def observe(state, params, obs):
    """The colours of all stickers."""
    observe_small(state, params, obs)
    for place in range(12):
        edge = int(state.edges >> 5 * place & 31)
        for k in range(2):
            face = params.edge_stickers[place, k, 0]
            row, column = params.edge_stickers[place, k, 1], params.edge_stickers[place, k, 2]
            obs[face, row, column] = params.edge_colours[edge, k]
    for face in range(6):
        obs[face, 1, 1] = face


def make_params(moves: Moves, size: int, scramble: int) -> Params:
    """The tables of the kernels: for the actions that these moves are, on a cube of this size."""
    places = np.arange(12)
    return Params(
        corner_shifts=(5 * moves.corner_from).astype(np.int8),
        edge_shifts=(5 * moves.edge_from).astype(np.int8),
        twists=(moves.corner_twist << 5 * places[:8]).sum(axis=1),
        flips=(moves.edge_flip << 5 * places).sum(axis=1),
        rewards=(-moves.lengths).astype(np.float32),
        singles=int((moves.lengths == 1).sum()),
        scramble=scramble,
        corner_stickers=sticker_places(CORNERS, size),
        edge_stickers=sticker_places(EDGES, size),
        corner_colours=_by_code(sticker_colours(CORNERS), 4),
        edge_colours=_by_code(sticker_colours(EDGES), 2),
    )


def _by_code(colours: np.ndarray[Any, Any], step: int) -> np.ndarray[Any, np.dtype[np.int8]]:
    """A table by piece and twist as one by the five bits of both."""
    pieces, twists, k = colours.shape
    table = np.zeros((32 // step, step, k), np.int8)
    table[:pieces, :twists] = colours
    return table.reshape(32, k)
