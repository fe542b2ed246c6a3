import dataclasses
import itertools

import gymnasium
import numpy as np
import pytest

import spelunk
from spelunk.envs.gridworld.plate_levels import MAKERS
from spelunk.envs.gridworld.pressure_plates import (
    DOWN,
    EXIT,
    GATE,
    LEFT,
    OPEN,
    OTHER,
    OTHER_EXIT,
    OWN,
    PLATE,
    RIGHT,
    STAY,
    UP,
    WALL,
    PressurePlates,
)
from spelunk.envs.kernel import InvalidArgumentError

JOINT = np.array(list(itertools.product(range(5), repeat=2)))


@pytest.mark.parametrize("size", [5, 7, 9])
def test_every_plan_of_the_bank_succeeds_at_its_cost(size):
    n = 256
    env = gymnasium.make_vec("spelunk/PressurePlates-v0", num_envs=n, size=size)
    bank = env.prototype.bank
    env.reset(seed=0, options={"task": np.arange(n)})
    assert (env.states["level"] == np.arange(n)).all()
    ended_at = np.zeros(n, int)
    for t in range(bank["plan"].shape[1]):
        actions = np.maximum(bank["plan"][:, t], STAY)  # filled up with -1
        _, rewards, terminated, truncated, infos = env.step(actions)
        just = terminated.all(axis=1) & (ended_at == 0)
        ended_at[just] = t + 1
        assert not truncated.any()
        assert (infos["success"][just] == 1).all()
        wanted = 1 - 0.9 * (t + 1) / (4 * size**2)
        assert rewards[just] == pytest.approx(wanted)
        assert (rewards[~terminated.all(axis=1)] == 0).all()
    assert (ended_at == bank["cost"]).all()


def reachable(env, level, actions):
    """The pairs of cells that can be reached by these joint actions, and when first."""
    model = env.model
    states = model.reset([0])
    env.reset(options={"task": level})
    states = env.snapshot()[None]
    found, depth = {tuple(states["cells"][0].tolist()): 0}, 0
    while len(states):
        depth += 1
        parents = np.repeat(states, len(actions))
        after = model.step(parents, np.tile(actions, (len(states), 1)))[0]
        _, first = np.unique(after["cells"], axis=0, return_index=True)
        fresh = [i for i in first if tuple(after["cells"][i].tolist()) not in found]
        found.update((tuple(after["cells"][i].tolist()), depth) for i in fresh)
        states = after[fresh]
    return found


@pytest.mark.parametrize("level", range(12))
def test_costs_are_optimal_and_nobody_gets_through_alone(level):
    env = PressurePlates(size=5)
    exits = tuple(env.bank["exits"][level].tolist())
    assert reachable(env, level, JOINT)[exits] == env.bank["cost"][level]
    for agent in (0, 1):
        alone = np.zeros((5, 2), int)
        alone[:, agent] = range(5)
        cells = {pair[agent] for pair in reachable(env, level, alone)}
        assert len(cells) > 1
        assert exits[agent] not in cells


@pytest.mark.parametrize("size", [5, 7, 9])
def test_levels_are_as_described(size):
    bank = PressurePlates(size=size).bank
    for level in range(256):
        gate, walls = int(bank["gate"][level]), bank["walls"][level].reshape(size, size)
        split = gate % size
        assert walls[:, split].sum() == size - 1
        special = [gate, *bank["plates"][level], *bank["starts"][level], *bank["exits"][level]]
        assert len(set(special)) == 7
        assert not walls.ravel()[special].any()
        columns = np.array(special[1:]) % size
        assert (columns < split).tolist() == [True, False, True, True, False, False]
        assert (columns > split).tolist() == [False, True, False, False, True, True]
    parts = zip(
        *(bank[name] for name in ("walls", "gate", "plates", "starts", "exits")), strict=True
    )
    assert len({b"".join(np.asarray(p).tobytes() for p in level) for level in parts}) == 256


#: A 5×5 grid: the gate (row 2, column 2) stands in a wall, and there is no other.
OPEN_FIELD = {
    "walls": [[0, 0, 1, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 1, 0, 0]],
    "gate": 12,
    "plates": [0, 4],
    "exits": [13, 24],
}


