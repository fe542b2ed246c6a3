"""Hard 15-puzzles solved optimally, with a pattern database.

The first ten of Korf's hundred instances (1985, "Depth-first iterative-deepening: an optimal
admissible tree search"), whose optimal solutions are published. In his goal the gap is in the first
place, in ours in the last: boards are turned by half and renumbered.
"""

import time
from typing import Any

from common import write_result

from spelunk.agents.planning.best_first import best_first
from spelunk.agents.planning.heuristics import make_heuristic
from spelunk.agents.planning.ida_star import ida_star
from spelunk.agents.planning.problem import ModelProblem
from spelunk.envs.search.sliding_tile import SlidingTile

#: Boards and published numbers of moves.
INSTANCES = (
    ((14, 13, 15, 7, 11, 12, 9, 5, 6, 0, 2, 1, 4, 8, 10, 3), 57),
    ((13, 5, 4, 10, 9, 12, 8, 14, 2, 3, 7, 1, 0, 15, 11, 6), 55),
    ((14, 7, 8, 2, 13, 11, 10, 4, 9, 12, 5, 0, 3, 6, 1, 15), 59),
    ((5, 12, 10, 7, 15, 11, 14, 0, 8, 2, 1, 13, 3, 4, 9, 6), 56),
    ((4, 7, 14, 13, 10, 3, 9, 12, 11, 5, 6, 15, 1, 2, 8, 0), 56),
    ((14, 7, 1, 9, 12, 3, 6, 15, 8, 11, 2, 5, 10, 0, 4, 13), 52),
    ((2, 11, 15, 5, 13, 4, 6, 7, 12, 8, 10, 1, 9, 3, 14, 0), 52),
    ((12, 11, 15, 3, 8, 0, 4, 2, 6, 13, 9, 5, 14, 1, 10, 7), 50),
    ((3, 14, 9, 11, 5, 4, 8, 2, 13, 12, 6, 7, 10, 1, 15, 0), 46),
    ((13, 11, 8, 9, 0, 15, 7, 10, 4, 3, 6, 14, 5, 12, 2, 1), 59),
)
HEURISTIC = "pattern_database"


def turned(board):
    """A board with the gap's home in the last place."""
    return [16 - tile if tile else 0 for tile in reversed(board)]


def main():
    """Measure and write `results/korf.json`."""
    env = SlidingTile(size=4)
    begin = time.perf_counter()
    heuristic = make_heuristic(env, HEURISTIC)
    built = time.perf_counter() - begin
    rows = []
    for number, (board, published) in enumerate(INSTANCES, 1):
        tiles = turned(board)
        env.reset(seed=0, options={"board": [tiles[row : row + 4] for row in (0, 4, 8, 12)]})
        problem = ModelProblem(env.model, env.state[None].copy(), heuristic)
        row: dict[str, Any] = {"instance": number, "published": published}
        for name, search in (("IDA*", ida_star), ("A*", best_first)):
            result = search(problem)
            if result.cost != published or not result.proven_optimal:
                raise RuntimeError(f"instance {number}: {name} needs {result.cost} moves")
            row["moves"] = int(result.cost)
            row[name] = {"expanded": result.expanded, "seconds": result.seconds}
        rows.append(row)
        print(row, flush=True)
    write_result("korf", {"heuristic": HEURISTIC, "seconds_to_load": built, "instances": rows})


if __name__ == "__main__":
    main()
