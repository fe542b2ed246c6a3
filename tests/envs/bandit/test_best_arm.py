import numpy as np
import pytest

from spelunk.envs.bandit.best_arm import BestArm
from spelunk.envs.kernel import InvalidActionError, InvalidArgumentError


def test_right_and_wrong_declarations():
    env = BestArm(means=[0.2, 0.9, 0.5], cost=0.1)
    for arm, reward, simple in [(0, 0.0, 0.7), (1, 1.0, 0.0), (2, 0.0, 0.4)]:
        env.reset(seed=0)
        _, price, terminated, _, info = env.step(1)
        assert (price, terminated) == (pytest.approx(-0.1), False)
        assert (info["simple_regret"], info["declared"]) == (0.0, -1)
        _, found, terminated, _, info = env.step(env.parse(f"declare {arm + 1}"))
        assert (found, terminated) == (reward, True)
        assert info["simple_regret"] == pytest.approx(simple)
        assert info["declared"] == arm
        assert info["pseudo_regret"] == pytest.approx(0.1 + 1 - reward)


def test_equal_arms_are_all_right():
    env = BestArm(means=[0.5, 0.5])
    for arm in (0, 1):
        env.reset(seed=0)
        assert env.step(2 + arm)[1] == 1.0


def test_a_spent_budget_leaves_declarations():
    env = BestArm(means=[0.0, 1.0], budget=2)
    _, info = env.reset(seed=0)
    assert info["action_mask"].tolist() == [1, 1, 1, 1]
    env.step(1)
    observation, *_, info = env.step(0)
    assert info["action_mask"].tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(observation, [[0.5, 0.0], [0.5, 1.0]])
    with pytest.raises(InvalidActionError, match="allowed were 2, 3"):
        env.step(0)
    assert env.step(3)[1:3] == (1.0, True)


def test_words():
    env = BestArm(means=[0.0, 1.0], budget=3, cost=0.25)
    env.reset(seed=0)
    env.step(env.parse("pull 2"))
    assert env.describe() == (
        "Find the best of 2 arms, and declare it. You have pulled: arm 2 1 time with 1 win. "
        "2 pulls left at 0.25 each."
    )


@pytest.mark.parametrize(
    "arguments", [{"arms": 1}, {"means": [2, 3]}, {"budget": 0}, {"cost": -1}, {"cost": "high"}]
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match="|".join(arguments)):
        BestArm(**arguments)
