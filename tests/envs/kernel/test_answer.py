import time

import numpy as np
import pytest

from spelunk.envs.kernel import (
    InvalidArgumentError,
    UnparseableActionError,
    UnsupportedFaceError,
)
from spelunk.envs.kernel.answer import LONGEST, TEST_SHARE, AnswerEnv, Solution, final_answer
from spelunk.envs.kernel.host import integer


class Echo(AnswerEnv):
    """Say a number back."""

    def __init__(self, numbers=1000, dialect="english", split="all", max_episode_steps=-1):
        self.numbers = numbers
        super().__init__(
            instance=[("number", np.int64)],
            dialect=dialect,
            split=split,
            max_episode_steps=max_episode_steps,
            render_mode=None,
        )

    def draw(self, state):
        state["number"] = integer(state, self.numbers)

    def canonical_form(self, state):
        return str(state["number"])

    def task(self, state):
        return f"Say {state['number']}."

    def read(self, message):
        answer = final_answer(message)
        if not answer.isdecimal():
            raise UnparseableActionError("say a number")
        return answer

    def fault(self, state, message):
        return "" if int(self.read(message)) == state["number"] else "Wrong number."

    def solve(self, state, rng, noise=0.0):
        return Solution(str(state["number"]), "look", ("say",))


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ("7", "7"),
        ("  7 \n", "7"),
        ("two\nlines", "two\nlines"),
        ("<answer> 7 </answer>", "7"),
        ("<ANSWER>7</Answer> and more", "7"),
        ("<answer>1</answer> no, <answer>2</answer>", "2"),
        ("I think\nanswer: 7\nthat is all", "7"),
        ("Answer:\n7", "7"),
        ("answer: 1 answer: 2", "2"),
        ("<answer>1</answer>\nanswer: 2", "2"),
        ("answer: 1\n<answer>2</answer>", "2"),
        ("<answer>2</answer> is my answer", "2"),
        ("try 1 undo answer 7", "7"),
        ("answer 1 answer 7", "7"),
        ("answers 7", "answers 7"),
        ("<answer>7", ""),
        ("7</answer>", "7</answer>"),
        ("<answer></answer>", ""),
        ("answer:", ""),
        ("", ""),
        ("7" * LONGEST, "7" * LONGEST),
        ("7" * (LONGEST + 1), ""),
    ],
)
def test_final_answers(message, answer):
    assert final_answer(message) == answer


def test_hostile_messages_take_no_time():
    start = time.process_time()
    for piece in ("<answer>", "answer:", "answer", "</answer>", "<answer", "answer \t"):
        final_answer((piece * LONGEST)[:LONGEST])
    assert time.process_time() - start < 1


def test_one_turn():
    env = Echo()
    observation, info = env.reset(seed=3)
    number = int(env.state["number"])
    assert (observation, info) == (f"Say {number}.", {"success": 0})
    for message, reward in ((f"hm, answer: {number}", 1.0), ("1001", 0.0), ("hello", 0.0)):
        env.reset(seed=3)
        observation, *outcome, info = env.step(message)
        assert outcome == [reward, True, False]
        assert info == {"success": int(reward)}
        assert observation.endswith("Right." if reward else "Wrong.")
        assert env.state["answer"] == {"1001": "1001", "hello": ""}.get(message, str(number))
    with pytest.raises(UnparseableActionError):
        env.parse("hello")
    assert env.parse("answer: 5") == "answer: 5"


def test_a_reset_forgets_the_answer():
    env = Echo()
    env.reset(seed=0)
    env.step(env.plan(env.state)[0])
    assert env.show_state(env.state).endswith(f"> {env.state['number']}")
    env.reset()
    assert env.describe() == f"Say {env.state['number']}."
    assert env.state["answer"] == ""
    assert env.state["success"] == 0


def test_messages_of_plan_and_steps():
    solution = Solution("7", "look", ("one", "two"))
    assert Echo().say_steps(solution) == (
        "<plan>look</plan>\n<step>one</step>\n<step>two</step>\n<answer>7</answer>"
    )
    assert Echo(dialect="compact").say_steps(solution) == "plan look step one step two answer 7"
    for dialect in ("english", "compact"):
        assert final_answer(Echo(dialect=dialect).say_steps(solution)) == "7"


def test_critiques_of_unreadable_messages():
    env = Echo()
    env.reset(seed=0)
    assert env.critique(env.state, "hello") == "say a number"
    assert env.critique(env.state, "1001") == "Wrong number."
    assert env.critique(env.state, env.plan(env.state)[0]) == ""


def test_tasks_are_told_again_after_an_answer_to_them():
    env = Echo()
    env.reset(seed=0)
    told = env.retell(env.state, "  I say <answer>8</answer>\nindeed ", "Wrong number.")
    number = env.state["number"]
    assert told == (
        "<attempt>I say answer>8 /answer> indeed</attempt>\n<critique>Wrong number.</critique>\n"
        f"Say {number}."
    )
    compact = Echo(dialect="compact")
    assert compact.retell(env.state, "8", "wrong") == f"attempt 8 critique wrong Say {number}."
    assert len(env.retell(env.state, "x" * 9999, "wrong")) < 2200


def drawn(split, episodes=3000):
    env = Echo(split=split)
    found = []
    for seed in range(episodes):
        env.reset(seed=seed)
        found.append(int(env.state["number"]))
    return found


def test_splits_share_no_instance_and_leave_none_out():
    train, test = set(drawn("train", 12_000)), set(drawn("test"))
    assert not train & test
    assert train | test == set(range(1000))
    assert 30 <= len(test) <= 70
    share = np.mean([number in test for number in drawn("all")])
    assert abs(share - len(test) / 1000) < 0.015
    assert TEST_SHARE == 0.05


def test_fractions_are_uniform_and_stay_what_they_are():
    env = Echo()
    env.reset(seed=0)
    found = {"split": [], "coverage": []}
    for number in range(1000):
        env.state["number"] = number
        for salt, values in found.items():
            values.append(env.fraction(env.state, salt))
    for values in found.values():
        counts = np.histogram(values, 10, (0, 1))[0]
        assert ((counts - 100) ** 2 / 100).sum() < 27.9  # chi-squared, 9 degrees, p = 0.001
    assert abs(np.corrcoef([*found.values()])[0, 1]) < 0.1
    # Stored splits must not move: BLAKE2b of "split 0", 8 bytes.
    assert found["split"][0] == pytest.approx(0x274DEF086876F5C8 / 2**64, abs=1e-12)


def test_a_split_without_instances_is_refused():
    with pytest.raises(InvalidArgumentError, match="split"):
        Echo(numbers=1, split="test").reset(seed=0)


@pytest.mark.parametrize("arguments", [{"dialect": "latin"}, {"split": "half"}])
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match=next(iter(arguments))):
        Echo(**arguments)


def test_not_every_task_is_a_search():
    env = Echo()
    env.reset(seed=0)
    with pytest.raises(UnsupportedFaceError, match="Echo"):
        env.search_tree(env.state, np.random.default_rng(0))
