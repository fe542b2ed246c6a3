"""Novelty search: distances, archive, populations of networks, and that it gets out of a trap."""

import dataclasses

import numpy as np
import pytest
from gymnasium import spaces

from spelunk.agents.core.checkpoint import read_checkpoint, write_checkpoint
from spelunk.agents.core.evaluation import evaluate
from spelunk.agents.core.trainer import Task
from spelunk.agents.evolution.archive import Archive, novelty
from spelunk.agents.evolution.novelty import (
    Config,
    NoveltySearch,
    PerceptronAgent,
    Perceptrons,
)
from spelunk.agents.registry import entry
from spelunk.envs.gridworld.point_maze import PointMaze
from spelunk.envs.kernel import InvalidArgumentError, UnsupportedFaceError

ID = "spelunk/PointMaze-v0"
#: The dead end to the north, open to the south, lies between the start and the goal.
TRAP = "#########\n#...G...#\n#.#####.#\n#.#...#.#\n#.#...#.#\n#.#.S.#.#\n#.......#\n#########"


def trainer(num_envs=32, seed=0, steps=100, maze=TRAP, **config):
    kwargs = {"maze": maze, "max_episode_steps": steps}
    return NoveltySearch(Task(ID, 10**6, num_envs, kwargs, seed), Config(**config))


@pytest.mark.parametrize(("n", "m", "k"), [(20, 100, 15), (20, 0, 3), (5, 3, 15), (1, 2, 1)])
def test_novelty_equals_the_definition(n, m, k):
    rng = np.random.default_rng(n + m)
    behaviours, archived = rng.normal(size=(n, 3)), rng.normal(size=(m, 3))
    archived[: min(m, 2)] = behaviours[0]  # something already seen
    everything = np.concatenate((behaviours, archived))
    expected = []
    for i in range(n):
        distances = np.delete(np.linalg.norm(everything - behaviours[i], axis=1), i)
        expected.append(np.sort(distances)[:k].mean())
    np.testing.assert_allclose(novelty(behaviours, archived, k), expected, rtol=1e-12)


def test_novelty_of_the_only_behaviour_is_zero():
    assert novelty(np.ones((1, 2)), np.zeros((0, 2))).tolist() == [0.0]


def test_archive_grows_and_keeps_what_it_was_given():
    state = np.dtype((np.record, np.dtype([("x", "f8"), ("n", "i4")])))
    archive = Archive({"behaviour": (np.float64, (2,)), "state": (state, ())})
    rng = np.random.default_rng(0)
    behaviours, states = rng.normal(size=(57, 2)), np.zeros(57, state)
    states["n"] = np.arange(57)
    assert len(archive) == 0
    assert archive["behaviour"].shape == (0, 2)
    for begin in (0, 1, 2, 20, 41):
        end = {0: 1, 1: 2, 2: 20, 20: 41, 41: 57}[begin]
        archive.append(behaviour=behaviours[begin:end], state=states[begin:end])
    assert len(archive) == 57
    assert (archive["behaviour"] == behaviours).all()
    assert (archive["state"]["n"] == np.arange(57)).all()
    archive["behaviour"][3] = 7.0
    assert archive["behaviour"][3].tolist() == [7.0, 7.0]
    again = Archive({"behaviour": (np.float64, (2,)), "state": (state, ())})
    again.append(behaviour=behaviours[:5], state=states[:5])
    again.load(archive.arrays())
    assert (again["behaviour"] == archive["behaviour"]).all()
    assert len(again) == 57


def test_population_acts_like_its_members():
    """One pass over all equals each network by itself, written out."""
    box = spaces.Box(np.array([-1, 0], np.float32), np.array([1, 4], np.float32))
    perceptrons = Perceptrons(spaces.Box(-1, 1, (3,)), box, (5, 4))
    rng = np.random.default_rng(0)
    assert perceptrons.size == 4 * 5 + 6 * 4 + 5 * 2
    weights = rng.normal(size=(7, perceptrons.size)).astype(np.float32)
    observations = rng.uniform(-1, 1, (7, 3)).astype(np.float32)
    actions = perceptrons.act(weights, observations, None)
    for w, observation, action in zip(weights, observations, actions, strict=True):
        hidden = np.tanh(observation @ w[:15].reshape(3, 5) + w[15:20])
        hidden = np.tanh(hidden @ w[20:40].reshape(5, 4) + w[40:44])
        out = np.tanh(hidden @ w[44:52].reshape(4, 2) + w[52:])
        np.testing.assert_allclose(action, [out[0], 2 * out[1] + 2], rtol=1e-4, atol=1e-5)
        assert action.astype(np.float32) in box
    alone = PerceptronAgent(perceptrons, weights[2]).act(observations, {})
    np.testing.assert_allclose(alone[2], actions[2], rtol=1e-5, atol=1e-6)


def test_discrete_actions_are_legal():
    perceptrons = Perceptrons(spaces.Box(-1, 1, (3,)), spaces.Discrete(4), (5,))
    rng = np.random.default_rng(0)
    weights = perceptrons.draw(rng, 50)
    mask = rng.integers(0, 2, (50, 4), np.int8)
    mask[:, 0] |= ~mask.any(axis=1)
    actions = perceptrons.act(weights, rng.uniform(-1, 1, (50, 3)), mask)
    assert mask[np.arange(50), actions].all()
    assert len(set(actions.tolist())) == 4


def test_unfit_spaces():
    box = spaces.Box(-1, 1, (3,))
    for observed, acted in ((spaces.Discrete(3), box), (box, spaces.Box(-np.inf, np.inf, (2,)))):
        with pytest.raises(UnsupportedFaceError):
            Perceptrons(observed, acted, ())


