import collections
import itertools
import sys

import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError, UnparseableActionError
from spelunk.envs.search.pddl_tasks import words
from spelunk.envs.search.strips import Strips
from spelunk.envs.search.strips_domains import FAMILIES, domain_file
from spelunk.envs.search.strips_faces import flags

DOMAIN = """
(define (domain rooms)
  (:requirements :strips :typing :equality :negative-preconditions :action-costs)
  (:types room thing - object robot cart - thing)
  (:constants HALL - room)
  (:predicates (in ?x - thing ?r - room) (locked ?r) (spare))
  (:functions (far ?a ?b - room) - number (total-cost) - number)
  (:action go
    :parameters (?x - (either robot cart) ?a ?b - room)
    :precondition (and (in ?x ?a) (not (locked ?b)) (not (= ?a ?b)))
    :effect (and (in ?x ?b) (not (in ?x ?a)) (increase (total-cost) (far ?a ?b))))
  (:action unlock
    :parameters (?x - robot ?r - room)
    :precondition (and (in ?x hall) (locked ?r))
    :effect (and (not (locked ?r)) (increase (total-cost) 2)))
  (:action lock
    :parameters (?r - room)
    :precondition (and (spare) (not (= ?r hall)))
    :effect (locked ?r)))
"""
PROBLEM = """
(define (problem p) (:domain rooms)
  (:objects lab - room r2 - robot c - cart)
  (:init (in r2 hall) (in c hall) (locked lab) (spare)
         (= (far hall lab) 3) (= (far lab hall) 1.5) (= (total-cost) 0))
  (:goal (and (in r2 lab) (not (locked lab))))
  (:metric minimize (total-cost)))
"""
SUSSMAN = """
(define (problem sussman) (:domain blocksworld)
  (:objects a b c - block)
  (:init (on-table a) (on c a) (clear c) (on-table b) (clear b) (arm-empty))
  (:goal (and (on a b) (on b c))))
"""


@pytest.fixture
def files(tmp_path):
    """Writes a domain and a problem and makes the environment of them."""

    def make(domain, problem, **arguments):
        (tmp_path / "domain.pddl").write_text(domain)
        (tmp_path / "problem.pddl").write_text(problem)
        return Strips(str(tmp_path / "domain.pddl"), str(tmp_path / "problem.pddl"), **arguments)

    return make


def operators_of(env, problem):
    """All operators of a problem: every action with every choice of objects of the right types."""
    objects = env.domain.constants | problem.objects
    for schema in env.domain.schemas:
        choices = [
            [o for o, kind in objects.items() if not kinds or env.domain.types_of(kind) & {*kinds}]
            for kinds in schema.parameters.values()
        ]
        for chosen in itertools.product(*choices):
            names = dict(zip(schema.parameters, chosen, strict=True))
            sets = [
                {tuple(names.get(term, term) for term in atom) for atom in atoms}
                for atoms in (schema.positive, schema.negative, schema.add, schema.delete)
            ]
            if all(names.get(a, a) != names.get(b, b) for a, b in schema.unequal):
                yield words((schema.name, *chosen)), *sets


def applicable(operators, facts):
    return {name for name, needs, bans, *_ in operators if needs <= facts and not bans & facts}


