import numpy as np
import pytest

from spelunk.agents.core.evaluation import EVALUATION_SEEDS, evaluate
from spelunk.agents.core.trainer import Task
from spelunk.agents.planning.value_iteration import value_iteration
from spelunk.agents.value.tabular import Config, QLearning, greedy
from spelunk.envs.kernel import InvalidArgumentError, UnsupportedFaceError
from spelunk.envs.search.sliding_tile import SlidingTile

from ..probes import register

register()


def learn(steps, config, env_id="probe/Probe-v0", num_envs=16, **env_kwargs):
    trainer = QLearning(Task(env_id, steps, num_envs, env_kwargs), config)
    while trainer.env_steps < steps:
        trainer.step()
    return trainer


def probe(kind, **env_kwargs):
    return learn(20_000, Config(gamma=0.5), kind=kind, **env_kwargs)


def values(trainer, sign, place=0):
    states = trainer.env.definition.layout.empty(1)
    states["sign"], states["place"] = sign, place
    return trainer.table.look_up(states)[0].tolist()


def test_a_constant_reward():
    trainer = probe("constant")
    assert values(trainer, 1) == pytest.approx([1, 1], abs=0.01)
    metrics = trainer.step()
    assert metrics["return_mean"] == metrics["length_mean"] == 1
    assert metrics["states"] == 2
    assert metrics["td_error"] < 0.01


def test_a_reward_that_the_state_tells():
    trainer = probe("observed")
    assert values(trainer, 1) == pytest.approx([1, 1], abs=0.01)
    assert values(trainer, -1) == pytest.approx([-1, -1], abs=0.01)


def test_a_reward_that_comes_later():
    trainer = probe("delayed")
    assert values(trainer, 1, 0) == pytest.approx([0.5, 0.5], abs=0.01)
    assert values(trainer, 1, 1) == pytest.approx([1, 1], abs=0.01)


def test_a_reward_that_both_decide():
    trainer = probe("both")
    assert values(trainer, 1) == pytest.approx([0, 1], abs=0.01)
    assert values(trainer, -1) == pytest.approx([1, 0], abs=0.01)


def test_an_episode_cut_off_is_not_an_end():
    trainer = probe("forever", max_episode_steps=3)
    assert values(trainer, 1) == pytest.approx([2, 2], abs=0.01)


def test_illegal_actions_are_never_taken():
    trainer = probe("masked")
    assert not trainer.table.visits[:, 0].any()
    assert trainer.table.visits[:, 1].sum() == trainer.env_steps


def test_agreement_with_value_iteration():
    """Rewards are negative, so that an illegal action's 0 would spoil every target."""
    config = Config(gamma=0.9, step_size=1.0, epsilon_end=1.0)
    trainer = learn(
        20_000, config, "spelunk/SlidingTile-v0", size=2, max_episode_steps=3, num_envs=32
    )
    model = SlidingTile(size=2).model
    states = model.reset(range(200))
    exact = value_iteration(model, states, discount=0.9)
    legal = model.legal(states) != 0
    learned = np.where(legal, trainer.table.look_up(states), -np.inf).max(axis=1)
    assert learned == pytest.approx(exact.values[exact.rows(model, states)], abs=1e-6)
    result = evaluate(trainer.agent(), "spelunk/SlidingTile-v0", size=2, episodes=40)
    best = [SlidingTile(size=2).best_return(EVALUATION_SEEDS + i) for i in range(40)]
    assert result.return_mean == np.mean(best)


def test_a_step_size_of_1_over_n_takes_the_mean():
    trainer = learn(
        20_000, Config(step_size=None, epsilon_end=1.0), "spelunk/BernoulliBandit-v0",
        means=[0.2, 0.8], horizon=1,
    )  # fmt: skip
    assert trainer.table.values[0] == pytest.approx([0.2, 0.8], abs=0.02)
    wins = trainer.table.values[0] * trainer.table.visits[0]
    assert wins == pytest.approx(np.round(wins), abs=1e-6)


def test_the_table_grows():
    trainer = learn(30_000, Config(), "spelunk/SlidingTile-v0", num_envs=64)
    assert len(trainer.table) > 1024
    states = trainer.env.states
    rows = trainer.table.rows(states)
    assert (trainer.table.rows(states) == rows).all()
    assert (trainer.table.visits[: len(trainer.table)].sum(axis=1) > 0).mean() > 0.9


def test_unknown_states_and_ties_are_left_to_chance():
    trainer = QLearning(Task("spelunk/SlidingTile-v0", 100, 4), Config())
    random = evaluate(trainer.agent(), "spelunk/SlidingTile-v0", size=2, episodes=100, seed=1)
    assert -60 < random.return_mean < -15
    rng = np.random.default_rng(0)
    drawn = greedy(np.tile([1.0, 3.0, 3.0, 9.0], (3000, 1)), np.array([[1, 1, 1, 0]]), rng)
    assert np.bincount(drawn, minlength=4) == pytest.approx([0, 1500, 1500, 0], abs=120)


def test_resume_is_exact():
    task = Task("spelunk/SlidingTile-v0", 10**4, 8, {"size": 2, "max_episode_steps": 10})
    straight, split = QLearning(task, Config()), QLearning(task, Config())
    for _ in range(3):
        straight.step()
        split.step()
    resumed = QLearning(task, Config())
    resumed.load_state(*split.state())
    for _ in range(3):
        assert straight.step() == resumed.step()
    ours, theirs = straight.table.arrays(), resumed.table.arrays()
    assert all((ours[name] == theirs[name]).all() for name in ours)


def test_what_does_not_fit_is_said():
    with pytest.raises(UnsupportedFaceError, match="no model face"):
        QLearning(Task("spelunk/KnowledgeSearch-v0", 100, 2), Config())
    with pytest.raises(UnsupportedFaceError, match="one integer"):
        QLearning(Task("spelunk/PointMaze-v0", 100, 2), Config())
    with pytest.raises(UnsupportedFaceError, match="one agent"):
        QLearning(Task("spelunk/TicTacToe-v0", 100, 2), Config())
    for wrong in ({"step_size": 0}, {"gamma": 2}, {"epsilon_end": -1}):
        with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
            QLearning(Task("spelunk/SlidingTile-v0", 100, 2), Config(**wrong))
