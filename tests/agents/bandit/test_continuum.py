import numpy as np
import pytest

from spelunk.agents.bandit import hoo, zooming
from spelunk.agents.bandit.hoo import HOO
from spelunk.agents.bandit.simulation import simulate
from spelunk.agents.bandit.zooming import Zooming
from spelunk.envs.bandit.bernoulli import BernoulliBandit
from spelunk.envs.bandit.lipschitz import LipschitzBandit
from spelunk.envs.kernel import InvalidArgumentError, UnsupportedFaceError

ID = "spelunk/LipschitzBandit-v0"


def play(agent, kernels, env, rounds):
    """Memory, settings, and the places and rewards of some rounds."""
    problem = agent.problem(env, rounds)
    memory, settings = agent.remember(problem, [0])[0], agent.params(problem)
    kernels.start(memory, settings)
    env.reset(seed=0)
    obs, places, rewards = np.zeros((1, 1), np.float32), [], []
    for _ in range(rounds):
        action = np.zeros(env.dimension, np.float32)
        kernels.choose(memory, obs, settings, action)
        reward = env.step(action)[1]
        kernels.learn(memory, action, reward, obs, settings)
        places.append(action)
        rewards.append(reward)
        yield memory, settings, np.array(places), np.array(rewards)


@pytest.mark.parametrize("dimension", [1, 2])
def test_zooming_keeps_every_place_covered(dimension):
    env = LipschitzBandit(dimension, horizon=3000)
    agent = Zooming(0.5, grid=64 if dimension == 1 else 12)
    for memory, settings, places, rewards in play(agent, zooming, env, 1500):
        if len(places) % 100:
            continue
        active = memory["active"]
        centres = settings.points[memory["places"][:active]]
        assert len(np.unique(centres, axis=0)) == active
        radii = settings.width / np.sqrt(memory["pulls"][:active] + 1) / env.lipschitz
        gaps = np.linalg.norm(settings.points[:, None] - centres, axis=2)
        assert (gaps <= radii + 1e-9).any(axis=1).all()
        for arm in range(active):
            mine = (abs(places - centres[arm]) < 1e-6).all(axis=1)
            assert memory["pulls"][arm] == mine.sum()
            assert memory["sums"][arm] == rewards[mine].sum()
    assert active > 3


def test_hoo_keeps_the_bounds_of_its_tree():
    env = LipschitzBandit(2, horizon=400)
    agent = HOO(1.0, depth=12)
    for found in play(agent, hoo, env, 300):
        memory, _, places, rewards = found

    def check(node, depth, low, high):
        inside = ((places > low) & (places < high)).all(axis=1)
        visits = memory["visits"][node]
        assert visits == inside.sum()
        own = (
            memory["averages"][node]
            + np.sqrt(np.log(300) / visits)
            + 2 * np.sqrt(2) / 2.0 ** (depth // 2)
        )
        bounds = []
        for side, child in enumerate(memory["children"][node]):
            if child < 0:
                bounds.append(np.inf)
                continue
            lower, upper = list(low), list(high)
            (upper if side == 0 else lower)[depth % 2] = (low[depth % 2] + high[depth % 2]) / 2
            bounds.append(check(child, depth + 1, lower, upper))
        expected = min(own, max(bounds)) if depth < 12 else own
        assert memory["bounds"][node] == pytest.approx(expected)
        return expected

    check(0, 0, [0, 0], [1, 1])
    assert memory["visits"][0] == 300
    assert memory["averages"][0] == pytest.approx(rewards.mean())


@pytest.mark.parametrize("agent", [Zooming(0.25), HOO(0.25)], ids=lambda a: type(a).__name__)
def test_regret_grows_slower_than_time(agent):
    kwargs = {"peaks": [[0.3, 0.9], [0.8, 0.6]]}
    found = simulate(agent, ID, horizon=8000, runs=8, points=40, **kwargs)
    curve = found.regret.mean(axis=0)
    early = np.searchsorted(found.times, 500)
    random = (
        0.9
        - LipschitzBandit(**kwargs)
        .means({"peaks": np.array(kwargs["peaks"])}, np.linspace(0, 1, 1001)[:, None])
        .mean()
    )
    assert curve[-1] / 8000 < 0.2 * random
    assert curve[-1] / 8000 < 0.6 * curve[early] / found.times[early]


def test_other_problems_are_refused():
    agent = Zooming()
    with pytest.raises(UnsupportedFaceError, match=r"\[0, 1\]"):
        agent.check(agent.problem(BernoulliBandit(), 10))
    env = LipschitzBandit()
    with pytest.raises(InvalidArgumentError, match="lipschitz"):
        HOO(lipschitz=-1.0).params(agent.problem(env, 10))