@pytest.mark.parametrize("domain", FAMILIES)
def test_operators_and_goals_against_sets_of_facts(domain):
    """The rules written a second way: nothing is grounded, left out or packed into bits."""
    env = Strips(domain, size=1 if domain == "sokoban" else None, problems=6)
    rng, moved = np.random.default_rng(0), 0
    for k in range(3):
        problem = env.problems[k]
        operators = {name: rest for name, *rest in operators_of(env, problem)}
        # Operators that never change anything are left out.
        listed = [
            (name, needs, bans, add, delete)
            for name, (needs, bans, add, delete) in operators.items()
            if add - needs or delete - add
        ]
        observation, info = env.reset(seed=k, options={"task": k})
        facts = set(problem.init)
        for _ in range(40):
            held = {env.task.facts[f] for f in np.flatnonzero(observation[0])}
            assert {fact for fact in held if not fact[0].startswith("is ")} <= facts
            hidden = facts - held
            assert not hidden & set(env.task.facts)
            wanted = {env.task.facts[f] for f in np.flatnonzero(observation[1])}
            assert problem.goal - set(env.task.facts) <= problem.init
            assert wanted == problem.goal & set(env.task.facts)
            names = {env.action_words(a) for a in np.flatnonzero(info["action_mask"])}
            found = applicable(listed, facts)
            assert names == (found or {"no operator applies"})
            action = env.sample_action(rng)
            if found:
                _, _, add, delete = operators[env.action_words(action)]
                facts = (facts - delete) | add
                moved += 1
            observation, reward, terminated, _, info = env.step(action)
            assert reward == -1.0
            assert terminated == (problem.goal <= facts)
            if terminated:
                break
    assert moved > 20


def reachable(env):
    """How many states of the first problem can be reached, and their facts."""
    states = env.model.reset([0])
    seen, frontier = {states["facts"][0].tobytes()}, states
    while len(frontier):
        children = env.model.successors(frontier)
        rows = children.states[children.legal == 1]
        fresh = [k for k, row in enumerate(rows["facts"]) if row.tobytes() not in seen]
        frontier = rows[fresh][np.unique(rows["facts"][fresh], axis=0, return_index=True)[1]]
        seen.update(row.tobytes() for row in frontier["facts"])
    return flags(np.array([np.frombuffer(row, np.int64) for row in seen]), len(env.task.facts))


def test_blocksworld_has_as_many_states_as_in_the_literature():
    """Blocks in towers, the arm being empty: OEIS A000262 (Slaney & Thiébaux 2001)."""
    for blocks, towers in ((3, 13), (4, 73), (5, 501)):
        env = Strips("blocksworld", size=blocks, problems=1)
        states = reachable(env)
        assert states[:, env.task.facts.index(("arm-empty",))].sum() == towers


def test_the_sussman_anomaly_takes_six_actions(tmp_path):
    file = tmp_path / "sussman.pddl"
    file.write_text(SUSSMAN)
    env = Strips(problem=str(file))
    assert env.best_return(0) == -6.0
    env.reset(seed=0)
    for text in ("(unstack c a)", "putdown C", "(pickup b)", "(stack b c)", "pickup a"):
        assert not env.step(env.parse(text))[2]
    assert env.step(env.parse("stack a b"))[2]
    with pytest.raises(UnparseableActionError, match="names no operator"):
        env.parse("stack a d")


def test_types_equality_negation_and_costs(files):
    env = files(DOMAIN, PROBLEM)
    assert {words(o): c for o, c in zip(env.task.operators, env.task.costs, strict=True)} == {
        "(go r2 hall lab)": 3.0,
        "(go c hall lab)": 3.0,
        "(go r2 lab hall)": 1.5,
        "(go c lab hall)": 1.5,
        "(unlock r2 lab)": 2.0,
        "(lock lab)": 1.0,
    }
    observation, _ = env.reset(seed=0)
    shown = dict(zip(map(words, env.task.facts), observation.T.tolist(), strict=True))
    assert shown == {
        "(in c hall)": [1, 0],
        "(in c lab)": [0, 0],
        "(in r2 hall)": [1, 0],
        "(in r2 lab)": [0, 1],
        "(locked lab)": [1, -1],
    }
    assert env.action_mask()[:-1].tolist() == [0, 0, 0, 0, 1, 1]
    assert env.step(env.parse("unlock r2 lab"))[1:3] == (-2.0, False)
    assert env.step(env.parse("go r2 hall lab"))[1:3] == (-3.0, True)
    assert env.best_return(0) is None


