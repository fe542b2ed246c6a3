import sys

import numpy as np
import pytest

from spelunk.agents.core.compare import (
    aggregate,
    performance_profile,
    probability_of_improvement,
)
from spelunk.agents.core.extras import MissingPackageError
from spelunk.envs.kernel.errors import InvalidArgumentError

#: Sorted: 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.8, 2; the middle half is 0.2 to 0.5.
SCORES = np.array([[0.0, 0.8], [0.1, 0.5], [0.2, 0.4], [0.3, 2.0]])
SPREAD = np.random.default_rng(0).random((6, 3))


def test_known_aggregates():
    found = aggregate({"a": SCORES}, reps=200)["a"]
    points = {measure: estimate.point for measure, estimate in found.items()}
    assert points == pytest.approx(
        {
            "iqm": (0.2 + 0.3 + 0.4 + 0.5) / 4,
            "mean": (0.15 + 0.925) / 2,
            "median": (0.15 + 0.925) / 2,
            "optimality_gap": 1 - (0 + 0.1 + 0.2 + 0.3 + 0.4 + 0.5 + 0.8 + 1) / 8,
        }
    )
    assert all(e.low <= e.point <= e.high and e.low < e.high for e in found.values())


def test_the_median_is_of_the_tasks_means():
    scores = np.array([[0.0, 1.0, 5.0], [0.2, 1.2, 5.2]])
    found = aggregate({"a": scores}, reps=50)["a"]
    assert found["median"].point == pytest.approx(1.1)
    assert found["mean"].point == pytest.approx((0.1 + 1.1 + 5.1) / 3)


def test_seeds_are_resampled_within_their_task():
    """Were tasks mixed, the mean of two far apart would vary; so it cannot."""
    scores = np.tile([0.0, 10.0], (5, 1))
    estimate = aggregate({"a": scores}, reps=100)["a"]["mean"]
    assert estimate == (5, 5, 5)


def test_intervals_cover_as_often_as_they_say():
    """Of the mean of 20 seeds; the percentile bootstrap covers a little less than 95%."""
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(60):
        scores = {"a": rng.normal(0.5, 0.2, (20, 1))}
        _, low, high = aggregate(scores, reps=200, seed=trial)["a"]["mean"]
        hits += low <= 0.5 <= high
    assert 50 <= hits < 60


def test_more_seeds_narrow_the_interval():
    rng = np.random.default_rng(2)
    found = aggregate({"few": rng.random((5, 2)), "many": rng.random((100, 2))}, reps=300)
    few, many = found["few"]["iqm"], found["many"]["iqm"]
    assert many.high - many.low < (few.high - few.low) / 2


def test_performance_profile():
    thresholds = np.array([-1, 0.25, 0.5, 3])
    profile = performance_profile({"a": SCORES}, thresholds, reps=200)["a"]
    assert profile.point.tolist() == [1, 5 / 8, 2 / 8, 0]
    assert (profile.low <= profile.point).all()
    assert (profile.point <= profile.high).all()
    assert profile.low[1] < profile.high[1]
    assert profile.low.shape == (4,)


def test_probability_of_improvement():
    assert probability_of_improvement(SPREAD + 2, SPREAD, reps=50) == (1, 1, 1)
    assert probability_of_improvement(SPREAD, SPREAD + 2, reps=50) == (0, 0, 0)
    same = probability_of_improvement(SPREAD, SPREAD, reps=200)
    assert same.point == 0.5
    assert same.low < 0.5 < same.high
    ties = np.zeros((3, 1))
    assert probability_of_improvement(ties, np.zeros((4, 1)), reps=50) == (0.5, 0.5, 0.5)
    # Of 2 × 2 pairs on the first task three are won and one is tied; all are lost on the second.
    x, y = np.array([[1, 0], [3, 0]]), np.array([[1, 1], [0, 1]])
    assert probability_of_improvement(x, y, reps=50).point == (3.5 / 4 + 0) / 2


def test_the_probability_is_that_of_the_library():
    from rliable import metrics

    rng = np.random.default_rng(3)
    x, y = rng.integers(5, size=(6, 3)), rng.integers(5, size=(4, 3))
    ours = probability_of_improvement(x, y, reps=10).point
    assert ours == pytest.approx(metrics.probability_of_improvement(x, y))


def test_a_seed_decides_everything_and_disturbs_nothing():
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    first = aggregate({"a": SPREAD}, reps=100, seed=1)
    assert np.random.random() == expected, "the caller's random numbers are not ours to draw"
    assert aggregate({"b": SCORES[:, [0, 1, 1]], "a": SPREAD}, reps=100, seed=1)["a"] == first["a"]
    assert aggregate({"a": SPREAD}, reps=100, seed=2) != first


@pytest.mark.parametrize(
    ("scores", "complaint"),
    [
        ({"a": np.ones(3)}, r"\(seeds, tasks\).*got shape \(3,\)"),
        ({"a": np.ones((1, 3))}, "at least two seeds"),
        ({"a": np.ones((2, 0))}, "one task"),
        ({"a": np.array([[1], [np.nan]])}, "finite"),
        ({"a": np.ones((2, 3)), "b": np.ones((2, 2))}, r"same tasks; got a \(2, 3\), b \(2, 2\)"),
    ],
)
def test_wrong_scores(scores, complaint):
    with pytest.raises(InvalidArgumentError, match=complaint):
        aggregate(scores)


def test_a_missing_library_names_the_extra(monkeypatch):
    for name in [n for n in sys.modules if n.split(".")[0] == "rliable"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rliable", None)
    with pytest.raises(MissingPackageError, match=r'pip install "spelunk\[report\]"'):
        aggregate({"a": SCORES})