@pytest.fixture
def field():
    """An environment on the open field, as a function: cells before, actions → cells after."""
    env = PressurePlates(size=5, levels=1)
    params = env.definition.params
    changed = {}
    for name, value in OPEN_FIELD.items():
        like = getattr(params, name)
        changed[name] = np.reshape(value, like.shape).astype(like.dtype)
        changed[name].flags.writeable = False
    env.definition = dataclasses.replace(env.definition, params=params._replace(**changed))

    def move(cells, actions, steps=1):
        env.reset(seed=0)
        env.state["cells"] = cells
        env.restore(env.snapshot())
        for _ in range(steps):
            outcome = env.step(actions)
        return env.state["cells"].tolist(), outcome

    return move


@pytest.mark.parametrize(
    ("cells", "actions", "after"),
    [
        ([6, 16], [UP, DOWN], [1, 21]),
        ([6, 16], [LEFT, RIGHT], [5, 17 - 1]),  # 17 is a wall
        ([0, 24], [UP, DOWN], [0, 24]),  # the edge
        ([5, 19], [LEFT, RIGHT], [5, 19]),
        ([4, 20], [RIGHT, LEFT], [4, 20]),  # rows do not run into each other
        ([5, 15], [STAY, STAY], [5, 15]),
        # into the other, who stays, or cannot get away
        ([5, 6], [RIGHT, STAY], [5, 6]),
        ([5, 6], [RIGHT, RIGHT], [5, 6]),
        # into the same cell
        ([5, 7 + 8], [DOWN, UP], [5, 15]),
        ([1, 5], [LEFT, UP], [1, 5]),
        # places changed
        ([5, 6], [RIGHT, LEFT], [5, 6]),
        # one after the other
        ([5, 6], [RIGHT, UP], [6, 1]),
        ([6, 5], [UP, RIGHT], [1, 6]),
        # the gate is closed, is opened, and is open in the step that leaves the plate
        ([11, 20], [RIGHT, STAY], [11, 20]),
        ([11, 5], [RIGHT, UP], [11, 0]),
        ([11, 0], [RIGHT, STAY], [12, 0]),
        ([11, 0], [RIGHT, DOWN], [12, 5]),
        ([11, 4], [RIGHT, DOWN], [12, 9]),
        # who is in the closing gate can stay, and leave on either side
        ([12, 20], [STAY, STAY], [12, 20]),
        ([12, 20], [LEFT, STAY], [11, 20]),
        ([12, 20], [RIGHT, STAY], [13, 20]),
    ],
)
def test_rules_of_moving(field, cells, actions, after):
    assert field(cells, actions)[0] == after
    # The rules are the same for both agents.
    assert field(cells[::-1], actions[::-1])[0] == after[::-1]


def test_only_both_exits_at_once_are_a_success(field):
    for cells, actions, success in (
        ([13, 23], [STAY, STAY], False),
        ([24, 13], [STAY, STAY], False),  # each other's
        ([13, 23], [STAY, RIGHT], True),
        ([14, 23], [LEFT, RIGHT], True),
    ):
        _, (_, rewards, terminated, truncated, info) = field(cells, actions)
        assert terminated.tolist() == [success] * 2
        assert rewards.tolist() == [np.float32(1 - 0.9 / 100 if success else 0)] * 2
        assert info["success"] == success
        assert not truncated


def test_planes(field):
    _, (seen, *_) = field([11, 5], [STAY, UP])
    for agent, (own, other) in enumerate(((11, 0), (0, 11))):
        planes = seen[agent].reshape(25, 8)
        assert np.flatnonzero(planes[:, OWN]).tolist() == [own]
        assert np.flatnonzero(planes[:, OTHER]).tolist() == [other]
        assert planes[:, WALL].tolist() == np.ravel(OPEN_FIELD["walls"]).tolist()
        assert np.flatnonzero(planes[:, GATE]).tolist() == [12]
        assert np.flatnonzero(planes[:, OPEN]).tolist() == [12]
        assert np.flatnonzero(planes[:, PLATE]).tolist() == [0, 4]
        assert np.flatnonzero(planes[:, EXIT]).tolist() == [(13, 24)[agent]]
        assert np.flatnonzero(planes[:, OTHER_EXIT]).tolist() == [(24, 13)[agent]]
    _, (seen, *_) = field([11, 0], [STAY, DOWN])
    assert not seen[..., OPEN].any()


