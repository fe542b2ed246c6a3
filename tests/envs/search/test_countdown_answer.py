import itertools
from collections import Counter

import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError, UnparseableActionError
from spelunk.envs.search.arithmetic import distinct_solutions
from spelunk.envs.search.countdown import Countdown
from spelunk.envs.search.countdown_answer import CountdownAnswer
from spelunk.envs.search.expressions import canonical, makes, parse_expression

SMALL = {"numbers": 3, "target": (1, 50), "highest": 20}


def start(numbers, target, **arguments):
    env = CountdownAnswer(numbers=len(numbers), **arguments)
    env.reset(seed=0, options={"numbers": numbers, "target": target})
    return env


@pytest.mark.parametrize("arguments", [{}, SMALL, {"numbers": 6, "target": (100, 999)}])
def test_starts_are_those_of_countdown(arguments):
    env, countdown = CountdownAnswer(**arguments), Countdown(**arguments)
    for seed in range(60):
        env.reset(seed=seed)
        countdown.reset(seed=seed)
        for name in ("numbers", "target", "rng"):
            assert np.array_equal(env.state[name], countdown.state[name])


@pytest.mark.parametrize(
    ("message", "reward"),
    [
        ("(3 + 5) * 4", 1),
        ("4*(5+3)", 1),
        (" ( 3 + 5 ) × 4 ", 1),
        ("3 * 4 = 12 is no good\n<answer>(3 + 5) * 4</answer>", 1),
        ("try 3 + 4 = 7 undo answer ( 3 + 5 ) * 4", 1),
        ("<answer>(3 + 5) * 4</answer>, or\nanswer: 3 + 5", 0),
        ("3 + 5 * 4", 0),
        ("8 * 4", 0),
        ("4 * 4 * 2", 0),
        ("(3 + 5) * 4 * 1", 0),
        ("(3 + 5) * 4 = 32", 0),
        ("3 + 5 * 4 / 0", 0),
        ("", 0),
        ("answer:", 0),
        ("32", 0),
        ("(" * 9000, 0),
        ("9" * 399, 0),
        ("9*" * 199 + "9", 0),
        ("(3 + 5) * 4" + " " * 20_000, 0),
        ("__import__('os').abort()", 0),
        ("\x00\ud800（3＋5）＊4", 0),
    ],
)
def test_answers_are_checked(message, reward):
    env = start([3, 5, 4], 32)
    _, given, terminated, truncated, info = env.step(message)
    assert (given, terminated, truncated) == (reward, True, False)
    assert info == {"success": reward}
    assert env.describe().isascii()


def test_numbers_must_all_be_used_unless_the_arguments_say_otherwise():
    assert start([3, 5, 1], 15).step("3 * 5")[1] == 0
    assert start([3, 5, 1], 15, use_all=False).step("3 * 5")[1] == 1


def test_results_in_between_can_be_negative_or_fractions():
    assert start([1, 2, 4], 3).step("1 - 2 + 4")[1] == 1
    assert start([3, 2, 4], 6).step("3 / 2 * 4")[1] == 1


def test_tasks_in_both_dialects():
    assert start([3, 5, 4], 32).describe() == (
        "Make 32 from the numbers 3, 5 and 4 by + - * and /, with all of them, each once. "
        "Answer with one expression."
    )
    env = start([3, 5, 4], 32, dialect="compact")
    assert env.describe() == "3 5 4 = 32"
    assert env.plan(env.state) == ["( 3 + 5 ) * 4"]
    assert env.step("3 5 4")[0] == "3 5 4 = 32 wrong"


@pytest.mark.parametrize(
    ("message", "english", "compact"),
    [
        ("(3 + 5) * 4", "", ""),
        ("3 + 5 * 4", "The expression makes 23, not 32.", "makes 23"),
        ("8 * 4", "The numbers used are 8 4.", "uses 8 4"),
        ("3 / (5 - 5)", "The expression divides by zero.", "divides by 0"),
    ],
)
def test_critiques(message, english, compact):
    for dialect, said in (("english", english), ("compact", compact)):
        env = start([3, 5, 4], 32, dialect=dialect)
        assert env.critique(env.state, message) == said


def test_splits_are_disjoint_whatever_the_order_and_the_other_arguments():
    forms = {}
    for split in ("train", "test"):
        env = CountdownAnswer(**SMALL, split=split)
        forms[split] = set()
        for seed in range(500):
            env.reset(seed=seed)
            forms[split].add((*sorted(env.state["numbers"].tolist()), int(env.state["target"])))
    assert not forms["train"] & forms["test"]
    assert len(forms["test"]) > 200
    one = start([3, 5, 4], 32)
    for numbers in itertools.permutations([3, 5, 4]):
        other = start(list(numbers), 32, dialect="compact", use_all=False, highest=20)
        assert other.canonical_form(other.state) == one.canonical_form(one.state) == "[3, 4, 5] 32"


