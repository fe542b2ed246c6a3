"""Othello (Reversi): discs that turn over those between them, for two players in turns."""

from typing import Any, Literal, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import Game, InvalidArgumentError, Kernels, StateLayout, kernel
from ..kernel.game import Opponent, Plays
from ..kernel.render import Canvas

AGENTS = ("black", "white")
LETTERS = "abcdefgh"

#: Up to this size the whole game is searched for its reference score.
_SEARCHED = 4

_0, _1 = np.uint64(0), np.uint64(1)
#: Along rows, columns and the two diagonals; a row of the board is eight bits, whatever its size.
_SHIFTS = (np.uint64(1), np.uint64(8), np.uint64(7), np.uint64(9))
_DOWN = 1  # the direction of `_SHIFTS` that stays in its column
#: Bits that change places when neighbours, pairs and fours of a row do.
_MIRRORS = (
    (np.uint64(1), np.uint64(0x5555555555555555)),
    (np.uint64(2), np.uint64(0x3333333333333333)),
    (np.uint64(4), np.uint64(0x0F0F0F0F0F0F0F0F)),
)
#: Bits that change places when the cells of a block, and blocks of two and of four, are transposed.
_TRANSPOSITIONS = (
    (np.uint64(7), np.uint64(0x00AA00AA00AA00AA)),
    (np.uint64(14), np.uint64(0x0000CCCC0000CCCC)),
    (np.uint64(28), np.uint64(0x00000000F0F0F0F0)),
)


class Params(NamedTuple):
    """Fixed for the life of the environment."""

    size: int
    margin: bool  # whether the reward is the difference in discs, rather than its sign
    masks: np.ndarray[Any, np.dtype[np.uint64]]  # the cells, and those not in an outer column


@kernel
def reset(state, params):
    """Four discs in the middle."""
    middle = params.size // 2
    high, low = 8 * (middle - 1) + middle - 1, 8 * middle + middle - 1
    state.discs[0] = (_1 << np.uint64(high + 1)) | (_1 << np.uint64(low))
    state.discs[1] = (_1 << np.uint64(high)) | (_1 << np.uint64(low + 1))
    state.turn = 0
    state.moves = _moves(state.discs[0], state.discs[1], params)


