import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spelunk.envs.gridworld import rooms
from spelunk.envs.gridworld.door_key import DoorKey
from spelunk.envs.kernel import InvalidArgumentError

ROOM = """
#####
#>L.#
#k#.#
#.#G#
#####
"""


def minigrid_layout(env):
    """The layout of a freshly reset Minigrid environment, the agent in it."""
    grid = env.grid.encode()
    x, y = env.agent_pos
    grid[x, y] = (rooms.AGENT, 0, env.agent_dir)
    return grid


@pytest.mark.parametrize("size", [5, 6, 8, 16])
@pytest.mark.parametrize("see_through_walls", [False, True])
def test_lockstep_with_minigrid(size, see_through_walls):
    from minigrid.envs.doorkey import DoorKeyEnv
    from minigrid.wrappers import FullyObsWrapper

    theirs = DoorKeyEnv(size=size, see_through_walls=see_through_walls)
    ours = DoorKey(size=size, see_through_walls=see_through_walls)
    full = DoorKey(size=size, observation="full")
    their_full = FullyObsWrapper(theirs)
    rng = np.random.default_rng(size)
    endings = 0
    for seed in range(6):
        expected, _ = theirs.reset(seed=seed)
        options = {"layout": minigrid_layout(theirs)}
        observation, _ = ours.reset(seed=seed, options=options)
        full.reset(seed=seed, options=options)
        assert (observation == expected["image"]).all()
        done = False
        while not done:
            action = int(rng.choice(7, p=[0.15, 0.15, 0.35, 0.12, 0.03, 0.15, 0.05]))
            expected, reward, terminated, truncated, _ = theirs.step(action)
            observation, *outcome, _ = ours.step(action)
            full_observation, *_ = full.step(action)
            assert (observation == expected["image"]).all()
            assert (full_observation == their_full.observation(expected)["image"]).all()
            assert outcome == [pytest.approx(reward, rel=1e-6), terminated, truncated]
            done = terminated or truncated
            endings += terminated
    assert endings or size == 16


def test_a_known_solution():
    env = DoorKey(size=5)
    env.reset(seed=0, options={"layout": ROOM})
    plan = ["turn right", "pick up", "turn left", "toggle"]
    plan += ["go forward", "go forward", "turn right", "go forward", "go forward"]
    for words in plan:
        _, reward, terminated, _, _ = env.step(env.parse(words))
    assert terminated
    assert reward == pytest.approx(1 - 0.9 * 9 / 250)


def test_the_reference_solver_finds_a_shortest_plan():
    env = DoorKey(size=5)
    for seed in range(500):
        env.reset(seed=seed)
        if env.show_state(env.state) == ROOM.strip():
            assert env.best_return(seed) == pytest.approx(1 - 0.9 * 9 / 250)
            return
    pytest.fail("no seed starts from the room whose shortest plan is known")