def test_plans_earn_the_best_return_and_leave_the_state_alone():
    for arguments in ({}, SMALL, {"use_all": False, "dialect": "compact"}, {"numbers": 5}):
        env = CountdownAnswer(**arguments)
        for seed in range(20):
            env.reset(seed=seed)
            before = env.snapshot()
            plan = env.plan(env.state)
            assert plan == env.plan(env.state)
            assert env.snapshot() == before
            assert env.step(plan[0])[1] == env.best_return(seed) == 1.0


def test_plans_give_every_solution_equally_often():
    numbers, target = [2, 2, 4], 1
    solutions = distinct_solutions(numbers, target, fractions=False)
    assert len(solutions) == 5
    env = CountdownAnswer(**SMALL)
    counts = Counter()
    for seed in range(900):
        env.reset(seed=seed, options={"numbers": numbers, "target": target})
        counts[env.plan(env.state)[0]] += 1
    assert set(counts) == set(solutions)
    assert sum((n - 180) ** 2 / 180 for n in counts.values()) < 18.5  # 4 degrees, p = 0.001


def test_steps_of_a_solution_are_true_and_noise_changes_operators():
    env, rng, wrong = CountdownAnswer(**SMALL), np.random.default_rng(0), 0
    for seed in range(200):
        env.reset(seed=seed)
        for noise in (0.0, 0.3):
            solution = env.solve(env.state, rng, noise)
            for step in solution.steps:
                expression, made = step.split(" = ")
                a, _, b = expression.split(" ")
                assert makes(expression, [int(a), int(b)], int(made))
            assert solution.plan.split(" ") == [s.split(" ")[1] for s in solution.steps]
            assert len(solution.steps) == 2
            fault = env.critique(env.state, solution.answer)
            assert noise or not fault
            wrong += bool(fault)
    # Both of two steps are right in 49% of the cases, and some wrong ones come to the same.
    assert 0.35 < wrong / 200 < 0.6


def test_random_messages_are_expressions_of_the_numbers():
    rng = np.random.default_rng(0)
    for use_all in (True, False):
        env = CountdownAnswer(**SMALL, use_all=use_all)
        rewards, sizes = [], set()
        for seed in range(600):
            env.reset(seed=seed)
            message = env.sample_action(rng)
            sizes.add(sum(sign in "+-*/" for sign in message))
            assert "used" not in env.critique(env.state, message)
            rewards.append(env.step(message)[1])
        assert 0.01 < np.mean(rewards) < 0.1
        assert sizes == ({2} if use_all else {1, 2})


def test_the_search_tree_against_all_solutions():
    for use_all in (True, False):
        env = CountdownAnswer(**SMALL, use_all=use_all)
        for seed in range(6):
            env.reset(seed=seed)
            numbers, target = env.state["numbers"].tolist(), int(env.state["target"])
            tree = env.search_tree(env.state, np.random.default_rng(0))
            found = set()

            def below(node, tree=tree, found=found):
                answer = tree.answer(node)
                if answer is not None:
                    found.add(canonical(parse_expression(answer)))
                    return True
                solved = [below(child) for _, child in tree.children(node)]
                assert tree.leads(node) == any(solved)
                return any(solved)

            assert below(tree.root)
            known = distinct_solutions(numbers, target, fractions=False, use_all=use_all)
            assert found == {canonical(parse_expression(text)) for text in known}


@pytest.mark.parametrize("options", [{"numbers": [1, 2, 3]}, {"numbers": [1, 1, 1], "target": 24}])
def test_options_that_do_not_fit_are_refused(options):
    with pytest.raises(InvalidArgumentError):
        CountdownAnswer(**SMALL).reset(seed=0, options=options)


@pytest.mark.parametrize(
    "arguments",
    [{"numbers": 2}, {"target": (50, 10)}, {"highest": 9}, {"dialect": "x"}, {"split": "x"}],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match=next(iter(arguments))):
        CountdownAnswer(**arguments)


def test_what_is_no_expression_names_no_action():
    env = start([3, 5, 4], 32)
    for text in ("", "thirty-two", "(3 + 5", "1" * 401):
        with pytest.raises(UnparseableActionError, match="say for example"):
            env.parse(text)
