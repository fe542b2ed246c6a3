"""Squared: walk to the target on a square board, as in PufferLib's game of that name."""

from typing import NamedTuple

import numpy as np
from gymnasium import spaces

from spelunk.envs.kernel import InvalidArgumentError, KernelEnv, Kernels, StateLayout, kernel, rng

DOWN, UP, LEFT, RIGHT = 1, 2, 3, 4
EMPTY, AGENT, TARGET = 0, 1, 2


class Params(NamedTuple):
    """Fixed for the life of the environment."""

    size: int


@kernel
def reset(state, params):
    """The agent stands in the middle, the target on any other cell."""
    middle = params.size // 2
    state.row, state.column = middle, middle
    state.cell = middle * params.size + middle
    drawn = rng.integer(state, params.size * params.size - 1)
    state.target = drawn + (drawn >= state.cell)


@kernel
def step(state, action, params):
    """Move; off the board and late are lost, the target is won."""
    size = params.size
    row = int(state.row) + (action == DOWN) - (action == UP)
    column = int(state.column) + (action == RIGHT) - (action == LEFT)
    state.row, state.column = row, column
    state.before = state.cell
    # Bitwise, so that no branch waits for a move that nobody can predict.
    outside = (row < 0) | (column < 0) | (row >= size) | (column >= size)
    cell = row * size + column
    state.cell = -1 if outside else cell
    if outside or state.step_count > 3 * size:
        return -1.0, True
    if cell == state.target:
        return 1.0, True
    return 0.0, False


@kernel
def observe(state, params, obs):
    """The whole board."""
    for i in range(len(obs)):
        obs[i] = EMPTY
    obs[state.target] = TARGET
    if state.cell >= 0:
        obs[state.cell] = AGENT


@kernel
def update(state, params, obs):
    """Only the agent moves."""
    obs[state.before] = EMPTY
    if state.cell >= 0:
        obs[state.cell] = AGENT


class Squared(KernelEnv):
    """
    ## Description
    The agent starts in the middle of a square board and looks for the target. Rules, observation,
    rewards and ends are those of `squared` in PufferLib 3.0.

    ## Observation Space
    `Box(0, 2, (size²,), uint8)`: the board row by row, 0 empty, 1 agent, 2 target.

    ## Action Space
    `Discrete(5)`: 0 stay, 1 down, 2 up, 3 left, 4 right.

    ## Rewards
    1 on the target; −1 off the board, and in step 3 · size + 1 wherever it leads.

    ## Episode End
    Terminated with any of these rewards.

    ## Arguments
    - `size`: side of the board, odd, ≥ 3 (default 11).
    """

    def __init__(self, size: int = 11, render_mode: str | None = None):
        if not isinstance(size, int) or size < 3 or size % 2 == 0:
            raise InvalidArgumentError(f"size must be an odd integer from 3 on; got {size!r}")
        super().__init__(
            kernels=Kernels(reset, step, observe, update=update),
            layout=StateLayout(
                [("target", np.int16)],
                [("row", np.int16), ("column", np.int16)],
                [("cell", np.int16), ("before", np.int16)],
            ),
            params=Params(size),
            observation_space=spaces.Box(0, 2, (size * size,), np.uint8),
            action_space=spaces.Discrete(5),
            max_episode_steps=-1,
            render_mode=render_mode,
        )
