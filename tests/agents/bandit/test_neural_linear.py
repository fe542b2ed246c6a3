import gymnasium
import numpy as np
import pytest
import torch

from spelunk.agents.bandit.neural_linear import NeuralLinear
from spelunk.agents.bandit.simulation import simulate
from spelunk.agents.core.agent import RandomAgent, interact
from spelunk.envs.kernel import UnsupportedFaceError

ID = "spelunk/ContextualBandit-v0"


@pytest.mark.parametrize("model", ["shared", "disjoint"])
def test_regret_is_far_below_that_of_chance(model):
    kwargs = {"model": model, "arms": 4, "dimension": 4, "horizon": 300, "runs": 4}
    agent = NeuralLinear(width=16, every=50, steps=50)
    found = simulate(agent, ID, **kwargs).regret.mean(axis=0)
    chance = simulate(RandomAgent(), ID, **kwargs).regret.mean(axis=0)
    assert found[-1] < 0.45 * chance[-1]


def test_what_is_not_linear_in_the_context_is_learned():
    """The right arm is the exclusive or of two entries, which no linear model can tell."""
    rows = np.random.default_rng(0).uniform(-1, 1, (500, 2))
    data = rows, (rows.prod(axis=1) > 0).astype(int)
    agent = NeuralLinear(width=16, every=50, steps=100, learning_rate=0.02)
    found = simulate(agent, ID, horizon=800, runs=4, data=data)
    late = found.times.searchsorted(600)
    gained = found.regret[:, -1] - found.regret[:, late]
    assert gained.mean() / (800 - found.times[late]) < 0.25


def test_the_regression_is_exact_and_lanes_are_forgotten():
    env = gymnasium.make_vec(ID, num_envs=3, autoreset_mode="SAME_STEP", horizon=20, arms=3)
    agent = NeuralLinear(width=8, every=7, steps=3)
    steps = interact(agent, env, env.reset(seed=0), seed=1)
    for t, _ in zip(range(19), steps, strict=False):
        features = agent._features(agent._inputs[:, : t + 1]).double()
        precision = features.mT @ features + agent.ridge * torch.eye(8)
        torch.testing.assert_close(agent._precision[:, 0], precision)
        moment = (features * agent._rewards[:, : t + 1, None]).sum(dim=1)
        torch.testing.assert_close(agent._moment[:, 0], moment)
    next(steps)
    assert not agent._rounds.any()
    assert not agent._moment.any()


def test_environments_without_features_are_refused():
    env = gymnasium.make_vec("spelunk/BernoulliBandit-v0", num_envs=2)
    with pytest.raises(UnsupportedFaceError, match="feature vectors"):
        NeuralLinear().start(env, 0)
