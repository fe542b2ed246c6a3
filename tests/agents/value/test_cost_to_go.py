from typing import Any

import numpy as np
import pytest

from spelunk.agents.core.evaluation import EVALUATION_SEEDS, evaluate
from spelunk.agents.core.trainer import Task
from spelunk.agents.value.cost_to_go import Config, CostToGoLearning
from spelunk.envs.kernel import InvalidArgumentError, UnsupportedFaceError
from spelunk.envs.kernel.solve import distance_table
from spelunk.envs.search.pancake import Pancake

SMALL = {
    "hidden": 64,
    "blocks": 0,
    "scramble": 8,
    "target_interval": 50,
    "target_loss": 0.5,
    "updates_per_step": 20,
}


def trainer(form, seed=0, **more):
    task = Task("spelunk/Pancake-v0", 10**9, 256, {"size": 5}, seed)
    return CostToGoLearning(task, Config(form=form, **{**SMALL, **more}))


@pytest.mark.parametrize("form", ["value", "action"])
def test_the_costs_of_all_small_pancakes_are_learned(form):
    learner = trainer(form, actions_per_state=2, learning_rate=3e-3)
    for _ in range(50):
        metrics = learner.step()
    assert metrics["loss"] < 0.3
    env = Pancake(size=5)
    distances, kernels = distance_table(env), env.definition.kernels
    states = np.repeat(env.model.reset([0]), len(distances))
    for number, state in enumerate(states):
        kernels.unrank(state, number, env.definition.params)
    assert abs(learner.costs(states) - distances).mean() < 0.3
    if form == "action":
        of_actions = learner.costs.of_actions(states)
        children = env.model.successors(states)
        after = [kernels.rank(child, env.definition.params) for child in children.states.ravel()]
        exact = 1.0 + distances[after].reshape(of_actions.shape)
        away = distances > 0
        assert abs(of_actions - exact)[away].mean() < 0.3
    agent = learner.agent()
    played = evaluate(agent, "spelunk/Pancake-v0", episodes=50, size=5)
    best = [env.best_return(EVALUATION_SEEDS + i) for i in range(50)]
    assert np.mean(best) - 0.2 < played.returns.mean() <= np.mean(best)
    assert agent.figures()["status"] == "solved"


@pytest.mark.parametrize("form", ["value", "action"])
def test_a_stopped_training_goes_on_bit_for_bit(form):
    whole, first, second = (trainer(form, seed=3) for _ in range(3))
    for _ in range(4):
        whole.step()
    for _ in range(2):
        first.step()
    second.load_state(*first.state())
    for _ in range(2):
        second.step()
    for name, array in whole.state()[0].items():
        np.testing.assert_array_equal(array, second.state()[0][name], err_msg=name)
    assert whole.env_steps == second.env_steps


def test_different_actions_are_drawn_and_good_ones_more_often():
    learner = trainer("action", actions_per_state=3, epsilon=0.0, temperature=0.1)
    states = learner.model.reset(range(500))
    costs = np.tile([3.0, 1.0, 2.0, 5.0], (500, 1))
    drawn = learner._draw(costs, states)
    assert all(len(set(row)) == 3 for row in drawn)
    assert (drawn == 3).mean() < 0.01


def test_what_cannot_be_learned_is_refused():
    with pytest.raises(UnsupportedFaceError, match="taken back"):
        CostToGoLearning(Task("spelunk/DoorKey-v0", 1, 10), Config())
    wrongs: list[dict[str, Any]] = [
        {"scramble": 0},
        {"epsilon": 2.0},
        {"temperature": 0.0},
        {"blocks": -1},
    ]
    for wrong in wrongs:
        with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
            trainer("value", **wrong)
