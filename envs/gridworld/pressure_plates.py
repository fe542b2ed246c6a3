"""PressurePlates: two agents who must hold a gate open for each other."""

from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import (
    InvalidArgumentError,
    KernelEnv,
    Kernels,
    StateLayout,
    UnparseableActionError,
    kernel,
    rng,
)
from ..kernel.bank import load_bank
from . import plate_faces
from .plate_levels import MAKERS

AGENTS = ("agent_0", "agent_1")
STAY, UP, DOWN, LEFT, RIGHT = range(5)
ACTION_WORDS = ("stay", "up", "down", "left", "right")
OWN, OTHER, WALL, GATE, OPEN, PLATE, EXIT, OTHER_EXIT = range(8)


class Params(NamedTuple):
    """Fixed for the life of the environment: the levels, and how time counts.

    Cells are numbered row by row. Of n levels:

    Attributes:
        walls: (n, size²) `int8`, 1 where there is one.
        gate: (n,) `int16`, the cell of the gate.
        plates: (n, 2) `int16`, the cells of the plates.
        starts, exits: (n, 2) `int16`, those of each agent.
        side: of the grid.
        horizon: the T of the reward.
    """

    walls: np.ndarray[Any, np.dtype[np.int8]]
    gate: np.ndarray[Any, np.dtype[np.int16]]
    plates: np.ndarray[Any, np.dtype[np.int16]]
    starts: np.ndarray[Any, np.dtype[np.int16]]
    exits: np.ndarray[Any, np.dtype[np.int16]]
    side: int
    horizon: float


@kernel
def reset(state, params):
    """A level of the bank, with both agents on one side of the gate."""
    level = rng.task(state, len(params.gate))
    state.level = level
    for agent in range(2):
        state.cells[agent] = params.starts[level, agent]
        state.before[agent] = params.starts[level, agent]
    state.success = 0


@kernel
def step(state, actions, params, rewards, terminated):
    """Both agents move at once, or neither where they would collide or swap."""
    here, there = int(state.cells[0]), int(state.cells[1])
    to_here = _target(state, here, int(actions[0]), params)
    to_there = _target(state, there, int(actions[1]), params)
    if to_here == to_there or (to_here == there and to_there == here):
        to_here, to_there = here, there
    state.before[0], state.before[1] = here, there
    state.cells[0], state.cells[1] = to_here, to_there
    if goal(state, params):
        state.success = 1
        rewards[:] = 1.0 - 0.9 * (float(state.step_count) / params.horizon)
        terminated[:] = True


@kernel
def _target(state, cell, action, params):
    """The cell that an agent would step into, if nobody were in its way."""
    row, column = cell // params.side, cell % params.side
    row += (action == DOWN) - (action == UP)
    column += (action == RIGHT) - (action == LEFT)
    if row < 0 or row >= params.side or column < 0 or column >= params.side:
        return cell
    target = row * params.side + column
    level = int(state.level)
    if params.walls[level, target] != 0:
        return cell
    if target == params.gate[level] and not is_open(state, params):
        return cell
    return target


@kernel
def is_open(state, params):
    """Whether an agent stands on a plate."""
    level = int(state.level)
    for agent in range(2):
        for plate in range(2):
            if state.cells[agent] == params.plates[level, plate]:
                return True
    return False


@kernel
def goal(state, params):
    """Each agent stands on its exit."""
    level = int(state.level)
    return state.cells[0] == params.exits[level, 0] and state.cells[1] == params.exits[level, 1]


