import gymnasium
import numpy as np
import pytest

from spelunk.agents.combinatorial.two_opt import TwoOptAgent
from spelunk.agents.core.evaluation import evaluate
from spelunk.envs.combinatorial.local_search import nearest_neighbour, tour_length
from spelunk.envs.kernel import UnsupportedFaceError

ID = "spelunk/TSP-v0"


def test_close_to_the_exact_optimum_on_ten_cities():
    played = evaluate(TwoOptAgent(), ID, episodes=200, cities=10)
    assert (played.lengths == 9).all()
    assert 0.97 < played.normalized_score <= 1.0


def test_every_tour_is_shorter_than_the_nearest_neighbours_and_free_of_crossings():
    env = gymnasium.make_vec(ID, num_envs=32, autoreset_mode="SAME_STEP", cities=30)
    observations, infos = env.reset(seed=0)
    agent = TwoOptAgent()
    agent.start(env, 0)
    for _ in range(2):  # two episodes a lane: the second is planned anew
        greedy = [
            tour_length(d, nearest_neighbour(d)) for d in map(env.prototype.distances, env.states)
        ]
        places = env.states["coordinates"].copy()
        tours = [np.zeros(32, int)]
        ended = np.zeros(32, bool)
        while not ended.any():
            actions = agent.act(observations, infos)
            tours.append(actions)
            observations, rewards, terminated, truncated, infos = env.step(actions)
            ended = terminated | truncated
            agent.update(actions, rewards, ended)
        assert (-infos["episode"]["r"] <= np.array(greedy) + 1e-5).all()
        assert (-infos["episode"]["r"]).mean() < 0.95 * np.mean(greedy)
        for lane, tour in enumerate(np.array(tours).T):
            assert not crosses(places[lane][tour].astype(float))


def crosses(points):
    """Whether two sides of a polygon cross, which exchanging them would mend."""
    ends = np.roll(points, -1, axis=0)

    def side(a, b, c):
        return np.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))

    n = len(points)
    return any(
        side(points[i], ends[i], points[j]) * side(points[i], ends[i], ends[j]) < 0
        and side(points[j], ends[j], points[i]) * side(points[j], ends[j], ends[i]) < 0
        for i in range(n)
        for j in range(i + 2, n - (i == 0))
    )


def test_other_environments_are_refused():
    env = gymnasium.make_vec("spelunk/SlidingTile-v0", num_envs=1)
    env.reset(seed=0)
    with pytest.raises(UnsupportedFaceError, match="TSP"):
        TwoOptAgent().start(env, 0)
