"""ConnectFour: discs dropped into columns, for two players in turns."""

from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import Game, InvalidArgumentError, Kernels, StateLayout, kernel
from ..kernel.game import Opponent, Plays
from ..kernel.render import Canvas

AGENTS = ("x", "o")

#: The most columns of a board that fits into 62 bits: of one capacity, all sizes share code.
_WIDEST = 20
#: A board is searched whole for its reference score where it has at most so many cells.
_SEARCHED = 20
#: Where the first player is known to win whatever the other does.
_PROVEN = {(6, 7, 4): "Allis 1988"}


class Params(NamedTuple):
    """Fixed for the life of the environment."""

    rows: int
    columns: int
    connect: int


# A player's discs are the bits of one integer: column by column from the left, each from the bottom
# up, with a bit above it that is always 0, so that no line runs from one column into the next.


@kernel
def reset(state, params):
    """An empty board."""
    state.discs[0] = 0
    state.discs[1] = 0
    for column in range(params.columns):
        state.heights[column] = 0
    state.turn = 0
    state.column = 0
    state.drops = 0


@kernel
def step(state, action, params, rewards, terminated):
    """Drop a disc; a line or a full board ends the game."""
    player = int(state.turn)
    discs = int(state.discs[player]) | 1 << (
        action * (params.rows + 1) + int(state.heights[action])
    )
    state.discs[player] = discs
    state.heights[action] += 1
    state.turn = 1 - player
    state.column = action
    state.drops += 1
    lined = _has_line(discs, params)
    if lined:
        rewards[player] = 1.0
        rewards[1 - player] = -1.0
    terminated[:] = lined or state.drops == params.rows * params.columns


@kernel
def _has_line(discs, params):
    """Whether enough discs are in a line: upwards, to the right, or on either diagonal."""
    for k in range(4):
        shift = 1 if k == 0 else params.rows + k - 1
        line = discs
        for _ in range(params.connect - 1):
            line = discs & (line >> shift)
        if line != 0:
            return True
    return False


@kernel
def legal(state, params, mask):
    """A column takes discs until it is full."""
    for column in range(params.columns):
        mask[column] = state.heights[column] < params.rows


@kernel
def goal(state, params):
    """The first player has won."""
    return _has_line(int(state.discs[0]), params)


@kernel
def canonical(state, params):
    """Of a board and its mirror image the smaller one."""
    first, second = int(state.discs[0]), int(state.discs[1])
    mirrored_first, mirrored_second = _mirror(first, params), _mirror(second, params)
    if (mirrored_first, mirrored_second) < (first, second):
        state.discs[0] = mirrored_first
        state.discs[1] = mirrored_second


@kernel
def _mirror(discs, params):
    mirrored = 0
    height = params.rows + 1
    for _ in range(params.columns):
        mirrored = (mirrored << height) | (discs & ((1 << height) - 1))
        discs >>= height
    return mirrored


@kernel
def observe(state, agent, params, obs):
    """A player's own discs, then the other's."""
    for row in range(params.rows):
        own = int(state.discs[agent]) >> (params.rows - 1 - row)
        other = int(state.discs[1 - agent]) >> (params.rows - 1 - row)
        for column in range(params.columns):
            obs[row, column, 0] = own & 1
            obs[row, column, 1] = other & 1
            own >>= params.rows + 1
            other >>= params.rows + 1


@kernel
def update(state, agent, params, obs):
    """One disc more, of the player whose turn it was."""
    column = int(state.column)
    obs[params.rows - int(state.heights[column]), column, int(state.turn == agent)] = 1


