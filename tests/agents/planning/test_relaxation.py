import heapq

import numpy as np
import pytest

from spelunk.agents.planning.compiled import estimates
from spelunk.agents.planning.relaxation import goal_count, h_add, h_ff, h_max
from spelunk.envs.search.strips import Strips
from spelunk.envs.search.strips_domains import FAMILIES
from spelunk.envs.search.strips_faces import flags

#: Two keys open a door together; one of them costs more, and the short cut needs no light.
DOMAIN = """
(define (domain doors)
  (:requirements :strips :negative-preconditions :action-costs)
  (:predicates (red) (blue) (open) (light) (through) (never))
  (:functions (total-cost) - number)
  (:action red :parameters () :precondition () :effect (and (red) (increase (total-cost) 2)))
  (:action blue :parameters () :precondition () :effect (and (blue) (increase (total-cost) 5)))
  (:action open :parameters () :precondition (and (red) (blue))
    :effect (and (open) (not (red)) (increase (total-cost) 1)))
  (:action walk :parameters () :precondition (and (open) (red))
    :effect (and (through) (increase (total-cost) 1)))
  (:action off :parameters () :precondition (light)
    :effect (and (not (light)) (increase (total-cost) 3)))
  (:action sneak :parameters () :precondition (and (red) (not (light)) (never))
    :effect (and (through) (increase (total-cost) 1))))
"""
PROBLEM = """
(define (problem p) (:domain doors) (:init (light)) (:goal (and (through) (not (light)))))
"""
KINDS = {"goal_count": goal_count, "h_max": h_max, "h_add": h_add, "h_ff": h_ff}


def values(env, kind, states):
    return estimates(env.definition, KINDS[kind](env), states)


@pytest.fixture
def doors(tmp_path):
    def make(domain=DOMAIN, problem=PROBLEM):
        (tmp_path / "domain.pddl").write_text(domain)
        (tmp_path / "problem.pddl").write_text(problem)
        return Strips(str(tmp_path / "domain.pddl"), str(tmp_path / "problem.pddl"))

    return make


def test_values_worked_out_by_hand(doors):
    env = doors()
    start = env.model.reset([0])
    # max: blue 5, open 6, walk 7, and off 3. Added: open 2 + 5 + 1 = 8, walk 8 + 2 + 1 = 11, off 3.
    # The relaxed plan is red, blue, open, walk, off, and counts red once.
    expected = {"goal_count": 2, "h_max": 7, "h_add": 14, "h_ff": 12}
    assert {kind: values(env, kind, start)[0] for kind in KINDS} == expected
    after = start
    for text in ("red", "blue", "open", "red", "walk"):
        after = env.model.step(after, [env.parse(text)])[0]
    assert {kind: values(env, kind, after)[0] for kind in KINDS} == {
        "goal_count": 1, "h_max": 3, "h_add": 3, "h_ff": 3,
    }  # fmt: skip
    done = env.model.step(after, [env.parse("off")])[0]
    assert env.model.is_goal(done)[0]
    assert [values(env, kind, done)[0] for kind in KINDS] == [0, 0, 0, 0]


def test_the_sussman_anomaly(tmp_path):
    file = tmp_path / "sussman.pddl"
    file.write_text(
        "(define (problem sussman) (:domain blocksworld) (:objects a b c - block)"
        "(:init (on-table a) (on c a) (clear c) (on-table b) (clear b) (arm-empty))"
        "(:goal (and (on a b) (on b c))))"
    )
    env = Strips(problem=str(file))
    start = env.model.reset([0])
    # (on b c) takes pickup b, stack; (on a b) unstack c a, pickup a, stack: two operators and
    # three, the needs of each being met one after the other.
    expected = {"goal_count": 2, "h_max": 3, "h_add": 5, "h_ff": 5}
    assert {kind: values(env, kind, start)[0] for kind in KINDS} == expected