def test_behaviours_are_where_individuals_end():
    search = trainer(8)
    returns, lengths, behaviours = search._play()
    for i in range(8):
        env = PointMaze(**search.task.env_kwargs)
        observation, info = env.reset()
        agent, over, total = PerceptronAgent(search.perceptrons, search.population[i]), False, 0.0
        steps = 0
        while not over:
            action = agent.act(observation[None], {})[0]
            observation, reward, terminated, truncated, info = env.step(action)
            over, total, steps = terminated or truncated, total + reward, steps + 1
        assert steps == lengths[i]
        assert behaviours[i] == pytest.approx([info["x"], info["y"]], abs=1e-3)
        assert returns[i] == pytest.approx(total, abs=1e-3)
    assert np.ptp(behaviours, axis=0).min() > 0.5


def test_breeding_keeps_elites_and_selects_parents():
    search = trainer(10, elites=2, selected=0.2, mutation=0.0)
    before = search.population.copy()
    scores = np.array([0, 5, 1, 9, 2, 0, 0, 0, 0, 3.0])
    search._breed(scores)
    assert (search.population[:2] == before[[3, 1]]).all()
    parents = {3 if (row == before[3]).all() else 1 for row in search.population}
    assert all((row == before[3]).all() or (row == before[1]).all() for row in search.population)
    assert parents == {1, 3}
    search = trainer(200, mutation=0.3)
    before = search.population.copy()
    search._breed(np.arange(200.0))
    nearest = np.abs(search.population[1:, None] - before[None, -40:]).mean(axis=2).argmin(axis=1)
    noise = search.population[1:] - before[-40:][nearest]
    assert noise.std() == pytest.approx(0.3, rel=0.02)


@pytest.mark.parametrize("objective", ["novelty", "fitness"])
def test_both_searches_learn_an_easy_maze(objective):
    search = trainer(64, steps=60, maze="umaze", objective=objective)
    assert search.step()["champion_return"] < 0.9
    while search.champion_return < 0.99:
        search.step()
        assert search.env_steps < 60 * 64 * 60
    score = evaluate(search.agent(), ID, episodes=4, **search.task.env_kwargs)
    assert score.return_mean == pytest.approx(1.0, abs=1e-5)


def test_fitness_is_trapped_and_novelty_spreads():
    """The default maze, long before novelty search finds the goal."""
    fitness, other = (
        trainer(64, steps=400, maze="deceptive", objective=o) for o in ("fitness", "novelty")
    )
    for _ in range(15):
        trapped, spread = fitness.step(), other.step()
    assert 0.7 < trapped["champion_return"] < 0.9
    assert trapped["return_mean"] > 0.5
    assert spread["return_mean"] < 0.5
    assert spread["novelty_mean"] > 2 * trapped["novelty_mean"]


def test_metrics_and_budget():
    search = trainer(16, archived=3)
    steps = 0.0
    for generation in range(1, 4):
        metrics = search.step()
        steps += 16 * metrics["length_mean"]
        assert search.env_steps == pytest.approx(steps)
        assert metrics["archive_size"] == len(search.archive) == 3 * generation
        assert metrics["return_mean"] <= metrics["champion_return"]
        assert metrics["novelty_mean"] > 0


def test_elitist_fitness_never_falls():
    search = trainer(16, objective="fitness", maze="open")
    best = []
    for _ in range(6):
        best.append(float(search._play()[0].max()))
        search.step()
    assert best == sorted(best)


def test_checkpoint_goes_on_bit_for_bit(tmp_path):
    """With random starts, so that the environments' own random numbers must go on too."""
    task = Task(ID, 10**6, 16, {"maze": TRAP, "start_noise": 0.3, "max_episode_steps": 60}, 5)
    search = NoveltySearch(task, Config())
    for _ in range(3):
        search.step()
    write_checkpoint(tmp_path / "checkpoint", *search.state())
    again = NoveltySearch(task, Config())
    again.load_state(*read_checkpoint(tmp_path / "checkpoint"))
    for _ in range(3):
        assert search.step() == again.step()
    assert (search.population == again.population).all()
    assert (search.champion == again.champion).all()
    assert search.env_steps == again.env_steps
    assert (search.archive["behaviour"] == again.archive["behaviour"]).all()


def test_seeds_decide_everything():
    runs = [trainer(16, seed=seed) for seed in (1, 1, 2)]
    first, same, other = ([run.step() for _ in range(2)] for run in runs)
    assert first == same
    assert first != other


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"descriptor": ("z",)}, "distance"),
        ({"descriptor": ()}, "distance"),
        ({"objective": "reward"}, "fitness"),
        ({"neighbours": 0}, "neighbours"),
        ({"selected": 0.0}, "selected"),
        ({"mutation": -1.0}, "mutation"),
        ({"archived": 33}, "archived"),
        ({"elites": 32}, "elites"),
    ],
)
def test_bad_configurations(config, message):
    with pytest.raises(InvalidArgumentError, match=message):
        trainer(32, **config)


def test_registered():
    row = entry("novelty")
    assert row.load() is NoveltySearch
    assert row.config_class() is Config
    assert dataclasses.is_dataclass(Config)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own, of its processes and sockets
def test_workers_score_as_one_process_does():
    """On an environment of chance, with shares of unequal size."""
    import ray

    task = Task("spelunk/BernoulliBandit-v0", 10**6, 9)
    settings = {"descriptor": ("regret",), "archived": 2, "hidden": (4,)}
    here, shared = (NoveltySearch(task, Config(**settings, workers=w)) for w in (0, 2))
    try:
        for _ in range(3):
            assert here.step() == shared.step()
        assert (here.population == shared.population).all()
    finally:
        ray.shutdown()
