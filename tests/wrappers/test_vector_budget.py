"""Budgets over a batch: lane by lane what the single budget does, in every autoreset mode."""

from typing import Any

import gymnasium
import numpy as np
import pytest

from spelunk.envs.kernel import (
    HostVectorEnv,
    InvalidActionError,
    InvalidArgumentError,
    UnsupportedFaceError,
    pack_states,
    unpack_states,
)
from spelunk.envs.kernel.host import integer
from spelunk.wrappers.budget import Budget
from spelunk.wrappers.vector_budget import VectorBudget

from .test_budget import Echo

MODES = ["NEXT_STEP", "SAME_STEP", "DISABLED"]
LANES = 9
LIMITS: dict[str, Any] = {"turns": 5, "calls": {"search": 1, "open": 2}, "tokens": 16}


class Quiz(Echo):
    """An `Echo` with luck at each step, in which saying nothing ends the episode with a loss."""

    def __init__(self, max_episode_steps: int = 4):
        super().__init__(max_episode_steps)

    def reset_state(self, state: Any) -> None:
        super().reset_state(state)
        state["said"] = f"question {integer(state, 1000)}"

    def step_state(self, state: Any, action: Any) -> tuple[float, bool]:
        reward, over = super().step_state(state, action)
        state["said"] = f"{action} {integer(state, 1000)}"
        return (reward, over) if action else (-5.0, True)


def make(mode="NEXT_STEP", n=LANES, **limits):
    return VectorBudget(HostVectorEnv(Quiz, n, autoreset_mode=mode), **(limits or LIMITS))


def draw_messages(rng, n=LANES):
    said = ["search: a", "open: 3", "nonsense", "answer: right", "answer: go on", "", "search: a b"]
    return [said[k] for k in rng.choice(7, n, p=[0.3, 0.2, 0.15, 0.1, 0.1, 0.05, 0.1])]


def assert_lane(i, texts, infos, text, info):
    """Lane i shows what the single environment does."""
    assert texts[i] == text
    for name, value in info.items():
        assert infos[f"_{name}"][i]
        if name == "budget":
            assert all(infos[name][f"_{limit}"][i] for limit in value)
            assert {limit: infos[name][limit][i] for limit in value} == value
        else:
            assert infos[name][i] == value


class Tally:
    """The episodes of a single budget and its latest: return, messages passed on, record."""

    def __init__(self, seed):
        self.env = Budget(Quiz(), **LIMITS)
        self.shown = self.env.reset(seed=seed)
        self.total, self.latest = 0.0, (0.0, 0, "")
        self.ends: dict[str, int] = {"terminated": 0, "own limit": 0, "budget": 0, "held at": 0}

    def step(self, message):
        state = self.env.unwrapped.state
        text, reward, terminated, truncated, info = self.env.step(message)
        self.shown, self.total = (text, info), self.total + reward
        held = info["refused"] and state["step_count"] == state["max_steps"] - 1
        self.ends["held at"] += held and not truncated
        if terminated or truncated:
            cut = truncated and not terminated and not state["done"]
            self.ends["budget" if cut else "terminated" if terminated else "own limit"] += 1
            self.latest = self.total, int(state["step_count"]), str(state["said"])
        return reward, terminated, truncated

    def reset(self):
        self.shown, self.total = self.env.reset(), 0.0


@pytest.mark.parametrize("mode", MODES)
def test_lanes_play_what_single_budgets_play(mode):
    env, rng = make(mode), np.random.default_rng(1)
    assert env.metadata["autoreset_mode"].name == mode
    texts, infos = env.reset(seed=40)
    assert texts in env.observation_space
    singles = [Tally(40 + i) for i in range(LANES)]
    ended = np.zeros(LANES, bool)
    for _ in range(300):
        for i, single in enumerate(singles):
            assert_lane(i, texts, infos, *single.shown)
        if mode == "DISABLED" and ended.any():
            with pytest.raises(gymnasium.error.ResetNeeded):
                env.step(draw_messages(rng))
            texts, infos = env.reset(options={"reset_mask": ended})
            for i in np.flatnonzero(ended):
                singles[i].reset()
            ended[:] = False
            continue
        messages = draw_messages(rng)
        texts, *outcomes, infos = env.step(messages)
        for i, single in enumerate(singles):
            if ended[i] and mode == "NEXT_STEP":
                single.reset()
                expected = (0.0, False, False)
            else:
                expected = single.step(messages[i])
            assert tuple(part[i] for part in outcomes) == expected
            ended[i] = any(expected[1:])
            if ended[i] and mode == "SAME_STEP":
                assert infos["_final_obs"][i]
                assert infos["_final_info"][i]
                assert_lane(i, infos["final_obs"], infos["final_info"], *single.shown)
                single.reset()
            if ended[i]:
                assert infos["_episode"][i]
                episode = infos["episode"]
                assert (episode["r"][i], episode["l"][i]) == single.latest[:2]
        if ended.any():
            assert (infos["_episode"] == ended).all()
        assert ("_episode" in infos) == ended.any()
        assert ("_final_info" in infos) == (ended.any() and mode == "SAME_STEP")
        # What the batch knows of its latest episodes, those of the lanes that stood still too.
        returns, lengths = env.unwrapped.latest_episodes()
        said = env.unwrapped.final_states["said"]
        for i, single in enumerate(singles):
            assert (returns[i], lengths[i], said[i]) == single.latest
    for way in singles[0].ends:
        assert sum(single.ends[way] for single in singles) > 10, f"hardly any episode: {way}"


