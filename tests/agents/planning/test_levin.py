import json

import numpy as np
import pytest

from spelunk.agents.core.evaluation import evaluate
from spelunk.agents.core.run import RunConfig, train
from spelunk.agents.core.trainer import Task
from spelunk.agents.planning.heuristics import make_heuristic
from spelunk.agents.planning.levin import (
    GreedyPolicy,
    LevinAgent,
    TrainedPolicy,
    levin_search,
    uniform,
)
from spelunk.agents.planning.problem import Expansion, ModelProblem
from spelunk.agents.planning.search import Limits
from spelunk.envs.gridworld.door_key import DoorKey
from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.search.sliding_tile import SlidingTile


class Tree:
    """A random tree of the given depth; a state is a path, and everything is drawn from it."""

    def __init__(self, seed, depth=9, actions=3):
        rng = np.random.default_rng(seed)
        self.depth, self.actions = depth, actions
        nodes = sum(actions**k for k in range(depth + 1))
        self.costs = rng.integers(1, 5, (nodes, actions)).astype(float)
        self.costs[rng.random((nodes, actions)) < 0.25] = np.inf
        self.costs[(nodes - 1) // actions :] = np.inf  # the leaves
        self.goals = rng.random(nodes) < 0.003
        self.goals[0] = False
        self.weights = rng.random((nodes, actions)) ** 3
        self.root = np.zeros(1, np.int64)

    def children_of(self, nodes):
        return nodes[:, None] * self.actions + 1 + np.arange(self.actions)

    def expand(self, states):
        children = self.children_of(states)
        inside = np.minimum(children, len(self.goals) - 1)
        return Expansion(children, self.costs[states], self.goals[inside])

    def is_goal(self, states):
        return self.goals[states]

    def heuristic(self, states):
        return np.zeros(len(states))

    def key(self, states):
        return np.stack([states * 7919, states], axis=1).astype(np.uint64)

    def policy(self, states, children):
        return self.weights[states]

    def least_effort(self):
        """The lowest d / π of all goals, and the costs of the ways to those that attain it."""
        best, costs = np.inf, []
        stack = [(0, 1.0, 1, 0.0)]
        while stack:
            node, probability, length, cost = stack.pop()
            if self.goals[node]:
                effort = length / probability
                if effort < best * (1 - 1e-9):
                    best, costs = effort, []
                if effort < best * (1 + 1e-9):
                    costs.append(cost)
                continue
            legal = np.flatnonzero(np.isfinite(self.costs[node]))
            total = self.weights[node, legal].sum()
            for action in legal:
                share = self.weights[node, action] / total
                child = node * self.actions + 1 + int(action)
                stack.append(
                    (child, probability * share, length + 1, cost + self.costs[node, action])
                )
        return best, costs


def test_the_guarantee_of_the_paper():
    """No more states are expanded than the lowest d / π of any goal."""
    solved, tight = 0, 0
    for seed in range(60):
        tree = Tree(seed)
        result, (effort, costs) = levin_search(tree, tree.policy, batch_size=1), tree.least_effort()
        assert (result.status == "solved") == np.isfinite(effort)
        if result.plan is not None:
            solved += 1
            assert result.expanded <= effort * (1 + 1e-9)
            tight += result.expanded > effort / 10
            assert any(result.cost == pytest.approx(cost) for cost in costs)
    assert solved > 20
    assert tight > 5


def log_probability(problem, policy, plan):
    state, total = problem.root, 0.0
    for action in plan:
        children = problem.expand(state)
        weights = np.where(np.isfinite(children.costs), policy(state, children), 0.0)[0]
        total += np.log(weights[action] / weights.sum())
        state = children.states[:, action]
    return total


@pytest.mark.parametrize("env", [SlidingTile(3, scramble=9), DoorKey(size=5)])
def test_no_more_is_expanded_than_the_plan_found_allows(env):
    unit = isinstance(env, DoorKey)
    for seed in range(10):
        problem = ModelProblem(env.model, env.model.reset([seed]), make_heuristic(env), unit)
        for policy in (uniform, GreedyPolicy(problem, 2.0)):
            result = levin_search(problem, policy, batch_size=1)
            bound = (len(result.plan) + 1) / np.exp(log_probability(problem, policy, result.plan))
            assert result.expanded <= bound * (1 + 1e-9)
            assert result.cost == problem.cost(result.plan)
            assert not result.proven_optimal
            batched = levin_search(problem, policy)
            assert batched.status == "solved"
            assert batched.calls < max(result.calls, 2)


def test_a_better_policy_needs_less():
    env = SlidingTile(3)
    expanded = {}
    for temperature in (0.7, 20.0):
        problems = [
            ModelProblem(env.model, env.model.reset([seed]), make_heuristic(env))
            for seed in range(5)
        ]
        found = [levin_search(p, GreedyPolicy(p, temperature)) for p in problems]
        assert {result.status for result in found} == {"solved"}
        expanded[temperature] = sum(result.expanded for result in found)
    assert 5 * expanded[0.7] < expanded[20.0]


def test_what_the_policy_never_does_is_not_searched():
    env = DoorKey(size=5)
    problem = ModelProblem(env.model, env.model.reset([0]), unit_costs=True)

    def turns_only(states, children):
        return np.arange(children.costs.shape[1]) < 2

    result = levin_search(problem, turns_only)
    assert (result.status, result.plan, result.cost) == ("no_plan", None, np.inf)
    limited = levin_search(problem, limits=Limits(max_expanded=10))
    assert (limited.status, limited.expanded) == ("expansion_limit", 10)
    with pytest.raises(InvalidArgumentError, match="batch_size"):
        levin_search(problem, batch_size=0)


def test_the_policy_of_a_run(tmp_path):
    folder, env_id = tmp_path / "run", "spelunk/DoorKey-v0"
    task = Task(env_id, 2048, 16, {"size": 5}, 0, "cpu")
    train(RunConfig("ppo", task, {}), folder, progress=False, evaluation_episodes=2)
    env = DoorKey(size=5)
    problem = ModelProblem(env.model, env.model.reset([0, 1, 2])[:1], unit_costs=True)
    policy = TrainedPolicy(folder, env.model)
    states = env.model.reset(range(5))
    children = problem.expand(states)
    probabilities = policy(states, children)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert (probabilities[~np.isfinite(children.costs)] == 0).all()
    agent = LevinAgent(policy=str(folder))
    assert evaluate(agent, env_id, episodes=3, size=5).returns.min() > 0
    config = json.loads((folder / "config.json").read_text())
    assert config["agent"] == "ppo"


def test_the_agents_policies():
    for policy in ("uniform", "greedy"):
        agent = LevinAgent(policy=policy)
        played = evaluate(agent, "spelunk/SlidingTile-v0", episodes=4, scramble=8)
        assert played.returns.min() >= -40
        assert agent.figures()["expanded"] > 0
    with pytest.raises(InvalidArgumentError, match="policy must be"):
        evaluate(LevinAgent(policy="none"), "spelunk/SlidingTile-v0", episodes=1)
