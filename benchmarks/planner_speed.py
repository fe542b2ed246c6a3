"""How fast the planners expand: A* and IDA* on the 15-puzzle, beside plain Python and C++.

The same boards with the Manhattan distance for all. The Python version is the one everybody writes
first, with `heapq` and dictionaries; the C++ one packs a board into 64 bits, with a bucket queue
and open addressing (`planning/astar.cpp`, compiled here with -O3). One thread each, in turns, so
that all see the same minutes of the machine; figures are medians of the turns. All must find plans
of the same cost.
"""

import heapq
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from common import write_result

from spelunk.agents.planning.best_first import best_first
from spelunk.agents.planning.heuristics import make_heuristic
from spelunk.agents.planning.ida_star import ida_star
from spelunk.agents.planning.problem import ModelProblem
from spelunk.envs.search.sliding_tile import SlidingTile

BOARDS = 12
SCRAMBLE = 200
TURNS = 7
TARGETS = {"A*": {"Python": 12.0, "C++": 0.7}, "IDA*": {"Python": 100.0}}
SOURCE = Path(__file__).parent / "planning" / "astar.cpp"
GOAL = tuple((*range(1, 16), 0))


def plain_python(start):
    """A* with `heapq`; the cost and the number of expansions."""
    moves = {
        gap: [
            gap + offset
            for offset in (-4, 4, -1, 1)
            if 0 <= gap + offset < 16 and (abs(offset) == 4 or gap // 4 == (gap + offset) // 4)
        ]
        for gap in range(16)
    }
    distance = [
        [abs((t - 1) // 4 - p // 4) + abs((t - 1) % 4 - p % 4) if t else 0 for p in range(16)]
        for t in range(16)
    ]
    h = sum(distance[tile][place] for place, tile in enumerate(start))
    queue, best, closed = [(h, h, start)], {start: 0}, set()
    while queue:
        f, h, board = heapq.heappop(queue)
        if board in closed:
            continue
        if board == GOAL:
            return f, len(closed)
        closed.add(board)
        g, gap = f - h + 1, board.index(0)
        for place in moves[gap]:
            tile = board[place]
            child = list(board)
            child[gap], child[place] = tile, 0
            child = tuple(child)
            if g < best.get(child, 1000):
                best[child] = g
                estimate = h + distance[tile][gap] - distance[tile][place]
                heapq.heappush(queue, (g + estimate, estimate, child))
    raise RuntimeError("no plan")


def timed_python(boards):
    """Costs, and expansions a second over all boards."""
    begin = time.perf_counter()
    found = [plain_python(tuple(board)) for board in boards]
    seconds = time.perf_counter() - begin
    return [cost for cost, _ in found], sum(expanded for _, expanded in found) / seconds


def timed_cpp(program, boards):
    """The same by the C++ program, which keeps its own time."""
    text = "\n".join(" ".join(map(str, board)) for board in boards)
    lines = subprocess.run([program], input=text, capture_output=True, text=True, check=True)
    rows = [line.split() for line in lines.stdout.splitlines()]
    expanded, seconds = sum(int(row[1]) for row in rows), sum(float(row[2]) for row in rows)
    return [int(row[0]) for row in rows], expanded / seconds


def timed_ours(search, problems):
    """The same by a planner of the suite."""
    results = [search(problem) for problem in problems]
    expanded, seconds = sum(r.expanded for r in results), sum(r.seconds for r in results)
    return [int(r.cost) for r in results], expanded / seconds


def main():
    """Measure and write `results/planner_speed.json`."""
    env = SlidingTile(size=4, scramble=SCRAMBLE)
    roots = env.model.reset(range(BOARDS))
    manhattan = make_heuristic(env, "manhattan")
    problems = [ModelProblem(env.model, roots[i : i + 1], manhattan) for i in range(BOARDS)]
    boards = roots["board"].tolist()
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "astar"
        compiler = shutil.which("g++")
        if compiler is None:
            raise SystemExit("this benchmark needs g++")
        command = [compiler, "-O3", "-march=native", "-std=c++17", "-o", program, SOURCE]
        subprocess.run(command, check=True)
        sides = {
            "A*": lambda: timed_ours(best_first, problems),
            "IDA*": lambda: timed_ours(ida_star, problems),
            "C++": lambda: timed_cpp(program, boards),
            "Python": lambda: timed_python(boards),
        }
        rates = {name: [] for name in sides}
        for turn in range(TURNS + 1):
            costs = {}
            for name, play in sides.items():
                costs[name], rate = play()
                if turn:  # the first compiles
                    rates[name].append(rate)
            if any(found != costs["C++"] for found in costs.values()):
                raise RuntimeError(f"the plans differ: {costs}")
            print({name: f"{r[-1]:,.0f}" for name, r in rates.items() if r}, flush=True)
    figures = {name: {"rates": r, "median": median(r)} for name, r in rates.items()}
    ratios = {
        ours: {
            other: {
                "ratio": median(a / b for a, b in zip(rates[ours], rates[other], strict=True)),
                "target": target,
            }
            for other, target in targets.items()
        }
        for ours, targets in TARGETS.items()
    }
    print(ratios)
    write_result(
        "planner_speed",
        {"boards": BOARDS, "scramble": SCRAMBLE, "turns": TURNS, "expansions_per_second": figures,
         "ratios": ratios},
    )  # fmt: skip


if __name__ == "__main__":
    main()
