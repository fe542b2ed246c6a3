import numpy as np
import pytest

from spelunk.agents.core.evaluation import evaluate
from spelunk.agents.planning.beam import BeamAgent, beam_search
from spelunk.agents.planning.best_first import best_first
from spelunk.agents.planning.heuristics import make_heuristic
from spelunk.agents.planning.problem import Expansion, ModelProblem
from spelunk.agents.planning.search import Limits
from spelunk.envs.gridworld.door_key import DoorKey
from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.search.maze import Maze
from spelunk.envs.search.sliding_tile import SlidingTile, optimal_moves


def problem(env, seed, heuristic=None, **options):
    estimate = make_heuristic(env, heuristic)
    return ModelProblem(env.model, env.model.reset([seed]), estimate, **options)


def beams_by_hand(problem, width):
    """The rules written a second way, where every step costs 1: (moves or None, expanded)."""
    beam, seen, expanded, moves = [problem.root], {problem.key(problem.root).tobytes()}, 0, 0
    while beam:
        moves += 1
        expanded += len(beam)
        layer, solved = {}, False
        for state in beam:
            found = problem.expand(state)
            solved = solved or found.goals.any()
            for action in np.flatnonzero(np.isfinite(found.costs[0])):
                child = found.states[:, action]
                layer.setdefault(problem.key(child).tobytes(), child)
        if solved:
            return moves, expanded
        fresh = [child for key, child in layer.items() if key not in seen]
        beam = sorted(fresh, key=lambda child: problem.heuristic(child)[0])[:width]
        seen.update(problem.key(child).tobytes() for child in beam)
    return None, expanded


@pytest.mark.parametrize("width", [1, 2, 7, 50])
def test_beams_against_the_rules_written_a_second_way(width):
    env, outcomes = SlidingTile(3), set()
    for seed in range(15):
        given = problem(env, seed)
        result = beam_search(given, width=width)
        moves, expanded = beams_by_hand(given, width)
        assert result.expanded == expanded
        outcomes.add(result.status)
        if moves is None:
            assert (result.status, result.plan, result.cost) == ("no_plan", None, np.inf)
            continue
        assert (result.status, len(result.plan), result.cost) == ("solved", moves, moves)
        assert given.cost(result.plan) == moves
        assert not result.proven_optimal
    if width == 1:
        assert "no_plan" in outcomes


def test_a_beam_as_wide_as_the_space_is_breadth_first_search():
    env = SlidingTile(3)
    optimal = optimal_moves(env.model.reset(range(10))["board"])
    for seed, moves in enumerate(optimal):
        assert beam_search(problem(env, seed, "blind"), width=200_000).cost == moves


def test_wider_beams_find_cheaper_plans():
    env = SlidingTile(4)
    costs = [
        np.mean([beam_search(problem(env, seed), width=width).cost for seed in range(5)])
        for width in (30, 3000)
    ]
    assert costs[1] < 0.8 * costs[0]


def test_costs_that_differ():
    """Of a layer's goals the cheapest; states come back where they were cheaper to reach."""
    env = Maze(15)
    for seed in range(10):
        given = problem(env, seed)
        result, best = beam_search(given, width=1000), best_first(given).cost
        assert best <= result.cost == pytest.approx(given.cost(result.plan))
        state = given.root
        for action in result.plan:
            state, _, _ = env.model.step(state, [action])
        assert env.model.is_goal(state)[0]


class Diamond:
    """0 leads to 1 and 2, both lead to 3, and 3 to the goal 4; the way by 1 looks better."""

    root = np.zeros(1, np.int64)
    targets = np.array([[1, 2], [3, 3], [3, 3], [4, 4], [4, 4]])
    costs = np.array([[3.0, 1.0], [1.0, np.inf], [1.0, np.inf], [1.0, np.inf], [1.0, np.inf]])

    def expand(self, states):
        targets = self.targets[states]
        return Expansion(targets, self.costs[states], targets == 4)

    def is_goal(self, states):
        return states == 4

    def heuristic(self, states):
        return (states == 2).astype(float)

    def key(self, states):
        return np.stack([states, states], axis=1).astype(np.uint64)


def test_of_two_ways_to_a_state_in_one_layer_the_cheaper_counts():
    result = beam_search(Diamond(), weight=0.0)
    assert (result.plan.tolist(), result.cost, result.expanded) == ([1, 0, 0], 3.0, 4)


def test_limits_stop_it():
    given = problem(SlidingTile(4), 0)
    result = beam_search(given, width=64, limits=Limits(max_expanded=1000))
    assert (result.status, result.expanded, result.plan) == ("expansion_limit", 1000, None)
    result = beam_search(given, width=2000, limits=Limits(max_memory=500_000))
    assert result.status == "memory_limit"
    short = Limits(max_seconds=0.02)
    assert beam_search(problem(SlidingTile(5), 0), width=5000, limits=short).status == "time_limit"


def test_wrong_arguments_are_refused():
    given = problem(SlidingTile(3), 0)
    for wrong in ({"width": 0}, {"weight": 2.0}):
        with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
            beam_search(given, **wrong)
    door_key = DoorKey(size=5)
    with pytest.raises(InvalidArgumentError, match="unit_costs=True"):
        beam_search(problem(door_key, 0))


def test_the_agent_solves_whatever_it_plays():
    played = evaluate(BeamAgent(width=100), "spelunk/SlidingTile-v0", episodes=10)
    assert (played.returns >= -60).all()
    assert evaluate(BeamAgent(), "spelunk/DoorKey-v0", episodes=3, size=5).returns.min() > 0.5
