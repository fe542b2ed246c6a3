"""Spaces searched whole, and every planner that proves its plans against them.

The fewest steps to the goal from every state, by breadth-first search backwards; their histograms
beside published ones. Then 1,000 states drawn uniformly of each space: whatever a planner calls
optimal must cost just that.
"""

import time

import numpy as np
from common import write_result
from rich.progress import track

from spelunk.agents.planning.best_first import best_first
from spelunk.agents.planning.bidirectional import bidirectional
from spelunk.agents.planning.heuristics import make_heuristic
from spelunk.agents.planning.ida_star import ida_star
from spelunk.agents.planning.problem import ModelProblem
from spelunk.agents.planning.q_star import q_star
from spelunk.envs.kernel.solve import UNREACHED, distance_table
from spelunk.envs.search.lights_out import LightsOut
from spelunk.envs.search.pancake import Pancake
from spelunk.envs.search.rubiks_cube import RubiksCube
from spelunk.envs.search.sliding_tile import SlidingTile
from spelunk.envs.search.top_spin import TopSpin

STATES = 1000
SPACES = {
    "8-puzzle": SlidingTile(size=3),
    "2×2×2 cube, half turns": RubiksCube(size=2),
    "2×2×2 cube, quarter turns": RubiksCube(size=2, metric="quarter_turn"),
    "5×5 lights out": LightsOut(size=5),
    "10 pancakes": Pancake(size=10),
    "top spin, 10 tokens": TopSpin(size=10),
}
#: What is known of them from elsewhere: the number of states, and the longest of the best plans.
#: 8-puzzle: Reinefeld 1993. Cube: Joyner 2008 and others. Lights: Scherphuis. Pancakes: A058986.
PUBLISHED = {
    "8-puzzle": (181_440, 31),
    "2×2×2 cube, half turns": (3_674_160, 11),
    "2×2×2 cube, quarter turns": (3_674_160, 14),
    "5×5 lights out": (2**23, 15),
    "10 pancakes": (3_628_800, 11),
}
#: Planners by space; the name says the heuristic.
PLANNERS = {
    "8-puzzle": ("A* manhattan", "A* linear_conflict", "A* batched manhattan", "IDA* manhattan",
                 "IDA* linear_conflict", "bidirectional", "Q* distance_table"),
    "2×2×2 cube, half turns": ("A* distance_table", "IDA* distance_table", "bidirectional",
                               "Q* distance_table"),
    "2×2×2 cube, quarter turns": ("A* distance_table", "bidirectional"),
    "5×5 lights out": ("bidirectional", "A* distance_table"),
    "10 pancakes": ("A* gaps", "IDA* gaps", "bidirectional", "A* batched gaps"),
    "top spin, 10 tokens": ("A* gaps", "IDA* gaps", "bidirectional"),
}  # fmt: skip


def searcher(name, env):
    """The search of a planner's name, from (1,) root to a result."""
    kind, _, heuristic = name.partition(" ")
    batched, _, heuristic = heuristic.rpartition(" ")
    if kind == "bidirectional":
        return lambda root: bidirectional(ModelProblem(env.model, root))
    estimate = make_heuristic(env, heuristic)
    if kind == "Q*":
        problem = ModelProblem(env.model, env.model.reset([0]), estimate)

        def action_costs(states):
            children = env.model.successors(states)
            after = problem.heuristic(children.states.ravel()).reshape(children.costs.shape)
            return children.costs + after

        return lambda root: q_star(ModelProblem(env.model, root, estimate), action_costs)
    if kind == "IDA*":
        return lambda root: ida_star(ModelProblem(env.model, root, estimate))
    size = 64 if batched else None
    return lambda root: best_first(ModelProblem(env.model, root, estimate), batch_size=size)


def main():
    """Measure and write `results/exact_distances.json`."""
    rows = []
    for space, env in SPACES.items():
        begin = time.perf_counter()
        distances = distance_table(env)
        seconds = time.perf_counter() - begin
        reached = distances[distances != UNREACHED]
        counts = np.bincount(reached)
        if space in PUBLISHED and (len(reached), len(counts) - 1) != PUBLISHED[space]:
            raise RuntimeError(f"{space}: {len(reached)} states up to {len(counts) - 1} steps")
        rank, params = env.definition.kernels.rank, env.definition.params
        roots = env.model.reset(range(STATES))
        exact = np.array([int(distances[rank(root, params)]) for root in roots])
        agree, took = {}, {}
        for name in PLANNERS[space]:
            search, found = searcher(name, env), []
            for i in track(range(STATES), f"{space}, {name}"):
                found.append(search(roots[i : i + 1]))
            same = [r.proven_optimal or name.startswith("Q*") for r in found]
            same &= np.array([r.cost for r in found]) == exact
            agree[name], took[name] = int(same.sum()), float(np.mean([r.seconds for r in found]))
            print(f"{space}, {name}: {agree[name]} of {STATES}", flush=True)
            if agree[name] != STATES:
                raise RuntimeError(f"{name} is not optimal on {space}")
        rows.append(
            {
                "space": space,
                "states": len(reached),
                "histogram": counts.tolist(),
                "mean": float(reached.mean()),
                "seconds": seconds,
                "optimal": agree,
                "seconds_per_state": took,
            }
        )
    write_result("exact_distances", {"random_states": STATES, "spaces": rows})


if __name__ == "__main__":
    main()
