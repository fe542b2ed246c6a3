"""PointMaze: walls hold, rays measure, and every named maze can be solved."""

import math
from collections import deque
from fractions import Fraction

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spelunk.envs.gridworld.mazes import COMPASS, MAZES, read_maze
from spelunk.envs.gridworld.point_maze import HALF, SPEED, PointMaze, observe
from spelunk.envs.kernel import InvalidArgumentError, KernelVectorEnv, UnparseableActionError

ROOM = "#####\n#S..#\n#.#.#\n#..G#\n#####"
VECTORS = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))
# Rounding may put an edge of the body one unit in the last place into a wall.
TOUCH = Fraction(1, 10**12)


def make(start=None, **kwargs):
    """A maze whose body stands at `start`."""
    env = PointMaze(**kwargs)
    env.reset(seed=0)
    if start is not None:
        env.state["x"], env.state["y"] = start
        env.restore(env.snapshot())
    return env


def place(env):
    return float(env.state["x"]), float(env.state["y"])


def go(env, *actions):
    for action in actions:
        env.step(np.array(action, np.float32))
    return place(env)


def overlaps_wall(lines, x, y):
    """Whether the body's square reaches into a wall, in exact arithmetic."""
    low_x, high_x, low_y, high_y = (
        Fraction(z) + sign * (Fraction(HALF) - TOUCH) for z in (x, y) for sign in (-1, 1)
    )
    return any(
        lines[row][column] == "#"
        for row in range(math.floor(low_y), math.floor(high_y) + 1)
        for column in range(math.floor(low_x), math.floor(high_x) + 1)
    )


def route(lines):
    """The cells (x, y) of a shortest way from S to G, found here and not by the environment."""
    cells = {(x, y): c for y, line in enumerate(lines) for x, c in enumerate(line) if c != "#"}
    start, goal = (next(p for p, c in cells.items() if c == s) for s in "SG")
    came, queue = {goal: goal}, deque([goal])
    while queue:
        x, y = queue.popleft()
        for there in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
            if there in cells and there not in came:
                came[there] = (x, y)
                queue.append(there)
    way = [start]
    while way[-1] != goal:
        way.append(came[way[-1]])
    return way


def follow(env, lines):
    """Walk along the centres of the cells; the rewards."""
    rewards, over = [], False
    for cell in route(lines)[1:]:
        while not over and np.abs(away := np.array(cell) + 0.5 - place(env)).max() > 1e-6:
            action = np.clip(away / SPEED, -1, 1).astype(np.float32)
            _, reward, over, truncated, _ = env.step(action)
            assert not truncated
            rewards.append(reward)
    assert over
    return rewards


@pytest.mark.parametrize("noise", [0.0, 0.375])
@pytest.mark.parametrize("reward", ["distance", "sparse"])
@pytest.mark.parametrize("maze", MAZES)
def test_best_return_is_reached(maze, reward, noise):
    env = PointMaze(maze=maze, reward=reward, start_noise=noise)
    lines = read_maze(maze)
    for seed in range(3):
        assert env.best_return(seed) == 1.0
        env.reset(seed=seed)
        rewards = follow(env, lines)
        assert sum(rewards) == pytest.approx(1.0, abs=1e-5)
        assert len(rewards) <= math.ceil((len(route(lines)) - 1 + noise) / SPEED)
        if reward == "sparse":
            assert rewards[-1] == 1.0
            assert not any(rewards[:-1])


def test_best_return_is_unknown_where_time_is_short():
    cells = len(route(read_maze("umaze"))) - 1
    steps = round(cells / SPEED)
    assert PointMaze("umaze", max_episode_steps=steps).best_return(0) == 1.0
    assert PointMaze("umaze", max_episode_steps=steps - 1).best_return(0) is None
    assert PointMaze("umaze", max_episode_steps=-1).best_return(0) == 1.0


def test_default_maze_deceives():
    """The way to the goal leads further from it than the start is; the dead end comes close."""
    lines = read_maze("deceptive")
    way = route(lines)
    distances = [math.dist(cell, way[-1]) for cell in way]
    assert max(distances) > distances[0]
    env = make()
    _, _, _, _, info = [env.step(np.array([0, -1], np.float32)) for _ in range(50)][-1]
    assert info["distance"] < distances[0] / 3
    assert not info["success"]