def _with(old, new):
    return DOMAIN.replace(old, new).replace(":strips", ":strips :adl")


@pytest.mark.parametrize(
    ("domain", "named"),
    [
        (_with("(not (locked ?b))", "(or (spare) (locked ?b))"), "disjunction"),
        (_with("(not (locked ?b))", "(exists (?z - room) (locked ?z))"), "existential"),
        (_with("(not (locked ?b))", "(forall (?z - room) (locked ?z))"), "universal condition"),
        (_with("(not (locked ?r))", "(when (spare) (not (locked ?r)))"), "conditional effect"),
        (_with("(not (locked ?r))", "(forall (?z - room) (locked ?z))"), "universal effect"),
        (_with("(increase (total-cost) 2)", "(decrease (total-cost) 2)"), "decrease"),
        (_with("(not (locked ?b))", "(> (total-cost) 2)"), "condition"),
        (_with("(:types", "(:tips"), "not PDDL"),
    ],
)
def test_what_is_not_supported_is_named(files, domain, named):
    with pytest.raises(InvalidArgumentError, match=named):
        files(domain, PROBLEM)
    assert getattr(sys, "tracebacklimit", None) is None


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("(not (locked lab))", "(spare)", None),
        ("(in r2 lab) (not (locked lab))", "(in r2 hall)", "holds from the start"),
        ("(in r2 lab) (not (locked lab))", "(locked hall)", "can never be reached"),
        ("(in r2 lab) (not (locked lab))", "(not (spare))", "can never be undone"),
        ("(:domain rooms)", "(:domain other)", "of the domain 'other'"),
        ("(= (far lab hall) 1.5)", "", "must have one value"),
        ("minimize", "maximize", "metric"),
    ],
)
def test_problems_that_cannot_be_are_refused(files, old, new, problem):
    if problem is None:
        files(DOMAIN, PROBLEM.replace(old, new))
        return
    with pytest.raises(InvalidArgumentError, match=problem):
        files(DOMAIN, PROBLEM.replace(old, new))


@pytest.mark.parametrize("domain", FAMILIES)
def test_drawn_problems_written_as_pddl_are_the_same_problems(domain, tmp_path):
    env = Strips(domain, problems=4)
    for k in range(4):
        (tmp_path / f"p{k}.pddl").write_text(env.pddl(k))
    read = Strips(str(domain_file(domain)), str(tmp_path))
    assert [p.init for p in read.problems] == [p.init for p in env.problems]
    assert read.task.facts == env.task.facts
    assert read.task.operators == env.task.operators
    for name in ("want", "care", "keep", "add", "starts", "goal", "goal_care"):
        assert (getattr(read.task, name) == getattr(env.task, name)).all()


@pytest.mark.parametrize("domain", FAMILIES)
def test_all_small_problems_can_be_solved_within_the_limit(domain):
    env = Strips(domain)
    best = [env.best_return(seed) for seed in range(100)]
    assert None not in best
    assert min(best) > -100
    assert len(set(best)) > 1


def test_floors_can_be_painted_from_below():
    env = Strips("floortile", split="test", problems=20)
    for k, problem in enumerate(env.problems):
        env.reset(seed=0, options={"task": k})
        paint_all(env, problem)


