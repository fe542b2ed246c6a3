"""DoorKey: find the key, open the door, reach the goal."""

from typing import Any, Literal, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import InvalidArgumentError, KernelEnv, Kernels, StateLayout, kernel, rng
from ..kernel.solve import shortest_success
from . import rooms, rooms_faces
from .rooms import (
    DOOR,
    FORWARD,
    GOAL,
    GOAL_CELL,
    KEY,
    LOCKED,
    VIEW,
    WALL_CELL,
    YELLOW,
)

LOCKED_DOOR = rooms.cell(DOOR, YELLOW, LOCKED)
YELLOW_KEY = rooms.cell(KEY, YELLOW)
_TILE = 8  # pixels a cell of the "rgb" observation


class Params(NamedTuple):
    """Fixed for the life of the environment.

    Attributes:
        sizes: (n,) `int16`, the sides among which an episode draws.
        horizon: the T of the reward; 0 for 10 · side².
        timed: whether the time limit is the horizon of the episode's size.
    """

    sizes: np.ndarray[Any, np.dtype[np.int16]]
    horizon: float
    timed: bool


@kernel
def reset(state, params):
    """A wall with a locked door splits the room; agent and key are left of it, the goal right."""
    size = int(params.sizes[rng.task(state, len(params.sizes))])
    state.side = size
    if params.timed:
        state.max_steps = int(horizon_of(size, params))
    rooms.walled_room(state)
    state.grid[size - 2, size - 2] = GOAL_CELL
    split = 2 + rng.integer(state, size - 4)
    for y in range(size):
        state.grid[split, y] = WALL_CELL
    state.x, state.y = rooms.random_empty_cell(state, split)
    state.direction = rng.integer(state, 4)
    state.grid[split, 1 + rng.integer(state, size - 3)] = LOCKED_DOOR
    key_x, key_y = rooms.random_empty_cell(state, split)
    while key_x == state.x and key_y == state.y:
        key_x, key_y = rooms.random_empty_cell(state, split)
    state.grid[key_x, key_y] = YELLOW_KEY


@kernel
def horizon_of(size, params):
    """The T of the reward in a room of this size."""
    return params.horizon if params.horizon > 0.0 else 10.0 * (size * size)


@kernel
def step(state, action, params):
    """Minigrid's rules; stepping onto the goal ends the episode."""
    front = rooms.act(state, action)
    if action == FORWARD and front & 15 == GOAL:
        share = float(state.step_count) / horizon_of(int(state.side), params)
        return 1.0 - 0.9 * share, True
    return 0.0, False


@kernel
def goal(state, params):
    """The agent stands on the goal."""
    return int(state.grid[int(state.x), int(state.y)]) & 15 == GOAL


@kernel
def observe_rgb(state, params, obs):
    """The whole grid in flat colours, one tile of pixels a cell; the agent's front is brighter."""
    for y in range(obs.shape[0]):
        for x in range(obs.shape[1]):
            cell_x, cell_y = x // _TILE, y // _TILE
            content = int(state.grid[cell_x, cell_y])
            obj = content & 15
            if cell_x == int(state.x) and cell_y == int(state.y):
                along = x % _TILE if state.direction % 2 == 0 else y % _TILE
                along = _TILE - 1 - along if state.direction >= 2 else along
                obs[y, x, 0] = 96 + 159 * along // (_TILE - 1)
                obs[y, x, 1] = 0
                obs[y, x, 2] = 0
            else:
                obs[y, x, 0] = _RGB[obj, content >> 7, 0]
                obs[y, x, 1] = _RGB[obj, content >> 7, 1]
                obs[y, x, 2] = _RGB[obj, content >> 7, 2]
    if int(state.carrying) & 15 == KEY:
        obs[0, 0, 0], obs[0, 0, 1], obs[0, 0, 2] = 240, 196, 74


@kernel
def update_rgb(state, params, obs):
    """`observe_rgb` where something has changed."""
    if state.changed != 0:
        observe_rgb(state, params, obs)


def _flat_colours() -> np.ndarray[Any, np.dtype[np.uint8]]:
    table = np.zeros((11, 3, 3), np.uint8)
    table[rooms.EMPTY] = (248, 248, 246)
    table[rooms.WALL] = (86, 93, 110)
    table[rooms.GOAL] = (92, 184, 108)
    table[rooms.KEY] = (240, 196, 74)
    table[rooms.DOOR] = ((250, 230, 170), (200, 160, 60), (120, 90, 20))
    return table


_RGB = _flat_colours()