@given(st.integers(5, 20), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_starting_states(size, seed):
    env = DoorKey(size=size, capacity=20, observation="full")
    observation, _ = env.reset(seed=seed)
    objects = observation[:size, :size, 0]
    assert (objects == rooms.KEY).sum() == 1
    assert (objects == rooms.DOOR).sum() == 1
    assert (objects == rooms.AGENT).sum() == 1
    assert objects[size - 2, size - 2] == rooms.GOAL
    ((wall,), _) = np.where(objects == rooms.DOOR)
    assert np.argwhere(objects == rooms.KEY)[0, 0] < wall
    assert np.argwhere(objects == rooms.AGENT)[0, 0] < wall
    assert (observation[size:] == 0).all()


def test_starting_states_are_uniform():
    """Every free cell left of the wall, every direction and door row, about equally often."""
    env = gymnasium.make_vec("spelunk/DoorKey-v0", num_envs=6000, size=6)
    env.reset(seed=0)
    states = env.states
    narrow = states["grid"][:, 2, 0] == rooms.WALL_CELL
    split = np.where((states["grid"][:, 2, 1:4] & 15 != rooms.EMPTY).all(axis=1), 2, 3)
    assert narrow.all()
    assert np.abs((split == 2).mean() - 0.5) < 0.03
    directions = np.bincount(states["direction"], minlength=4) / 6000
    assert np.abs(directions - 0.25).max() < 0.03


@pytest.mark.parametrize(
    ("layout", "complaint"),
    [
        ("#####\n#...#\n", "5 lines"),
        ("#####\n#>L?#\n#k#.#\n#.#G#\n#####", "unknown"),
        ("#####\n#.L.#\n#k#.#\n#.#G#\n#####", "one agent"),
        ("#####\n#>L..\n#k#.#\n#.#G#\n#####", "closed by walls"),
        (np.zeros((5, 5)), "shape"),
        (np.full((5, 5, 3), 11), "unknown object"),
        (7, "text or an integer array"),
    ],
)
def test_bad_layouts(layout, complaint):
    with pytest.raises(InvalidArgumentError, match=complaint):
        DoorKey(size=5).reset(seed=0, options={"layout": layout})


def test_layouts_round_trip():
    env, twin = DoorKey(size=8), DoorKey(size=8)
    for seed in range(20):
        env.reset(seed=seed)
        twin.reset(seed=0, options={"layout": env.show_state(env.state)})
        for name in ("grid", "x", "y", "direction", "carrying"):
            assert (env.state[name] == twin.state[name]).all()


@pytest.mark.parametrize(
    "arguments",
    [
        {"size": 4},
        {"size": 5.5},
        {"size": []},
        {"size": [5, 4]},
        {"observation": "smell"},
        {"capacity": 3},
        {"horizon": 0},
    ],
)
def test_bad_arguments(arguments):
    with pytest.raises(InvalidArgumentError):
        DoorKey(**arguments)


def test_words_tell_what_is_seen():
    env = DoorKey(size=5)
    env.reset(seed=0, options={"layout": ROOM})
    words = env.describe()
    assert "a yellow key 1 to the right" in words
    assert "a locked yellow door 1 ahead" in words
    assert "You carry nothing" in words
    env.step(1)
    env.step(3)
    assert "You carry a yellow key" in env.describe()


def test_rgb_observation_shows_the_key_carried():
    env = DoorKey(size=5, observation="rgb")
    before, _ = env.reset(seed=0, options={"layout": ROOM})
    assert before.shape == (40, 40, 3)
    env.step(1)
    after, *_ = env.step(3)
    assert (before[0, 0] != after[0, 0]).any()


def test_sizes_mix_in_one_batch():
    """One batch of one compiled kernel holds rooms of several sizes, each with its own limit."""
    batch = gymnasium.make_vec("spelunk/DoorKey-v0", num_envs=300, size=[5, 6, 9])
    batch.reset(seed=0)
    sides = batch.states["side"]
    assert set(np.unique(sides)) == {5, 6, 9}
    assert (batch.states["max_steps"] == 10 * sides.astype(int) ** 2).all()
    wanted = np.arange(300) % 3
    batch.reset(seed=1, options={"task": wanted})
    alike = [
        gymnasium.make_vec("spelunk/DoorKey-v0", num_envs=300, size=size, capacity=9)
        for size in (5, 6, 9)
    ]
    for env in alike:
        env.reset(seed=1)
    for _ in range(600):
        actions = np.random.default_rng(0).integers(0, 7, 300)
        outcomes = [env.step(actions) for env in (batch, *alike)]
        for mine, *theirs in zip(*(outcome[:4] for outcome in outcomes), strict=True):
            for task, each in enumerate(theirs):
                assert (mine[wanted == task] == each[wanted == task]).all()
    # A lane that resets itself keeps its task; reset by hand without one, it draws again.
    assert (batch.states["side"] == np.array([5, 6, 9])[wanted]).all()
    batch.reset()
    assert (batch.states["side"] != np.array([5, 6, 9])[wanted]).any()


@pytest.mark.parametrize("task", [3, -2, 0.5, "5", np.zeros(2, int)])
def test_bad_tasks(task):
    env, batch = DoorKey(size=[5, 6, 9]), gymnasium.make_vec("spelunk/DoorKey-v0", num_envs=3)
    with pytest.raises(InvalidArgumentError, match="task must be"):
        env.reset(options={"task": task})
    with pytest.raises(InvalidArgumentError, match="task must be"):
        batch.reset(options={"task": task})


def test_restored_episodes_keep_their_own_size():
    env = DoorKey(size=[5, 9])
    env.reset(seed=0, options={"task": 0})
    snapshot = env.snapshot()
    env.reset(seed=0, options={"task": 1})
    assert env.state["side"] == 9
    env.restore(snapshot)
    assert env.state["side"] == 5
    assert env.state["max_steps"] == 250