def paint_all(env, problem):
    """Two robots in the lowest row; the left one paints all columns but the last."""
    colours = {fact[1]: fact[2] for fact in problem.goal}
    side = int(max(tile.split("-")[1] for tile in colours)) + 1
    places = {
        a[1]: tuple(map(int, a[2][1:].split("-"))) for a in problem.init if a[0] == "robot-at"
    }
    holds = {a[1]: a[2] for a in problem.init if a[0] == "robot-has"}
    terminated = False

    def do(text):
        nonlocal terminated
        terminated = env.step(env.parse(text))[2]

    def name(row, col):
        return f"t{row}-{col}"

    def move(robot, row, col):
        while places[robot] != (row, col):
            y, x = places[robot]
            # Down first, as columns may be painted, and up last.
            way, to = (
                ("down", (y - 1, x)) if y > row or (x != col and y > 0)
                else ("left", (y, x - 1)) if x > col
                else ("right", (y, x + 1)) if x < col
                else ("up", (y + 1, x))
            )  # fmt: skip
            if to in places.values():
                return False
            do(f"{way} {robot} {name(y, x)} {name(*to)}")
            places[robot] = to
        return True

    robots = sorted(places, key=lambda robot: places[robot][1])
    for robot in sorted(robots, key=lambda robot: places[robot][0]):
        move(robot, 0, places[robot][1])
    left, right = robots
    if places[left][1] == places[right][1]:  # one stood above the other, and could not get down
        low, high = sorted(robots, key=lambda robot: places[robot][0])
        x = places[low][1]
        away = x + 1 if x + 1 < side else x - 1
        assert move(low, 0, away)
        assert move(high, 0, x)
        left, right = (high, low) if away > x else (low, high)
    assert move(right, 0, side - 1)
    for robot, columns in ((left, range(side - 1)), (right, [side - 1])):
        for col in columns:
            for row in range(side, 0, -1):
                assert move(robot, row - 1, col)
                tile, at = name(row, col), name(row - 1, col)
                if holds[robot] != colours[tile]:
                    do(f"change-colour {robot} {holds[robot]} {colours[tile]}")
                    holds[robot] = colours[tile]
                do(f"paint-up {robot} {tile} {at} {colours[tile]}")
    assert terminated


def test_all_spanners_collected_tighten_all_nuts():
    env = Strips("spanner", split="test", problems=10)
    for k in range(10):
        _, info = env.reset(seed=0, options={"task": k})
        terminated = False
        while not terminated:
            texts = map(env.action_words, np.flatnonzero(info["action_mask"]))
            # Walking comes last.
            text = min(texts, key=lambda text: (text.startswith("(walk"), text))
            _, _, terminated, truncated, info = env.step(env.parse(text))
            assert not truncated


def test_dead_ends_go_on():
    env = Strips("spanner", size=2, problems=1)
    env.reset(seed=0)
    info = {}
    while not info or any(info["action_mask"][:-1]):
        walks = [a for a in range(len(env.task.operators)) if "walk" in env.action_words(a)]
        legal = [a for a in walks if env.action_mask()[a]]
        info = env.step(legal[0])[4]
    assert env.action_mask()[-1] == 1
    facts = env.state["facts"].copy()
    assert env.step(env.parse("no operator applies"))[1:4] == (-1.0, False, False)
    assert (env.state["facts"] == facts).all()


def test_splits_and_banks_differ():
    train, test = (Strips("transport", split=s, problems=8) for s in ("train", "test"))
    sizes = [{len(p.goal) for p in env.problems} for env in (train, test)]
    assert max(sizes[0]) < min(sizes[1])
    same = [Strips("transport", size=2, split=s, problems=8) for s in ("train", "test")]
    assert {len(p.goal) for env in same for p in env.problems} == {2}
    assert [p.init for p in same[0].problems] != [p.init for p in same[1].problems]
    larger = Strips("transport", problems=12)
    assert larger.problems[:8] == train.problems
    kinds = collections.Counter(
        env.reset(seed=s)[0].tobytes() for env in [train] for s in range(99)
    )
    assert len(kinds) == 8


@pytest.mark.parametrize(
    "arguments",
    [
        {"domain": "chess"},
        {"domain": "floortile", "size": 1},
        {"size": 2.0},
        {"split": "all"},
        {"problems": 0},
        {"problems_seed": -1},
        {"problem": "p.pddl", "size": 3},
        {"problem": "a missing problem.pddl"},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match=list(arguments)[-1]):
        Strips(**arguments)
