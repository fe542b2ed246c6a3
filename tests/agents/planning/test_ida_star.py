import numpy as np
import pytest

from spelunk.agents.planning.heuristics import make_heuristic
from spelunk.agents.planning.ida_star import ida_star
from spelunk.agents.planning.problem import ModelProblem
from spelunk.agents.planning.search import Limits
from spelunk.envs.combinatorial.tsp import TSP
from spelunk.envs.gridworld.door_key import DoorKey
from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.kernel.solve import distance_table
from spelunk.envs.search.pancake import Pancake
from spelunk.envs.search.sliding_tile import SlidingTile, optimal_moves


def problem(env, seed, **options):
    return ModelProblem(env.model, env.model.reset([seed]), make_heuristic(env), **options)


def test_1000_boards_agree_with_the_table_of_all():
    env = SlidingTile()
    optimal = optimal_moves(env.model.reset(range(1000))["board"])
    for seed, moves in enumerate(optimal):
        result = ida_star(problem(env, seed))
        assert result.cost == moves == len(result.plan)
        assert result.proven_optimal


def test_pancakes_agree_with_the_table_of_all():
    env = Pancake(size=7)
    distances, rank = distance_table(env), env.definition.kernels.rank
    for seed in range(200):
        root = env.model.reset([seed])
        assert ida_star(problem(env, seed)).cost == distances[rank(root[0], env.definition.params)]


def test_steps_that_cannot_be_taken_back_and_real_costs():
    """Here a step back is known by the state it leads to."""
    env = DoorKey(size=5)
    for seed in range(3):
        plan = ida_star(problem(env, seed, unit_costs=True)).plan
        env.reset(seed=seed)
        assert [env.step(action)[1] for action in plan][-1] == pytest.approx(env.best_return(seed))
    env = TSP(cities=5)
    for seed in range(5):
        assert ida_star(problem(env, seed)).cost == pytest.approx(-env.best_return(seed), rel=1e-6)


def test_budgets_stop_the_search():
    env = SlidingTile(size=4)
    result = ida_star(problem(env, 0), Limits(max_expanded=1000))
    assert (result.status, result.expanded, result.plan) == ("expansion_limit", 1000, None)
    result = ida_star(problem(env, 0), Limits(max_seconds=0.1))
    assert (result.status, result.proven_optimal) == ("time_limit", False)
    assert 0.1 <= result.seconds < 2


def test_a_root_from_which_no_goal_can_be_reached():
    env = SlidingTile(size=2)
    root = env.model.reset([0])
    root["board"] = [[2, 1, 3, 0]]
    root["row"] = root["col"] = 1
    root["manhattan"] = 2
    # Without the memory of A*, IDA* goes round in circles for ever.
    result = ida_star(
        ModelProblem(env.model, root, make_heuristic(env)), Limits(max_expanded=10_000)
    )
    assert result.status == "expansion_limit"


def test_batch_heuristics_are_refused():
    env = SlidingTile()
    with pytest.raises(InvalidArgumentError, match="compiled"):
        ida_star(ModelProblem(env.model, env.model.reset([0]), lambda s: np.zeros(len(s))))