@kernel
def step(state, action, params, rewards, terminated):
    """Place a disc and turn over all it encloses, or pass; the end is where nobody can move."""
    player = int(state.turn)
    own, other = state.discs[player], state.discs[1 - player]
    if action < params.size * params.size:
        disc = _1 << np.uint64(action // params.size * 8 + action % params.size)
        turned = _turned(own, other, disc, params)
        own = own | turned | disc
        other = other & ~turned
        state.discs[player] = own
        state.discs[1 - player] = other
    state.turn = 1 - player
    state.moves = _moves(other, own, params)
    over = state.moves == _0 and _moves(own, other, params) == _0
    if over:
        lead = _count(own) - _count(other)
        if not params.margin:
            lead = (lead > 0) - (lead < 0)
        rewards[player] = lead
        rewards[1 - player] = -lead
    terminated[:] = over


@kernel
def _moves(own, other, params):
    """The free cells from which a line of the other's discs leads to an own one, as bits."""
    moves = _0
    for k in range(4):
        shift = _SHIFTS[k]
        between = other if k == _DOWN else other & params.masks[1]
        up, down = between & (own << shift), between & (own >> shift)
        for _ in range(5):
            up |= between & (up << shift)
            down |= between & (down >> shift)
        moves |= (up << shift) | (down >> shift)
    return moves & params.masks[0] & ~(own | other)


@kernel
def _turned(own, other, disc, params):
    """The other's discs between a new disc and an own one, as bits."""
    turned = _0
    for k in range(4):
        shift = _SHIFTS[k]
        between = other if k == _DOWN else other & params.masks[1]
        up, down = between & (disc << shift), between & (disc >> shift)
        for _ in range(5):
            up |= between & (up << shift)
            down |= between & (down >> shift)
        if (up << shift) & own != _0:
            turned |= up
        if (down >> shift) & own != _0:
            turned |= down
    return turned


@kernel
def _count(discs):
    count = 0
    while discs != _0:
        discs &= discs - _1
        count += 1
    return count


@kernel
def legal(state, params, mask):
    """A cell that turns over a disc; to pass is legal where there is none."""
    size = params.size
    for row in range(size):
        moves = state.moves >> np.uint64(8 * row)
        for col in range(size):
            mask[row * size + col] = int(moves & _1)
            moves >>= _1
    mask[size * size] = state.moves == _0


@kernel
def goal(state, params):
    """The first player has won."""
    own, other = state.discs[0], state.discs[1]
    if state.moves != _0 or _moves(own, other, params) | _moves(other, own, params) != _0:
        return False
    return _count(own) > _count(other)


@kernel
def canonical(state, params):
    """Of the eight boards that are alike, the one whose numbers are smallest."""
    first, second = state.discs[0], state.discs[1]
    for k in range(7):
        if k % 2 == 0:
            first, second = _transpose(first), _transpose(second)
        else:
            first, second = _mirror(first, params.size), _mirror(second, params.size)
        if first < state.discs[0] or (first == state.discs[0] and second < state.discs[1]):
            state.discs[0] = first
            state.discs[1] = second


@kernel
def _mirror(discs, size):
    for k in range(3):
        shift, half = _MIRRORS[k]
        discs = ((discs >> shift) & half) | ((discs & half) << shift)
    return discs >> np.uint64(8 - size)


@kernel
def _transpose(discs):
    for k in range(3):
        shift, corner = _TRANSPOSITIONS[k]
        changed = (discs ^ (discs >> shift)) & corner
        discs ^= changed ^ (changed << shift)
    return discs


@kernel
def observe(state, agent, params, obs):
    """A player's own discs, then the other's."""
    for row in range(params.size):
        own = state.discs[agent] >> np.uint64(8 * row)
        other = state.discs[1 - agent] >> np.uint64(8 * row)
        for col in range(params.size):
            obs[row, col, 0] = int(own & _1)
            obs[row, col, 1] = int(other & _1)
            own >>= _1
            other >>= _1


class Othello(Game):
    """
    ## Description
    Two players, `black` and `white`, place discs in turns, each enclosing at least one straight
    line of the other's discs between the new one and another of its own; these are turned over.
    Who cannot move passes, and when nobody can, the one with more discs wins. The 8×8 board is
    weakly solved as a draw (Takizawa 2023, "Othello is solved"), 6×6 as a win of white by 4 discs
    (Feinstein 1993); on 4×4 white wins by 8.

    Made with `spelunk.aec_env("spelunk/Othello-v0")`, or for many games at once with
    `gymnasium.make_vec`; for one agent with `gymnasium.make(…, opponent="random")`.

    ## Observation Space
    `Box(0, 1, (size, size, 2), int8)` for each player: [row, column, 0] is 1 where its own disc
    is, [row, column, 1] where the other's. Jointly (2, size, size, 2).

    ## Action Space
    `Discrete(size² + 1)`: the cell to place a disc on, row by row; the last action is to pass,
    which is legal where nothing else is. The rest is masked. The action of a step is that of the
    player in the state field `turn`, 0 for `black`.

    ## Rewards
    At the end 1 for the winner and −1 for the loser, or 0 for both of a draw; with
    `reward="margin"` by how many discs each has more than the other. Before it 0.

    ## Starting State
    Two discs of each crosswise in the middle; `black` begins.

    ## Episode End
    Terminated for both players when neither can move.

    ## Arguments
    - `size`: of the board, 4, 6 or 8 (default 8).
    - `reward`: `"win"` (default) or `"margin"`.
    - `opponent`, `plays`: `"random"` makes this an environment of one agent, which plays `"first"`
      (default), `"second"` or at `"random"` against uniformly random moves.
    - `max_episode_steps`: the time limit (default −1 for none).

    `reset(options={"moves": …})` starts after the given moves.

    ## Reference Scores
    `spelunk.reference("spelunk/Othello-v0")`: the mean return of `black` against a `white` that
    plays uniformly at random: where `black` does so too, and the best known. For size 4 that is the
    exact expectation of the best replies; for the larger boards what flat Monte Carlo with 1,000
    playouts a move scores in 256 games.

    ## Version History
    - v0: first version.
    """

    def __init__(
        self,
        size: int = 8,
        reward: Literal["win", "margin"] = "win",
        opponent: Opponent | None = None,
        plays: Plays = "first",
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        if size not in (4, 6, 8):
            raise InvalidArgumentError(f"size must be 4, 6 or 8; got {size!r}")
        if reward not in ("win", "margin"):
            raise InvalidArgumentError(f'reward must be "win" or "margin"; got {reward!r}')
        self.size, self.reward = size, reward
        super().__init__(
            opponent=opponent,
            plays=plays,
            searched=size <= _SEARCHED,
            kernels=Kernels(
                reset=reset,
                step=step,
                observe=observe,
                legal=legal,
                goal=goal,
                canonical=canonical,
            ),
            layout=StateLayout(
                [],
                [("discs", np.uint64, (2,)), ("turn", np.int8)],
                [("moves", np.uint64)],  # where the next player can place a disc
            ),
            params=Params(size, reward == "margin", _masks(size)),
            observation_space=spaces.Box(0, 1, (size, size, 2), np.int8),
            action_space=spaces.Discrete(size * size + 1),
            agents=AGENTS,
            max_episode_steps=max_episode_steps,
            render_mode=render_mode,
        )

    def describe_state(self, state: Any) -> str:
        rows = " / ".join(self.show_state(state).splitlines())
        black, white = (int(discs).bit_count() for discs in state["discs"])
        return (
            f"Who has more discs in the end wins; black (x) has {black}, white (o) {white}. The "
            f"board, row by row: {rows}. {self._outlook(state)}."
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        tile, margin = 52, 10
        side = self.size * tile + 2 * margin
        canvas = Canvas(side, side, (52, 128, 82))
        for k in range(self.size + 1):
            line = margin + k * tile
            canvas.line([(line, margin), (line, side - margin)], (32, 84, 54), 2)
            canvas.line([(margin, line), (side - margin, line)], (32, 84, 54), 2)
        moves = self._cells(state["moves"])
        for (row, col), disc in np.ndenumerate(self.board(state)):
            x, y = margin + (col + 0.5) * tile, margin + (row + 0.5) * tile
            if disc:
                canvas.circle(x + 1, y + 2, 0.41 * tile, (32, 84, 54))
                canvas.circle(x, y, 0.41 * tile, ("ink", "white")[disc - 1])
            elif moves[row, col]:
                canvas.circle(x, y, 0.1 * tile, ("ink", "white")[state["turn"]])
        return canvas.pixels()

    def show_state(self, state: Any) -> str:
        return "\n".join(" ".join("_xo"[disc] for disc in row) for row in self.board(state))

    def action_words(self, action: Any) -> str:
        row, col = divmod(int(action), self.size)
        return "pass" if row == self.size else f"{LETTERS[col]}{row + 1}"

    def board(self, state: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The board of a state, (size, size): 0 free, 1 black, 2 white."""
        return self._cells(state["discs"][0]) + 2 * self._cells(state["discs"][1])

    def _cells(self, bits: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
        places = 8 * np.arange(self.size)[:, None] + np.arange(self.size)
        return (np.uint64(bits) >> places.astype(np.uint64) & _1).astype(np.int64)

    def _outlook(self, state: Any) -> str:
        """Whose turn it is, or how the game has ended."""
        black, white = state["discs"]
        if state["moves"] == 0:
            params = self.definition.params
            if _moves(black, white, params) | _moves(white, black, params) == 0:
                lead = int(black).bit_count() - int(white).bit_count()
                return "It is a draw" if lead == 0 else f"{self.players[lead < 0]} has won"
            return f"It is {self.players[state['turn']]}'s turn, who must pass"
        cells = np.flatnonzero(self._cells(state["moves"]))
        free = ", ".join(self.action_words(cell) for cell in cells)
        return f"It is {self.players[state['turn']]}'s turn, on one of: {free}"


def _masks(size: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """The cells of a board of this size as bits, and those in an inner column."""
    cells = sum(1 << (8 * row + col) for row in range(size) for col in range(size))
    inner = sum(1 << (8 * row + col) for row in range(size) for col in range(1, size - 1))
    return np.array([cells, inner], np.uint64)
