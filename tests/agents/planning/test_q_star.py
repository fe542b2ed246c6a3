import numpy as np
import pytest

from spelunk.agents.planning.best_first import best_first
from spelunk.agents.planning.problem import ModelProblem
from spelunk.agents.planning.q_star import q_star
from spelunk.agents.planning.search import Limits
from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.kernel.solve import distance_table
from spelunk.envs.search.pancake import Pancake

ENV = Pancake(size=7)
DISTANCES = distance_table(ENV)


def distances(states):
    rank, params = ENV.definition.kernels.rank, ENV.definition.params
    return np.array([float(DISTANCES[rank(state, params)]) for state in states])


def exact(states, share=1.0):
    """The cost of each action and of a share of what follows."""
    children = ENV.model.successors(states)
    after = distances(children.states.ravel()).reshape(children.costs.shape)
    return children.costs + share * after


def problems(n):
    return [ModelProblem(ENV.model, ENV.model.reset([seed]), distances) for seed in range(n)]


def test_with_exact_costs_it_follows_the_plan_and_nothing_else():
    for problem in problems(50):
        result = q_star(problem, exact)
        assert result.cost == len(result.plan) == distances(problem.root)[0]
        assert result.generated == len(result.plan)
        assert result.expanded == result.calls == len(result.plan)  # the goal needs no costs


@pytest.mark.parametrize("batch_size", [1, 8])
def test_costs_that_never_overestimate_give_the_cheapest_plans(batch_size):
    for problem in problems(30):
        result = q_star(problem, lambda s: exact(s, 0.7), batch_size=batch_size)
        assert result.cost == distances(problem.root)[0]
        assert problem.cost(result.plan) == result.cost


def test_it_makes_fewer_nodes_than_a_star_with_the_same_costs():
    """Of a state A* makes all children, Q* those that come to be the best."""
    nodes = np.zeros(2)
    for problem in problems(30):
        problem.estimate = lambda states: 0.7 * distances(states)
        nodes += (
            best_first(problem, batch_size=1).generated,
            q_star(problem, lambda s: exact(s, 0.7)).generated,
        )
    assert nodes[0] > 3 * nodes[1]


def test_a_better_way_to_a_state_is_taken_up():
    """Costs that mislead: the plan found first is not the cheapest."""
    rng = np.random.default_rng(0)
    noise = rng.random((100, 6)) * 4

    def misleading(states):
        return exact(states, 0.5) + noise[: len(states)]

    for problem in problems(20):
        result = q_star(problem, misleading, weight=0.5)
        assert result.status == "solved"
        assert problem.cost(result.plan) == result.cost


def test_budgets_stop_the_search():
    problem = ModelProblem(ENV.model, ENV.model.reset([0]))
    blind = lambda states: np.ones((len(states), 6))  # noqa: E731
    result = q_star(problem, blind, limits=Limits(max_expanded=50))
    assert (result.status, result.generated) == ("expansion_limit", 50)
    result = q_star(problem, blind, limits=Limits(max_memory=20_000))
    assert result.status == "memory_limit"
    assert result.memory <= 20_000
    for wrong in ({"weight": 2.0}, {"batch_size": 0}):
        with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
            q_star(problem, blind, **wrong)


def test_illegal_actions_are_never_taken():
    first_only = np.array([0.0, *[np.inf] * 5])
    problem = ModelProblem(ENV.model, ENV.model.reset([1]))
    result = q_star(problem, lambda s: np.tile(first_only, (len(s), 1)))
    assert result.status == "no_plan"
    assert result.generated == 2  # there and back
