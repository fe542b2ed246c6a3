"""Maze: the cheapest way through a maze whose ground is hard going in places."""

from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from ..kernel import InvalidArgumentError, KernelEnv, Kernels, StateLayout, kernel, rng
from ..kernel.render import Canvas

ACTION_WORDS = ("up", "down", "left", "right")
_ROWS, _COLUMNS = (-1, 1, 0, 0), (0, 0, -1, 1)
_AGENT, _GOAL = 1, 2  # in the second plane of the observation


class Params(NamedTuple):
    """Fixed for the life of the environment.

    Attributes:
        side: the side of the grid.
        costs: the highest cost of a cell.
        loops: the chance of an opening in a wall that a maze without loops would have.
    """

    side: int
    costs: int
    loops: float


@kernel
def reset(state, params):
    """A maze, the costs of its cells, and two different rooms of it."""
    side = params.side
    for row in range(side):
        for column in range(side):
            state.ground[row, column] = 0
    _carve(state, params)
    for row in range(1, side - 1):
        for column in range(1, side - 1):
            if row % 2 != column % 2 and state.ground[row, column] == 0:
                state.ground[row, column] = rng.uniform(state) < params.loops
            if state.ground[row, column] != 0:
                state.ground[row, column] = 1 + rng.integer(state, params.costs)
    rooms = (side - 1) // 2
    start = rng.integer(state, rooms * rooms)
    end = rng.integer(state, rooms * rooms - 1)
    end += end >= start
    state.row, state.column = 1 + start // rooms * 2, 1 + start % rooms * 2
    state.goal_row, state.goal_column = 1 + end // rooms * 2, 1 + end % rooms * 2
    state.left_row, state.left_column = state.row, state.column


@kernel
def _carve(state, params):
    """Join all rooms, the cells of odd row and column, by a random walk that backs out of corners.

    Each room remembers, from 1 to 4, the direction in which it was entered.
    """
    row, column = 1, 1
    state.ground[1, 1] = 5
    while True:
        ways = 0
        for action in range(4):
            ways += _is_new(state, row, column, action, params)
        if ways > 0:
            choice, action = rng.integer(state, ways), 0
            while choice > 0 or not _is_new(state, row, column, action, params):
                choice -= _is_new(state, row, column, action, params)
                action += 1
            state.ground[row + _ROWS[action], column + _COLUMNS[action]] = 1
            row, column = row + 2 * _ROWS[action], column + 2 * _COLUMNS[action]
            state.ground[row, column] = 1 + action
        else:
            action = int(state.ground[row, column]) - 1
            if action == 4:
                return
            row, column = row - 2 * _ROWS[action], column - 2 * _COLUMNS[action]


@kernel
def _is_new(state, row, column, action, params):
    """Whether there is a room in that direction that nothing leads to yet."""
    row, column = row + 2 * _ROWS[action], column + 2 * _COLUMNS[action]
    inside = 0 < row < params.side and 0 < column < params.side
    return inside and state.ground[row, column] == 0


@kernel
def step(state, action, params):
    """Enter the next cell; the episode ends at the goal."""
    state.left_row, state.left_column = state.row, state.column
    state.row += _ROWS[action]
    state.column += _COLUMNS[action]
    return -float(state.ground[int(state.row), int(state.column)]), goal(state, params)


@kernel
def legal(state, params, mask):
    """Walls cannot be entered."""
    row, column = int(state.row), int(state.column)
    for action in range(4):
        mask[action] = state.ground[row + _ROWS[action], column + _COLUMNS[action]] != 0


@kernel
def goal(state, params):
    """The agent is at the goal."""
    return state.row == state.goal_row and state.column == state.goal_column


@kernel
def observe(state, params, obs):
    """The costs, then where the agent and the goal are."""
    for row in range(params.side):
        for column in range(params.side):
            obs[row, column, 0] = state.ground[row, column]
            obs[row, column, 1] = 0
    obs[int(state.goal_row), int(state.goal_column), 1] = _GOAL
    obs[int(state.row), int(state.column), 1] += _AGENT


@kernel
def update(state, params, obs):
    """The agent has moved."""
    obs[int(state.left_row), int(state.left_column), 1] -= _AGENT
    obs[int(state.row), int(state.column), 1] += _AGENT


