import itertools

import numpy as np
import pytest

from spelunk.agents.exploration.conservative import (
    UCBVI,
    EpsMix,
    StepMix,
    TabularMDP,
    optimal_values,
    policy_value,
    random_mdp,
    softmax_policy,
)
from spelunk.envs.kernel import InvalidArgumentError


@pytest.fixture(params=range(2))
def problem(request):
    mdp = random_mdp(4, 3, 4, seed=request.param)
    baseline = softmax_policy(mdp, 0.3)
    return mdp, baseline, 0.8 * policy_value(mdp, baseline)


def test_values_are_sums_over_all_trajectories():
    mdp, horizon = random_mdp(2, 2, 3, seed=3), 3
    policy = softmax_policy(mdp, 1.0)
    total = 0.0
    for states in itertools.product(range(2), repeat=horizon):
        for actions in itertools.product(range(2), repeat=horizon):
            chance, reward = mdp.start[states[0]], 0.0
            for h, (s, a) in enumerate(zip(states, actions, strict=True)):
                chance *= policy[h, s, a]
                reward += mdp.rewards[s, a]
                if h + 1 < horizon:
                    chance *= mdp.transitions[s, a, states[h + 1]]
            total += chance * reward
    assert policy_value(mdp, policy) == pytest.approx(total)


def test_the_best_policy_is_best():
    mdp = random_mdp(2, 2, 2, seed=1)
    values = [
        policy_value(mdp, np.eye(2)[np.reshape(choices, (2, 2))])
        for choices in itertools.product(range(2), repeat=4)
    ]
    assert max(values) == pytest.approx(mdp.start @ optimal_values(mdp)[0].max(axis=1))


def test_conservative_agents_keep_to_the_threshold_and_learn(problem):
    mdp, baseline, threshold = problem
    best = mdp.start @ optimal_values(mdp)[0].max(axis=1)
    free = UCBVI().run(mdp, baseline, threshold, 5000)
    assert (free.values < threshold).sum() >= 1
    assert not free.switches.any()
    assert free.values[-500:].mean() > 0.99 * best
    for agent in (StepMix(), EpsMix()):
        found = agent.run(mdp, baseline, threshold, 5000)
        assert (found.values >= threshold - 1e-9).all()
        assert (best - found.values).sum() <= 2.5 * (best - free.values).sum()
        assert (found.switches[:10] == mdp.horizon).all()
        assert (found.switches[-1000:] == mdp.horizon).mean() <= 0.1


def test_step_mix_passes_over_earlier_and_earlier(problem):
    found = StepMix().run(*problem, 3000)
    assert {0, 4} < set(found.switches) <= set(range(5))
    halves = found.switches[found.switches > 0]
    assert halves[: len(halves) // 2].mean() > halves[len(halves) // 2 :].mean()
    assert set(EpsMix().run(*problem, 3000).switches) == {0, 4}


def test_runs_are_repeatable(problem):
    first, again, other = (StepMix().run(*problem, 400, seed=s).values for s in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_theory_bonus_keeps_to_the_baseline(problem):
    assert (StepMix(bonus=1.0).run(*problem, 2000).switches == 4).all()


def test_unsafe_baselines_are_refused():
    mdp = TabularMDP(np.ones((1, 2, 1)), np.array([[0.0, 1.0]]), np.ones(1), 2)
    with pytest.raises(InvalidArgumentError, match="below the threshold"):
        StepMix().run(mdp, np.full((2, 1, 2), 0.5), 1.5, 10)
