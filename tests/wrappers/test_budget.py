"""Budgets: what each message costs, what is refused, and how an episode ends."""

from typing import Any

import gymnasium
import numpy as np
import pytest

from spelunk.envs.kernel import (
    HostEnv,
    InvalidActionError,
    InvalidArgumentError,
    StateLayout,
    Unicode,
    UnsupportedFaceError,
    pack_states,
    unpack_states,
)
from spelunk.envs.textweb.plain import LONGEST
from spelunk.wrappers.budget import Budget, budget_line
from spelunk.wrappers.text_bandit import TextBandit


class Echo(HostEnv):
    """Repeats what is said; an answer ends it unless it says `go on`; `right` is worth 1."""

    tools = ("search", "open", "answer")
    best_source = "by hand"

    def __init__(self, max_episode_steps: int = 50, longest: int | None = 100):
        super().__init__(
            layout=StateLayout([], [("said", "U100"), ("heard", np.int32)]),
            observation_space=Unicode(100),
            action_space=Unicode(longest),
            max_episode_steps=max_episode_steps,
            metrics=("heard",),
        )

    def reset_state(self, state: Any) -> None:
        state["said"], state["heard"] = "question", 0

    def step_state(self, state: Any, action: Any) -> tuple[float, bool]:
        state["said"] = action
        state["heard"] += 1
        answered = action.startswith("answer") and "go on" not in action
        return float(answered and "right" in action), answered

    def observe_states(self, states: Any) -> Any:
        return [str(state["said"]) for state in states]

    def describe_state(self, state: Any) -> str:
        return str(state["said"])

    def show_state(self, state: Any) -> str:
        return str(state["said"])

    def draw_state(self, state: Any) -> Any:
        return np.full((4, 4, 3), state["heard"], np.uint8)

    def action_words(self, action: Any) -> str:
        return str(action)

    def parse(self, text: str) -> Any:
        return text

    def best_return(self, seed: int) -> float | None:
        return 1.0


def make(**limits):
    env = Budget(Echo(), **limits)
    text, info = env.reset(seed=0)
    assert text in env.observation_space
    return env, text, info


def test_the_last_turn_is_for_the_answer():
    env, text, info = make(turns=3)
    assert text == "question\nLeft: 3 turns."
    assert info["budget"] == {"turns": 3}
    assert not info["answer_only"]
    assert env.step("nonsense")[0] == "nonsense\nLeft: 2 turns."
    text, _, terminated, truncated, info = env.step("search: a")
    assert text == "search: a\nLeft: 1 turns. Only an answer is accepted now."
    assert (terminated, truncated, info["answer_only"]) == (False, False, True)
    text, reward, terminated, truncated, info = env.step("answer: right")
    assert text.startswith("answer: right\nLeft: 0 turns.")
    assert (reward, terminated, truncated, info["refused"]) == (1.0, True, False, False)


@pytest.mark.parametrize("message", ["search: a", "nonsense", "<answer>right", ""])
def test_anything_else_truncates(message):
    env, _, info = make(turns=1)
    assert info["answer_only"]
    text, reward, terminated, truncated, info = env.step(message)
    assert text.startswith("question\n")  # it was not passed on
    assert (reward, terminated, truncated, info["refused"]) == (0.0, False, True, True)
    env.reset(seed=0)
    assert env.left == {"turns": 1}


def test_what_is_not_passed_on_costs_no_call():
    env, *_ = make(turns=1, calls={"search": 2})
    assert env.step("search: a")[4]["budget"] == {"turns": 0, "search": 2}


def test_an_answer_that_does_not_end_the_episode_truncates():
    env, *_ = make(turns=1)
    assert env.step("answer: go on")[2:4] == (False, True)
    env, *_ = make(turns=2)
    assert env.step("answer: go on")[2:4] == (False, False)


def test_calls_of_a_tool_are_spent():
    env, text, _ = make(calls={"search": 1, "open": 2})
    assert text == "question\nLeft: 1 search, 2 open."
    assert env.step("<search>a</search>")[4]["budget"] == {"search": 0, "open": 2}
    text, reward, terminated, truncated, info = env.step("search: b")
    assert text == (
        "<search>a</search>\nNo search is left; nothing was done. Left: 0 search, 2 open."
    )
    assert (reward, terminated, truncated, info["refused"]) == (0.0, False, False, True)
    assert env.step("open: 3")[4]["budget"] == {"search": 0, "open": 1}
    assert env.step("search a")[4]["refused"] is False  # malformed: the environment answers
    assert env.step('{"name": "open", "arguments": {"page": 1}}')[4]["budget"]["open"] == 0
    assert env.step("answer: right")[1:3] == (1.0, True)


def test_calls_together_do_not_count_answers():
    env, *_ = make(calls=1, turns=9)
    assert env.step("open: 3")[4]["budget"] == {"turns": 8, "calls": 0}
    info = env.step("search: b")[4]
    assert info["refused"]
    assert info["budget"] == {"turns": 7, "calls": 0}
    assert env.step("answer: right")[1] == 1.0


def test_tokens_are_spent():
    env, *_ = make(tokens=7)
    assert env.step("search: a b")[4]["budget"] == {"tokens": 3}
    info = env.step("search: a b c d e f")[4]
    assert info["budget"] == {"tokens": 0}
    assert info["answer_only"]
    assert env.step("open: 3")[3]
    env, *_ = make(tokens=20, count=len)
    assert env.step("open: 3")[4]["budget"] == {"tokens": 13}


def test_an_illegal_message_costs_nothing():
    env, *_ = make(turns=2)
    for wrong in (3, "x" * 101):
        with pytest.raises(InvalidActionError):
            env.step(wrong)
    assert env.left == {"turns": 2}


