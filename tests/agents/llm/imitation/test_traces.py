import re

import numpy as np
import pytest

from spelunk.agents.llm.imitation.traces import ORDERS, TRACE_FORMATS, dfs, think, trace_texts
from spelunk.envs.kernel import InvalidArgumentError, UnsupportedFaceError
from spelunk.envs.search.countdown_answer import CountdownAnswer
from spelunk.envs.search.expressions import parse_expression, value_of
from spelunk.envs.textweb.chain_arithmetic import ChainArithmetic
from spelunk.envs.textweb.constraints import Constraints

COUNTDOWN = {"numbers": 3, "target": (1, 50), "highest": 20}
BEDS = [
    (CountdownAnswer, COUNTDOWN),
    (CountdownAnswer, {"numbers": 4, "use_all": False}),
    (ChainArithmetic, {"steps": 3, "orders": 2}),
    (Constraints, {"constraints": (3, 5), "reward": "all"}),
]
CASES = [
    (bed, arguments, dialect, name)
    for bed, arguments in BEDS
    for dialect in ("english", "compact")
    for name in TRACE_FORMATS
    if bed is not ChainArithmetic or name not in ("dfs", "mix", "think")
]


def rewards(env, texts, seed):
    """What the texts earn, for the tasks of the same seed."""
    env.reset(seed=seed)
    found = []
    for task, text in texts:
        env.reset()
        assert env.describe() == task
        found.append(env.step(text)[1])
    return found


@pytest.mark.parametrize(("bed", "arguments", "dialect", "name"), CASES)
def test_texts_earn_the_reward_unless_there_is_noise(bed, arguments, dialect, name):
    env = bed(**arguments, dialect=dialect)
    texts = list(trace_texts(env, name, 60, seed=1))
    assert rewards(env, texts, 1) == [1.0] * 60
    assert texts == list(trace_texts(env, name, 60, seed=1))
    assert texts != list(trace_texts(env, name, 60, seed=2))
    noisy = list(trace_texts(env, name, 60, seed=1, noise=0.4))
    assert 0 < np.mean(rewards(env, noisy, 1)) < 0.85
    if dialect == "compact":
        assert not any("\n" in text or "<" in text for _, text in texts + noisy)


def replay(text, numbers):
    """The states that a search passes through, by its words: what is left after each `try`."""
    stack, ends, previous = [sorted(numbers)], 0, ""
    for word, step in re.findall(r"(try|undo)(?: (\d+ . \d+ = \d+))?", text):
        if word == "undo":
            ends += previous == "try"
            stack.pop()
        else:
            expression, made = step.split(" = ")
            assert value_of(parse_expression(expression)) == int(made)
            left = list(stack[-1])
            left.remove(int(step.split(" ")[0]))
            left.remove(int(step.split(" ")[2]))
            stack.append(sorted([*left, int(made)]))
        previous = word
    return stack[-1], ends


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("failures", [0, 2, 5])
def test_a_search_tells_true_steps_and_undoes_dead_ends(order, failures):
    env, rng, ends = CountdownAnswer(**COUNTDOWN), np.random.default_rng(0), []
    for seed in range(60):
        env.reset(seed=seed)
        text = dfs(env, env.state, rng, order=order, failures=failures)
        left, dead = replay(text, env.state["numbers"].tolist())
        assert left == [env.state["target"]]
        ends.append(dead)
        # No step stands twice in a row: what was undone is not tried again at once.
        assert not re.search(r"try (.*)\nundo\ntry \1\n", text)
    assert max(ends) == failures


def test_orders_try_what_they_say_first():
    env = CountdownAnswer(**COUNTDOWN)
    env.reset(seed=0, options={"numbers": [3, 5, 4], "target": 32})

    def first(order):
        text = dfs(env, env.state, np.random.default_rng(0), order=order, failures=99)
        return text.split("\n")[0]

    assert first("near") == "try 5 * 4 = 20"
    assert first("listed") == "try 5 + 3 = 8"
    assert first("far") != first("near")
    assert len({first("random") for _ in range(3)}) == 1


def test_the_noise_of_a_search_is_in_its_results():
    env = CountdownAnswer(**COUNTDOWN)
    texts = [text for _, text in trace_texts(env, "dfs", 200, noise=0.3)]
    steps = re.findall(r"try (\d+ . \d+) = (\d+)", "\n".join(texts))
    wrong = np.mean([value_of(parse_expression(a)) != int(made) for a, made in steps])
    assert 0.2 < wrong < 0.4


