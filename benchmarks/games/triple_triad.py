"""Triple Triad: cards with four numbers on a board of nine, as in PufferLib's `tripletriad`."""

import numpy as np
from gymnasium import spaces

from spelunk.envs.kernel import KernelEnv, Kernels, StateLayout, kernel, rng

CELLS, CARDS, EDGES = 9, 5, 4
NORTH, SOUTH, EAST, WEST = 0, 1, 2, 3
AGENT, OPPONENT = 0, 1
HORIZON = 30

# The state is one table of small numbers, which is also what is observed. Its parts begin at:
BOARD = 0  # the owner of each cell: 1 the agent, −1 the opponent, 0 nobody
TAKEN = 14  # whether a cell is taken; five zeros before and one behind, as PufferLib has them
PICKED = 24  # the card either side has picked, −1 for none; the opponent plays its own at once
SCORES = 26
VALUES = 28  # the numbers of the cards on the board: north, south, east and west
HANDS = 64  # those of the five cards of either side
PLACES = 104  # where these lie: 0 in the hand, 1 + cell on the board
OBSERVED = 114


@kernel
def reset(state, params):
    """Deal five cards to each side; their edges have numbers from 1 to 7."""
    table = state.table
    for i in range(HANDS):
        table[i] = 0
    table[PICKED + AGENT], table[PICKED + OPPONENT] = -1, -1
    table[SCORES + AGENT], table[SCORES + OPPONENT] = CARDS, CARDS
    for i in range(HANDS, PLACES):
        table[i] = 1 + rng.integer(state, 7)
    for i in range(PLACES, OBSERVED):
        table[i] = 0


@kernel
def flip(table, side, cell, edge, neighbour, facing):
    """Turn a neighbouring card over if it is the other side's and its edge has less."""
    colour = 1 - 2 * side
    less = table[VALUES + EDGES * neighbour + facing] < table[VALUES + EDGES * cell + edge]
    if less and table[BOARD + neighbour] == -colour:
        table[BOARD + neighbour] = colour
        table[SCORES + side] += 1
        table[SCORES + 1 - side] -= 1


@kernel
def place(table, side, card, cell):
    """Put a card of a side on a cell."""
    card += side * CARDS
    table[PLACES + card] = cell + 1
    table[BOARD + cell] = 1 - 2 * side
    table[TAKEN + cell] = 1
    for edge in range(EDGES):
        table[VALUES + EDGES * cell + edge] = table[HANDS + EDGES * card + edge]
    if cell >= 3:
        flip(table, side, cell, NORTH, cell - 3, SOUTH)
    if cell < 6:
        flip(table, side, cell, SOUTH, cell + 3, NORTH)
    if cell % 3 < 2:
        flip(table, side, cell, EAST, cell + 1, WEST)
    if cell % 3 > 0:
        flip(table, side, cell, WEST, cell - 1, EAST)


@kernel
def nth_zero(table, begin, n):
    """How far behind `begin` the n-th zero is, counted from 0."""
    at = begin
    while table[at] != 0 or n > 0:
        n -= table[at] == 0
        at += 1
    return at - begin


@kernel
def step(state, action, params):
    """Pick a card, or place the one picked; then the opponent places one at random."""
    table, cell = state.table, action - CARDS
    if state.step_count >= HORIZON:
        return -1.0, False
    if cell < 0:
        if table[PLACES + action] == 0:
            table[PICKED] = action
        return -0.1, False
    if table[PICKED] < 0 or table[TAKEN + cell] != 0:
        return -0.1, False
    place(table, AGENT, int(table[PICKED]), cell)
    table[PICKED] = -1
    empty = 0
    for i in range(CELLS):
        empty += table[TAKEN + i] == 0
    if empty == 0:
        ahead = int(table[SCORES + AGENT]) - int(table[SCORES + OPPONENT])
        return float((ahead > 0) - (ahead < 0)), True
    card = nth_zero(table, PLACES + CARDS, rng.integer(state, empty // 2 + 1))
    place(table, OPPONENT, card, nth_zero(table, TAKEN, rng.integer(state, empty)))
    return 0.0, False


@kernel
def observe(state, params, obs):
    """The whole table."""
    for i in range(len(obs)):
        obs[i] = state.table[i]


class TripleTriad(KernelEnv):
    """
    ## Description
    The agent and an opponent that plays at random take turns to place cards on a board of 3 × 3.
    A card turns over its neighbours of the other side whose touching edge has a smaller number.
    Who owns more cards in the end wins. Rules, observation and rewards are those of `tripletriad`
    in PufferLib 3.0, which begins anew in the step after the board is full.

    ## Observation Space
    `Box(-1, 9, (114,), float32)`: the owners of the cells (1 the agent, −1 the opponent), 15 flags
    (5 + i: cell i is taken), the cards picked by either side (−1 for none), both scores, the
    numbers on the board, those in the hands, and where each card lies (0 in the hand, 1 + cell).

    ## Action Space
    `Discrete(14)`: pick card 0–4, place the picked card on cell 0–8.

    ## Rewards
    −0.1 for picking, and for placing nothing or on a taken cell. 1, 0 or −1 for a win, a draw or a
    loss. −1 in step 30, in which nothing is played.

    ## Episode End
    Terminated when the board is full; truncated after 30 steps.
    """

    def __init__(self, render_mode: str | None = None):
        super().__init__(
            kernels=Kernels(reset, step, observe),
            layout=StateLayout([], [("table", np.int8, (OBSERVED,))]),
            params=(),
            observation_space=spaces.Box(-1.0, 9.0, (OBSERVED,), np.float32),
            action_space=spaces.Discrete(CARDS + CELLS),
            max_episode_steps=HORIZON,
            render_mode=render_mode,
        )
