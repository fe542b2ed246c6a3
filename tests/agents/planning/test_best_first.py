import heapq
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest

from spelunk.agents.core.evaluation import EVALUATION_SEEDS, evaluate
from spelunk.agents.planning.astar import AStarAgent
from spelunk.agents.planning.best_first import best_first
from spelunk.agents.planning.heuristics import MANHATTAN
from spelunk.agents.planning.problem import Expansion, ModelProblem
from spelunk.agents.planning.search import Limits
from spelunk.envs.bandit.bernoulli import BernoulliBandit
from spelunk.envs.combinatorial.tsp import TSP
from spelunk.envs.gridworld.door_key import DoorKey
from spelunk.envs.kernel import InvalidArgumentError, Successors, UnsupportedFaceError
from spelunk.envs.search.sliding_tile import SlidingTile, optimal_moves


class Graph:
    """A random directed graph with its goals, costs and an admissible, inconsistent heuristic."""

    def __init__(self, seed, nodes=60, actions=3):
        rng = np.random.default_rng(seed)
        self.targets = rng.integers(0, nodes, (nodes, actions))
        self.costs = rng.integers(0, 9, (nodes, actions)) / 4
        self.costs[rng.random((nodes, actions)) < 0.3] = np.inf
        self.goals = rng.random(nodes) < 0.05
        self.goals[0] = False
        self.root = np.array([0], np.int32)
        self.to_go = self.distances()
        finite = np.where(np.isfinite(self.to_go), self.to_go, 5.0)
        self.estimates = finite * rng.random(nodes)
        self.seen = 0

    def distances(self):
        """The cost from each node to its nearest goal: Dijkstra on the reversed graph."""
        cost = np.where(self.goals, 0.0, np.inf)
        queue: list[tuple[float, int]] = [(0.0, int(node)) for node in np.flatnonzero(self.goals)]
        while queue:
            g, node = heapq.heappop(queue)
            for source, action in np.argwhere(self.targets == node):
                new = float(g + self.costs[source, action])
                if new < cost[source]:
                    cost[source] = new
                    heapq.heappush(queue, (new, int(source)))
        return cost

    def expand(self, states):
        self.seen += len(states)
        targets = self.targets[states].astype(np.int32)
        return Expansion(targets, self.costs[states], self.goals[targets])

    def is_goal(self, states):
        return self.goals[states]

    def heuristic(self, states):
        return self.estimates[states]

    def key(self, states):
        return np.stack([np.full(len(states), 7), states], axis=1).astype(np.uint64)

    def cost_of(self, plan):
        node, cost = 0, 0.0
        for action in plan:
            cost += self.costs[node, action]
            node = self.targets[node, action]
        assert self.goals[node]
        return cost


@pytest.mark.parametrize("batch_size", [1, 4, None])
def test_optimal_on_random_graphs_though_the_heuristic_is_inconsistent(batch_size):
    reachable = 0
    for seed in range(100):
        graph = Graph(seed)
        result = best_first(graph, batch_size=batch_size)
        assert result.cost == graph.to_go[0]
        assert result.expanded == graph.seen
        if np.isfinite(result.cost):
            reachable += 1
            assert result.status == "solved"
            assert result.proven_optimal
            assert graph.cost_of(result.plan) == result.cost
        else:
            assert result.status == "no_plan"
            assert result.plan is None
    assert 30 < reachable < 100


@pytest.mark.parametrize("weight", [0.5, 0.8])
def test_weighted_plans_keep_their_bound(weight):
    for seed in range(100):
        graph = Graph(seed)
        result = best_first(graph, weight=weight, batch_size=2)
        if result.plan is not None:
            assert graph.cost_of(result.plan) == result.cost
            assert graph.to_go[0] <= result.cost <= graph.to_go[0] / weight + 1e-9
            assert not result.proven_optimal


def test_greedy_finds_some_plan_wherever_there_is_one():
    for seed in range(50):
        graph = Graph(seed)
        result = best_first(graph, weight=0.0)
        assert (result.plan is not None) == np.isfinite(graph.to_go[0])


def puzzle(env, seed):
    return ModelProblem(env.model, env.model.reset([seed]), MANHATTAN)


def test_8_puzzles_agree_with_the_table_of_all_boards():
    env = SlidingTile()
    optimal = optimal_moves(env.model.reset(range(200))["board"])
    for seed, moves in enumerate(optimal):
        result = best_first(puzzle(env, seed))
        assert result.cost == moves == len(result.plan)
        assert result.proven_optimal


def test_the_heuristic_saves_most_of_the_expansions():
    env = SlidingTile()
    informed = best_first(puzzle(env, 0), batch_size=1)
    blind = best_first(ModelProblem(env.model, env.model.reset([0])), batch_size=1)
    assert informed.cost == blind.cost
    assert informed.expanded * 10 < blind.expanded
    assert informed.expanded < informed.generated < 4 * informed.expanded


def test_one_at_a_time_expands_no_state_twice_or_beyond_the_optimal_cost():
    """What A* with a consistent heuristic is known for: f = g + h never exceeds the optimum."""
    env = SlidingTile()
    for seed in range(5):
        problem = puzzle(env, seed)
        g, f = {problem.root["board"].tobytes(): 0}, {}
        expand = problem.expand

        def watched(states, g=g, f=f, expand=expand):
            key = states["board"].tobytes()
            assert key not in f
            f[key] = g[key] + int(states["manhattan"][0])
            children = expand(states)
            for child, cost in zip(children.states[0], children.costs[0], strict=True):
                child_key = child["board"].tobytes()
                g[child_key] = min(g.get(child_key, 99), g[key] + cost)
            return children

        problem.expand = watched
        result = best_first(problem, batch_size=1)
        assert len(f) == result.expanded
        assert max(f.values()) <= result.cost