@pytest.mark.parametrize("mode", MODES)
def test_a_refused_lane_stands_still(mode, monkeypatch):
    env = make(mode, 3, turns=9, calls={"search": 1})
    env.reset(seed=0)
    env.step(["search: a"] * 3)
    before = env.unwrapped.snapshot()
    quiz, heard = env.unwrapped.prototype, []
    step_state = quiz.step_state
    monkeypatch.setattr(
        quiz, "step_state", lambda s, said: heard.append(said) or step_state(s, said)
    )
    texts, rewards, _, _, infos = env.step(["open: 3", "search: b", "open: 4"])
    assert "search: b" not in heard
    after = env.unwrapped.snapshot()
    assert (before == after).tolist() == [False, True, False]
    assert env.unwrapped.present()[0][1] == before["said"][1]
    assert texts[1] == (
        f"{before['said'][1]}\nNo search is left; nothing was done. Left: 7 turns, 0 search."
    )
    assert env.limits == ("turns", "search")
    env.left[:] = 3  # a copy
    assert env.left.tolist() == [[7, 0]] * 3
    assert infos["refused"].tolist() == [False, True, False]
    assert rewards.tolist() == [0, 0, 0]


@pytest.mark.parametrize("mode", MODES)
def test_a_restored_batch_goes_on_as_it_would_have(mode):
    env, twin = make(mode), make(mode)
    env.reset(seed=0)
    rng = np.random.default_rng(2)
    for turn in range(12):
        ended = env.unwrapped.states["done"] != 0
        if mode == "DISABLED" and ended.any():
            env.reset(options={"reset_mask": ended})
        snapshot, left = env.snapshot(), env.left
        messages = draw_messages(rng)
        future = env.step(messages)
        for kept in (snapshot, unpack_states(pack_states(snapshot))):
            twin.restore(kept)
            assert (twin.left == left).all()
            found = twin.step(messages)
            assert found[0] == future[0], f"turn {turn}"
            assert all((a == b).all() for a, b in zip(found[1:4], future[1:4], strict=True))
            assert (twin.left == env.left).all()
    with pytest.raises(InvalidArgumentError, match="what `snapshot"):
        twin.restore(env.unwrapped.snapshot())
    for other in (make(mode, 2), make(mode, turns=3)):
        with pytest.raises(InvalidArgumentError, match="what `snapshot"):
            other.restore(env.snapshot())


def test_a_lane_goes_on_in_a_single_budget():
    env, single = make("DISABLED"), Budget(Quiz(), **LIMITS)
    env.reset(seed=3)
    env.step(["search: a", "open: 3", *["nonsense"] * (LANES - 2)])
    single.restore(env.snapshot()[1])
    assert single.left == {"turns": 4, "tokens": 13, "search": 1, "open": 1}
    assert single.step("search: b")[0] == env.step(["search: b"] * LANES)[0][1]


def test_lanes_keep_their_tasks_when_the_budget_ends_their_episodes():
    kwargs = {"actions": "text", "documents": 60, "worlds": 2, "autoreset_mode": "SAME_STEP"}
    env = VectorBudget(gymnasium.make_vec("spelunk/KnowledgeSearch-v0", 4, **kwargs), turns=1)
    env.reset(seed=0, options={"task": np.array([1, 0, 1, 0])})
    for _ in range(3):
        _, _, terminated, truncated, _ = env.step(["search: employer"] * 4)
        assert (truncated & ~terminated).all()
        assert env.unwrapped.states["task"].tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("mode", MODES)
def test_over_the_registered_environment(mode):
    env = VectorBudget(
        gymnasium.make_vec(
            "spelunk/KnowledgeSearch-v0", 3, actions="text", documents=60, autoreset_mode=mode
        ),
        turns=4,
        calls={"search": 1},
        tokens=200,
    )
    texts, infos = env.reset(seed=5)
    assert texts in env.observation_space
    for message in ["search: employer", "open: 3", "search: seat"]:
        texts, _, _, _, infos = env.step([message] * 3)
    assert infos["answer_only"].all()
    assert infos["searches"].tolist() == [1, 1, 1]
    assert all("No search is left" in text for text in texts)
    texts, _, terminated, truncated, infos = env.step(["answer: x", "open: 3", "x" * 1_000_000])
    assert (terminated.tolist(), truncated.tolist()) == ([True, False, False], [False, True, True])
    assert infos["episode"]["l"].tolist() == [3, 2, 2]  # what was refused is not in it
    env.close()


def test_an_illegal_message_costs_nothing():
    env = make(n=2, turns=3)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(["search: a"] * 2)
    env.reset(seed=0)
    before = env.snapshot()
    for wrong, why in [(["a", 3], "environment 1"), (["a", "x" * 101], "environment 1"),
                       (["a"], "sequence of 2 texts")]:  # fmt: skip
        with pytest.raises(InvalidActionError, match=why):
            env.step(wrong)
    assert (env.snapshot() == before).all()


def test_wrong_arguments():
    batch = HostVectorEnv(Quiz, 2)
    for limits, why in [({}, "needs a limit"), ({"calls": {"web": 1}}, "calls must be of")]:
        with pytest.raises(InvalidArgumentError, match=why):
            VectorBudget(batch, **limits)
    for env, why in [
        (gymnasium.make_vec("spelunk/SlidingTile-v0", 2), "environment of texts"),
        (gymnasium.vector.SyncVectorEnv([Quiz]), "a batch of the suite"),
        (VectorBudget(batch, turns=3), "a batch of the suite"),
    ]:
        with pytest.raises(UnsupportedFaceError, match=why):
            VectorBudget(env, turns=3)
