import re

import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError, UnparseableActionError
from spelunk.envs.kernel.answer import final_answer
from spelunk.envs.textweb.chain_arithmetic import ChainArithmetic

PLUS, MINUS, TIMES = range(3)


def chain(first, links, asked, **arguments):
    """An environment in a state of one's own."""
    env = ChainArithmetic(**arguments)
    env.reset(seed=0)
    env.state["first"], env.state["links"], env.state["asked"] = first, len(links), asked
    for k, (sign, operand) in enumerate(links):
        env.state["signs"][k], env.state["operands"][k] = sign, operand
    return env


def short(**arguments):
    """a = 7, b = 7 + 5 = 2, c = 2 · 3 = 6 modulo 10."""
    return chain(7, [(PLUS, 5), (TIMES, 3)], 2, steps=2, **arguments)


def between(**arguments):
    """a = 1, b = 1 + 2 = 3, c = 3 · 3 = 9, d = 9 − 4 = 5; c, next to d, is asked."""
    return chain(1, [(PLUS, 2), (TIMES, 3), (MINUS, 4)], 2, steps=1, orders=2, **arguments)


RIGHT = (
    "<plan>b c</plan>\n<step>b = 7 + 5 = 2</step>\n<step>c = 2 * 3 = 6</step>\n<answer>6</answer>"
)


def test_tasks_in_both_dialects():
    assert (
        short()
        .describe()
        .startswith(
            "All numbers are modulo 10. a is 7. b is a plus 5. c is b times 3. What is c? "
            "Use at most 2 steps.\n"
        )
    )
    assert short(dialect="compact").describe() == "a = 7 b = a + 5 c = b * 3 c ?"
    env = between(dialect="compact")
    assert env.describe() == "a = 1 b = a + 2 c = b * 3 d = c - 4 d = 5 c ?"


def test_plans_take_the_way_within_the_limit():
    assert short().plan(short().state) == [RIGHT]
    compact = short(dialect="compact")
    assert compact.plan(compact.state) == [
        "plan b c step b = 7 + 5 = 2 step c = 2 * 3 = 6 answer 6"
    ]
    env = between(dialect="compact")
    assert env.plan(env.state) == ["plan c step c = 5 + 4 = 9 answer 9"]


def test_backwards_a_product_is_undone_by_a_division():
    env = chain(
        1, [(PLUS, 2), (PLUS, 2), (MINUS, 4), (TIMES, 3), (TIMES, 7)], 3, steps=2, orders=2,
        dialect="compact",
    )  # fmt: skip
    # 1, 3, 5, 1, 3, 1: backwards 1 / 7 = 3 because 3 · 7 = 21, and 3 / 3 = 1.
    assert env.plan(env.state) == ["plan e d step e = 1 / 7 = 3 step d = 3 / 3 = 1 answer 1"]


@pytest.mark.parametrize(
    ("message", "reward"),
    [
        (RIGHT, 1),
        ("6", 1),
        ("it must be\nanswer: 6.", 1),
        ("<answer>06</answer>", 1),
        (RIGHT.replace("= 2<", "= 3<"), 1),
        ("7", 0),
        ("16", 0),
        ("-4", 0),
        ("six", 0),
        ("", 0),
        ("６", 0),
        ("<answer>6", 0),
        ("<step>b = 7 + 5 = 2</step>" * 3 + "<answer>6</answer>", 0),
        ("b = 7 + 5 = 2 " * 3 + "<answer>6</answer>", 0),
        ("<step>nothing</step>" * 3 + "<answer>6</answer>", 0),
        ("<step>b = 7 + 5 = 2</step>" * 3 + RIGHT, 1),
        ("9" * 20_000, 0),
        ("<step>" * 2500 + "6", 0),
    ],
)
def test_answers_are_checked(message, reward):
    env = short()
    _, given, terminated, truncated, info = env.step(message)
    assert (given, terminated, truncated) == (reward, True, False)
    assert info == {"success": reward}


def test_only_one_of_two_orders_stays_within_the_limit():
    forward = "plan b c step b = 1 + 2 = 3 step c = 3 * 3 = 9 answer 9"
    assert between(dialect="compact").step(forward)[1] == 0
    assert between(dialect="compact").step("plan c step c = 5 + 4 = 9 answer 9")[1] == 1
    env = ChainArithmetic(orders=2, dialect="compact")
    asked = set()
    for seed in range(100):
        env.reset(seed=seed)
        a, b = int(env.state["asked"]), int(env.state["links"] - env.state["asked"])
        assert min(a, b) == env.steps < max(a, b) <= 2 * env.steps
        asked.add(a < b)
    assert asked == {True, False}


@pytest.mark.parametrize(
    ("steps", "labels"),
    [
        ("plan b c step b = 7 + 5 = 2 step c = 2 * 3 = 6", [True, True, True]),
        ("step b = 7 + 5 = 2 step c = 2 * 3 = 6", [True, True]),
        ("step B = 7+5 = 2", [True]),
        ("plan c b", [False]),
        ("step b = 7 + 5 = 3 step c = 3 * 3 = 9", [False, False]),
        ("step b = 7 + 5 = 3 step c = 2 * 3 = 6", [False, False]),
        ("step c = 2 * 3 = 6 step b = 7 + 5 = 2", [False, True]),
        ("step b = 7 + 5 = 2 step b = 7 + 5 = 2 step c = 2 * 3 = 6", [True, True, False]),
        ("step b = 5 + 7 = 2", [False]),
        ("step b = 7 - 5 = 2", [False]),
        ("step d = 6 + 1 = 7 step a = 2 - 5 = 7 step", [False, False, False]),
        ("plan c step b plan b c step b = 7 + 5 = 2 critique plan wrong", [False]),
        ("", []),
    ],
)
def test_every_step_has_a_label(steps, labels):
    env = short(dialect="compact")
    assert env.step_labels(env.state, f"{steps} answer 6") == labels
    assert env.step_labels(env.state, steps) == labels


