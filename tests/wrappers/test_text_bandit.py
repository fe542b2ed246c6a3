import math
import re
from typing import Any

import gymnasium
import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError, UnsupportedFaceError
from spelunk.wrappers.text_bandit import SCENARIOS, TextBandit

ID = "spelunk/BernoulliBandit-v0"


def make(scenario="buttons", context="history", **kwargs):
    arguments: dict[str, Any] = {"means": [0.0, 1.0, 1.0]} | kwargs
    return TextBandit(gymnasium.make(ID, **arguments), scenario, context)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("context", ["history", "summary", "guide"])
def test_an_episode_in_words(scenario, context):
    env = make(scenario, context, horizon=6)
    text, info = env.reset(seed=3)
    assert text in env.observation_space
    assert all(name in text for name in env.names)
    assert "Nothing has been tried" in text
    total, over = 0.0, False
    for turn in range(6):
        text, reward, over, _, info = env.step(f"I think {env.names[turn % 3].upper()}.")
        assert info["arm"] == turn % 3
        assert not info["invalid"]
        total += reward
    assert over
    assert total == 4.0
    assert "0 turns are left" in text


def test_each_context_tells_what_it_says():
    history, summary, guide = (make(context=c) for c in ("history", "summary", "guide"))
    for env in (history, summary, guide):
        env.reset(seed=1)
    a, b, c = history.names
    assert summary.names == guide.names == history.names
    for env in (history, summary, guide):
        for name in (a, b, b):
            text = env.step(name)[0]
        if env is history:
            lines = [f"You pressed {a}: reward 0.", *[f"You pressed {b}: reward 1."] * 2]
            assert "\n".join(lines) in text
        else:
            assert f"{a}: tried 1, mean reward 0.000" in text
            assert f"{b}: tried 2, mean reward 1.000" in text
            assert f"{c}: not tried" in text
        bonus = math.sqrt(2 * math.log(3) / 2)
        assert (f"bonus: {bonus:.3f}, together {1 + bonus:.3f}" in text) == (env is guide)


def test_names_are_shuffled_by_the_seed():
    env = make()
    seen = {env.reset(seed=s) and env.names for s in range(20)}
    assert len(seen) > 10
    env.reset(seed=4)
    first = env.names
    env.reset(seed=4)
    assert env.names == first


@pytest.mark.parametrize("reply", ["", "the best one", "{0} or {1}", "x{0}x"])
def test_a_reply_without_one_arm_is_a_uniform_draw_and_counted(reply):
    env = make(horizon=600)
    env.reset(seed=0)
    text = reply.format(*env.names)
    arms = np.zeros(3)
    for turn in range(600):
        _, _, _, _, info = env.step(text)
        assert info["invalid"]
        assert info["invalid_replies"] == turn + 1
        arms[info["arm"]] += 1
    assert (abs(arms - 200) < 60).all()


def test_many_arms_are_numbered_and_not_confused():
    env = make(means=None, arms=25)
    env.reset(seed=0)
    for arm, name in enumerate(env.names):
        assert re.fullmatch(r"button \d+", name)
        assert env.parse(f"Press {name}!") == arm


def test_what_cannot_be_told_is_refused():
    with pytest.raises(InvalidArgumentError, match="scenario"):
        make("hats")
    with pytest.raises(InvalidArgumentError, match="context"):
        make(context="dreams")
    with pytest.raises(UnsupportedFaceError, match="bandit with arms"):
        TextBandit(gymnasium.make("spelunk/SlidingTile-v0"))
