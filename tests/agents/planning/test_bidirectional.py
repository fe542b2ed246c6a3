from typing import NamedTuple

import numpy as np
import pytest
from gymnasium import spaces

from spelunk.agents.core.evaluation import EVALUATION_SEEDS, evaluate
from spelunk.agents.planning.best_first import best_first
from spelunk.agents.planning.bidirectional import BidirectionalAgent, bidirectional
from spelunk.agents.planning.compiled import estimates
from spelunk.agents.planning.perfect import perfect
from spelunk.agents.planning.problem import ModelProblem
from spelunk.agents.planning.search import Limits
from spelunk.envs.combinatorial.tsp import TSP
from spelunk.envs.kernel import (
    InvalidArgumentError,
    KernelEnv,
    Kernels,
    StateLayout,
    UnsupportedFaceError,
    kernel,
    rng,
)
from spelunk.envs.search.lights_out import LightsOut
from spelunk.envs.search.pancake import Pancake
from spelunk.envs.search.rubiks_cube import RubiksCube
from spelunk.envs.search.sliding_tile import SlidingTile
from spelunk.envs.search.sokoban import Sokoban
from spelunk.envs.search.top_spin import TopSpin


@pytest.mark.parametrize(
    ("env", "count"),
    [(SlidingTile(3), 1000), (RubiksCube(2), 300), (Pancake(8), 300), (TopSpin(8), 300),
     (LightsOut(4), 300)],
    ids=lambda case: type(case).__name__,
)  # fmt: skip
def test_plans_agree_with_the_table_of_all_states(env, count):
    states = env.model.reset(range(count))
    costs = estimates(env.definition, perfect(env), states)
    for i in range(count):
        problem = ModelProblem(env.model, states[i : i + 1], unit_costs=i % 2 == 1)
        result = bidirectional(problem)
        assert (result.status, result.cost) == ("solved", costs[i])
        assert result.proven_optimal
        state = problem.root
        for action in result.plan:
            assert not env.model.is_goal(state)[0]
            state, _, _ = env.model.step(state, [action])
        assert env.model.is_goal(state)[0]


class Params(NamedTuple):
    prices: np.ndarray
    water: np.ndarray
    goals: np.ndarray
    side: int


@kernel
def reset(state, params):
    state.place = 0
    while params.goals[state.place] != 0 or params.water[state.place] != 0:
        state.place = rng.integer(state, params.side * params.side)


@kernel
def step(state, action, params):
    """Roads of a torus cost the same in both directions."""
    side, place = params.side, int(state.place)
    x, y = place % side, place // side
    if action == 1:
        x = (x + side - 1) % side
    elif action == 3:
        y = (y + side - 1) % side
    price = params.prices[y * side + x, action // 2]
    if action == 0:
        x = (x + 1) % side
    elif action == 2:
        y = (y + 1) % side
    state.place = y * side + x
    return -price, params.goals[state.place] != 0 or params.water[state.place] != 0


@kernel
def observe(state, params, obs):
    obs[0] = state.place


@kernel
def goal(state, params):
    return params.goals[state.place] != 0


class Roads(KernelEnv):
    """A torus of towns with real prices of its roads, and water, where journeys end."""

    def __init__(self, seed, side=9, scale=1.0):
        draw = np.random.default_rng(seed)
        prices = scale * draw.random((side * side, 2)) * (draw.random((side * side, 2)) > 0.2)
        chosen = draw.permutation(side * side)
        self.goals = np.isin(np.arange(side * side), chosen[:3]).astype(np.int8)
        water = np.isin(np.arange(side * side), chosen[3 : side * side * 2 // 5]).astype(np.int8)
        super().__init__(
            kernels=Kernels(reset=reset, step=step, observe=observe, goal=goal),
            layout=StateLayout([], [("place", np.int32)]),
            params=Params(prices.astype(np.float32), water, self.goals, side),
            observation_space=spaces.Box(0, side * side, (1,), np.int32),
            action_space=spaces.Discrete(4),
            inverse_actions=(1, 0, 3, 2),
            max_episode_steps=-1,
        )

    def goal_states(self):
        states = self.definition.layout.empty(3)
        states["place"] = np.flatnonzero(self.goals)
        return states


def test_real_costs_many_goals_and_dead_ends_agree_with_dijkstra():
    statuses = set()
    for seed in range(30):
        env = Roads(seed)
        problem = ModelProblem(env.model, env.model.reset([seed]))
        result, known = bidirectional(problem), best_first(problem)
        assert result.cost == pytest.approx(known.cost)
        assert result.status == known.status
        statuses.add(result.status)
        if result.plan is not None:
            assert problem.cost(result.plan) == result.cost
    assert statuses == {"solved", "no_plan"}


def test_it_expands_far_fewer_states_than_search_from_one_end():
    env = RubiksCube(2)
    problem = ModelProblem(env.model, env.model.reset([4]), unit_costs=True)
    one, both = best_first(problem), bidirectional(problem)
    assert both.cost == one.cost
    assert 50 * both.expanded < one.expanded
    assert both.expanded < both.generated


def test_a_least_cost_ends_it_sooner():
    env = SlidingTile(3)
    problem = ModelProblem(env.model, env.model.reset([0]))
    cautious, sure = bidirectional(problem), bidirectional(problem, least_cost=1.0)
    assert sure.cost == cautious.cost
    assert sure.expanded < cautious.expanded
    with pytest.raises(InvalidArgumentError, match="least_cost"):
        bidirectional(problem, least_cost=-1.0)


def test_limits_stop_it():
    env = SlidingTile(4)
    problem = ModelProblem(env.model, env.model.reset([0]))
    result = bidirectional(problem, limits=Limits(max_expanded=1000))
    assert (result.status, result.expanded, result.plan) == ("expansion_limit", 1000, None)
    result = bidirectional(problem, limits=Limits(max_memory=1_000_000))
    assert result.status == "memory_limit"
    assert 300_000 < result.memory < 2_000_000
    result = bidirectional(problem, limits=Limits(max_seconds=0.05))
    assert result.status == "time_limit"
    assert 0.05 <= result.seconds < 2


def test_what_cannot_be_searched_backwards_is_refused():
    sokoban = Sokoban(7, 1, levels=5)
    with pytest.raises(UnsupportedFaceError, match="take back"):
        bidirectional(ModelProblem(sokoban.model, sokoban.model.reset([0])))
    tsp = TSP(cities=5)
    with pytest.raises(UnsupportedFaceError, match="take back"):
        bidirectional(ModelProblem(tsp.model, tsp.model.reset([0])))


def test_the_agent_scores_the_best_return():
    played = evaluate(BidirectionalAgent(), "spelunk/SlidingTile-v0", episodes=20)
    best = [SlidingTile().best_return(EVALUATION_SEEDS + i) for i in range(20)]
    np.testing.assert_allclose(played.returns, best)
