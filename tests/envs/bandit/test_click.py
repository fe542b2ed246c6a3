import itertools

import numpy as np
import pytest

from spelunk.envs.bandit.click import ClickBandit
from spelunk.envs.kernel import InvalidArgumentError, UnparseableActionError


def test_the_first_attractive_item_is_clicked():
    env = ClickBandit(means=[0.0, 1.0, 0.0, 1.0], slots=3)
    env.reset(seed=0)
    for ranking, clicked, seen in [
        ([0, 1, 3], 1, [-1, 1, 0, 0]),
        ([3, 1, 0], 1, [0, 0, 0, 1]),
        ([0, 2, 1], 1, [-1, 1, -1, 0]),
        ([0, 2, 0], 0, [-1, 0, -1, 0]),
    ]:
        observation, reward, *_ = env.step(ranking)
        assert reward == clicked
        assert observation[:, 2].tolist() == seen
    np.testing.assert_allclose(observation[:, 0], [0.03, 0.02, 0.02, 0.01])
    np.testing.assert_allclose(observation[:, 1], [0, 1, 0, 1])


def test_clicks_and_regret_follow_the_product():
    means = np.array([0.5, 0.1, 0.3, 0.3, 0.2])
    env = ClickBandit(means=means.tolist(), slots=2, horizon=100_000)
    env.reset(seed=0)
    best = max(1 - np.prod(1 - means[list(pair)]) for pair in itertools.combinations(range(5), 2))
    assert env.best_return(0) == pytest.approx(100_000 * best)
    for ranking in ([0, 2], [1, 4], [3, 3]):
        value = 1 - np.prod(1 - means[sorted(set(ranking))])
        outcomes = [env.step(ranking) for _ in range(4000)]
        assert np.mean([each[1] for each in outcomes]) == pytest.approx(value, abs=0.035)
        assert outcomes[0][4]["regret"] == pytest.approx(best - value)


@pytest.mark.parametrize("slots", [1, 2, 4])
def test_the_best_list_has_the_most_attractive_items(slots):
    states = ClickBandit(items=4, slots=slots).model.reset(range(200))
    top = np.sort(states["means"], axis=1)[:, ::-1][:, :slots]
    np.testing.assert_allclose(states["best_value"], 1 - np.prod(1 - top, axis=1))
    equal = ClickBandit(means=[0.2, 0.2, 0.2, 0.1], slots=slots).model.reset([0])
    expected = [0.2, 0.36, 0.488, 1 - 0.8**3 * 0.9][slots - 1]
    assert equal["best_value"][0] == pytest.approx(expected)


def test_one_list():
    env = ClickBandit(horizon=1)
    env.reset(seed=0)
    assert env.step([0, 1, 2])[2:4] == (True, False)


def test_words():
    env = ClickBandit(means=[0.0, 1.0, 0.0], slots=2, horizon=5)
    env.reset(seed=0)
    assert env.parse("Show 3, 2").tolist() == [2, 1]
    env.step(env.parse("show 3 2"))
    assert env.describe() == (
        "Rank 2 of 3 items for the next user, who clicks the first that attracts. So far: item 2 "
        "1 click of 1 look; item 3 0 clicks of 1 look. The last user clicked item 2. 4 users left."
    )
    for text in ("show 1", "show 1 4", "show 0 1", "rank 1 2", "show"):
        with pytest.raises(UnparseableActionError, match="show 1 2"):
            env.parse(text)


@pytest.mark.parametrize(
    "arguments",
    [{"items": 1}, {"items": 3, "slots": 4}, {"slots": 0}, {"means": [0.5, 2]}, {"horizon": 0}],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match="|".join(arguments)):
        ClickBandit(**arguments)
