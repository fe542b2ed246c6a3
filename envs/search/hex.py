"""Hex: a connection game for two players in turns."""

import math
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import Game, InvalidArgumentError, Kernels, StateLayout, kernel
from ..kernel.game import Opponent, Plays
from ..kernel.render import Canvas

AGENTS = ("x", "o")
LETTERS = "abcdefghijk"

#: Up to this size the whole game is searched for its reference score.
_SEARCHED = 3


class Params(NamedTuple):
    """Fixed for the life of the environment."""

    size: int


# Connected stones of a player, and the two edges it has to connect, are a tree in `link`, each
# pointing to another or, at the root, to itself (union-find). Behind the cells are the edges: top
# and bottom of the first player, left and right of the second.


@kernel
def reset(state, params):
    """An empty board."""
    for cell in range(state.board.shape[0]):
        state.board[cell] = 0
    _cut_links(state)
    state.turn = 0
    state.stones = 0
    state.winner = -1
    state.last = 0
    state.lifted = -1


@kernel
def _cut_links(state):
    for node in range(state.link.shape[0]):
        state.link[node] = node


@kernel
def step(state, action, params, rewards, terminated):
    """Place a stone, or swap; who has connected his edges wins."""
    player = int(state.turn)
    cell = action
    state.lifted = -1
    if action == state.board.shape[0]:
        opening = int(state.last)
        state.board[opening] = 0
        state.lifted = opening
        state.stones -= 1
        _cut_links(state)
        cell = opening % params.size * params.size + opening // params.size
    _place(state, cell, player, params)
    state.turn = 1 - player
    state.stones += 1
    state.last = cell
    edge = state.board.shape[0] + 2 * player
    won = _find(state, edge) == _find(state, edge + 1)
    if won:
        state.winner = player
        rewards[player] = 1.0
        rewards[1 - player] = -1.0
    terminated[:] = won


@kernel
def _place(state, cell, player, params):
    """Put a stone down and connect it with the player's stones and edges beside it."""
    size, edge = params.size, state.board.shape[0] + 2 * player
    row, col = cell // size, cell % size
    state.board[cell] = player + 1
    along = col if player else row
    if along == 0:
        _join(state, cell, edge)
    if along == size - 1:
        _join(state, cell, edge + 1)
    for k in range(6):
        # Beside a cell: two to its sides, two above it and two below, each row set half a cell on.
        beside_row = row + (k >= 4) - (k < 2)
        beside_col = col + (k == 1) + (k == 3) - (k == 2) - (k == 4)
        if 0 <= beside_row < size and 0 <= beside_col < size:
            beside = beside_row * size + beside_col
            if state.board[beside] == player + 1:
                _join(state, cell, beside)


@kernel
def _join(state, node, other):
    state.link[_find(state, node)] = _find(state, other)


@kernel
def _find(state, node):
    """The root of a node; the way to it is halved for the next time."""
    above = int(state.link[node])
    while above != node:
        state.link[node] = state.link[above]
        node = int(state.link[node])
        above = int(state.link[node])
    return node


@kernel
def legal(state, params, mask):
    """A free cell."""
    for cell in range(state.board.shape[0]):
        mask[cell] = state.board[cell] == 0


@kernel
def legal_swap(state, params, mask):
    """A free cell, or after the first move to swap."""
    legal(state, params, mask)
    mask[state.board.shape[0]] = state.stones == 1 and state.turn == 1


@kernel
def goal(state, params):
    """The first player has won."""
    return state.winner == 0


