import math

import numpy as np
import pytest

from spelunk.envs.bandit.adversarial import AdversarialBandit
from spelunk.envs.kernel import InvalidArgumentError


class Ucb1:
    """Auer, Cesa-Bianchi & Fischer 2002, written a second time."""

    def __init__(self, arms):
        self.rewards = [[] for _ in range(arms)]

    def choose(self):
        for arm, rewards in enumerate(self.rewards):
            if not rewards:
                return arm
        log = math.log(sum(map(len, self.rewards)))
        bounds = [np.mean(r) + math.sqrt(2 * log / len(r)) for r in self.rewards]
        return int(np.argmax(np.round(bounds, 12)))


def test_ucb1_is_never_paid_by_the_adversary_made_for_it():
    env = AdversarialBandit(arms=4, adversary="anti_ucb", horizon=300)
    env.reset(seed=0)
    agent = Ucb1(4)
    for _ in range(300):
        arm = agent.choose()
        _, reward, _, _, info = env.step(arm)
        agent.rewards[arm].append(reward)
        assert reward == 0
    assert info["pseudo_regret"] == 225  # 300 less the 75 pulls in which an arm was the one chosen


def test_the_others_are_paid_by_it():
    env, rng = AdversarialBandit(arms=3, adversary="anti_ucb", horizon=40), np.random.default_rng(0)
    for _ in range(40):
        env.reset(seed=0)
        agent, total, offered = Ucb1(3), 0.0, np.zeros(3)
        for _ in range(40):
            expected, arm = agent.choose(), int(rng.integers(3))
            _, reward, _, _, info = env.step(arm)
            agent.rewards[arm].append(reward)
            assert reward == (arm != expected)
            offered += np.arange(3) != expected
            total += reward
            assert info["pseudo_regret"] == offered.max() - total
    assert env.best_return(0) == 40


def test_greedy_is_never_paid_by_the_adversary_made_for_it():
    env = AdversarialBandit(arms=3, adversary="anti_greedy", horizon=60)
    env.reset(seed=0)
    for arm in [0, 1, 2, *[0] * 57]:
        assert env.step(arm)[1] == 0
    env.reset(seed=0)
    assert [env.step(arm)[1] for arm in (1, 0, 2, 2, 1, 1)] == [1, 0, 0, 1, 0, 0]


def test_the_constrained_adversary():
    horizon, runs = 42, 400
    env = AdversarialBandit(arms=3, gap=0.3, horizon=horizon)
    offered = np.zeros((horizon, 3))
    for seed in range(runs):
        env.reset(seed=seed)
        favoured, before = int(env.state["favoured"]), np.zeros(3)
        order = [favoured, (favoured + 1) % 3, (favoured + 2) % 3]
        for t in range(horizon):
            info = env.step(t % 3)[4]
            now = env.state["offered"].copy()
            offered[t] += (now - before)[order] / runs
            before = now
        assert info["pseudo_regret"] == now.max() - env.state["episode_return"]
        if seed < 20:
            assert env.best_return(seed) == now.max()
    ends = np.cumsum([1, 1, 2, 4, 6, 10, 16])  # whole parts of 1.6ⁿ
    high = np.searchsorted(ends, np.arange(horizon), side="right") % 2 == 1
    means = np.where(high[:, None], [1.0, 0.7, 0.7], [0.3, 0.0, 0.0])
    assert abs(offered - means).max() < 0.1


def test_arms_pay_in_turn():
    env = AdversarialBandit(arms=3, adversary="alternating", horizon=9)
    env.reset(seed=4)
    paid = [env.step(0)[1] for _ in range(9)]
    assert sum(paid) == 3
    assert paid[:3] * 3 == paid
    assert env.best_return(4) == 3
    assert env.state["pseudo_regret"] == 0


@pytest.mark.parametrize("adversary", ["constrained", "alternating", "anti_ucb", "anti_greedy"])
def test_one_pull(adversary):
    env = AdversarialBandit(adversary=adversary, horizon=1)
    env.reset(seed=0)
    assert env.step(0)[2:4] == (True, False)


@pytest.mark.parametrize(
    "arguments", [{"arms": 1}, {"adversary": "friendly"}, {"gap": 2}, {"horizon": 0}]
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match="|".join(arguments)):
        AdversarialBandit(**arguments)
