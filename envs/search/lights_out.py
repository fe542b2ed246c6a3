"""LightsOut: press cells until all lights are out."""

from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import InvalidArgumentError, KernelEnv, Kernels, StateLayout, kernel, rng
from ..kernel.render import Canvas

#: Up to this size the boards that can be solved are numbered.
_LARGEST_RANKED = 5


class Params(NamedTuple):
    """Fixed for the life of the environment.

    Attributes:
        presses: (size²,) `int64`, the lights that a press changes, a bit each.
        checks: (k,) `int64`, the lights that decide each of the last k where a board can be solved.
        free: the number of lights before those.
    """

    presses: np.ndarray[Any, np.dtype[np.int64]]
    checks: np.ndarray[Any, np.dtype[np.int64]]
    free: int


@kernel
def reset(state, params):
    """Each cell of the dark board pressed or not, with equal chances; again should all be out."""
    state.lights = 0
    while state.lights == 0:
        for cell in range(len(params.presses)):
            if rng.integer(state, 2) == 1:
                state.lights ^= params.presses[cell]
    state.pressed = 0


@kernel
def step(state, action, params):
    """Press a cell; the episode ends when all lights are out."""
    state.lights ^= params.presses[action]
    state.pressed = action
    return -1.0, state.lights == 0


@kernel
def goal(state, params):
    """All lights are out."""
    return state.lights == 0


@kernel
def observe(state, params, obs):
    """1 where a light is on."""
    for row in range(obs.shape[0]):
        for column in range(obs.shape[1]):
            obs[row, column] = state.lights >> row * obs.shape[1] + column & 1


@kernel
def update(state, params, obs):
    """A press changes a cell and its neighbours."""
    size = obs.shape[0]
    row, column = int(state.pressed) // size, int(state.pressed) % size
    obs[row, column] ^= 1
    if row > 0:
        obs[row - 1, column] ^= 1
    if row < size - 1:
        obs[row + 1, column] ^= 1
    if column > 0:
        obs[row, column - 1] ^= 1
    if column < size - 1:
        obs[row, column + 1] ^= 1


@kernel
def rank(state, params):
    """The lights but those that the others decide."""
    return state.lights & (1 << params.free) - 1


@kernel
def unrank(state, index, params):
    """The board of a number: a light that others decide is on where an odd number of them is."""
    lights = index
    for k in range(len(params.checks)):
        odd = index & params.checks[k]
        for shift in (16, 8, 4, 2, 1):
            odd ^= odd >> shift
        lights |= (odd & 1) << params.free + k
    state.lights = lights
    state.pressed = 0


