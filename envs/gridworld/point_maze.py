"""PointMaze: a small body steered through a continuous maze whose objective deceives."""

import math
import re
from typing import Any, Literal, NamedTuple

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
from ..kernel.render import Canvas
from .mazes import COMPASS, STEPS, find, range_tables, read_maze, way_length

SPEED = 0.25  # cells a step at full action
HALF = 0.125  # half the side of the body
GOAL_RADIUS = 0.5

_RANGES = 4  # where the range finders begin in the observation
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)"


class Params(NamedTuple):
    """Fixed for the life of the environment.

    Attributes:
        rows: (height, width) `int8`, 1 where there is a wall.
        columns: `rows` transposed.
        straight: (height, width, 4) `int16`, the grid line at which the range finders to the east,
            south, west and north meet a wall.
        diagonal: (height, width, 4, 2) `int16`, how many grid lines the range finders to the
            south-east, south-west, north-west and north-east meet, the wall's own among them, when
            the first is a vertical [0] or a horizontal [1] one.
        start_x, start_y, start_noise, goal_x, goal_y, width, height: in cells.
    """

    rows: np.ndarray[Any, np.dtype[np.int8]]
    columns: np.ndarray[Any, np.dtype[np.int8]]
    straight: np.ndarray[Any, np.dtype[np.int16]]
    diagonal: np.ndarray[Any, np.dtype[np.int16]]
    start_x: float
    start_y: float
    start_noise: float
    goal_x: float
    goal_y: float
    width: float
    height: float


@kernel
def reset(state, params):
    """Put the body at the start, moved by the noise if there is any."""
    state.x = params.start_x + params.start_noise * (2.0 * rng.uniform(state) - 1.0)
    state.y = params.start_y + params.start_noise * (2.0 * rng.uniform(state) - 1.0)
    measure(state, params)
    state.start_distance = state.distance


@kernel
def measure(state, params):
    """Set the distance to the goal, and whether the goal is reached."""
    to_x, to_y = params.goal_x - state.x, params.goal_y - state.y
    state.distance = math.sqrt(to_x * to_x + to_y * to_y)
    state.success = 1 if state.distance <= GOAL_RADIUS else 0


@kernel
def slide(along, across, by, walls):
    """Where the body ends up that moves `by` in one direction; walls[across, along] stop it.

    It moves less than a cell, so its leading edge meets one grid line at most.
    """
    if by > 0.0:
        entered = int(math.ceil(along + HALF))
        limit = entered - HALF
        if along + by <= limit:
            return along + by
    else:
        entered = int(math.floor(along - HALF)) - 1
        limit = entered + 1 + HALF
        if along + by >= limit:
            return along + by
    for i in range(int(math.floor(across - HALF)), int(math.ceil(across + HALF))):
        if walls[i, entered] != 0:
            return limit
    return along + by


@kernel
def move(state, action, params):
    """Move east or west, then north or south, each as far as the walls allow."""
    state.x = slide(state.x, state.y, float(action[0]) * SPEED, params.rows)
    state.y = slide(state.y, state.x, float(action[1]) * SPEED, params.columns)
    measure(state, params)


@kernel
def step_sparse(state, action, params):
    """1 on reaching the goal."""
    move(state, action, params)
    return float(state.success), state.success != 0


@kernel
def step_distance(state, action, params):
    """The part of the first distance to the goal that this step closes."""
    before = state.distance
    move(state, action, params)
    after = 0.0 if state.success != 0 else state.distance
    return (before - after) / state.start_distance, state.success != 0


@kernel
def goal(state, params):
    """The body is at the goal."""
    return state.success != 0


@kernel
def observe(state, params, obs):
    """Position, offset of the goal and range finders, (12,) `float32`."""
    x, y = state.x, state.y
    obs[0] = 2.0 * x / params.width - 1.0
    obs[1] = 2.0 * y / params.height - 1.0
    obs[2] = (params.goal_x - x) / params.width
    obs[3] = (params.goal_y - y) / params.height
    column, row = int(x), int(y)
    east, south, west, north = column + 1.0 - x, row + 1.0 - y, x - column, y - row
    scale = 1.0 / max(params.width, params.height)
    lines = params.straight[row, column]
    obs[_RANGES] = (lines[0] - x) * scale
    obs[_RANGES + 2] = (lines[1] - y) * scale
    obs[_RANGES + 4] = (x - lines[2]) * scale
    obs[_RANGES + 6] = (y - lines[3]) * scale
    crossings = params.diagonal[row, column]
    obs[_RANGES + 1] = diagonal_range(east, south, crossings[0]) * scale
    obs[_RANGES + 3] = diagonal_range(west, south, crossings[1]) * scale
    obs[_RANGES + 5] = diagonal_range(west, north, crossings[2]) * scale
    obs[_RANGES + 7] = diagonal_range(east, north, crossings[3]) * scale