def test_a_long_message_is_counted_by_its_beginning_only():
    counted = []

    def count(text):
        counted.append(len(text))
        return 1

    env = Budget(Echo(longest=None), tokens=5, count=count)
    env.reset(seed=0)
    text, *_, info = env.step("search: " + "a " * 500_000)
    assert text in env.observation_space
    assert counted == [LONGEST]
    assert info["budget"] == {"tokens": 4}
    assert text.startswith("search: a a")
    assert env.action_space == Unicode(None)


def test_an_episode_that_is_over_takes_no_message():
    env = Budget(Echo(max_episode_steps=2), turns=3, calls={"search": 0})
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step("search: a")
    for messages, flags in [
        (["open: 3", "open: 3"], (False, True)),  # the environment's own limit
        (["open: 3", "search: a", "open: 3"], (False, True)),  # that of the turns
        (["open: 3", "answer: right"], (True, True)),  # the environment's own flags are kept
        (["search: a", "search: a", "answer: right"], (True, False)),
    ]:
        env.reset(seed=0)
        outcomes = [env.step(message)[2:4] for message in messages]
        assert outcomes == [*[(False, False)] * (len(messages) - 1), flags]
        with pytest.raises(gymnasium.error.ResetNeeded):
            env.step("answer: right")


MESSAGES = ["search: a", "search: b", "open: 3", "nonsense", "search: c", "answer: right"]


def test_a_restored_episode_goes_on_as_it_would_have():
    env, *_ = make(turns=8, calls={"search": 1}, tokens=40)
    twin, *_ = make(turns=8, calls={"search": 1}, tokens=40)
    for start in range(len(MESSAGES)):
        env.reset(seed=0)
        for message in MESSAGES[:start]:
            env.step(message)
        snapshot = env.snapshot()
        assert [snapshot["left"][name] for name in env.left] == list(env.left.values())
        future = [env.step(message) for message in MESSAGES[start:]]
        for other, kept in [
            (env, snapshot),
            (twin, snapshot),
            (twin, unpack_states(pack_states(snapshot))[0]),
        ]:
            other.restore(kept)
            assert [other.step(message) for message in MESSAGES[start:]] == future


def test_an_end_by_the_budget_is_restored():
    env, *_ = make(turns=1)
    env.step("open: 3")
    snapshot = env.snapshot()
    env.reset(seed=0)
    env.restore(snapshot)
    assert env.left == {"turns": 0}
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step("answer: right")


def test_snapshots_bring_the_time_limit_along():
    made = gymnasium.make("spelunk/KnowledgeSearch-v0", actions="text", max_episode_steps=3)
    env = Budget(made, calls=9)
    env.reset(seed=0)
    env.step("search: employer")
    snapshot = env.snapshot()
    for _ in range(2):
        env.restore(snapshot)
        assert env.left == {"calls": 8}
        assert [env.step("search: a")[3] for _ in range(2)] == [False, True]


def test_what_is_no_snapshot_is_refused():
    env, *_ = make(turns=3)
    others = [make(turns=3, tokens=9)[0].snapshot(), make(calls=3)[0].snapshot()]
    for wrong in [None, 3, {"turns": 3}, env.unwrapped.snapshot(), *others]:
        with pytest.raises(InvalidArgumentError, match=r"limits \['turns'\]"):
            env.restore(wrong)
    assert env.step("search: a")[4]["budget"] == {"turns": 2}
    for nothing in (Budget(env, tokens=9), Budget(TextBandit(bandit()), turns=3)):
        nothing.reset(seed=0)
        for use in (nothing.snapshot, lambda n=nothing: n.restore(others[0])):
            with pytest.raises(UnsupportedFaceError, match="without further wrappers"):
                use()


def bandit():
    return gymnasium.make("spelunk/BernoulliBandit-v0")


def test_over_the_registered_environment():
    env = Budget(gymnasium.make("spelunk/KnowledgeSearch-v0", actions="text"), turns=4)
    text, _ = env.reset(seed=0)
    assert text.endswith("Left: 4 turns.")
    text = env.step("search: employer")[0]
    assert "employer" in text
    assert text in env.observation_space


def test_wrong_arguments():
    for limits, why in [
        ({}, "needs a limit"),
        ({"turns": 0}, "turns must be"),
        ({"tokens": 1.5}, "tokens must be"),
        ({"tokens": 2**31}, "tokens must be an integer from 1 to 2147483647"),
        ({"calls": -1}, "calls must be an integer"),
        ({"calls": {"search": True}}, "search must be"),
        ({"calls": {"web": 1}}, r"calls must be of \['open', 'search'\]"),
        ({"calls": {"answer": 1}}, "calls must be of"),
    ]:
        with pytest.raises(InvalidArgumentError, match=why):
            Budget(Echo(), **limits)
    with pytest.raises(UnsupportedFaceError, match="environment of texts"):
        Budget(gymnasium.make("spelunk/SlidingTile-v0"), turns=3)


def test_what_is_left_in_words():
    assert budget_line({"turns": 3, "search": 0}) == "Left: 3 turns, 0 search."


def test_calls_of_the_compact_dialect_are_understood():
    world = gymnasium.make("spelunk/KnowledgeSearch-v0", actions="text", dialect="compact")
    env = Budget(world, calls={"search": 1})
    env.reset(seed=0)
    assert env.step("search employer of nobody")[4]["budget"] == {"search": 0}
    assert env.step("search employer of nobody")[4]["refused"]
    assert env.step("answer nobody")[2]