class LightsOut(KernelEnv):
    """
    ## Description
    A square board of lights. Pressing a cell changes its light and those of its neighbours above,
    below, left and right; all are to be put out. Neither the order of presses matters nor how often
    a cell is pressed but whether it is odd, so a board is a system of linear equations over the two
    numbers 0 and 1 (Anderson & Feil 1998, "Turning lights out with linear algebra"). On 5×5 a
    quarter of the boards can be solved, all of them with up to 15 presses; of the other sizes only
    4×4 has boards that cannot.

    ## Observation Space
    `Box(0, 1, (size, size), int8)`: 1 where a light is on.

    ## Action Space
    `Discrete(size²)`: the cell to press, row by row.

    ## Rewards
    −1 for each press, so that the return is minus the number of presses.

    ## Starting State
    Uniform among the boards that can be solved, the dark one left out.

    ## Episode End
    Terminated when all lights are out; truncated after `max_episode_steps` presses.

    ## Arguments
    - `size`: side of the board, 2 to 7 (default 5).
    - `max_episode_steps`: the time limit (default `4 · size²`); −1 for none.

    `reset(options={"board": …})` starts from given rows of 0 and 1. The board must be solvable, and
    not dark.

    The state field `lights` holds a bit for each light. As a press changes up to five, a fifth of
    their number, rounded up, is an admissible and consistent heuristic.

    ## Reference Scores
    `spelunk.reference("spelunk/LightsOut-v0")`: the random policy, and the fewest presses by linear
    algebra: of the solutions, which differ by patterns that change nothing, the smallest.

    ## Version History
    - v0: first version.
    """

    reset_options = ("board",)
    best_source = "fewest presses by linear algebra over GF(2)"

    def __init__(
        self,
        size: int = 5,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
    ):
        if isinstance(size, bool) or not isinstance(size, int) or not 2 <= size <= 7:
            raise InvalidArgumentError(f"size must be an integer from 2 to 7; got {size!r}")
        self.size = size
        self._equations = Equations(size)
        quiet = self._equations.quiet
        free = size**2 - len(quiet)
        ranked = size <= _LARGEST_RANKED
        super().__init__(
            kernels=Kernels(
                reset=reset,
                step=step,
                observe=observe,
                goal=goal,
                update=update,
                rank=rank if ranked else None,
                unrank=unrank if ranked else None,
            ),
            layout=StateLayout([], [("lights", np.int64)], [("pressed", np.int8)]),
            params=Params(
                np.array(_presses(size), np.int64),
                np.array([pattern & (1 << free) - 1 for pattern in quiet], np.int64),
                free,
            ),
            observation_space=spaces.Box(0, 1, (size, size), np.int8),
            action_space=spaces.Discrete(size**2),
            inverse_actions=range(size**2),
            max_episode_steps=4 * size**2 if max_episode_steps is None else max_episode_steps,
            render_mode=render_mode,
        )

    @property
    def n_ranks(self) -> int:
        """How many boards can be solved, up to size 5; 0 above it, where they are too many."""
        return 1 << self.definition.params.free if self.size <= _LARGEST_RANKED else 0

    def apply_options(self, state: Any, options: dict[str, Any]) -> None:
        state["lights"] = self._read_board(options["board"])

    def describe_state(self, state: Any) -> str:
        rows = " / ".join(" ".join(row) for row in self._symbols(state))
        return (
            "Put all lights out. Pressing a cell changes its light and those of its neighbours in "
            f"row and column. The lights, row by row, O on and _ off: {rows}."
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        tile, margin = 52, 12
        side = self.size * tile + 2 * margin
        canvas = Canvas(side, side, "night")
        for y, row in enumerate(self._symbols(state)):
            for x, symbol in enumerate(row):
                left, top = margin + x * tile, margin + y * tile
                canvas.rectangle(left + 2, top + 2, tile - 4, tile - 4, "ink")
                for radius, colour in _LAMP[symbol]:
                    canvas.circle(left + tile / 2, top + tile / 2, radius, colour)
        return canvas.pixels()

    def show_state(self, state: Any) -> str:
        return "\n".join(" ".join(row) for row in self._symbols(state))

    def action_words(self, action: Any) -> str:
        return f"row {int(action) // self.size + 1} column {int(action) % self.size + 1}"

    def goal_states(self) -> np.ndarray[Any, Any]:
        return self.definition.layout.empty(1)

    def best_return(self, seed: int) -> float | None:
        lights = int(self.model.reset([seed])["lights"][0])
        return -float(self._equations.fewest_presses(lights).bit_count())

    def _symbols(self, state: Any) -> list[list[str]]:
        lights, size = int(state["lights"]), self.size
        return [["_O"[lights >> size * y + x & 1] for x in range(size)] for y in range(size)]

    def _read_board(self, board: Any) -> int:
        try:
            rows = np.array(board)
        except ValueError:  # rows of different lengths
            rows = np.empty(0)
        if rows.shape != (self.size, self.size) or not np.isin(rows, (0, 1)).all():
            raise InvalidArgumentError(
                f"board must be {self.size} rows of {self.size} with 0 (off) and 1 (on); "
                f"got {board!r}"
            )
        lights = sum(int(light) << cell for cell, light in enumerate(rows.ravel()))
        if lights == 0:
            raise InvalidArgumentError("board is dark already; give another one")
        if not self._equations.solvable(lights):
            raise InvalidArgumentError(f"board {board!r} cannot be solved")
        return lights


#: What is drawn of a light that is on or off: discs from the outside in.
_LAMP: dict[str, list[tuple[int, Any]]] = {
    "O": [(22, (92, 78, 44)), (19, "yellow"), (12, (255, 232, 150))],
    "_": [(19, "night"), (16, "stone")],
}


class Equations:
    """Which presses put which lights out, as linear equations over GF(2).

    Sets of cells are integers, a bit a cell. The matrix of the game is symmetric, so that the
    combinations of its rows that vanish are the patterns of presses that change nothing, too.

    Attributes:
        quiet: a basis of the patterns that change nothing, the smallest first. Up to size 5 each
            has just one of the last `len(quiet)` cells, in order.
    """

    def __init__(self, size: int):
        cells = size * size
        rows = [pressed << cells | 1 << light for light, pressed in enumerate(_presses(size))]
        reduced = sorted(_reduced(rows))
        self.quiet = [row for row in reduced if row >> cells == 0]
        self._sums = [0]
        for pattern in self.quiet:
            self._sums += [other ^ pattern for other in self._sums]
        #: The cell to press where an odd number of these lights is on.
        self._solution = [
            ((row >> cells).bit_length() - 1, row & (1 << cells) - 1)
            for row in reduced
            if row >> cells
        ]

    def solvable(self, lights: int) -> bool:
        """Whether the lights can be put out: no quiet pattern meets an odd number of them."""
        return not any((lights & pattern).bit_count() % 2 for pattern in self.quiet)

    def fewest_presses(self, lights: int) -> int:
        """A smallest set of cells whose presses put the lights out; they must be solvable."""
        some = sum(
            1 << cell for cell, mask in self._solution if (lights & mask).bit_count() % 2 == 1
        )
        return min((some ^ pattern for pattern in self._sums), key=int.bit_count)


def _presses(size: int) -> list[int]:
    """The lights that a press of each cell changes."""
    places = [(row, column) for row in range(size) for column in range(size)]
    return [
        sum(1 << y * size + x for y, x in places if abs(y - row) + abs(x - column) <= 1)
        for row, column in places
    ]


def _reduced(rows: list[int]) -> list[int]:
    """The reduced echelon form of rows of bits: the highest one of each is in no other."""
    found: list[int] = []
    for row in rows:
        for other in found:
            row = min(row, row ^ other)
        if row:
            found = [min(other, other ^ row) for other in found] + [row]
    return found