def by_rounds(env, state, combine):
    """The estimates a second way: rounds over all operators until nothing changes."""
    task, n = env.task, len(env.task.facts)
    holds = flags(state["facts"], n)
    value = np.where(np.concatenate([holds, ~holds]), 0.0, np.inf)
    needs = np.concatenate([flags(task.want, n), flags(task.care & ~task.want, n)], axis=1)
    made = np.concatenate([flags(task.add, n), flags(~task.keep & ~task.add, n)], axis=1)
    while True:
        before = value.copy()
        for operator, cost in enumerate(task.costs):
            total = cost + combine(value[needs[operator]], initial=0.0)
            value[made[operator]] = np.minimum(value[made[operator]], total)
        if (value == before).all():
            break
    k = state["problem"]
    goal = task.goal[k]
    wanted = np.concatenate([flags(goal, n), flags(task.goal_care[k] & ~goal, n)])
    return combine(value[wanted], initial=0.0)


def some_states(env, n, seed):
    """States of random walks of different lengths."""
    rng, states = np.random.default_rng(seed), []
    for k in range(n):
        env.reset(seed=k)
        for _ in range(int(rng.integers(12))):
            if env.step(env.sample_action(rng))[2]:
                break
        states.append(env.snapshot())
    return np.array(states, env.definition.layout.dtype)


@pytest.mark.parametrize("domain", FAMILIES)
def test_estimates_against_rounds_over_all_operators(domain):
    env = Strips(domain, problems=8)
    states = some_states(env, 12, seed=1)
    found = {kind: values(env, kind, states) for kind in KINDS}
    for k, state in enumerate(states):
        assert found["h_max"][k] == by_rounds(env, state, np.max)
        assert found["h_add"][k] == by_rounds(env, state, np.sum)
    assert ((found["h_ff"] <= found["h_add"]) & (found["h_ff"] >= found["h_max"])).all()
    assert ((found["goal_count"] == 0) == env.model.is_goal(states)).all()


@pytest.mark.parametrize("domain", FAMILIES)
def test_h_max_never_overestimates(domain):
    env = Strips(domain)
    seeds = range(40)
    starts = env.model.reset(seeds)
    best = np.array([-env.best_return(seed) for seed in seeds])
    assert (values(env, "h_max", starts) <= best).all()


def test_dead_ends_are_infinite(doors):
    env = Strips("spanner", size=2, problems=1)
    env.reset(seed=0)
    while env.action_mask()[-1] == 0:
        walks = [a for a in np.flatnonzero(env.action_mask()) if "walk" in env.action_words(a)]
        env.step(walks[0])
    for kind in ("h_max", "h_add", "h_ff"):
        assert values(env, kind, env.snapshot()[None])[0] == np.inf
    assert values(env, "goal_count", env.snapshot()[None])[0] == 2


def greedy(env, task, heuristic, most):
    """The length of a plan by greedy best-first search; None where it takes too long."""
    env.reset(seed=0, options={"task": task})
    queue, seen, nodes = [(0.0, 0, 0)], set(), [env.snapshot()]
    for _ in range(most):
        _, node, depth = heapq.heappop(queue)
        children = env.model.successors(nodes[node][None])
        rows = children.states[0][children.legal[0] == 1]
        rows = rows[[row.tobytes() not in seen for row in rows["facts"]]]
        seen.update(row.tobytes() for row in rows["facts"])
        if env.model.is_goal(rows).any():
            return depth + 1
        for row, h in zip(rows, estimates(env.definition, heuristic, rows), strict=True):
            if h < np.inf:
                heapq.heappush(queue, (h, len(nodes), depth + 1))
                nodes.append(row)
    return None


@pytest.mark.parametrize("domain", ["blocksworld", "miconic", "rovers", "transport"])
def test_h_ff_leads_to_the_goals_of_larger_problems(domain):
    env = Strips(domain, split="test", problems=6)
    heuristic = h_ff(env)
    for task in range(6):
        plan = greedy(env, task, heuristic, most=3000)
        assert plan is not None
        assert plan < 200