def test_a_mix_has_texts_of_every_order():
    env, rng = CountdownAnswer(**COUNTDOWN), np.random.default_rng(0)
    env.reset(seed=0, options={"numbers": [3, 5, 4], "target": 32})
    mixed = {TRACE_FORMATS["mix"](env, env.state, rng) for _ in range(80)}
    for order in ("near", "far", "listed"):
        assert dfs(env, env.state, rng, order=order) in mixed


def test_a_critique_names_what_is_wrong_with_the_first_attempt():
    env = ChainArithmetic(steps=3, dialect="compact")
    for task, text in trace_texts(env, "critique", 50, seed=3):
        attempt, rest = text.split(" critique ")
        assert re.match(r"(step [123]|plan) wrong plan b c d step b", rest)
        step = int(re.findall(r"step (\d)", rest)[0])
        first, second = (re.findall(r"step (.*?)(?= step| answer)", t) for t in (attempt, rest[7:]))
        second = second[-3:]
        assert first[: step - 1] == second[: step - 1]
        assert first[step - 1] != second[step - 1]
        assert task.startswith("a = ")


def test_thoughts_leave_failures_out():
    env, rng = CountdownAnswer(**COUNTDOWN), np.random.default_rng(0)
    ends: dict[float, list[int]] = {0.0: [], 0.5: [], 1.0: []}
    for seed in range(60):
        env.reset(seed=seed)
        for dropped, found in ends.items():
            text = think(env, env.state, rng, failures=4, dropped=dropped)
            left, dead = replay(text, env.state["numbers"].tolist())
            assert left == [env.state["target"]]
            found.append(dead)
    assert sum(ends[1.0]) == 0
    assert 0.2 < sum(ends[0.5]) / sum(ends[0.0]) < 0.7


@pytest.mark.parametrize("dialect", ["english", "compact"])
def test_a_check_decides_what_becomes_of_a_draft(dialect):
    env = Constraints(constraints=(3, 5), reward="all", dialect=dialect)
    form = {
        "english": r"<preview>(.*)</preview>\n<draft>(.*)</draft>\n<check>(.*)</check>\n"
        r"<answer>(.*)</answer>",
        "compact": "preview (.*) draft (.*) check (.*) answer (.*)",
    }[dialect]
    slips, texts = 0, list(trace_texts(env, "preview", 80, seed=5))
    env.reset(seed=5)
    for task, text in texts:
        env.reset()
        assert env.describe() == task
        found = re.fullmatch(form, text)
        assert found is not None
        plan, draft, check, answer = found.groups()
        assert plan.split() == [constraint.kind for constraint in env.constraints(env.state)]
        fault = env.fault(env.state, draft)
        assert check == (fault or "ok")
        assert bool(fault) == (draft != answer)
        assert not env.fault(env.state, answer)
        slips += bool(fault)
    assert 20 < slips < 60
    assert all("check ok" in text for _, text in trace_texts(
        Constraints(dialect="compact"), "preview", 20, slips=0.0))  # fmt: skip


def test_coverage_keeps_to_a_share_of_the_instances():
    env = CountdownAnswer(**COUNTDOWN, dialect="compact")

    def shown(coverage):
        found = set()
        for task, _ in trace_texts(env, "direct", 1500, coverage=coverage):
            numbers, target = task.split(" = ")
            found.add((*sorted(numbers.split()), target))
        return found

    few, more, every = shown(0.05), shown(0.2), shown(1.0)
    assert len(few) < len(more) < len(every)
    of_few = {form for form in more if form in few}
    # A quarter of the larger share is the smaller one, as far as it was drawn.
    assert 0.1 < len(of_few) / len(more) < 0.35
    assert 0.02 < np.mean([form in few for form in every]) < 0.1


def test_coverage_and_split_are_independent():
    env = CountdownAnswer(**COUNTDOWN, split="test")
    assert len(list(trace_texts(env, "direct", 50, coverage=0.3))) == 50


@pytest.mark.parametrize(
    ("name", "settings", "problem"),
    [
        ("haiku", {}, "format"),
        ("direct", {"coverage": 0}, "coverage"),
        ("direct", {"coverage": 1.1}, "coverage"),
        ("direct", {"coverage": 1e-12}, "coverage"),
        ("direct", {"noise": -0.1}, "noise"),
        ("dfs", {"order": "up"}, "order"),
        ("dfs", {"failures": -1}, "failures"),
        ("think", {"dropped": 2}, "dropped"),
    ],
)
def test_wrong_settings_are_refused(name, settings, problem):
    env = CountdownAnswer(**COUNTDOWN)
    with pytest.raises(InvalidArgumentError, match=problem):
        list(trace_texts(env, name, 1, **settings))


def test_a_chain_is_no_search():
    with pytest.raises(UnsupportedFaceError, match="ChainArithmetic"):
        list(trace_texts(ChainArithmetic(), "dfs", 1))