class Maze(KernelEnv):
    """
    ## Description
    An agent looks for the cheapest way to the goal through a maze: rooms in rows and columns,
    joined by passages. Every cell has a cost, which is paid on entering it. Where the maze has
    loops, the shortest way need not be the cheapest.

    ## Observation Space
    `Box(0, max(costs, 3), (size, size, 2), int8)`: [row, column, 0] is the cost of a cell, 0 for a
    wall; [row, column, 1] is 1 where the agent is, 2 at the goal, 3 where the agent is at the goal.

    ## Action Space
    `Discrete(4)`: 0 up, 1 down, 2 left, 3 right. Moves into walls are illegal and masked.

    ## Rewards
    Minus the cost of the cell that is entered.

    ## Starting State
    A maze without loops, made by a random walk that visits every room once and backs out of dead
    ends; then each wall between two neighbouring rooms that is left opens with probability `loops`.
    Costs are drawn uniformly from 1 to `costs`, and agent and goal in two different rooms.

    ## Episode End
    Terminated at the goal; truncated after `max_episode_steps` moves.

    ## Arguments
    - `size`: side of the grid with its outer walls, odd, 5 to 127 (default 15).
    - `costs`: the highest cost of a cell, 1 to 9 (default 5).
    - `loops`: the chance of each further opening, 0 to 1 (default 0.2); 0 for a maze with one way
      between any two cells.
    - `max_episode_steps`: the time limit (default `4 · size²`); −1 for none.

    `reset(options={"layout": …})` starts from a given maze: text as `render_mode="ansi"` shows it.

    As no cell costs less than 1, the Manhattan distance between the state fields `row`, `column`
    and `goal_row`, `goal_column` is an admissible and consistent heuristic.

    ## Reference Scores
    `spelunk.reference("spelunk/Maze-v0")`: the random policy, and the cheapest ways by Dijkstra's
    algorithm.

    ## Version History
    - v0: first version.
    """

    reset_options = ("layout",)
    best_source = "cheapest ways by Dijkstra's algorithm"

    def __init__(
        self,
        size: int = 15,
        costs: int = 5,
        loops: float = 0.2,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
    ):
        if not isinstance(size, int) or not (5 <= size <= 127 and size % 2 == 1):
            raise InvalidArgumentError(f"size must be an odd integer from 5 to 127; got {size!r}")
        if isinstance(costs, bool) or not isinstance(costs, int) or not 1 <= costs <= 9:
            raise InvalidArgumentError(f"costs must be an integer from 1 to 9; got {costs!r}")
        if isinstance(loops, bool) or not isinstance(loops, int | float) or not 0 <= loops <= 1:
            raise InvalidArgumentError(f"loops must be a number from 0 to 1; got {loops!r}")
        self.size, self.costs = size, costs
        super().__init__(
            kernels=Kernels(
                reset=reset, step=step, observe=observe, legal=legal, goal=goal, update=update
            ),
            layout=StateLayout(
                [
                    ("ground", np.int8, (size, size)),
                    ("goal_row", np.int8),
                    ("goal_column", np.int8),
                ],
                [("row", np.int8), ("column", np.int8)],
                [("left_row", np.int8), ("left_column", np.int8)],  # the cell that was left
            ),
            params=Params(size, costs, float(loops)),
            observation_space=spaces.Box(0, max(costs, 3), (size, size, 2), np.int8),
            action_space=spaces.Discrete(4),
            max_episode_steps=4 * size**2 if max_episode_steps is None else max_episode_steps,
            render_mode=render_mode,
        )

    def apply_options(self, state: Any, options: dict[str, Any]) -> None:
        ground, agent, end = self._read_layout(options["layout"])
        state["ground"] = ground
        state["row"], state["column"] = state["left_row"], state["left_column"] = agent
        state["goal_row"], state["goal_column"] = end
        if not np.isfinite(_cheapest(state)):
            raise InvalidArgumentError("layout has no way from the agent to the goal")

    def describe_state(self, state: Any) -> str:
        ways = []
        for word, dy, dx in zip(ACTION_WORDS, _ROWS, _COLUMNS, strict=True):
            cost = state["ground"][state["row"] + dy, state["column"] + dx]
            if cost:
                ways.append(f"{word} (cost {cost})")
        return (
            "Find the cheapest way to the goal. ## is a wall, a digit the cost of entering a cell, "
            f"@ you, G the goal.\n{self.show_state(state)}\nYou can go {', '.join(ways)}."
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        tile = max(4, min(32, 640 // self.size))
        canvas = Canvas(self.size * tile, self.size * tile, "night")
        for (row, column), cost in np.ndenumerate(state["ground"]):
            if cost:
                x, y = column * tile, row * tile
                canvas.rectangle(x, y, tile, tile, _GROUND[int(cost)])
                if tile >= 20:
                    canvas.text(x + tile / 2, y + tile / 2, str(cost), "stone", tile / 3)
        for name, colour, size in (("goal_", "green", 0.38), ("", "red", 0.3)):
            x, y = state[f"{name}column"] + 0.5, state[f"{name}row"] + 0.5
            canvas.circle(x * tile, y * tile, size * tile, colour)
        return canvas.pixels()

    def show_state(self, state: Any) -> str:
        cells = [[f"{cost} " if cost else "##" for cost in row] for row in state["ground"].tolist()]
        for row, column, mark in (
            (state["goal_row"], state["goal_column"], "G"),
            (state["row"], state["column"], "@"),
        ):
            cells[row][column] = cells[row][column][0] + mark
        return "\n".join("".join(row) for row in cells)

    def action_words(self, action: Any) -> str:
        return ACTION_WORDS[int(action)]

    def best_return(self, seed: int) -> float | None:
        return -_cheapest(self.model.reset([seed])[0])

    def _read_layout(self, layout: Any) -> tuple[Any, list[int], list[int]]:
        """The costs, and where the agent and the goal are."""
        lines = str(layout).strip("\n").splitlines()
        cells = [[line[x : x + 2] for x in range(0, len(line), 2)] for line in lines]
        if [len(row) for row in cells] != [self.size] * self.size:
            raise InvalidArgumentError(
                f"layout must be {self.size} lines of {self.size} cells, two characters each"
            )
        allowed = {"##"} | {f"{c}{mark}" for c in range(1, self.costs + 1) for mark in " @G"}
        wrong = {cell for row in cells for cell in row if cell.ljust(2) not in allowed}
        if wrong:
            raise InvalidArgumentError(
                f"the cells of layout must be '##' or a cost from 1 to {self.costs} with ' ', '@' "
                f"or 'G' behind it; got {sorted(wrong)}"
            )
        ground = np.array([[0 if cell == "##" else int(cell[0]) for cell in row] for row in cells])
        marks = np.array([[cell[1:] for cell in row] for row in cells])
        places = [np.argwhere(marks == mark).tolist() for mark in "@G"]
        if [len(found) for found in places] != [1, 1]:
            raise InvalidArgumentError("layout must have one '@', the agent, and one 'G', the goal")
        if ground[[0, -1]].any() or ground[:, [0, -1]].any():
            raise InvalidArgumentError("layout must have walls all around")
        return ground, places[0][0], places[1][0]


#: Cheap ground is light.
_GROUND = ["night", *((238 - 17 * c, 232 - 19 * c, 218 - 22 * c) for c in range(9))]


def _cheapest(state: Any) -> float:
    """The cost of the cheapest way from the agent to the goal; infinite where there is none."""
    ground = state["ground"].astype(np.float64)
    cells = np.arange(ground.size).reshape(ground.shape)
    edges = [
        (a[open_], b[open_])
        for a, b in ((cells[1:], cells[:-1]), (cells[:, 1:], cells[:, :-1]))
        for open_ in [(ground.flat[a] > 0) & (ground.flat[b] > 0)]
    ]
    origins = np.concatenate([side for a, b in edges for side in (a, b)])
    ends = np.concatenate([side for a, b in edges for side in (b, a)])
    graph = csr_array((ground.flat[ends], (origins, ends)), (ground.size, ground.size))
    start = cells[state["row"], state["column"]]
    return float(dijkstra(graph, indices=start)[cells[state["goal_row"], state["goal_column"]]])