@kernel
def observe(state, params, obs):
    """All planes, as each agent sees them."""
    obs[:] = 0
    level, side = int(state.level), params.side
    for agent in range(2):
        for cell in range(side * side):
            obs[agent, cell // side, cell % side, WALL] = params.walls[level, cell]
        _mark(obs, agent, params.gate[level], GATE, 1)
        for k in range(2):
            _mark(obs, agent, params.plates[level, k], PLATE, 1)
            _mark(obs, agent, params.exits[level, k], EXIT if k == agent else OTHER_EXIT, 1)
    _show_moving(state, params, obs)


@kernel
def update(state, params, obs):
    """Only the agents move, and the gate opens and closes."""
    for agent in range(2):
        for k in range(2):
            _mark(obs, agent, state.before[k], OWN if k == agent else OTHER, 0)
    _show_moving(state, params, obs)


@kernel
def _show_moving(state, params, obs):
    opened = is_open(state, params)
    for agent in range(2):
        for k in range(2):
            _mark(obs, agent, state.cells[k], OWN if k == agent else OTHER, 1)
        _mark(obs, agent, params.gate[int(state.level)], OPEN, 1 if opened else 0)


@kernel
def _mark(obs, agent, cell, plane, value):
    obs[agent, int(cell) // obs.shape[1], int(cell) % obs.shape[1], plane] = value


class PressurePlates(KernelEnv):
    """
    ## Description
    A wall with a gate divides the grid. Two agents start on one side of it, and each has an exit on
    the other. The gate is open only while an agent stands on one of two plates, of which there is
    one on each side and none within a step of the gate. So one agent must hold the gate open for
    the other, who then must do the same for the first: a small task of cooperation with a reward
    for nothing else. Agents, plates, exits, walls and the gate's place differ from level to level.

    Made with `spelunk.parallel_env("spelunk/PressurePlates-v0")`, as `spelunk.aec_env` where
    agents are to be asked one by one, or for many teams at once with `gymnasium.make_vec`.

    ## Observation Space
    `Box(0, 1, (size, size, 8), uint8)` for each agent: planes [row, column, plane] of 0 own place,
    1 the other agent's, 2 walls, 3 the gate, 4 the gate while it is open, 5 the plates, 6 the own
    exit, 7 the other agent's. Jointly (2, size, size, 8).

    ## Action Space
    `Discrete(5)` for each agent: 0 stay, 1 up, 2 down, 3 left, 4 right. Jointly a row of two. All
    are always legal. Both agents act at once:

    - A step off the grid, into a wall or into a closed gate is a stay.
    - The gate can be entered where an agent stood on a plate before the step. Whoever is in it
      when it closes is not harmed and can leave it on either side.
    - Two agents who would be in one cell, or change places, both stay. An agent may step into a
      cell that the other leaves.

    ## Rewards
    `1 − 0.9 · t / horizon` for both agents when they stand on their exits at once, in step t;
    otherwise 0.

    ## Starting State
    A level drawn uniformly from a bank, all of whose levels can be solved by the agents together
    and by neither of them alone. `reset(options={"task": k})` chooses the level.

    ## Episode End
    Terminated for both agents on the exits; truncated after `max_episode_steps` steps. The infos
    hold `success`.

    ## Arguments
    - `size`: side of the grid: 5, 7 or 9 (default 7).
    - `levels`: the number of levels in the bank (default 256).
    - `levels_seed`: what the bank is made from (default 0). Other seeds give other levels, for
      tests of generalisation.
    - `horizon`: the T of the reward (default `4 · size²`).
    - `max_episode_steps`: the time limit (default `horizon`); −1 for none.

    The first use of a bank makes it, which takes a second, and keeps it in the user's cache folder.

    ## Reference Scores
    `spelunk.reference("spelunk/PressurePlates-v0")`: the return of an agent, which is also that of
    the other: of uniformly random agents, and of shortest plans for both by breadth-first search.

    ## Version History
    - v0: first version.
    """

    best_source = "shortest joint plans by breadth-first search"

    def __init__(
        self,
        size: int = 7,
        levels: int = 256,
        levels_seed: int = 0,
        horizon: int | None = None,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
    ):
        if size not in MAKERS:
            raise InvalidArgumentError(f"size must be one of {list(MAKERS)}; got {size!r}")
        if isinstance(levels, bool) or not isinstance(levels, int) or levels < 1:
            raise InvalidArgumentError(f"levels must be a positive integer; got {levels!r}")
        if isinstance(levels_seed, bool) or not isinstance(levels_seed, int) or levels_seed < 0:
            raise InvalidArgumentError(f"levels_seed must be an integer ≥ 0; got {levels_seed!r}")
        horizon = 4 * size**2 if horizon is None else horizon
        if horizon < 1:
            raise InvalidArgumentError(f"horizon must be positive; got {horizon!r}")
        #: The levels; see `plate_levels.make_level`.
        self.bank = load_bank("pressure_plates", MAKERS[size], levels, levels_seed)
        kept = {name: self.bank[name] for name in Params._fields if name in self.bank}
        super().__init__(
            kernels=Kernels(reset, step, observe, goal=goal, update=update),
            layout=StateLayout(
                [("level", np.int32)],
                [("cells", np.int16, (2,))],
                [("before", np.int16, (2,)), ("success", np.int8)],
            ),
            params=Params(**kept, side=size, horizon=float(horizon)),
            observation_space=spaces.Box(0, 1, (size, size, 8), np.uint8),
            action_space=spaces.Discrete(5),
            max_episode_steps=horizon if max_episode_steps is None else max_episode_steps,
            metrics=("success",),
            tasks=levels,
            agents=AGENTS,
            render_mode=render_mode,
        )

    def describe_state(self, state: Any) -> str:
        return plate_faces.describe(*self._shown(state))

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return plate_faces.draw(*self._shown(state))

    def show_state(self, state: Any) -> str:
        return plate_faces.show(*self._shown(state))

    def _shown(self, state: Any) -> tuple[plate_faces.Level, Any, bool]:
        params, k = self.definition.params, int(state["level"])
        level = {name: getattr(params, name)[k] for name in ("walls", "gate", "plates", "exits")}
        return level, state["cells"], is_open(state, params)

    def action_words(self, action: Any) -> str:
        """The actions of both agents in words, or the action of one."""
        if np.ndim(action) == 0:
            return ACTION_WORDS[int(action)]
        words = (f"{a} {ACTION_WORDS[int(k)]}" for a, k in zip(AGENTS, action, strict=True))
        return ", ".join(words)

    def parse(self, text: str) -> Any:
        """What `action_words` said: a row of two integers, or one integer.

        Raises:
            UnparseableActionError: the text names no action.
        """
        wanted = " ".join(text.lower().replace(",", " ").split())
        for action in range(len(ACTION_WORDS) ** 2):
            row = np.array(divmod(action, len(ACTION_WORDS)))
            if self.action_words(row).replace(",", "") == wanted:
                return row
        if wanted in ACTION_WORDS:
            return ACTION_WORDS.index(wanted)
        raise UnparseableActionError(
            f"{text!r} names no action; say for example {self.action_words((UP, STAY))!r}"
        )

    def best_return(self, seed: int) -> float | None:
        cost = int(self.bank["cost"][int(self.model.reset([seed])["level"][0])])
        if 0 <= self.definition.max_episode_steps < cost:
            return 0.0
        return 1.0 - 0.9 * cost / self.definition.params.horizon
