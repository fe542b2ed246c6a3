import itertools

import numpy as np
import pytest

from spelunk.envs.bandit.coupled import CoupledRestlessBandit
from spelunk.envs.bandit.coupled_instances import FAMILIES, LEVELS
from spelunk.envs.kernel import (
    InvalidActionError,
    InvalidArgumentError,
    KernelVectorEnv,
    UnparseableActionError,
)


def optimum(env):
    """The exact value of every joint start, (states,), by backward induction."""
    joint = np.array(list(itertools.product(range(LEVELS), repeat=env.arms)))
    weights = LEVELS ** np.arange(env.arms)[::-1]
    actions = env.action_space.enumerate()
    chances = env.rise_chances(actions)
    moves = np.array(list(itertools.product((0, 1), repeat=env.arms)))
    after = np.clip(joint[:, None] + 2 * moves - 1, 0, LEVELS - 1)
    pays = env.instance.rewards[np.arange(env.arms), after].sum(axis=-1)
    value = np.zeros(len(joint))
    probability = np.where(moves, chances[:, None], 1 - chances[:, None]).prod(axis=-1)
    for _ in range(env.horizon):
        value = ((pays + value[after @ weights]) @ probability.T).max(axis=1)
    return joint, value


@pytest.mark.parametrize("family", FAMILIES)
def test_the_bound_is_above_the_optimum_and_not_far(family):
    env = CoupledRestlessBandit(family, arms=4, budget=1, horizon=8, instance=2)
    joint, value = optimum(env)
    bounds = np.array([env.bound.at(levels) for levels in joint])
    assert (bounds >= value - 1e-6).all()
    # In expectation interventions can always come together where they help the most.
    slack = 1.6 if family == "interventions" else 1.35
    assert bounds.mean() <= slack * value.mean()


def test_the_bound_is_exact_where_nothing_is_coupled():
    env = CoupledRestlessBandit(arms=3, budget=3, horizon=6)
    joint, value = optimum(env)
    everything = np.ones((1, 3), np.int8)
    assert (env.rise_chances(everything) >= env.rise_chances(0 * everything)).all()
    assert np.mean([env.bound.at(levels) for levels in joint]) == pytest.approx(value.mean())


@pytest.mark.parametrize("family", FAMILIES)
def test_arms_move_and_pay_as_the_instance_says(family):
    env = CoupledRestlessBandit(family, horizon=3)
    batch = KernelVectorEnv(CoupledRestlessBandit, 20_000, family=family, horizon=3)
    observations, _ = batch.reset(seed=0)
    action = env.sample_action(np.random.default_rng(1))
    levels = env.levels(observations)
    assert (levels == batch.states["levels"]).all()
    assert np.abs(np.bincount(levels.ravel()) / levels.size - 0.25).max() < 0.01
    actions = np.tile(action, (len(levels), 1))
    observations, rewards, *_ = batch.step(actions)
    after = env.levels(observations)
    up = np.minimum(levels + 1, LEVELS - 1)
    assert ((after == up) | (after == np.maximum(levels - 1, 0))).all()
    rose = (after == up).mean(axis=0)
    assert np.abs(rose - env.rise_chances(action[None])[0]).max() < 4 * 0.5 / np.sqrt(20_000)
    pays = env.instance.rewards[np.arange(10), after].sum(axis=1)
    np.testing.assert_allclose(rewards, pays, rtol=1e-5)
    expected = env.expected_rewards(levels, actions)
    assert rewards.mean() == pytest.approx(expected.mean(), rel=0.01)
    np.testing.assert_allclose(observations[:, -1], 1 / 3)


@pytest.mark.parametrize("family", FAMILIES)
def test_instances_are_as_the_paper_has_them(family):
    for seed in range(5):
        rewards = CoupledRestlessBandit(family, instance=seed).instance.rewards
        assert ((rewards[:, :-1] >= 0.1) & (rewards[:, :-1] <= 0.2)).all()
        assert (np.sort(rewards[:, -1])[-3:] >= 4).all()
        assert (np.sort(rewards[:, -1])[:-3] <= 3).all()
        assert (np.diff(rewards) >= 0).all()
    chances = CoupledRestlessBandit(family).instance.chances
    if family == "interventions":
        assert chances.shape == (10, 8)
        assert (chances[:, 1:] > chances[:, :1]).all()
    else:
        assert (chances[:, 0] <= 0.2).all()
        assert ((chances[:, 1] >= 0.7) & (chances[:, 1] <= 0.9)).all()


def test_the_same_seed_is_the_same_instance_and_others_differ():
    first, again, other = (CoupledRestlessBandit("path", instance=i).instance for i in (4, 4, 5))
    assert first.space == again.space != other.space
    assert (first.rewards == again.rewards).all()
    assert (first.rewards != other.rewards).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_everything_at_once_is_refused(family):
    env = CoupledRestlessBandit(family)
    env.reset(seed=0)
    with pytest.raises(InvalidActionError):
        env.step(np.ones(10, np.int8))
    env.step(np.zeros(10, np.int8))


@pytest.mark.parametrize(
    ("family", "rule"),
    [
        ("interventions", "on each arm act these: 1: 1, "),
        ("path", "closed walk of at most 6 edges from arm"),
        ("matching", "the slots of arms are 1: "),
        ("capacity", "the arms cost "),
    ],
)
def test_words(family, rule):
    env = CoupledRestlessBandit(family)
    env.reset(seed=0)
    assert rule in env.describe()
    assert "20 steps left" in env.describe()
    assert env.parse("choose 3, 10").nonzero()[0].tolist() == [2, 9]
    with pytest.raises(UnparseableActionError):
        env.parse("choose 11")


@pytest.mark.parametrize(
    "arguments",
    [
        {"family": "tree"},
        {"arms": 1},
        {"budget": 11},
        {"family": "path", "arms": 20, "budget": 13},
        {"horizon": 0},
        {"instance": -1},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match=r"family|arms|budget|horizon|instance"):
        CoupledRestlessBandit(**arguments)