@kernel
def diagonal_range(to_vertical, to_horizontal, crossings):
    """How far a diagonal ray goes, in each coordinate, whose nearest grid lines are so far away.

    It meets vertical and horizontal lines in turn, so the number of lines up to the wall says all.
    """
    if to_vertical <= to_horizontal:
        count, first, second = int(crossings[0]), to_vertical, to_horizontal
    else:
        count, first, second = int(crossings[1]), to_horizontal, to_vertical
    return (first if count % 2 == 1 else second) + (count - 1) // 2


class PointMaze(KernelEnv):
    """
    ## Description
    A small body is steered through a maze of walls towards a goal. It slides along the walls and
    never passes through them. In the default maze the straight line to the goal leads into a dead
    end, and every way out of it first leads away from the goal: a search that follows the distance
    to the goal is trapped there, as in the mazes of Lehman & Stanley, "Abandoning objectives:
    evolution through the search for novelty alone" (2011), where novelty search is not.

    Lengths are in cells, the squares that the maze is drawn on; x grows eastwards and y southwards
    from the north-west corner. The body is a square of side 1/4.

    ## Observation Space
    `Box(-1, 1, (12,), float32)`:
    - 0, 1: the position (x, y), −1 at the west and north edge of the maze, 1 at the east and south;
    - 2, 3: the goal's offset (x, y), divided by the maze's width and height;
    - 4 to 11: how far it is from the body's centre to the walls in the east, south-east, south,
      south-west, west, north-west, north and north-east, divided by the longer side of the maze;
      of the diagonal ranges the part in x, which is also that in y.

    ## Action Space
    `Box(-1, 1, (2,), float32)`: the velocity (x, y); 1 is a quarter of a cell a step. A step goes
    along x first and then along y, each as far as the walls allow.

    ## Rewards
    - `reward="distance"`: the straight distance to the goal that the step closed, as a part of what
      it was at the start (a negative one when it grew). Reaching the goal counts as distance 0, so
      the return is 1 there, and elsewhere 1 − distance / first distance.
    - `reward="sparse"`: 1 on reaching the goal, otherwise 0.

    ## Starting State
    The body stands in the middle of the start's cell, or up to `start_noise` off it in x and y,
    drawn uniformly.

    ## Episode End
    Terminated when the centre of the body is within half a cell of the goal; truncated after
    `max_episode_steps` steps. The infos hold `x`, `y`, `distance` (to the goal) and `success`.

    ## Arguments
    - `maze`: `"deceptive"`, `"medium"`, `"umaze"`, `"open"`, or a maze of one's own: a text, or a
      list of its lines, of `#` walls, `.` free cells, one `S` start and one `G` goal, closed by
      walls.
    - `reward`: `"distance"` or `"sparse"`.
    - `start_noise`: from 0 to 0.375 (default 0: every episode starts alike).
    - `max_episode_steps`: the time limit (default 400); −1 for none.

    ## Reference Scores
    `spelunk.reference("spelunk/PointMaze-v0")`: the random policy, and a return of 1 where the
    shortest way along the cells' centres fits into the time limit.

    ## Version History
    - v0: first version.
    """

    best_source = "a way along the cells' centres, by breadth-first search"

    def __init__(
        self,
        maze: str | list[str] = "deceptive",
        reward: Literal["distance", "sparse"] = "distance",
        start_noise: float = 0.0,
        max_episode_steps: int = 400,
        render_mode: str | None = None,
    ):
        steps = {"distance": step_distance, "sparse": step_sparse}
        if reward not in steps:
            raise InvalidArgumentError(f"reward must be one of {list(steps)}; got {reward!r}")
        most = 0.5 - HALF
        if not isinstance(start_noise, int | float) or not 0 <= start_noise <= most:
            raise InvalidArgumentError(
                f"start_noise must be a number from 0 to {most}; got {start_noise!r}"
            )
        self._lines = read_maze(maze)
        walls = np.array([[c == "#" for c in line] for line in self._lines], np.int8)
        start, target = find(self._lines, "S"), find(self._lines, "G")
        way = way_length(walls, start, target)
        if way is None:
            raise InvalidArgumentError("the maze has no way from S to G")
        self._way = way
        super().__init__(
            kernels=Kernels(reset, steps[reward], observe, goal=goal),
            layout=StateLayout(
                [("start_distance", np.float64)],
                [
                    ("x", np.float64),
                    ("y", np.float64),
                    ("distance", np.float64),
                    ("success", np.int8),
                ],
            ),
            params=Params(
                walls,
                np.ascontiguousarray(walls.T),
                *range_tables(walls),
                start[0] + 0.5,
                start[1] + 0.5,
                float(start_noise),
                target[0] + 0.5,
                target[1] + 0.5,
                float(walls.shape[1]),
                float(walls.shape[0]),
            ),
            observation_space=spaces.Box(-1.0, 1.0, (_RANGES + len(STEPS),), np.float32),
            action_space=spaces.Box(-1.0, 1.0, (2,), np.float32),
            max_episode_steps=max_episode_steps,
            metrics=("x", "y", "distance", "success"),
            render_mode=render_mode,
        )

    def _rays(self, state: Any) -> np.ndarray[Any, Any]:
        """The vectors (8, 2) from the body to the walls that the range finders see."""
        p = self.definition.params
        obs = np.zeros(_RANGES + len(STEPS), np.float32)
        observe(state, p, obs)
        return np.array(STEPS) * obs[_RANGES:, None] * max(p.width, p.height)

    def describe_state(self, state: Any) -> str:
        p = self.definition.params
        lengths = np.hypot(*self._rays(state).T)
        free = ", ".join(f"{d:.2f} {name}" for name, d in zip(COMPASS, lengths, strict=True))
        to_x, to_y = p.goal_x - state["x"], p.goal_y - state["y"]
        return (
            f"You are {state['x']:.2f} from the west and {state['y']:.2f} from the north edge of a "
            f"maze {p.width:.0f} wide and {p.height:.0f} high. The goal is {abs(to_x):.2f} to the "
            f"{'east' if to_x >= 0 else 'west'} and {abs(to_y):.2f} to the "
            f"{'south' if to_y >= 0 else 'north'} of you. Walls are {free}."
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        p = self.definition.params
        height, width = p.rows.shape
        t = max(4, min(32, 960 // max(width, height)))
        canvas = Canvas(width * t, height * t, "paper")
        for row, column in zip(*np.nonzero(p.rows), strict=True):
            canvas.rectangle(column * t, row * t, t, t, "stone")
        x, y = float(state["x"]), float(state["y"])
        for dx, dy in self._rays(state):
            end = ((x + dx) * t, (y + dy) * t)
            canvas.line([(x * t, y * t), end], "sand", t / 12)
            canvas.circle(*end, t / 12, "grey")
        canvas.circle(p.start_x * t, p.start_y * t, 0.3 * t, None, "blue", t / 12)
        canvas.circle(p.goal_x * t, p.goal_y * t, GOAL_RADIUS * t, "green")
        canvas.circle(p.goal_x * t, p.goal_y * t, 0.3 * t, "paper")
        canvas.circle(p.goal_x * t, p.goal_y * t, 0.15 * t, "green")
        canvas.rectangle((x - HALF) * t, (y - HALF) * t, 2 * HALF * t, 2 * HALF * t, "red")
        return canvas.pixels()

    def show_state(self, state: Any) -> str:
        lines = [list(line) for line in self._lines]
        lines[int(state["y"])][int(state["x"])] = "@"
        return "\n".join("".join(line) for line in lines)

    def action_words(self, action: Any) -> str:
        east, south = (
            np.format_float_positional(np.float32(a), min_digits=2) for a in np.asarray(action)
        )
        return f"move {east} {south}"

    def parse(self, text: str) -> Any:
        found = re.fullmatch(rf"\s*move\s+({_NUMBER})[\s,]+({_NUMBER})\s*", text.lower())
        if found is None:
            raise UnparseableActionError(
                f'{text!r} names no action; say for example "move 0.50 -1.00", the velocity '
                "eastwards and southwards from -1 to 1"
            )
        return np.clip(np.array(found.groups(), np.float32), np.float32(-1), np.float32(1))

    def best_return(self, seed: int) -> float | None:
        p, limit = self.definition.params, self.definition.max_episode_steps
        steps = math.ceil((self._way + p.start_noise) / SPEED)
        return 1.0 if limit < 0 or steps <= limit else None