class DoorKey(KernelEnv):
    """
    ## Description
    The agent must pick up a yellow key, unlock the door in the wall that divides the room, and
    walk to the green goal behind it. The reward comes only at the goal, so that the environment
    asks for exploration. Rules, actions, encoding, reward and time limit are those of Minigrid's
    `MiniGrid-DoorKey` (version 3.2).

    ## Observation Space
    - `observation="egocentric"`: `Box(0, [10, 5, 3], (7, 7, 3), uint8)`. The 7×7 cells before the
      agent, indexed [right, down], the agent in the middle of the last row, looking up. Each cell
      is (object, colour, state). What walls and closed doors hide is unseen (0, 0, 0). In the
      agent's own cell stands what it carries.
    - `observation="full"`: `Box(0, [10, 5, 3], (capacity, capacity, 3), uint8)`. The whole grid
      indexed [x, y]; the agent is (10, 0, direction).
    - `observation="rgb"`: `Box(0, 255, (8 capacity, 8 capacity, 3), uint8)`. The whole grid in
      flat colours; the first pixel turns yellow while the key is carried.

    Objects: 0 unseen, 1 empty, 2 wall, 4 door, 5 key, 8 goal, 10 agent. Colours: 1 green, 4 yellow,
    5 grey. Door states: 0 open, 1 closed, 2 locked. Directions: 0 east, 1 south, 2 west, 3 north.

    ## Action Space
    `Discrete(7)`: 0 turn left, 1 turn right, 2 go forward, 3 pick up, 4 drop, 5 toggle, 6 done
    (does nothing). An action that cannot be carried out does nothing, so every action is legal.

    ## Rewards
    `1 − 0.9 · t / horizon` on reaching the goal at step t, otherwise 0.

    ## Starting State
    The dividing wall, the door in it, and the cells of the agent and the key on the left of it are
    drawn uniformly, the agent's direction too. The goal is in the lower right corner.

    ## Episode End
    Terminated on the goal; truncated after `max_episode_steps` steps.

    ## Arguments
    - `size`: side of the grid with its walls, ≥ 5 (default 8); or a list of sides, of which each
      episode draws one, or has the one whose place in the list is `reset(options={"task": …})`.
    - `observation`: `"egocentric"`, `"full"` or `"rgb"`.
    - `see_through_walls`: whether walls and doors leave the egocentric view open.
    - `horizon`: the T of the reward (default `10 · size²`, by the size of the episode).
    - `max_episode_steps`: the time limit (default `horizon`); −1 for none.
    - `capacity`: side of the grid in the state record (default: the largest `size`).

    `reset(options={"layout": …})` starts from a given grid: text as `render_mode="ansi"` shows it,
    or an integer array (size, size, 3) as `observation="full"` gives it.

    ## Reference Scores
    `spelunk.reference("spelunk/DoorKey-v0")`: the random policy, and shortest plans found by
    breadth-first search.

    ## Version History
    - v0: first version.
    """

    reset_options = ("layout",)
    best_source = "shortest plans by breadth-first search"

    def __init__(
        self,
        size: int | list[int] = 8,
        observation: Literal["egocentric", "full", "rgb"] = "egocentric",
        see_through_walls: bool = False,
        horizon: int | None = None,
        max_episode_steps: int | None = None,
        capacity: int | None = None,
        render_mode: str | None = None,
    ):
        sizes = list(size) if isinstance(size, list | tuple) else [size]
        if not sizes or not all(isinstance(side, int) and 5 <= side <= 255 for side in sizes):
            raise InvalidArgumentError(
                f"size must be an integer from 5 to 255, or a list of such; got {size!r}"
            )
        largest = max(sizes)
        capacity = largest if capacity is None else capacity
        if capacity < largest:
            raise InvalidArgumentError(f"capacity must be at least {largest}; got {capacity!r}")
        if horizon is not None and horizon < 1:
            raise InvalidArgumentError(f"horizon must be positive; got {horizon!r}")
        if max_episode_steps is None:
            limit = 10 * largest**2 if horizon is None else horizon
        else:
            limit = max_episode_steps
        seen = (rooms.observe_egocentric, rooms.update_egocentric)
        if see_through_walls:
            seen = (rooms.observe_through_walls, rooms.update_through_walls)
        pixels = capacity * _TILE
        observers: dict[str, tuple[Any, Any, spaces.Box]] = {
            "egocentric": (*seen, rooms.cells_space(VIEW)),
            "full": (rooms.observe_full, rooms.update_full, rooms.cells_space(capacity)),
            "rgb": (observe_rgb, update_rgb, spaces.Box(0, 255, (pixels, pixels, 3), np.uint8)),
        }
        if observation not in observers:
            raise InvalidArgumentError(
                f"observation must be one of {list(observers)}; got {observation!r}"
            )
        observe, update, observation_space = observers[observation]
        super().__init__(
            kernels=Kernels(reset, step, observe, goal=goal, update=update),
            layout=StateLayout(
                [("side", np.int16)], rooms.dynamic_fields(capacity), rooms.BOOKKEEPING
            ),
            params=Params(
                np.array(sizes, np.int16), float(horizon or 0), max_episode_steps is None
            ),
            observation_space=observation_space,
            action_space=spaces.Discrete(7),
            max_episode_steps=limit,
            tasks=len(sizes),
            render_mode=render_mode,
        )

    def apply_options(self, state: Any, options: dict[str, Any]) -> None:
        rooms_faces.load_layout(state, options["layout"], YELLOW)

    def describe_state(self, state: Any) -> str:
        task = "Use the key to open the door and then get to the goal. "
        return task + rooms_faces.describe_view(rooms_faces.view_of(state))

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return rooms_faces.draw(state)

    def show_state(self, state: Any) -> str:
        return rooms_faces.show(state)

    def action_words(self, action: Any) -> str:
        return rooms.ACTION_WORDS[int(action)]

    def best_return(self, seed: int) -> float | None:
        return shortest_success(self, seed)
