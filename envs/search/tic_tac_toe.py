"""TicTacToe: noughts and crosses, for two players in turns."""

from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import Game, Kernels, StateLayout, kernel
from ..kernel.game import Opponent, Plays
from ..kernel.render import Canvas

AGENTS = ("x", "o")
PLACES = (
    "top left", "top", "top right",
    "left", "centre", "right",
    "bottom left", "bottom", "bottom right",
)  # fmt: skip

LINES = np.array(
    [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6)]
)


def _symmetries() -> np.ndarray[Any, np.dtype[np.int64]]:
    """The eight rotations and reflections, [symmetry, place]: where the mark there comes from."""
    board = np.arange(9).reshape(3, 3)
    turned = [np.rot90(board, turns) for turns in range(4)]
    return np.array([b.ravel() for board in turned for b in (board, board.T)])


SYMMETRIES = _symmetries()


class Params(NamedTuple):
    """Fixed for the life of the environment."""

    prize: float  # of the player who makes a line


@kernel
def reset(state, params):
    """An empty board."""
    for place in range(9):
        state.board[place] = 0
    state.turn = 0


@kernel
def step(state, action, params, rewards, terminated):
    """Mark a place; a line or a full board ends the game."""
    player = int(state.turn)
    state.board[action] = player + 1
    state.turn = 1 - player
    lined = _has_line(state, player + 1)
    if lined:
        rewards[player] = params.prize
        rewards[1 - player] = -params.prize
    full = True
    for place in range(9):
        full = full and state.board[place] != 0
    terminated[:] = lined or full


@kernel
def _has_line(state, mark):
    """Whether three of a player's marks are in a line."""
    for line in range(8):
        if (
            state.board[LINES[line, 0]] == mark
            and state.board[LINES[line, 1]] == mark
            and state.board[LINES[line, 2]] == mark
        ):
            return True
    return False


@kernel
def legal(state, params, mask):
    """A place can be marked once."""
    for place in range(9):
        mask[place] = state.board[place] == 0


@kernel
def goal(state, params):
    """The first player has won."""
    return _has_line(state, 1 if params.prize > 0.0 else 2)


@kernel
def canonical(state, params):
    """Of the eight boards that are alike, the one that is smallest as a number in base 3."""
    smallest = 19683
    for symmetry in range(8):
        number = 0
        for place in range(9):
            number = 3 * number + int(state.board[SYMMETRIES[symmetry, place]])
        smallest = min(smallest, number)
    for place in range(8, -1, -1):
        state.board[place] = smallest % 3
        smallest //= 3


@kernel
def observe(state, agent, params, obs):
    """A player's own marks, then the other's."""
    for place in range(9):
        mark = int(state.board[place])
        obs[place // 3, place % 3, 0] = mark == agent + 1
        obs[place // 3, place % 3, 1] = mark == 2 - agent


class TicTacToe(Game):
    """
    ## Description
    Two players, `x` and `o`, mark the places of a 3×3 board in turns; who first has three marks in
    a line wins. With the best play of both it is a draw. There are 255,168 games over 5,478
    boards, 765 of them different but for rotation and reflection: small enough to be solved
    exactly, so that self-play and tree search can be checked.

    Made with `spelunk.aec_env("spelunk/TicTacToe-v0")`, or for many games at once with
    `gymnasium.make_vec`; for one agent with `gymnasium.make(…, opponent="random")`.

    ## Observation Space
    `Box(0, 1, (3, 3, 2), int8)` for each player: [row, column, 0] is 1 where its own mark is,
    [row, column, 1] where the other's. Jointly (2, 3, 3, 2).

    ## Action Space
    `Discrete(9)`: the place to mark, row by row. Marked places are illegal and masked. The action
    of a step is that of the player in the state field `turn`, 0 for `x`.

    ## Rewards
    At the end 1 for the winner and −1 for the loser, or 0 for both of a draw; before it 0.

    ## Starting State
    An empty board; `x` begins.

    ## Episode End
    Terminated for both players when there is a line or the board is full.

    ## Arguments
    - `misere`: whether three in a line lose rather than win (default False). This, too, is a draw
      with the best play.
    - `opponent`, `plays`: `"random"` makes this an environment of one agent, which plays `"first"`
      (default), `"second"` or at `"random"` against uniformly random moves.
    - `max_episode_steps`: the time limit (default −1 for none; no game lasts longer than 9 steps).

    `reset(options={"moves": …})` starts after the given moves.

    ## Reference Scores
    `spelunk.reference("spelunk/TicTacToe-v0")`: the mean return of `x` against an `o` that plays
    uniformly at random: where `x` does so too, and, by exact expectation over all games, where `x`
    plays the best replies to it.

    ## Version History
    - v0: first version.
    """

    def __init__(
        self,
        misere: bool = False,
        opponent: Opponent | None = None,
        plays: Plays = "first",
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        super().__init__(
            opponent=opponent,
            plays=plays,
            searched=True,
            kernels=Kernels(reset, step, observe, legal, goal, canonical=canonical),
            layout=StateLayout([], [("board", np.int8, (9,)), ("turn", np.int8)]),
            params=Params(-1.0 if misere else 1.0),
            observation_space=spaces.Box(0, 1, (3, 3, 2), np.int8),
            action_space=spaces.Discrete(9),
            max_episode_steps=max_episode_steps,
            agents=AGENTS,
            render_mode=render_mode,
        )

    def describe_state(self, state: Any) -> str:
        rows = " / ".join(self.show_state(state).splitlines())
        aim = "loses" if self.definition.params.prize < 0 else "wins"
        return (
            f"Who first has three in a row {aim}. The board, row by row: {rows}. "
            f"{self._outlook(state)}."
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        tile, margin = 64, 12
        side = 3 * tile + 2 * margin
        canvas = Canvas(side, side, "paper")
        for k in (1, 2):
            line = margin + k * tile
            canvas.line([(line, margin), (line, side - margin)], "grey", 3)
            canvas.line([(margin, line), (side - margin, line)], "grey", 3)
        for place, mark in enumerate(state["board"].tolist()):
            x, y = margin + (place % 3 + 0.5) * tile, margin + (place // 3 + 0.5) * tile
            r = 0.28 * tile
            if mark == 1:
                canvas.line([(x - r, y - r), (x + r, y + r)], "blue", 7)
                canvas.line([(x - r, y + r), (x + r, y - r)], "blue", 7)
            elif mark == 2:
                canvas.circle(x, y, r, None, "red", 7)
        return canvas.pixels()

    def show_state(self, state: Any) -> str:
        symbols = ["_xo"[mark] for mark in state["board"].tolist()]
        return "\n".join(" ".join(symbols[row : row + 3]) for row in (0, 3, 6))

    def action_words(self, action: Any) -> str:
        return PLACES[int(action)]

    def _outlook(self, state: Any) -> str:
        """Whose turn it is, or how the game has ended."""
        for player, name in enumerate(AGENTS):
            if _has_line(state, player + 1):
                return f"{name} has three in a row"
        if state["board"].all():
            return "It is a draw"
        free = ", ".join(PLACES[place] for place in np.flatnonzero(state["board"] == 0))
        return f"It is {AGENTS[state['turn']]}'s turn to mark one of: {free}"
