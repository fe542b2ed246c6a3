"""SlidingTile: the 8-, 15- and 24-puzzle."""

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import InvalidArgumentError, KernelEnv, Kernels, StateLayout, kernel, rng
from ..kernel.render import Canvas
from ..kernel.solve import distance_table
from .permutations import rank_permutation, unrank_permutation

UP, DOWN, LEFT, RIGHT = range(4)
ACTION_WORDS = ("up", "down", "left", "right")

#: Up to this size the boards are numbered.
_LARGEST_RANKED = 3


class Params(NamedTuple):
    """Fixed for the life of the environment."""

    size: int
    scramble: int
    distances: np.ndarray[Any, np.dtype[np.int16]]  # [tile, place]: moves from there to its home


@kernel
def reset_uniform(state, params):
    """A board drawn uniformly among the solvable ones, the solved one left out."""
    places = state.board.shape[0]
    while True:
        for place in range(places):
            state.board[place] = place
        swaps = 0
        for place in range(places - 1, 0, -1):
            other = rng.integer(state, place + 1)
            tile = int(state.board[place])
            state.board[place] = state.board[other]
            state.board[other] = tile
            swaps += other != place
        _find_gap(state, params)
        # From the order with the gap first to the solved one it takes places − 1 swaps. Each move
        # swaps once and takes the gap one place along, so both parities change together.
        gap_moves = 2 * params.size - 2 - int(state.row) - int(state.col)
        if (swaps + places - 1 + gap_moves) % 2 != 0:
            for place in range(places):
                tile = int(state.board[place])
                if tile == 1 or tile == 2:
                    state.board[place] = 3 - tile
        if _measure(state, params) != 0:
            return


@kernel
def reset_scrambled(state, params):
    """The solved board after `scramble` random moves, repeated should they cancel out."""
    places = state.board.shape[0]
    while True:
        for place in range(places):
            state.board[place] = (place + 1) % places
        _find_gap(state, params)
        _measure(state, params)
        for _ in range(params.scramble):
            action = rng.integer(state, 4)
            while not _can_move(state, action, params.size):
                action = rng.integer(state, 4)
            _move(state, action, params)
        if state.manhattan != 0:
            return


@kernel
def _find_gap(state, params):
    for place in range(state.board.shape[0]):
        if state.board[place] == 0:
            state.left = place
            state.row = place // params.size
            state.col = place % params.size


@kernel
def _measure(state, params):
    """Set the Manhattan distance of the board from the solved one, and return it."""
    total = 0
    for place in range(state.board.shape[0]):
        total += int(params.distances[int(state.board[place]), place])
    state.manhattan = total
    return total


@kernel
def _can_move(state, action, size):
    """Whether the gap has a neighbour in that direction."""
    if action == UP:
        return state.row > 0
    if action == DOWN:
        return state.row < size - 1
    if action == LEFT:
        return state.col > 0
    return state.col < size - 1


@kernel
def _move(state, action, params):
    """Swap the gap with its neighbour in that direction."""
    gap = int(state.row) * params.size + int(state.col)
    state.left = gap
    state.row += (action == DOWN) - (action == UP)
    state.col += (action == RIGHT) - (action == LEFT)
    place = int(state.row) * params.size + int(state.col)
    tile = int(state.board[place])
    state.board[gap] = tile
    state.board[place] = 0
    state.manhattan += params.distances[tile, gap] - params.distances[tile, place]


@kernel
def step(state, action, params):
    """Move the gap; the episode ends when every tile is at home."""
    _move(state, action, params)
    return -1.0, state.manhattan == 0


@kernel
def legal(state, params, mask):
    """The gap cannot leave the board."""
    for action in range(4):
        mask[action] = _can_move(state, action, params.size)


@kernel
def goal(state, params):
    """Every tile is at home."""
    return state.manhattan == 0


@kernel
def rank(state, params):
    """The number of the tiles' order, of which every other one can occur; then the gap's place."""
    word, tiles, gap = 0, 0, 0
    for place in range(state.board.shape[0]):
        tile = int(state.board[place])
        if tile == 0:
            gap = place
        else:
            word |= (tile - 1) << 4 * tiles
            tiles += 1
    return rank_permutation(word, tiles) // 2 * state.board.shape[0] + gap