@st.composite
def mazes(draw):
    """Random walls in a frame, with a start and a goal."""
    width, height = draw(st.integers(4, 8)), draw(st.integers(3, 8))
    inside = [(x, y) for y in range(1, height - 1) for x in range(1, width - 1)]
    start, goal = draw(st.permutations(inside))[:2]
    walls = set(inside) & draw(st.sets(st.sampled_from(inside))) - {start, goal}
    return [
        "".join(
            {start: "S", goal: "G"}.get(
                (x, y), "#" if (x, y) in walls or (x, y) not in inside else "."
            )
            for x in range(width)
        )
        for y in range(height)
    ]


PUSH = st.one_of(st.sampled_from([-1.0, 0.0, 0.5, 1.0]), st.floats(-1, 1, width=32))


@settings(max_examples=60, deadline=None)
@given(mazes(), st.lists(st.tuples(PUSH, PUSH, st.integers(1, 12)), max_size=25))
def test_walls_hold(lines, pushes):
    """No sequence of actions brings the body into a wall, or further than its speed."""
    try:
        env = make(maze=lines, start_noise=0.375, max_episode_steps=-1)
    except InvalidArgumentError:
        assume(False)
        raise
    x, y = place(env)
    for east, south, times in pushes:
        for _ in range(times):
            over = env.step(np.array([east, south], np.float32))[2]
            new_x, new_y = place(env)
            assert not overlaps_wall(lines, new_x, new_y)
            assert abs(new_x - x) <= SPEED * abs(np.float32(east)) + 1e-12
            assert abs(new_y - y) <= SPEED * abs(np.float32(south)) + 1e-12
            x, y = new_x, new_y
            if over:
                return


def test_walls_hold_over_thousands_of_steps():
    lines = read_maze("medium")
    batch = KernelVectorEnv(PointMaze, 64, maze="medium", max_episode_steps=-1)
    batch.reset(seed=0)
    rng = np.random.default_rng(0)
    heading = rng.uniform(-1, 1, (64, 2))
    for _ in range(800):
        turns = rng.random(64) < 0.1
        heading[turns] = rng.choice([-1, -0.7, 0, 0.3, 1], (int(turns.sum()), 2))
        batch.step(heading.astype(np.float32))
    visited = set()
    for state in batch.states:
        assert not overlaps_wall(lines, state["x"], state["y"])
        visited.add((int(state["x"]), int(state["y"])))
    assert len(visited) > 10


def test_small_motions():
    env = make(maze=ROOM)
    assert place(env) == (1.5, 1.5)
    assert go(env, (0.5, 0.0)) == (1.625, 1.5)
    assert go(env, (0.0, -1.0)) == (1.625, 1.25)
    # The north wall stops the body's edge exactly, and lets it slide.
    assert go(env, (0.0, -1.0)) == (1.625, 1.125)
    assert go(env, (1.0, -1.0)) == (1.875, 1.125)
    assert go(env, (-1.0, -1.0), (-1.0, -1.0), (-1.0, -1.0), (-1.0, -1.0)) == (1.125, 1.125)


def test_pillar_stops_the_body_but_not_what_passes_beside_it():
    assert go(make(maze=ROOM, start=(1.75, 2.5)), (1, 0), (1, 0)) == (1.875, 2.5)
    # Touching the line of the pillar's upper side, the body passes over it.
    assert go(make(maze=ROOM, start=(1.75, 1.875)), (1, 0), (1, 0)) == (2.25, 1.875)
    # Half of the body below that line is enough to be stopped.
    assert go(make(maze=ROOM, start=(1.75, 1.9)), (1, 0), (1, 0)) == (1.875, 1.9)
    # Straight at the pillar's corner: along x first, and then the pillar is below.
    assert go(make(maze=ROOM, start=(1.75, 1.75)), (1, 1)) == (2.0, 1.875)