class ConnectFour(Game):
    """
    ## Description
    Two players, `x` and `o`, drop discs into the columns of an upright board in turns; who first
    has four of them in a line, in any direction, wins. On the usual board of 6 rows and 7 columns
    the first player can force a win from the middle column (Allen 1988; Allis 1988, "A
    knowledge-based approach of Connect-Four"); there are 4,531,985,219,092 boards (Edelkamp &
    Kissmann 2008).

    Made with `spelunk.aec_env("spelunk/ConnectFour-v0")`, or for many games at once with
    `gymnasium.make_vec`; for one agent with `gymnasium.make(…, opponent="random")`.

    ## Observation Space
    `Box(0, 1, (rows, columns, 2), int8)` for each player: [row, column, 0] is 1 where its own disc
    is, [row, column, 1] where the other's; row 0 is at the top. Jointly (2, rows, columns, 2).

    ## Action Space
    `Discrete(columns)`: the column to drop a disc into, from the left. Full columns are illegal
    and masked. The action of a step is that of the player in the state field `turn`, 0 for `x`.

    ## Rewards
    At the end 1 for the winner and −1 for the loser, or 0 for both of a draw; before it 0.

    ## Starting State
    An empty board; `x` begins.

    ## Episode End
    Terminated for both players when there is a line or the board is full.

    ## Arguments
    - `rows`, `columns`: of the board, at least 2 each and `(rows + 1) · columns` at most 62
      (default 6 and 7).
    - `connect`: how many discs make a line, from 3 to the larger side (default 4).
    - `opponent`, `plays`: `"random"` makes this an environment of one agent, which plays `"first"`
      (default), `"second"` or at `"random"` against uniformly random moves.
    - `max_episode_steps`: the time limit (default −1 for none).

    `reset(options={"moves": …})` starts after the given moves.

    ## Reference Scores
    `spelunk.reference("spelunk/ConnectFour-v0")`: the mean return of `x` against an `o` that plays
    uniformly at random: where `x` does so too, and the best known. On the usual board that is 1,
    since `x` can force a win; on boards of at most 20 cells it is the exact expectation of the best
    replies; on others, and for the second player, what flat Monte Carlo with 1,000 playouts a move
    scores in 256 games.

    ## Version History
    - v0: first version.
    """

    def __init__(
        self,
        rows: int = 6,
        columns: int = 7,
        connect: int = 4,
        opponent: Opponent | None = None,
        plays: Plays = "first",
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        sizes = (rows, columns, connect)
        if any(isinstance(n, bool) or not isinstance(n, int) for n in sizes):
            raise InvalidArgumentError(f"rows, columns and connect must be integers; got {sizes}")
        if rows < 2 or columns < 2 or (rows + 1) * columns > 62:
            raise InvalidArgumentError(
                "rows and columns must be at least 2, and (rows + 1) * columns at most 62; "
                f"got {rows} and {columns}"
            )
        if not 3 <= connect <= max(rows, columns):
            raise InvalidArgumentError(
                f"connect must be from 3 to {max(rows, columns)}, the larger side; got {connect!r}"
            )
        super().__init__(
            opponent=opponent,
            plays=plays,
            searched=rows * columns <= _SEARCHED,
            proven=_PROVEN.get(sizes, ""),
            kernels=Kernels(
                reset=reset,
                step=step,
                observe=observe,
                legal=legal,
                goal=goal,
                update=update,
                canonical=canonical,
            ),
            layout=StateLayout(
                [],
                [("discs", np.int64, (2,)), ("turn", np.int8)],
                # The last column chosen, and what the discs tell, kept at hand.
                [("column", np.int8), ("drops", np.int8), ("heights", np.int8, (_WIDEST,))],
            ),
            params=Params(*sizes),
            observation_space=spaces.Box(0, 1, (rows, columns, 2), np.int8),
            action_space=spaces.Discrete(columns),
            agents=AGENTS,
            max_episode_steps=max_episode_steps,
            render_mode=render_mode,
        )

    def describe_state(self, state: Any) -> str:
        rows = " / ".join(self.show_state(state).splitlines())
        connect = self.definition.params.connect
        return (
            f"Who first has {connect} discs in a line wins. The board, from the top: {rows}. "
            f"{self._outlook(state)}."
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        tile, margin = 56, 10
        board = self.board(state)
        rows, columns = board.shape
        canvas = Canvas(columns * tile + 2 * margin, rows * tile + 2 * margin, "blue")
        for (row, column), disc in np.ndenumerate(board):
            x, y = margin + (column + 0.5) * tile, margin + (row + 0.5) * tile
            rim = ("night", (176, 52, 50), (196, 150, 40))[disc]
            canvas.circle(x, y, 0.42 * tile, rim)
            canvas.circle(x, y, (0.42, 0.34, 0.34)[disc] * tile, ("night", "red", "yellow")[disc])
        return canvas.pixels()

    def show_state(self, state: Any) -> str:
        return "\n".join(" ".join("_xo"[disc] for disc in row) for row in self.board(state))

    def action_words(self, action: Any) -> str:
        return f"column {int(action) + 1}"

    def board(self, state: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The board of a state, (rows, columns) from the top: 0 free, 1 `x`, 2 `o`."""
        rows, columns, _ = self.definition.params
        bits = np.arange(columns) * (rows + 1) + np.arange(rows)[::-1, None]
        first, second = ((int(discs) >> bits) & 1 for discs in state["discs"])
        return first + 2 * second

    def _outlook(self, state: Any) -> str:
        """Whose turn it is, or how the game has ended."""
        params = self.definition.params
        for player, name in enumerate(self.players):
            if _has_line(int(state["discs"][player]), params):
                return f"{name} has {params.connect} in a line"
        free = ", ".join(str(c + 1) for c in np.flatnonzero(self.board(state)[0] == 0))
        if not free:
            return "It is a draw"
        return f"It is {self.players[state['turn']]}'s turn, in one of the columns {free}"