@kernel
def canonical(state, params):
    """Of a board and the same turned by 180 degrees the one that is first in order."""
    last = state.board.shape[0] - 1
    for cell in range(last // 2 + 1):
        here, there = int(state.board[cell]), int(state.board[last - cell])
        if here < there:
            return
        if there < here:
            for other in range(last // 2 + 1):
                mark = int(state.board[other])
                state.board[other] = state.board[last - other]
                state.board[last - other] = mark
            return


@kernel
def observe(state, agent, params, obs):
    """A player's own stones, the other's, and which edges it has to connect."""
    for row in range(params.size):
        for col in range(params.size):
            mark = int(state.board[row * params.size + col])
            obs[row, col, 0] = mark == agent + 1
            obs[row, col, 1] = mark == 2 - agent
            obs[row, col, 2] = agent == 0


@kernel
def update(state, agent, params, obs):
    """One stone more, of the player whose turn it was; after a swap one less."""
    cell, lifted = int(state.last), int(state.lifted)
    if lifted >= 0:
        obs[lifted // params.size, lifted % params.size, 0] = 0
        obs[lifted // params.size, lifted % params.size, 1] = 0
    obs[cell // params.size, cell % params.size, int(state.turn == agent)] = 1


class Hex(Game):
    """
    ## Description
    Two players, `x` and `o`, place stones on the cells of a rhombus of hexagons in turns. `x` wins
    by connecting the top and bottom edges, `o` the left and right ones. One of them always does:
    there are no draws, and with the best play the first wins, because a further stone never hurts
    (Nash 1952, "Some games and machines for playing them"). Invented by Piet Hein in 1942. That is
    evened out by the swap rule: after the first move, the second player may take it over.

    Made with `spelunk.aec_env("spelunk/Hex-v0")`, or for many games at once with
    `gymnasium.make_vec`; for one agent with `gymnasium.make(…, opponent="random")`.

    ## Observation Space
    `Box(0, 1, (size, size, 3), int8)` for each player: [row, column, 0] is 1 where its own stone
    is, [row, column, 1] where the other's, and [:, :, 2] is 1 for `x`, who connects the rows, and 0
    for `o`. Jointly (2, size, size, 3). The cells beside (r, c) are (r, c ± 1), (r − 1, c),
    (r − 1, c + 1), (r + 1, c − 1) and (r + 1, c).

    ## Action Space
    `Discrete(size²)`: the cell to place a stone on, row by row; with `swap` one more. Taken cells
    are illegal and masked. Action `size²` is to swap: the stone of the first move is taken up and
    `o` places one on the cell mirrored in the long diagonal, which is as good for it. The action
    of a step is that of the player in the state field `turn`, 0 for `x`.

    ## Rewards
    At the end 1 for the winner and −1 for the loser; before it 0.

    ## Starting State
    An empty board; `x` begins.

    ## Episode End
    Terminated for both players when one has connected its edges.

    ## Arguments
    - `size`: of the board, 3 to 11 (default 7).
    - `swap`: whether the swap rule holds (default False).
    - `opponent`, `plays`: `"random"` makes this an environment of one agent, which plays `"first"`
      (default), `"second"` or at `"random"` against uniformly random moves.
    - `max_episode_steps`: the time limit (default −1 for none).

    `reset(options={"moves": …})` starts after the given moves.

    ## Reference Scores
    `spelunk.reference("spelunk/Hex-v0")`: the mean return of `x` against an `o` that plays
    uniformly at random: where `x` does so too, and the best known. That is 1 without the swap rule,
    since `x` can force a win. With it, and for the second player, it is the exact expectation of
    the best replies for size 3, and for larger boards what flat Monte Carlo with 1,000 playouts a
    move scores in 256 games.

    ## Version History
    - v0: first version.
    """

    def __init__(
        self,
        size: int = 7,
        swap: bool = False,
        opponent: Opponent | None = None,
        plays: Plays = "first",
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        if isinstance(size, bool) or not isinstance(size, int) or not 3 <= size <= len(LETTERS):
            raise InvalidArgumentError(
                f"size must be an integer from 3 to {len(LETTERS)}; got {size!r}"
            )
        self.size, self.swap = size, swap
        cells = size * size
        super().__init__(
            opponent=opponent,
            plays=plays,
            searched=size <= _SEARCHED,
            proven="" if swap else "Nash 1952",
            kernels=Kernels(
                reset=reset,
                step=step,
                observe=observe,
                legal=legal_swap if swap else legal,
                goal=goal,
                update=update,
                canonical=canonical,
            ),
            layout=StateLayout(
                [],
                [("board", np.int8, (cells,)), ("turn", np.int8)],
                [
                    ("stones", np.int8),
                    ("winner", np.int8),  # −1 as long as there is none
                    ("last", np.int8),  # the cell of the last stone
                    ("lifted", np.int8),  # the cell that the last move cleared, or −1
                    ("link", np.int8, (cells + 4,)),
                ],
            ),
            params=Params(size),
            observation_space=spaces.Box(0, 1, (size, size, 3), np.int8),
            action_space=spaces.Discrete(cells + swap),
            agents=AGENTS,
            max_episode_steps=max_episode_steps,
            render_mode=render_mode,
        )

    def describe_state(self, state: Any) -> str:
        rows = " / ".join(line.strip() for line in self.show_state(state).splitlines())
        return (
            "x connects the top and bottom edges, o the left and right ones. The board, row by "
            f"row, each set half a cell to the right of the one above: {rows}. "
            f"{self._outlook(state)}."
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        size, radius, margin = self.size, 24.0, 16.0
        half = radius * math.sqrt(3) / 2
        width = math.ceil(half * (3 * size - 1) + 2 * margin)
        height = math.ceil(radius * (1.5 * size + 0.5) + 2 * margin)
        canvas = Canvas(width, height, "paper")
        shape = [
            (radius * math.sin(math.pi * k / 3), -radius * math.cos(math.pi * k / 3))
            for k in range(6)
        ]
        borders = []
        for cell, mark in enumerate(state["board"].tolist()):
            row, col = divmod(cell, size)
            x = margin + half * (2 * col + row + 1)
            y = margin + radius * (1.5 * row + 1)
            corners = [(x + dx, y + dy) for dx, dy in shape]
            canvas.polygon(corners, "stone")
            canvas.polygon([(x + 0.94 * dx, y + 0.94 * dy) for dx, dy in shape], "sand")
            if mark:
                canvas.circle(x, y, 0.62 * radius, ("red", "blue")[mark - 1])
            for edge, at, colour in (
                ((5, 0, 1), row == 0, "red"),
                ((2, 3, 4), row == size - 1, "red"),
                ((5, 4, 3), col == 0, "blue"),
                ((0, 1, 2), col == size - 1, "blue"),
            ):
                if at:
                    borders.append(([corners[k] for k in edge], colour))
        # The obtuse corners belong to both players: the first one's lines go on top.
        for line, colour in sorted(borders, key=lambda border: border[1]):
            canvas.line(line, colour, 4)
        return canvas.pixels()

    def show_state(self, state: Any) -> str:
        rows = state["board"].reshape(self.size, self.size).tolist()
        return "\n".join(
            " " * k + " ".join("_xo"[mark] for mark in row) for k, row in enumerate(rows)
        )

    def action_words(self, action: Any) -> str:
        row, col = divmod(int(action), self.size)
        return "swap" if row == self.size else f"{LETTERS[col]}{row + 1}"

    def _outlook(self, state: Any) -> str:
        """Whose turn it is, or how the game has ended."""
        if state["winner"] >= 0:
            return f"{self.players[state['winner']]} has connected its edges and won"
        swap = self.swap and state["stones"] == 1 and state["turn"] == 1
        return f"It is {self.players[state['turn']]}'s turn" + (", which may swap" if swap else "")
