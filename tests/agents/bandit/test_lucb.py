"""Best arms with a fixed confidence."""

from typing import Any

import gymnasium
import numpy as np
import pytest

from spelunk.agents.bandit import simulation
from spelunk.agents.bandit.lucb import LUCB
from spelunk.agents.bandit.simulation import simulate
from spelunk.agents.core.evaluation import evaluate
from spelunk.envs.kernel import UnsupportedFaceError

ID = "spelunk/BestArm-v0"
EASY = [0.9, 0.3, 0.3, 0.2, 0.1]
HARD = [0.7, 0.5, 0.5, 0.2, 0.1]


def play(means, delta=0.1, epsilon=0.0, budget=20_000):
    return evaluate(LUCB(delta, epsilon), ID, episodes=300, means=means, budget=budget)


def test_it_is_right_as_often_as_it_says_and_sooner_where_that_is_easy():
    easy, hard, sure = play(EASY), play(HARD), play(HARD, delta=1e-4)
    for result, delta in ((easy, 0.1), (hard, 0.1), (sure, 1e-4)):
        assert result.return_mean >= 1 - delta
        assert result.lengths.max() < 20_000  # It never needed all of the budget.
    assert 2 * easy.lengths.mean() < hard.lengths.mean() < sure.lengths.mean()


def test_an_arm_that_is_nearly_as_good_is_good_enough():
    close = [0.6, 0.58, 0.2]
    assert (play(close, budget=2000).lengths == 2001).all()
    enough = play(close, epsilon=0.3, budget=2000)
    assert enough.lengths.mean() < 1500
    assert 0.5 < enough.return_mean < 0.95  # Either of the two.


def test_when_the_budget_is_spent_the_highest_mean_is_declared():
    env: Any = gymnasium.make_vec(ID, num_envs=50, autoreset_mode="SAME_STEP", budget=33)
    agent, (seen, infos) = LUCB(), env.reset(seed=0)
    agent.start(env, 0)
    for _ in range(33):
        actions = agent.act(seen, infos).copy()
        assert (actions < 5).all()
        seen, rewards, _, _, infos = env.step(actions)
        agent.update(actions, rewards, np.zeros(50, bool))
    assert (agent.act(seen, infos) == 5 + seen[:, :, 1].argmax(axis=1)).all()
    assert play(EASY, budget=2).lengths.tolist() == [3] * 300


def test_leader_and_challenger_take_turns_until_their_bounds_part():
    """The rule of the paper, reckoned from observations."""
    env: Any = gymnasium.make_vec(
        ID, num_envs=1, autoreset_mode="SAME_STEP", budget=5000, means=EASY
    )
    agent, (seen, infos) = LUCB(0.1), env.reset(seed=1)
    agent.start(env, 0)
    due, time = list(range(5)), 5
    while True:
        actions = agent.act(seen, infos).copy()
        if not due:
            time += 1
            pulls, means = seen[0, :, 0] * 5000.0, seen[0, :, 1]
            widths = np.sqrt(np.log(1.25 * 5 * time**4 / 0.1) / (2 * pulls))
            leader = int(means.argmax())
            highest = np.where(np.arange(5) == leader, -np.inf, means + widths)
            if highest.max() < (means - widths)[leader]:
                break
            due = [leader, int(highest.argmax())]
        assert actions[0] == due.pop(0)
        seen, rewards, _, _, infos = env.step(actions)
        agent.update(actions, rewards, np.zeros(1, bool))
    assert actions[0] == 5 + leader
    assert 100 < time < 1000


def test_a_batch_does_the_same_as_a_simulation(monkeypatch):
    arguments: dict[str, Any] = {"horizon": 60, "runs": 20, "budget": 100, "recorded": 60}
    simulated = simulate(LUCB(), ID, **arguments)
    monkeypatch.setattr(simulation, "BanditAgent", type(None))
    assert (simulated.actions == simulate(LUCB(), ID, **arguments).actions).all()


def test_other_bandits_are_refused():
    with pytest.raises(UnsupportedFaceError, match="LUCB plays BestArm"):
        simulate(LUCB(), "spelunk/BernoulliBandit-v0", horizon=5, runs=2)