@pytest.mark.parametrize("maze", ["deceptive", "medium", ROOM])
def test_range_finders_measure_to_the_walls(maze):
    """Against rays followed in small steps."""
    lines = read_maze(maze)
    env, rng = make(maze=maze), np.random.default_rng(0)
    height, width = len(lines), len(lines[0])
    for _ in range(60):
        x, y = rng.uniform(1, width - 1), rng.uniform(1, height - 1)
        if lines[int(y)][int(x)] == "#":
            continue
        obs = np.zeros(12, np.float32)
        env.state["x"], env.state["y"] = x, y
        observe(env.state, env.definition.params, obs)
        for (dx, dy), found in zip(VECTORS, obs[4:] * max(height, width), strict=True):
            far = 0.0
            while lines[int(y + dy * far)][int(x + dx * far)] != "#":
                far += 1e-3
            assert found == pytest.approx(far, abs=2e-3)


def test_observation_says_where_body_and_goal_are():
    env = make(maze=ROOM, start=(1.25, 2.5))
    obs, *_, info = env.step(np.zeros(2, np.float32))
    assert obs[:4] == pytest.approx([-0.5, 0.0, 2.25 / 5, 1.0 / 5])
    assert info == {"x": 1.25, "y": 2.5, "distance": math.hypot(2.25, 1.0), "success": 0}
    assert isinstance(env.observation_space, spaces.Box)


def test_distance_reward_telescopes():
    env, rng = make(), np.random.default_rng(0)
    total = sum(env.step(env.sample_action(rng))[1] for _ in range(100))
    left = float(env.state["distance"])
    assert total == pytest.approx(1 - left / 12.0, abs=1e-5)
    assert left != 12.0


def test_start_noise():
    middle = np.array([[1.5], [13.5]])

    def starts(noise):
        batch = KernelVectorEnv(PointMaze, 200, start_noise=noise)
        batch.reset(seed=0)
        return np.stack((batch.states["x"], batch.states["y"]))

    assert (starts(0.0) == middle).all()
    spread = starts(0.3) - middle
    assert 0.28 < np.abs(spread).max() <= 0.3
    assert np.abs(spread.mean(axis=1)).max() < 0.05
    assert abs(np.corrcoef(spread)[0, 1]) < 0.2


def test_words():
    env = make(maze=ROOM)
    assert env.action_words(np.array([0.5, -1.0], np.float32)) == "move 0.50 -1.00"
    for text in ("move 0.50 -1.00", " Move .5, -1 ", "move +0.5 -3"):
        assert env.parse(text).tolist() == [0.5, -1.0]
        assert env.parse(text) in env.action_space
    for text in ("", "move", "move 1", "move nan 1", "move 1 2 3", "go 1 1", "move 1-1"):
        with pytest.raises(UnparseableActionError, match=r"move 0\.50 -1\.00"):
            env.parse(text)
    words = env.describe()
    assert "2.00 to the east and 2.00 to the south" in words
    assert "0.71 north-west" in words
    assert all(name in words for name in COMPASS)
    assert env.show_state(env.state) == ROOM.replace("S", "@")


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"maze": "spiral"}, "deceptive"),
        ({"maze": 3}, "a name, a text or a list"),
        ({"maze": []}, "a name, a text or a list"),
        ({"maze": ["####", "#SG#", ""]}, "a name, a text or a list"),
        ({"maze": ["####", "#SG#", "###"]}, "equally long"),
        ({"maze": ["####", "#S.#", "####"]}, "one S and one G"),
        ({"maze": ["#####", "#SSG#", "#####"]}, "one S and one G"),
        ({"maze": ["####", "#SG.", "####"]}, "closed"),
        ({"maze": ["#####", "#S#G#", "#####"]}, "no way"),
        ({"maze": ["####", "#S##", "##G#", "####"]}, "no way"),
        ({"maze": ["####", "#Sx#", "#.G#", "####"]}, "made of"),
        ({"reward": "dense"}, "sparse"),
        ({"start_noise": 0.4}, "0.375"),
        ({"start_noise": float("nan")}, "0.375"),
        ({"max_episode_steps": 0}, "max_episode_steps"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(InvalidArgumentError, match=message):
        PointMaze(**kwargs)
