import gymnasium
import numpy as np
import pytest

from spelunk.envs.combinatorial.tsp import TSP
from spelunk.envs.kernel import InvalidActionError, InvalidArgumentError, UnparseableActionError


def leg(coordinates, a, b):
    """A distance computed from the observation, in double precision."""
    (ax, ay), (bx, by) = coordinates[a].tolist(), coordinates[b].tolist()
    return ((ax - bx) ** 2 + (ay - by) ** 2) ** 0.5


@pytest.mark.parametrize("cities", [3, 9, 20])
def test_a_tour_against_the_rules_written_a_second_way(cities):
    env = TSP(cities=cities)
    rng = np.random.default_rng(cities)
    for seed in range(20):
        observation, info = env.reset(seed=seed)
        places = observation["coordinates"]
        been = [0]
        while len(been) < cities:
            assert np.flatnonzero(observation["visited"]).tolist() == sorted(been)
            assert np.flatnonzero(observation["current"]).tolist() == [been[-1]]
            unvisited = sorted(set(range(cities)) - set(been))
            assert np.flatnonzero(info["action_mask"]).tolist() == unvisited
            action = int(rng.choice(unvisited))
            observation, reward, terminated, truncated, info = env.step(action)
            expected = leg(places, been[-1], action)
            been.append(action)
            if len(been) == cities:
                expected += leg(places, action, 0)
            assert reward == pytest.approx(-expected, rel=1e-6)
            assert terminated == (len(been) == cities)
            assert not truncated
            np.testing.assert_array_equal(observation["coordinates"], places)
        assert not info["action_mask"].any()
        assert env.tour(env.state).tolist() == been


def test_cities_that_were_visited_are_refused():
    env = TSP(cities=5)
    env.reset(seed=0)
    with pytest.raises(InvalidActionError, match="action 0 is illegal; allowed were 1, 2, 3, 4"):
        env.step(0)
    env.step(3)
    with pytest.raises(InvalidActionError, match="allowed were 1, 2, 4"):
        env.step(3)


def test_cities_are_uniform_in_the_square():
    places = TSP(cities=50).model.reset(range(400))["coordinates"].reshape(-1, 2)
    counts = np.histogram2d(*places.T, bins=5, range=[[0, 1], [0, 1]])[0]
    expected = len(places) / 25
    assert ((counts - expected) ** 2 / expected).sum() < 51.2  # chi-squared, 24 degrees, p = 0.001


def test_best_return_is_reached_by_the_tour_it_speaks_of_and_by_no_other():
    env = TSP(cities=6)
    for seed in range(5):
        frontier, returns = env.model.reset([seed]), np.zeros(1)
        for _ in range(5):
            children = env.model.successors(frontier)
            ok = children.legal.astype(bool)
            returns = (returns[:, None] - children.costs)[ok]
            frontier = children.states[ok]
        assert len(returns) == 120
        assert returns.max() == pytest.approx(env.best_return(seed), rel=1e-6)


def test_distances_are_what_a_step_costs():
    env = TSP(cities=8)
    env.reset(seed=1)
    distances = env.distances(env.state)
    children = env.model.successors(env.state[None])
    np.testing.assert_allclose(children.costs[0, 1:], distances[0, 1:], rtol=1e-6)
    np.testing.assert_array_equal(env.model.is_goal(env.state[None]), [False])


def test_words():
    env = TSP(cities=4)
    env.reset(seed=0)
    env.step(env.parse("Go to 3"))
    text = env.describe()
    assert "been to 1, 3; you are in city 3. Cities left: 2, " in text
    for word in ("go to 2", "go to 4"):
        env.step(env.parse(word))
    assert "All are visited" in env.describe()
    assert "tour 1 3 2 4" in env.show_state(env.state)
    with pytest.raises(UnparseableActionError, match="go to 5"):
        env.parse("go to 5")


def test_a_vector_of_files_plays_the_same_instance_in_every_lane(tmp_path):
    path = tmp_path / "square.tsp"
    path.write_text(
        "TYPE: TSP\nDIMENSION: 4\nEDGE_WEIGHT_TYPE: EUC_2D\nNODE_COORD_SECTION\n"
        "1 0 0\n2 10 0\n3 10 10\n4 0 10\nEOF\n"
    )
    env = gymnasium.make_vec(
        "spelunk/TSP-v0", num_envs=2, file=str(path), autoreset_mode="SAME_STEP"
    )
    env.reset(seed=0)
    assert env.step(np.array([1, 2]))[1].tolist() == [-10.0, -14.0]
    assert env.step(np.array([2, 1]))[1].tolist() == [-10.0, -10.0]
    observations, rewards, terminated, _, infos = env.step(np.array([3, 3]))
    assert rewards.tolist() == [-20.0, -24.0]
    assert terminated.all()
    assert infos["episode"]["r"].tolist() == [-40.0, -48.0]
    assert observations["visited"].tolist() == [[1, 0, 0, 0]] * 2
    assert observations["coordinates"].max() == 10.0
    assert TSP(file=str(path)).best_return(0) == -40.0


@pytest.mark.parametrize(
    "arguments", [{"cities": 2}, {"cities": 5001}, {"cities": 4.0}, {"cities": True}]
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match="cities must be an integer from 3 to 5000"):
        TSP(**arguments)


def test_cities_and_file_must_agree(tmp_path):
    path = tmp_path / "three.tsp"
    path.write_text(
        "DIMENSION: 3\nEDGE_WEIGHT_TYPE: EUC_2D\nNODE_COORD_SECTION\n1 0 0\n2 1 0\n3 0 1\n"
    )
    assert TSP(file=str(path), cities=3).cities == 3
    with pytest.raises(InvalidArgumentError, match="has 3 cities"):
        TSP(file=str(path), cities=20)