def test_labels_with_two_orders():
    env = between(dialect="compact")
    assert env.step_labels(env.state, "plan c step c = 5 + 4 = 9") == [True, True]
    steps = "plan b c step b = 1 + 2 = 3 step c = 3 * 3 = 9"
    assert env.step_labels(env.state, steps) == [False, True, False]


def test_critiques_name_the_first_wrong_step():
    for dialect, right, said in (
        ("english", RIGHT, ("The plan is wrong.", "Step 2 is wrong.", "The answer is not 7.")),
        ("compact", "plan b c step b = 7 + 5 = 2 step c = 2 * 3 = 6 answer 6",
         ("plan wrong", "step 2 wrong", "not 7")),
    ):  # fmt: skip
        env = short(dialect=dialect)
        wrong = right.replace("answer>6", "answer>7").replace("answer 6", "answer 7")
        assert env.critique(env.state, right) == ""
        assert env.critique(env.state, wrong) == said[2]
        assert env.critique(env.state, wrong.replace("* 3 = 6", "* 3 = 7")) == said[1]
        assert env.critique(env.state, wrong.replace("b c", "c b")) == said[0]


def solve(task):
    """The rules written a second way: the answer that a task in English asks for."""
    modulus = int(re.findall(r"modulo (\d+)", task)[0])
    values = {"a": int(re.findall(r" a is (\d+)\.", task)[0])}
    does = {"plus": lambda x, y: x + y, "minus": lambda x, y: x - y, "times": lambda x, y: x * y}
    for name, source, word, operand in re.findall(r"(\w) is (\w) (\w+) (\d+)\.", task):
        values[name] = does[word](values[source], int(operand)) % modulus
    for name, value in re.findall(r"(\w) is (\d+)\.", task):
        assert values[name] == int(value)
    return values[re.findall(r"What is (\w)\?", task)[0]]


@pytest.mark.parametrize("orders", [1, 2])
@pytest.mark.parametrize("modulus", [3, 7, 10, 12, 100])
def test_solutions_against_the_rules_written_a_second_way(orders, modulus):
    env = ChainArithmetic(steps=3, modulus=modulus, orders=orders)
    answers = []
    for seed in range(40):
        task, _ = env.reset(seed=seed)
        message = env.plan(env.state)[0]
        answers.append(solve(task))
        assert final_answer(message) == str(answers[-1])
        assert env.step_labels(env.state, message) == [True] * 4
        for value, sign, operand, made in re.findall(r"= (\d+) (.) (\d+) = (\d+)", message):
            x, y, z = int(value), int(operand), int(made)
            back = {"+": z - y - x, "-": z + y - x, "*": x * y - z, "/": z * y - x}[sign]
            assert back % modulus == 0
            assert z < modulus
        assert env.step(message)[1] == env.best_return(seed) == 1.0
    assert len(set(answers)) >= min(modulus, 8) - 1


def test_noise_gives_wrong_results_that_the_next_step_goes_on_with():
    env, rng = ChainArithmetic(steps=4), np.random.default_rng(0)
    right, labels = 0, []
    for seed in range(400):
        env.reset(seed=seed)
        solution = env.solve(env.state, rng, 0.2)
        for step, following in zip(solution.steps, solution.steps[1:], strict=False):
            assert step.split(" = ")[2] == following.split(" ")[2]
        message = env.say(solution)
        labels.append(env.step_labels(env.state, message)[1])
        right += int(env.step(message)[1])
    assert abs(np.mean(labels) - 0.8) < 0.06
    # All four right with 0.8⁴ = 0.41, and sometimes two errors cancel.
    assert 0.37 < right / 400 < 0.52


def test_random_messages_guess():
    rng = np.random.default_rng(0)
    for orders, expected in ((1, 0.1), (2, 0.05)):
        env = ChainArithmetic(orders=orders)
        rewards = []
        for seed in range(1500):
            env.reset(seed=seed)
            rewards.append(env.step(env.sample_action(rng))[1])
        assert abs(np.mean(rewards) - expected) < 0.025


def test_equivalent_chains_are_in_the_same_split():
    one, other = short(), chain(7, [(MINUS, 5), (TIMES, 3)], 2, steps=2)
    assert one.canonical_form(one.state) == other.canonical_form(other.state)
    third = chain(7, [(PLUS, 5), (TIMES, 7)], 2, steps=2)
    assert third.canonical_form(third.state) != one.canonical_form(one.state)
    forms = {}
    for split in ("train", "test"):
        env = ChainArithmetic(steps=2, split=split)
        forms[split] = set()
        for seed in range(300):
            env.reset(seed=seed)
            forms[split].add(env.canonical_form(env.state))
    assert not forms["train"] & forms["test"]


@pytest.mark.parametrize(
    "arguments",
    [{"steps": 0}, {"steps": 9}, {"modulus": 2}, {"modulus": 7.0}, {"orders": 3}, {"split": "x"}],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match=next(iter(arguments))):
        ChainArithmetic(**arguments)


def test_what_is_no_number_names_no_action():
    with pytest.raises(UnparseableActionError, match="whole number"):
        short().parse("six")
