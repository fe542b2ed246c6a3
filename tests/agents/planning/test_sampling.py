import itertools

import numpy as np
import pytest

from spelunk.agents.planning.sampling import SamplingAgent, guide_of, sample_plans
from spelunk.envs.bandit.bernoulli import BernoulliBandit
from spelunk.envs.kernel import InvalidArgumentError, KernelVectorEnv, UnsupportedFaceError
from spelunk.envs.search.countdown import Countdown
from spelunk.envs.search.game_of_24 import GameOf24
from spelunk.envs.search.sliding_tile import SlidingTile
from spelunk.envs.search.sudoku import Sudoku

ENVS = {
    "countdown": Countdown(numbers=4, use_all=True),
    "24": GameOf24(),
    "sudoku": Sudoku(box=2, boards=50),
}


def plan_of(found, i):
    plan = found.plans[i].tolist()
    return plan[: plan.index(-1)]


@pytest.mark.parametrize("method", ["sequential", "parallel"])
@pytest.mark.parametrize("name", ENVS)
def test_plans_lead_to_goals(name, method):
    env = ENVS[name]
    roots = env.model.reset(range(40))
    found = sample_plans(
        env.model, roots, range(40), method=method, budget=20_000, guide=guide_of(env)
    )
    assert found.solved.mean() > 0.9
    for i in np.flatnonzero(found.solved):
        env.reset(seed=int(i))
        plan = plan_of(found, i)
        assert found.spent[i] >= len(plan)
        for action in plan:
            outcome = env.step(action)
        assert outcome[1:3] == (1.0, True)


@pytest.mark.parametrize("method", ["sequential", "parallel"])
def test_a_smaller_budget_finds_the_same_or_nothing(method):
    env = ENVS["countdown"]
    roots = env.model.reset(range(60))
    options = {"method": method, "guide": guide_of(env)}
    large = sample_plans(env.model, roots, range(60), budget=3000, **options)
    small = sample_plans(env.model, roots, range(60), budget=200, **options)
    reached = large.solved & (large.spent <= 200)
    assert 0 < reached.sum() < 60
    assert (small.solved == reached).all()
    assert (small.spent == np.where(reached, large.spent, 200)).all()


def test_sequential_search_sees_every_node_once_at_most():
    """Below a start without a solution it ends when the tree is searched."""
    env = Countdown(numbers=3, use_all=True)
    root = env.model.reset([0])
    root["target"] = 999_999
    options = {"method": "sequential", "budget": 10**6}
    found = sample_plans(env.model, root, [0], **options)
    assert not found.solved[0]
    assert found.spent[0] == nodes_below(env, root)
    # Where one leaf is the goal, it comes anywhere in the uniformly random order.
    env.reset(seed=0, options={"numbers": [2, 3, 50], "target": 44})
    spent = sample_plans(env.model, env.state[None].repeat(2000), range(2000), **options).spent
    nodes = nodes_below(env, env.state[None])
    assert spent.min() == 2
    assert spent.max() <= nodes
    assert spent.mean() == pytest.approx(nodes / 2, rel=0.1)


def nodes_below(env, frontier):
    nodes = 0
    while len(frontier):
        children = env.model.successors(frontier)
        nodes += (children.legal != 0).sum()
        frontier = children.states[(children.legal != 0) & ~children.terminated]
    return nodes


def test_parallel_samples_are_drawn_from_the_softmax():
    """The first try's first action has the policy's probabilities."""
    env = Countdown(numbers=3, use_all=True)
    env.reset(seed=0, options={"numbers": [2, 3, 10], "target": 32})
    root, n = env.state[None].copy(), 4000
    roots = root.repeat(n)
    found = sample_plans(
        env.model, roots, range(n), method="parallel", budget=2, temperature=2.0,
        guide=guide_of(env),
    )  # fmt: skip
    legal = np.flatnonzero(env.model.legal(root)[0])
    # Tries that failed have written their actions as well.
    first = found.plans[:, 0]
    after = env.model.successors(root).states[0]
    made = {}
    for action in legal:
        pair = list(itertools.combinations(range(3), 2))[action // 4]
        made[action] = after[action]["numbers"][pair[0]]
    weights = {a: (1.0 + abs(float(m) - 32.0)) ** (-1 / 2.0) for a, m in made.items()}
    total = sum(weights.values())
    for action, weight in weights.items():
        p = weight / total
        assert abs((first == action).mean() - p) < 4 * np.sqrt(p * (1 - p) / n)


def test_alternatives_are_the_digits_of_one_cell():
    """Where no digit helps, the search gives up after those of one cell, not after all orders."""
    env = Sudoku(box=2, boards=1)
    env.reset(seed=0, options={"board": "1234............"})
    root = env.state[None].copy()
    root["empty"] = 99  # no board is ever full
    options = {"method": "sequential", "budget": 10**6}
    cell_by_cell = sample_plans(env.model, root, [0], guide=guide_of(env), **options)
    assert not cell_by_cell.solved[0]
    assert cell_by_cell.spent[0] < 1000
    assert sample_plans(env.model, root, [0], **options).spent[0] == 10**6


def test_sequential_wins_on_deep_sudoku():
    env = Sudoku(difficulty=None, empties=50, boards=20)
    roots, solved = env.model.reset(range(30)), {}
    for method in ("sequential", "parallel"):
        found = sample_plans(
            env.model, roots, range(30), method=method, budget=1000, temperature=0.5,
            guide=guide_of(env),
        )  # fmt: skip
        solved[method] = found.solved.sum()
    assert solved["sequential"] > solved["parallel"] + 10


@pytest.mark.parametrize("method", ["sequential", "parallel"])
def test_the_agent_plays_its_plans(method):
    agent = SamplingAgent(method, budget=50_000)
    env = KernelVectorEnv(Countdown, 4, numbers=3, autoreset_mode="SAME_STEP")
    observations, infos = env.reset(seed=0)
    agent.start(env, 0)
    returns = []
    while len(returns) < 20:
        actions = agent.act(observations, infos)
        observations, rewards, terminated, truncated, infos = env.step(actions)
        agent.update(actions, rewards, terminated | truncated)
        returns += rewards[terminated].tolist()
    assert np.mean(returns) == 1.0
    assert agent.figures()["spent"] > 0


def test_any_environment_with_goals_can_be_searched():
    env = SlidingTile(size=2)
    roots = env.model.reset(range(10))
    found = sample_plans(env.model, roots, range(10), method="parallel", budget=5000)
    assert found.solved.all()
    bandit = BernoulliBandit()
    with pytest.raises(UnsupportedFaceError):
        sample_plans(bandit.model, bandit.model.reset([0]), [0], method="parallel", budget=1)


@pytest.mark.parametrize(
    "wrong", [{"method": "both"}, {"budget": 0}, {"temperature": 0.0}, {"deepest": 0}]
)
def test_wrong_arguments_are_refused(wrong):
    env = ENVS["24"]
    options = {"method": "parallel", "budget": 10, **wrong}
    with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
        sample_plans(env.model, env.model.reset([0]), [0], **options)