def test_budgets_stop_the_search():
    env = SlidingTile(size=4)
    for batch_size in (None, 16):
        few = Limits(max_expanded=100)
        result = best_first(puzzle(env, 0), batch_size=batch_size, limits=few)
        assert (result.status, result.expanded, result.plan) == ("expansion_limit", 100, None)
        little = Limits(max_memory=1_000_000)
        result = best_first(puzzle(env, 0), batch_size=batch_size, limits=little)
        assert result.status == "memory_limit"
        assert 300_000 < result.memory <= 1_000_000
        assert result.cost == np.inf
        assert not result.proven_optimal
        short = Limits(max_seconds=0.05)
        result = best_first(puzzle(env, 0), batch_size=batch_size, limits=short)
        assert result.status == "time_limit"
        assert 0.05 <= result.seconds < 2


def test_a_solved_root_needs_no_plan():
    env = SlidingTile()
    env.reset(seed=0, options={"board": [[1, 2, 3], [4, 5, 6], [7, 0, 8]]})
    env.step(3)
    result = best_first(ModelProblem(env.model, env.state[None], MANHATTAN))
    assert (result.status, len(result.plan), result.cost) == ("solved", 0, 0.0)


def test_door_key_without_a_heuristic():
    env = DoorKey(size=5)
    for seed in range(4):
        root = env.model.reset([seed])
        plan = best_first(ModelProblem(env.model, root, unit_costs=True)).plan
        env.reset(seed=seed)
        outcomes = [env.step(action)[1:3] for action in plan]
        assert outcomes[-1][1]
        assert outcomes[-1][0] == pytest.approx(env.best_return(seed))


def test_real_costs_shortest_tour_of_five_cities():
    env = TSP(cities=5)
    for seed in range(5):
        result = best_first(ModelProblem(env.model, env.model.reset([seed])))
        assert result.cost == pytest.approx(-env.best_return(seed), rel=1e-6)


class Ledge:
    """A model of places in a row: 1 is lava, which ends the episode, and 3 the goal.

    Action 0 goes one place on; action 1 goes two, at the price of three.
    """

    deterministic = True
    definition = SimpleNamespace(agents=())

    def successors(self, states):
        children = states[:, None] + np.array([1, 2], np.int32)
        costs = np.tile(np.array([1.0, 3.0], np.float32), (len(states), 1))
        return Successors(
            states=children,
            costs=costs,
            rewards=-costs,
            legal=(children <= 3).astype(np.int8),
            terminated=(children == 1) | (children == 3),
        )

    def is_goal(self, states):
        return states == 3

    def key(self, states):
        return np.stack([states, states], axis=1).astype(np.uint64)


def blind(states):
    return np.zeros(len(states))


def test_terminal_states_that_are_no_goals_are_dead_ends():
    result = best_first(ModelProblem(Ledge(), np.array([0], np.int32), blind))
    assert (result.plan.tolist(), result.cost) == ([1, 0], 4.0)
    result = best_first(ModelProblem(Ledge(), np.array([0], np.int32), blind, unit_costs=True))
    assert (result.plan.tolist(), result.cost) == ([1, 0], 2.0)


def test_what_cannot_be_searched_is_refused():
    bandit = BernoulliBandit()
    with pytest.raises(UnsupportedFaceError, match="stochastic"):
        ModelProblem(bandit.model, bandit.model.reset([0]))
    env = DoorKey(size=5)
    with pytest.raises(InvalidArgumentError, match="unit_costs=True"):
        best_first(ModelProblem(env.model, env.model.reset([0])))
    for wrong in ({"weight": 1.5}, {"weight": -0.1}, {"batch_size": 0}):
        with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
            best_first(puzzle(SlidingTile(), 0), **wrong)
    for limit in ("max_expanded", "max_seconds", "max_memory"):
        with pytest.raises(InvalidArgumentError, match=limit):
            Limits(**{limit: 0})


@pytest.mark.parametrize(
    ("env", "episodes"), [(SlidingTile(), 40), (DoorKey(size=5), 6)], ids=["tiles", "door_key"]
)
def test_the_agent_scores_the_best_return_in_every_episode(env, episodes):
    arguments = {"size": 3 if isinstance(env, SlidingTile) else 5}
    played = evaluate(
        AStarAgent(), f"spelunk/{type(env).__name__}-v0", episodes=episodes, **arguments
    )
    best = [env.best_return(EVALUATION_SEEDS + i) for i in range(episodes)]
    np.testing.assert_allclose(played.returns, best, rtol=1e-6)


def test_the_agent_plans_again_for_each_lanes_next_episode():
    env = gymnasium.make_vec("spelunk/SlidingTile-v0", num_envs=3, autoreset_mode="SAME_STEP")
    observations, infos = env.reset(seed=0)
    agent = AStarAgent()
    agent.start(env, 0)
    optimal = optimal_moves(env.states["board"])
    episodes = 0
    while episodes < 9:
        actions = agent.act(observations, infos)
        observations, rewards, terminated, truncated, infos = env.step(actions)
        agent.update(actions, rewards, terminated | truncated)
        for lane in np.flatnonzero(terminated):
            assert infos["episode"]["l"][lane] == optimal[lane]
            optimal[lane] = optimal_moves(env.states["board"][lane : lane + 1])[0]
            episodes += 1


def test_an_agent_out_of_budget_still_acts_legally():
    played = evaluate(
        AStarAgent(limits=Limits(max_expanded=1)), "spelunk/SlidingTile-v0", episodes=4
    )
    assert (played.returns >= -225).all()