def test_observations_changed_in_place_are_those_made_anew():
    env, rng = PressurePlates(size=5), np.random.default_rng(0)
    for seed in range(20):
        observation, _ = env.reset(seed=seed)
        plan = env.bank["plan"][int(env.state["level"])]
        for t, planned in enumerate(plan[: env.bank["cost"][int(env.state["level"])]]):
            action = planned if seed % 2 else rng.integers(5, size=2)
            observation = env.step(action)[0]
            assert (observation == env.model.observe(env.snapshot()[None])[0]).all(), t


def test_time_is_up_without_success():
    env = PressurePlates(size=5, max_episode_steps=3)
    env.reset(seed=0)
    for expected in (False, False, True):
        _, rewards, terminated, truncated, info = env.step([STAY, STAY])
        assert (truncated, info["success"]) == (expected, 0)
        assert not terminated.any()
        assert not rewards.any()


def test_levels_are_drawn_or_chosen():
    env = PressurePlates(size=5, levels=40)
    drawn = {int(env.reset(seed=seed)[1] is not None and env.state["level"]) for seed in range(200)}
    assert len(drawn) > 35
    assert max(drawn) < 40
    env.reset(options={"task": 3})
    assert env.state["level"] == 3
    assert env.state["cells"].tolist() == env.bank["starts"][3].tolist()
    larger, other = PressurePlates(size=5, levels=50), PressurePlates(size=5, levels_seed=1)
    assert (larger.bank["walls"][:40] == env.bank["walls"]).all()
    assert (other.bank["walls"][:40] != env.bank["walls"]).any()


@pytest.mark.parametrize("seed", range(5))
def test_best_return_is_that_of_the_levels_plan(seed):
    env = PressurePlates()
    env.reset(seed=seed)
    level = int(env.state["level"])
    for action in env.bank["plan"][level][: env.bank["cost"][level]]:
        terminated = env.step(action)[2]
    assert terminated.all()
    assert env.state["episode_return"].tolist() == pytest.approx([env.best_return(seed)] * 2)
    short = PressurePlates(max_episode_steps=int(env.bank["cost"][level]) - 1)
    assert short.best_return(seed) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 6},
        {"size": "7"},
        {"levels": 0},
        {"levels": 1.5},
        {"levels_seed": -1},
        {"horizon": 0},
    ],
)
def test_wrong_arguments(wrong):
    with pytest.raises(InvalidArgumentError, match=f"{next(iter(wrong))} must be"):
        PressurePlates(**wrong)


def test_a_level_depends_on_its_seed_only():
    for size, make in MAKERS.items():
        one, again, other = make(5), make(5), make(6)
        assert one["walls"].size == size**2
        assert all((one[name] == again[name]).all() for name in one if name != "plan")
        assert any((one[name] != other[name]).any() for name in ("walls", "gate", "starts"))


def test_words_and_symbols(field):
    env = PressurePlates(size=5)
    assert env.parse("agent_0 up, agent_1 stay").tolist() == [UP, STAY]
    assert env.parse("Agent_0  Down agent_1 left").tolist() == [DOWN, LEFT]
    assert env.parse("right") == RIGHT
    env.reset(seed=1)
    params, (a, b) = env.definition.params, env.state["cells"].tolist()
    assert f"agent_0 and agent_1 are at ({a // 5}, {a % 5}) and ({b // 5}, {b % 5})" in (
        env.describe()
    )
    assert "closed" in env.describe()
    symbols = env.show_state(env.state).replace("\n", "")
    level = int(env.state["level"])
    assert [symbols[a], symbols[b], symbols[params.gate[level]]] == ["0", "1", "|"]
    assert "".join(symbols[cell] for cell in params.exits[level]) == "ab"
    env.state["cells"][0] = params.plates[level][0]
    assert env.show_state(env.state).replace("\n", "")[params.gate[level]] == "/"
    assert "open" in env.describe()


def test_reference():
    stored = spelunk.reference("spelunk/PressurePlates-v0")
    bank = PressurePlates().bank
    assert stored.best == pytest.approx(float(np.mean(1 - 0.9 * bank["cost"] / 196)), abs=0.01)
