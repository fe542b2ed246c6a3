import itertools

import gymnasium
import numpy as np
import pytest

from spelunk.envs.bandit.foraging import LEAVE, STAY, InformationForaging, optimal_values
from spelunk.envs.kernel import InvalidArgumentError


def test_finds_get_rarer_as_the_rates_say():
    env = InformationForaging(richness=[0.8], decay=0.5, horizon=10)
    rates = []
    for seed in range(3000):
        env.reset(seed=seed)
        rates.append([env.step(STAY)[1] for _ in range(4)])
    np.testing.assert_allclose(np.mean(rates, axis=0), [0.8, 0.4, 0.2, 0.1], atol=0.04)


def test_leaving_takes_its_time_and_opens_a_fresh_patch():
    env = InformationForaging(richness=[1.0], decay=0.0, travel=3, horizon=10)
    env.reset(seed=0)
    assert env.step(STAY)[1] == 1
    assert env.step(STAY)[1] == 0
    observation, reward, terminated, _, _ = env.step(LEAVE)
    assert (reward, terminated) == (0, False)
    np.testing.assert_allclose(observation, [0.5, 0, 0, 0])
    np.testing.assert_allclose(env.step(STAY)[0], [0.4, 0.1, 0.1, 1])
    assert not env.step(LEAVE)[2]
    assert env.step(LEAVE)[2]


def test_the_values_are_the_best_of_all_plans():
    """With one kind of patch a policy is a plan, since chance has no say in what comes."""
    richness, decay, travel, horizon = 0.9, 0.6, 2, 9
    best = 0.0
    for plan in itertools.product((STAY, LEAVE), repeat=horizon):
        left, rate, total = horizon, richness, 0.0
        for action in plan:
            if left <= 0:
                break
            if action == STAY:
                total, rate, left = total + rate, rate * decay, left - 1
            else:
                rate, left = richness, left - travel
        best = max(best, total)
    values = optimal_values(np.array([richness]), decay, travel, horizon)
    assert values[horizon, 0, 0] == pytest.approx(best)


def test_far_from_the_end_the_marginal_value_theorem_holds():
    """Leave as soon as the patch yields less than the highest long-term rate (Charnov 1976)."""
    kinds, decay, travel, horizon = np.array([0.9, 0.6, 0.3]), 0.9, 4, 400
    values = optimal_values(kinds, decay, travel, horizon)
    stays = np.arange(60)
    rates = kinds[:, None] * decay**stays
    level = 0.0
    for _ in range(100):  # policy iteration on the rate
        spent = (rates > level).sum(axis=1)
        gains = [row[:n].sum() for row, n in zip(rates, spent, strict=True)]
        level = np.mean(gains) / (travel + np.mean(spent))
    late = horizon // 2
    assert (values[2 * late, :, 0].mean() - values[late, :, 0].mean()) / late == pytest.approx(
        level, rel=0.01
    )
    stay = rates + values[late - 1, :, 1:61]
    leaves = stay < values[late - travel, :, 0].mean() - 1e-9
    assert abs(leaves.argmax(axis=1) - spent).max() <= 1


def test_regrets_add_up_to_what_was_lost():
    """By the performance difference lemma, for any policy."""
    kwargs = {"richness": [0.9, 0.4], "horizon": 30}
    env = gymnasium.make_vec(
        "spelunk/InformationForaging-v0", num_envs=8192, autoreset_mode="SAME_STEP", **kwargs
    )
    env.reset(seed=0)
    lost = InformationForaging(**kwargs).values[30, env.states["kind"], 0]
    regrets, rng = np.full(8192, np.nan), np.random.default_rng(0)
    while np.isnan(regrets).any():
        infos = env.step((rng.random(8192) < 0.3).astype(int))[4]
        if "episode" in infos:
            first = infos["_episode"] & np.isnan(regrets)
            regrets[first] = infos["final_info"]["pseudo_regret"][first]
            lost[first] -= infos["episode"]["r"][first]
    assert regrets.mean() == pytest.approx(lost.mean(), abs=4 * lost.std() / np.sqrt(8192))
    assert regrets.mean() > 1


def test_the_optimal_policy_has_no_regret():
    env = InformationForaging(horizon=40)
    env.reset(seed=2)
    terminated, values = False, env.values
    while not terminated:
        left, kind, stays = (int(env.state[name]) for name in ("left", "kind", "stays"))
        stay = float(env.state["rate"]) + values[left - 1, kind, stays + 1]
        leave = values[max(left - 4, 0), :, 0].mean()
        *_, terminated, _, info = env.step(STAY if stay >= leave else LEAVE)
    assert info["pseudo_regret"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("action", [STAY, LEAVE])
def test_one_unit_of_time(action):
    env = InformationForaging(horizon=1)
    env.reset(seed=0)
    assert env.step(action)[2:4] == (True, False)


@pytest.mark.parametrize(
    "arguments",
    [
        {"richness": []},
        {"richness": [1.5]},
        {"richness": 0.5},
        {"decay": 2},
        {"travel": 0},
        {"horizon": 0},
        {"horizon": 10_000},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match="|".join(arguments)):
        InformationForaging(**arguments)