@kernel
def unrank(state, index, params):
    """The board of a number."""
    places, size = state.board.shape[0], params.size
    order, gap = 2 * (index // places), index % places
    state.left = gap
    state.row = gap // size
    state.col = gap % size
    # A move up or down takes a tile past size − 1 others, any other move past none.
    parity = (size - 1) * (size - 1 - int(state.row)) % 2
    word, odd = unrank_permutation(order, places - 1)
    if odd != parity:
        word, odd = unrank_permutation(order + 1, places - 1)
    for place in range(places):
        if place == gap:
            state.board[place] = 0
        else:
            state.board[place] = 1 + (word & 15)
            word >>= 4
    _measure(state, params)


@kernel
def observe(state, params, obs):
    """One-hot: obs[place, tile]."""
    obs[:] = 0
    for place in range(obs.shape[0]):
        obs[place, int(state.board[place])] = 1


@kernel
def update(state, params, obs):
    """A move swaps the gap with one tile."""
    left, gap = int(state.left), int(state.row) * params.size + int(state.col)
    tile = int(state.board[left])
    obs[left, 0] = 0
    obs[left, tile] = 1
    obs[gap, tile] = 0
    obs[gap, 0] = 1


class SlidingTile(KernelEnv):
    """
    ## Description
    Numbered tiles lie on a square board with one gap; a tile next to the gap can be slid into it.
    All tiles are to be brought into order, the gap last. With `size=3` this is the 8-puzzle, whose
    181,440 solvable boards need up to 31 moves; with 4 the 15-puzzle (up to 80 moves). Long the
    test bed of heuristic search (Korf 1985, "Depth-first iterative-deepening: an optimal
    admissible tree search").

    ## Observation Space
    `Box(0, 1, (size², size²), uint8)`: a one-hot code for each place, row by row: entry
    [place, tile] is 1 where that tile lies; tile 0 is the gap.

    ## Action Space
    `Discrete(4)`: where the gap moves: 0 up, 1 down, 2 left, 3 right. Moves off the board are
    illegal and masked.

    ## Rewards
    −1 for each move, the last one included, so that the return is minus the number of moves.

    ## Starting State
    Uniform among the solvable boards other than the solved one, or the solved board after
    `scramble` uniformly drawn legal moves (drawn again should they cancel out).

    ## Episode End
    Terminated when the board is solved; truncated after `max_episode_steps` moves.

    ## Arguments
    - `size`: side of the board, 2 to 7 (default 3).
    - `scramble`: the number of random moves from the solved board, ≥ 1; None (default) for a
      uniformly drawn board.
    - `max_episode_steps`: the time limit (default `25 · size²`); −1 for none.

    `reset(options={"board": …})` starts from given rows of tiles, 0 being the gap. The board must
    be solvable, and not solved.

    The state field `manhattan` holds the sum of the tiles' Manhattan distances from home, an
    admissible and consistent heuristic. It is 0 at the goal only.

    ## Reference Scores
    `spelunk.reference("spelunk/SlidingTile-v0")`: the random policy, and for sizes 2 and 3 the
    optimal solutions from a table of all boards. For larger sizes no best is given.

    ## Version History
    - v0: first version.
    """

    reset_options = ("board",)
    best_source = "optimal solutions from a table of all boards"

    def __init__(
        self,
        size: int = 3,
        scramble: int | None = None,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
    ):
        if isinstance(size, bool) or not isinstance(size, int) or not 2 <= size <= 7:
            raise InvalidArgumentError(f"size must be an integer from 2 to 7; got {size!r}")
        if scramble is not None and (
            isinstance(scramble, bool) or not isinstance(scramble, int) or scramble < 1
        ):
            raise InvalidArgumentError(
                f"scramble must be a positive integer, or None; got {scramble!r}"
            )
        self.size = size
        places = size * size
        ranked = size <= _LARGEST_RANKED
        super().__init__(
            kernels=Kernels(
                reset=reset_uniform if scramble is None else reset_scrambled,
                step=step,
                observe=observe,
                legal=legal,
                goal=goal,
                update=update,
                rank=rank if ranked else None,
                unrank=unrank if ranked else None,
            ),
            layout=StateLayout(
                [],
                [
                    ("board", np.int8, (places,)),
                    ("row", np.int8),
                    ("col", np.int8),
                    ("manhattan", np.int16),
                ],
                [("left", np.int8)],  # the place that the gap has left
            ),
            params=Params(size, scramble or 0, _home_distances(size)),
            observation_space=spaces.Box(0, 1, (places, places), np.uint8),
            action_space=spaces.Discrete(4),
            inverse_actions=(DOWN, UP, RIGHT, LEFT),
            max_episode_steps=25 * places if max_episode_steps is None else max_episode_steps,
            render_mode=render_mode,
        )

    @property
    def n_ranks(self) -> int:
        """How many boards can be solved, up to size 3; 0 above it, where they are too many."""
        return math.factorial(self.size**2) // 2 if self.size <= _LARGEST_RANKED else 0

    def apply_options(self, state: Any, options: dict[str, Any]) -> None:
        state["board"] = self._read_board(options["board"])
        _find_gap(state, self.definition.params)
        _measure(state, self.definition.params)

    def describe_state(self, state: Any) -> str:
        rows = " / ".join(" ".join(row) for row in self._symbols(state))
        moves = ", ".join(ACTION_WORDS[a] for a in range(4) if _can_move(state, a, self.size))
        return (
            f"Slide the tiles into order, the gap last. The board, row by row: {rows}. "
            f"The gap can move {moves}."
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        tile, margin = 64, 12
        canvas = Canvas(self.size * tile + 2 * margin, self.size * tile + 2 * margin, "night")
        for place, number in enumerate(state["board"].tolist()):
            x, y = margin + place % self.size * tile, margin + place // self.size * tile
            if number == 0:
                continue
            at_home = number == place + 1
            colour = "green" if at_home else "sand"
            canvas.rectangle(x + 2, y + 2, tile - 4, tile - 4, colour)
            canvas.text(x + tile / 2, y + tile / 2, str(number), "white" if at_home else "ink", 26)
        return canvas.pixels()

    def show_state(self, state: Any) -> str:
        width = len(str(self.size**2 - 1))
        return "\n".join(
            " ".join(symbol.rjust(width) for symbol in row) for row in self._symbols(state)
        )

    def action_words(self, action: Any) -> str:
        return ACTION_WORDS[int(action)]

    def goal_states(self) -> np.ndarray[Any, Any]:
        states = self.definition.layout.empty(1)
        states["board"] = (np.arange(self.size**2) + 1) % self.size**2
        _find_gap(states[0], self.definition.params)
        return states

    def best_return(self, seed: int) -> float | None:
        if self.size > _LARGEST_RANKED:
            return None
        return -float(optimal_moves(self.model.reset([seed])["board"])[0])

    def _symbols(self, state: Any) -> list[list[str]]:
        """The rows of the board, the gap as an underscore."""
        rows = state["board"].reshape(self.size, self.size).tolist()
        return [[str(tile) if tile else "_" for tile in row] for row in rows]

    def _read_board(self, board: Any) -> np.ndarray[Any, np.dtype[np.int8]]:
        try:
            rows = np.array(board)
        except ValueError:  # rows of different lengths
            rows = np.empty(0)
        places = self.size**2
        shape = (self.size, self.size)
        if rows.shape != shape or sorted(rows.ravel().tolist()) != list(range(places)):
            raise InvalidArgumentError(
                f"board must be {self.size} rows of {self.size} with each of 0 (the gap) to "
                f"{places - 1} once; got {board!r}"
            )
        tiles = rows.ravel().astype(np.int8)
        if (tiles == (np.arange(places) + 1) % places).all():
            raise InvalidArgumentError("board is solved already; give another one")
        if not _is_solvable(tiles, self.size):
            raise InvalidArgumentError(
                f"board {board!r} cannot be solved; swap any two tiles and it can"
            )
        return tiles


def optimal_moves(boards: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The fewest moves that solve each board, (n,).

    Args:
        boards: (n, 4) or (n, 9) solvable boards, row by row.
    """
    env, distances = _table(math.isqrt(boards.shape[1]))
    states = env.definition.layout.empty(len(boards))
    states["board"] = boards
    return distances[[rank(state, env.definition.params) for state in states]]


@functools.cache
def _table(size: int) -> tuple[SlidingTile, np.ndarray[Any, Any]]:
    """The environment and the distances of all its boards."""
    env = SlidingTile(size)
    return env, distance_table(env)


def _is_solvable(tiles: np.ndarray[Any, Any], size: int) -> bool:
    """Whether the order of the tiles is even where the gap's distance from home is, else odd."""
    swaps, seen = 0, set()
    homes = [(tile - 1) % size**2 for tile in tiles.tolist()]
    for start in range(len(homes)):
        place = start
        while place not in seen:
            seen.add(place)
            place = homes[place]
            swaps += place not in seen
    gap = int(np.flatnonzero(tiles == 0)[0])
    return (swaps + 2 * size - 2 - gap // size - gap % size) % 2 == 0


def _home_distances(size: int) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Manhattan distances from each place to each tile's home, [tile, place]; 0 for the gap."""
    home, place = np.arange(-1, size**2 - 1)[:, None], np.arange(size**2)
    table = abs(home // size - place // size) + abs(home % size - place % size)
    table[0] = 0
    return table.astype(np.int16)
