import itertools

import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError, UnparseableActionError
from spelunk.envs.textweb.constraint_rules import KINDS, VOCABULARY, Constraint
from spelunk.envs.textweb.constraints import Constraints

ALL = "length 5 has fox order fox hen count fox 2 without gnu palindrome 3"


def asking(text, **arguments):
    """An environment in a state of one's own, from its compact words."""
    env = Constraints(**arguments)
    env.reset(seed=0)
    env.state["asked"], env.state["parts"] = 0, 0
    for word in text.split():
        if word in KINDS:
            k, j = KINDS.index(word), 0
            env.state["asked"][k] = 1
        else:
            env.state["parts"][k, j] = int(word) if word.isdigit() else VOCABULARY.index(word)
            j += 1
    return env


def test_tasks_in_both_dialects():
    assert asking(ALL, dialect="compact").describe() == ALL
    task = asking(ALL).describe()
    for said in (
        "there are exactly 5 words; fox is among them; fox and hen are among them, the first fox "
        "before the first hen; the count of fox is exactly 2; gnu does not appear; the first 3 "
        "words are there and read the same backwards.",
        "Write 1 to 8 of the words ant bat",
    ):
        assert said in task


@pytest.mark.parametrize(
    ("line", "met"),
    [
        ("fox hen fox ant bat", [1, 1, 1, 1, 1, 1]),
        ("fox ant fox hen bat cat", [0, 1, 1, 1, 1, 1]),
        ("hen fox hen fox ant", [1, 1, 0, 1, 1, 1]),
        ("fox hen fox fox gnu", [1, 1, 1, 0, 0, 1]),
        ("fox fox hen ant ant", [1, 1, 1, 1, 1, 0]),
        ("ant bat cat", [0, 0, 0, 0, 1, 0]),
        ("fox fox", [0, 1, 0, 1, 1, 0]),
        ("no idea", [0] * 6),
        ("", [0] * 6),
        ("fox " * 9, [0] * 6),
        ("think: gnu\n<answer>Fox, hen, fox, ant, bat.</answer>", [1] * 6),
        ("fox" + " " * 20_000, [0] * 6),
        ("\x00\ud800", [0] * 6),
    ],
)
def test_constraints_are_checked(line, met):
    for reward in ("share", "all"):
        env = asking(ALL, reward=reward)
        assert env.satisfied(env.state, line) == [bool(m) for m in met]
        _, given, terminated, truncated, info = env.step(line)
        share = np.float32(sum(met) / 6)
        assert given == (share if reward == "share" else float(all(met)))
        assert (terminated, truncated) == (True, False)
        assert info == {"success": int(all(met)), "satisfied": share}


def test_only_what_is_asked_counts():
    assert asking("has fox").step("gnu fox")[1] == 1
    assert asking("has fox without gnu").step("gnu fox")[1] == 0.5


def test_critiques_name_the_first_constraint_that_is_not_met():
    env = asking(ALL, dialect="compact")
    assert env.critique(env.state, "fox hen fox ant bat") == ""
    assert env.critique(env.state, "hen fox hen fox ant") == "not order fox hen"
    assert env.critique(env.state, "nothing") == "no answer"
    env = asking(ALL)
    assert env.critique(env.state, "fox hen fox fox gnu") == (
        "It is not so that the count of fox is exactly 2."
    )


@pytest.mark.parametrize("bounds", [(1, 6), (6, 6), (1, 1)])
def test_every_task_has_a_solution(bounds):
    env, numbers, kinds = Constraints(bounds, dialect="compact"), set(), set()
    for seed in range(150):
        env.reset(seed=seed)
        constraints = env.constraints(env.state)
        numbers.add(len(constraints))
        kinds |= {constraint.kind for constraint in constraints}
        before = env.snapshot()
        plan = env.plan(env.state)
        assert plan == env.plan(env.state)
        assert env.snapshot() == before
        assert env.step(plan[0])[1] == env.best_return(seed) == 1.0
    assert numbers == set(range(bounds[0], bounds[1] + 1))
    assert kinds == set(KINDS)


def test_a_line_that_is_broken_has_no_end_that_mends_it():
    words = ("ant", "bat")
    lines = [line for n in range(5) for line in itertools.product(words, repeat=n)]
    constraints = [
        Constraint("length", (2,)),
        Constraint("has", ("ant",)),
        Constraint("order", ("ant", "bat")),
        Constraint("count", ("ant", 1)),
        Constraint("without", ("ant",)),
        Constraint("palindrome", (3,)),
    ]
    for constraint in constraints:
        for line in lines[:15]:  # of at most 3 words, to which one or more can be added
            ends = [other for other in lines if other[: len(line)] == line]
            assert constraint.broken(line) == (not any(constraint.met(end) for end in ends))


def test_steps_say_where_each_constraint_is_met():
    env = asking(ALL)
    words = ("fox", "hen", "fox", "ant", "bat")
    env.state["line"][:5] = [VOCABULARY.index(word) for word in words]
    env.state["line"][5:] = -1
    solution = env.solve(env.state, np.random.default_rng(0))
    assert solution.answer == "fox hen fox ant bat"
    assert solution.plan == "length has order count without palindrome"
    assert solution.steps == (
        "length 5",
        "has fox at 1",
        "order fox hen at 1 2",
        "count fox 2 at 1 3",
        "without gnu",
        "palindrome 3",
    )


def test_noise_replaces_words():
    env, rng = Constraints((3, 3)), np.random.default_rng(0)
    changed = []
    for seed in range(200):
        env.reset(seed=seed)
        noisy = env.solve(env.state, rng, 0.3).answer.split()
        changed += [a != b for a, b in zip(noisy, env.line(env.state), strict=True)]
    assert abs(np.mean(changed) - 0.3 * 15 / 16) < 0.04


def test_random_messages_can_be_read():
    env, rng, sizes = Constraints(), np.random.default_rng(0), set()
    for seed in range(200):
        env.reset(seed=seed)
        message = env.sample_action(rng)
        assert env.parse(message) == message
        sizes.add(len(message.split()))
    assert sizes == set(range(1, 9))


def test_splits_share_no_task():
    forms = {}
    for split in ("train", "test"):
        env = Constraints((1, 2), split=split)
        forms[split] = set()
        for seed in range(300):
            env.reset(seed=seed)
            forms[split].add(env.canonical_form(env.state))
    assert not forms["train"] & forms["test"]
    assert len(forms["test"]) > 20


@pytest.mark.parametrize(
    "arguments",
    [
        {"constraints": 3},
        {"constraints": (0, 3)},
        {"constraints": (1, 7)},
        {"constraints": (3, 2)},
        {"constraints": "12"},
        {"reward": "most"},
        {"dialect": "x"},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match=next(iter(arguments))):
        Constraints(**arguments)


def test_other_words_name_no_action():
    with pytest.raises(UnparseableActionError, match="1 to 8 of the words"):
        Constraints().parse("fox and hen")
