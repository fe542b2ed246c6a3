"""RubiksCube: the 3×3×3 and the 2×2×2."""

import functools
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from ..kernel import (
    InvalidArgumentError,
    KernelEnv,
    Kernels,
    StateLayout,
    UnparseableActionError,
)
from ..kernel.render import Canvas, Colour
from ..kernel.solve import distance_table
from . import rubiks_kernels
from .rubiks_kernels import N_SMALL, SOLVED_CORNERS, SOLVED_EDGES, make_params
from .rubiks_moves import FACES, inverse, moves_of
from .rubiks_solver import MOST_TURNS, NearSolved

Metric = Literal["half_turn", "quarter_turn"]

_COLOURS: tuple[Colour, ...] = (
    (246, 246, 242),
    (208, 52, 58),
    (46, 158, 88),
    (246, 208, 70),
    (240, 134, 52),
    (48, 104, 206),
)
_NET = {"U": (1, 0), "L": (0, 1), "F": (1, 1), "R": (2, 1), "B": (3, 1), "D": (1, 2)}


class RubiksCube(KernelEnv):
    """
    ## Description
    The cube whose faces can be turned, to be brought back to one colour a face. The 3×3×3 has
    43,252,003,274,489,856,000 states and needs up to 20 half or 26 quarter turns (Rokicki et al.
    2010, "God's number is 20"). Of the 2×2×2, which has no centres, the corner down, back and left
    is held, so that it has 3,674,160 states and one that is solved; it needs up to 11 half or 14
    quarter turns. A test bed of learned heuristics (Agostinelli et al. 2019, "Solving the Rubik's
    cube with deep reinforcement learning and search") and, with composed actions, of search in
    large action spaces (Agostinelli et al. 2021, "A* search without expansions").

    ## Observation Space
    `Box(0, 5, (6, size, size), int8)`: the colour of each sticker, [face, row, column], the faces
    in the order U, R, F, D, L, B and each as in the net that `render_mode="rgb_array"` shows. A
    colour is the number of the face that it belongs to.

    ## Action Space
    `Discrete(n)`: turns in standard notation: `R` turns the right face a quarter clockwise, `R'`
    the other way, `R2` a half. First the single turns, face by face: of the 3×3×3 all six faces, 12
    in the quarter-turn metric and 18 in the half-turn metric; of the 2×2×2 the faces U, R and F, 6
    and 9. With `meta_actions` the compositions of two and of three turns follow, "U R" meaning U
    first: 1,884 actions of the 3×3×3 in the quarter-turn metric, 819 of the 2×2×2 in the other.

    ## Rewards
    −1 for each turn, so that a composed action costs its length. A composed action ends where all
    its turns have been made: a cube solved on the way does not count.

    ## Starting State
    Uniform among the states that can be reached, the solved one left out, or the solved cube after
    `scramble` uniformly drawn single turns (drawn again should they cancel out).

    ## Episode End
    Terminated when the cube is solved; truncated after `max_episode_steps` actions.

    ## Arguments
    - `size`: 3 or 2 (default 2).
    - `metric`: `"half_turn"` (default), where a half turn is one turn, or `"quarter_turn"`.
    - `meta_actions`: the most turns that one action makes, 1 to 3 (default 1).
    - `scramble`: the number of random turns from the solved cube, ≥ 1; None (default) for a
      uniformly drawn state.
    - `max_episode_steps`: the time limit (default 100); −1 for none.

    `reset(options={"moves": "R U R' U'"})` starts from the solved cube after these turns.

    ## Reference Scores
    `spelunk.reference("spelunk/RubiksCube-v0")`: the random policy, and optimal solutions, for
    size 2 from a table of all states, and for size 3 by search from both ends where `scramble` is
    at most 8. Otherwise no best is given.

    The state field `corners` holds five bits for each corner place, `4 · piece + twist`, and for
    size 3 `edges` holds five for each edge place, `2 · piece + flip`.

    ## Version History
    - v0: first version.
    """

    reset_options = ("moves",)
    best_source = "optimal solutions from a table of states"

    def __init__(
        self,
        size: int = 2,
        metric: Metric = "half_turn",
        meta_actions: int = 1,
        scramble: int | None = None,
        max_episode_steps: int = 100,
        render_mode: str | None = None,
    ):
        if isinstance(size, bool) or size not in (2, 3):
            raise InvalidArgumentError(f"size must be 2 or 3; got {size!r}")
        if metric not in ("half_turn", "quarter_turn"):
            raise InvalidArgumentError(
                f"metric must be 'half_turn' or 'quarter_turn'; got {metric!r}"
            )
        if isinstance(meta_actions, bool) or meta_actions not in (1, 2, 3):
            raise InvalidArgumentError(f"meta_actions must be 1, 2 or 3; got {meta_actions!r}")
        if scramble is not None and (
            isinstance(scramble, bool) or not isinstance(scramble, int) or scramble < 1
        ):
            raise InvalidArgumentError(
                f"scramble must be a positive integer, or None; got {scramble!r}"
            )
        self.size, self.metric = size, metric
        self.faces = "URF" if size == 2 else FACES
        moves = moves_of(self.faces, metric == "half_turn", meta_actions)
        self._words = moves.names
        self._actions_by_words = {name: action for action, name in enumerate(moves.names)}
        self._solved = {"corners": SOLVED_CORNERS} | ({"edges": SOLVED_EDGES} if size == 3 else {})
        super().__init__(
            kernels=_kernels(size, scramble),
            layout=StateLayout([], [(name, np.int64) for name in self._solved]),
            params=make_params(moves, size, scramble or 0),
            observation_space=spaces.Box(0, 5, (6, size, size), np.int8),
            action_space=spaces.Discrete(len(moves.names)),
            inverse_actions=[self._actions_by_words[inverse(name)] for name in moves.names],
            max_episode_steps=max_episode_steps,
            render_mode=render_mode,
        )

    @property
    def n_ranks(self) -> int:
        """How many states there are to list; 0 for size 3, which has too many."""
        return N_SMALL if self.size == 2 else 0

    def apply_options(self, state: Any, options: dict[str, Any]) -> None:
        turns = moves_of(self.faces, half_turns=True, length=1)
        params, step = make_params(turns, self.size, 0), self.definition.kernels.step
        solved = True
        for name, value in self._solved.items():
            state[name] = value
        for name in _normalised(str(options["moves"])).split():
            if name not in turns.names:
                raise InvalidArgumentError(
                    f"moves must be turns in standard notation, separated by spaces: of "
                    f"{', '.join(turns.names)}; got {name!r} in {options['moves']!r}"
                )
            _, solved = step(state, turns.names.index(name), params)
        if solved:
            raise InvalidArgumentError(
                f"moves must not leave the cube solved; got {options['moves']!r}"
            )

    def describe_state(self, state: Any) -> str:
        faces = self._stickers(state)
        shown = "; ".join(
            f"{face} " + " / ".join("".join(FACES[c] for c in row) for row in faces[i])
            for i, face in enumerate(FACES)
        )
        return (
            "Turn the faces until each has one colour. The stickers of the faces up, right, "
            "front, down, left and back, row by row, each named by the face it belongs to: "
            f"{shown}."
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        sticker, gap, margin = 100 // self.size, 12, 16
        side = self.size * sticker + gap
        canvas = Canvas(4 * side - gap + 2 * margin, 3 * side - gap + 2 * margin, "night")
        for face, rows in zip(FACES, self._stickers(state), strict=True):
            left, top = (margin + side * at for at in _NET[face])
            for row, colours in enumerate(rows):
                for column, colour in enumerate(colours):
                    x, y = left + column * sticker, top + row * sticker
                    _draw_sticker(canvas, x + 1, y + 1, sticker - 2, _COLOURS[colour])
        return canvas.pixels()

    def show_state(self, state: Any) -> str:
        rows = [[" " * (2 * self.size)] * 4 for _ in range(3 * self.size)]
        for face, stickers in zip(FACES, self._stickers(state), strict=True):
            column, band = _NET[face]
            for row, colours in enumerate(stickers):
                letters = " ".join(FACES[c] for c in colours) + " "
                rows[band * self.size + row][column] = letters
        return "\n".join(" ".join(row).rstrip() for row in rows)

    def action_words(self, action: Any) -> str:
        return self._words[int(action)]

    def parse(self, text: str) -> Any:
        action = self._actions_by_words.get(_normalised(text))
        if action is None:
            longest = self._words[-1]
            raise UnparseableActionError(
                f"{text!r} names no action; say for example {self._words[0]!r} or {longest!r}"
            )
        return action

    def goal_states(self) -> np.ndarray[Any, Any]:
        states = self.definition.layout.empty(1)
        for name, value in self._solved.items():
            states[name] = value
        return states

    def best_return(self, seed: int) -> float | None:
        # A composed action costs as much as its turns, so the fewest single turns are the best.
        params, states = self.definition.params, self.model.reset([seed])
        if self.size == 2:
            return -float(_distances(self.metric)[rubiks_kernels.rank(states[0], params)])
        if 1 <= params.scramble <= MOST_TURNS:
            return -float(_near_solved(self.metric).fewest_turns(states))
        return None

    def _stickers(self, state: Any) -> Any:
        """The observation as lists."""
        faces = np.zeros((6, self.size, self.size), np.int8)
        self.definition.kernels.observe(state, self.definition.params, faces)
        return faces.tolist()


def _kernels(size: int, scramble: int | None) -> Kernels:
    k = rubiks_kernels
    if size == 2:
        return Kernels(
            reset=k.reset_small_uniform if scramble is None else k.reset_small_scrambled,
            step=k.step_small,
            observe=k.observe_small,
            goal=k.goal_small,
            rank=k.rank,
            unrank=k.unrank,
        )
    return Kernels(
        reset=k.reset_uniform if scramble is None else k.reset_scrambled,
        step=k.step,
        observe=k.observe,
        goal=k.goal,
    )


@functools.cache
def _distances(metric: Metric) -> np.ndarray[Any, Any]:
    return distance_table(RubiksCube(2, metric))


@functools.cache
def _near_solved(metric: Metric) -> NearSolved:
    return NearSolved(RubiksCube(3, metric).model)


def _normalised(text: str) -> str:
    """Turns in capitals with plain apostrophes and single spaces."""
    return " ".join(text.upper().replace("’", "'").replace("′", "'").split())


def _draw_sticker(canvas: Canvas, x: float, y: float, side: float, colour: Colour) -> None:
    """A square with round corners."""
    r = 0.16 * side
    canvas.rectangle(x + r, y, side - 2 * r, side, colour)
    canvas.rectangle(x, y + r, side, side - 2 * r, colour)
    for corner_x in (x + r, x + side - r):
        for corner_y in (y + r, y + side - r):
            canvas.circle(corner_x, corner_y, r, colour)
