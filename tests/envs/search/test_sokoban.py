import collections

import numpy as np
import pytest

from spelunk.envs.kernel import InvalidActionError, InvalidArgumentError
from spelunk.envs.search.sokoban import Sokoban
from spelunk.envs.search.sokoban_levels import generate
from spelunk.envs.search.sokoban_rules import fewest_pushes

#: The first level of David Skinner's Microban: 33 moves, of which 8 are pushes.
MICROBAN_1 = "####\n# .#\n#  ###\n#*@  #\n#  $ #\n#  ###\n####\n"
WAYS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}


def play(text, way):
    """The rules written a second way: the map after a move; None where it cannot be made."""
    rows = [list(row) for row in text.splitlines()]
    y, x = next((y, x) for y, row in enumerate(rows) for x, c in enumerate(row) if c in "@+")
    (dy, dx), floor = WAYS[way], {"@": " ", "$": " ", "+": ".", "*": "."}
    ahead, beyond = rows[y + dy][x + dx], None
    if ahead == "#":
        return None
    if ahead in "$*":
        beyond = rows[y + 2 * dy][x + 2 * dx]
        if beyond not in " .":
            return None
        rows[y + 2 * dy][x + 2 * dx] = "*" if beyond == "." else "$"
    rows[y + dy][x + dx] = "+" if ahead in ".*" else "@"
    rows[y][x] = floor[rows[y][x]]
    return "\n".join("".join(row) for row in rows)


def is_solved(text):
    return "$" not in text


def fewest_moves(text):
    """By breadth-first search over the maps."""
    depths, queue = {text: 0}, collections.deque([text])
    while queue:
        here = queue.popleft()
        for way in WAYS:
            after = play(here, way)
            if after is not None and after not in depths:
                if is_solved(after):
                    return depths[here] + 1
                depths[after] = depths[here] + 1
                queue.append(after)
    return None


@pytest.fixture(scope="module")
def env():
    return Sokoban(levels=200)


def test_moves_and_mask_against_the_rules_written_a_second_way():
    env = Sokoban(size=7, boxes=3, min_pushes=4, levels=20, reward="boxoban")
    rng = np.random.default_rng(0)
    pushed = 0
    for seed in range(12):
        _, info = env.reset(seed=seed)
        for _ in range(60):
            text = env.show_state(env.state)
            after = {way: play(text, way) for way in WAYS}
            assert info["action_mask"].tolist() == [int(m is not None) for m in after.values()]
            for illegal in np.flatnonzero(info["action_mask"] == 0):
                with pytest.raises(InvalidActionError):
                    env.step(int(illegal))
            action = env.sample_action(rng)
            expected = after[env.action_words(action)] or ""
            _, reward, terminated, _, info = env.step(action)
            assert env.show_state(env.state) == expected
            assert terminated == is_solved(expected)
            change = expected.count("*") - text.count("*")
            assert reward == pytest.approx(-0.1 + change + 10 * terminated, abs=1e-6)
            pushed += change != 0
            if terminated:
                break
    assert pushed > 10


def test_both_observations_show_the_map():
    arguments = {"size": 8, "boxes": 3, "levels": 5}
    planes, codes = (Sokoban(observation=o, **arguments) for o in ("planes", "codes"))
    rng = np.random.default_rng(1)
    seen, coded = planes.reset(seed=3)[0], codes.reset(seed=3)[0]
    for _ in range(80):
        rows = [list(row) for row in planes.show_state(planes.state).splitlines()]
        for plane, symbols in enumerate(("#", ".*+", "$*", "@+")):
            assert (seen[:, :, plane] == np.isin(rows, list(symbols))).all()
        assert [["# .*$@+"[c] for c in row] for row in coded.tolist()] == rows
        action = planes.sample_action(rng)
        seen, _, terminated, *_ = planes.step(action)
        coded = codes.step(action)[0]
        if terminated:
            break


def test_every_made_level_is_solved_by_its_plan(env):
    levels = env.levels
    assert (levels.costs <= 120).all()
    assert (levels.flags(0)[2].sum(), levels.width) == (4, 10)
    for k in range(200):
        env.reset(seed=0, options={"task": k})
        assert fewest_pushes(env.state, env.definition.params) >= 12
        terminated = False
        for move in levels.plans[k, : levels.costs[k]]:
            assert not terminated
            terminated = env.step(int(move))[2]
        assert terminated
        assert (levels.plans[k, levels.costs[k] :] == -1).all()


def test_made_levels_differ_and_a_smaller_bank_is_the_beginning_of_a_larger():
    small, large = (generate(n, 7, 8, 2, 4, 96) for n in (10, 30))
    for name in ("walls", "targets", "boxes", "players", "pushes", "plans", "costs"):
        assert (getattr(small, name) == getattr(large, name)[:10]).all()
    assert len(np.unique(np.hstack([large.walls, large.boxes]), axis=0)) == 30
    assert (generate(10, 8, 8, 2, 4, 96).walls != small.walls).any()


def test_the_best_return_is_that_of_a_shortest_plan():
    arguments = {"size": 7, "boxes": 2, "min_pushes": 4, "levels": 40}
    env, boxoban = (Sokoban(reward=reward, **arguments) for reward in ("cost", "boxoban"))
    improved = 0
    for seed in range(30):
        env.reset(seed=seed)
        text = env.show_state(env.state)
        moves = fewest_moves(text) or 0
        assert env.best_return(seed) == -moves
        assert fewest_pushes(env.state, env.definition.params) <= moves
        improved += env.levels.costs[env.state["level"]] > moves
        best = 10 - 0.1 * moves + text.count("$")
        assert boxoban.best_return(seed) == pytest.approx(best)
    assert improved > 5
    assert Sokoban(max_episode_steps=2, **arguments).best_return(0) is None


def test_the_heuristic_never_falls_by_more_than_a_move_costs(env):
    rng = np.random.default_rng(2)
    params = env.definition.params
    dead = 0
    for seed in range(20):
        env.reset(seed=seed)
        bound = fewest_pushes(env.state, params)
        for _ in range(100):
            if env.step(env.sample_action(rng))[2]:
                break
            after = fewest_pushes(env.state, params)
            assert after >= bound - 1
            bound = after
        dead += bound == np.inf
    assert dead > 0


def test_a_level_of_the_literature(tmp_path):
    file = tmp_path / "microban.xsb"
    file.write_text(f"; 1\n{MICROBAN_1}Title: one\n\n; 2\n\n#####\n#@$.#\n#####\n")
    env = Sokoban(file=str(file))
    assert env.definition.tasks == 2
    assert env.observation_space.shape == (7, 6, 4)
    seeds = {int(env.model.reset([seed])["level"][0]): seed for seed in range(20)}
    assert env.best_return(seeds[0]) == -33.0
    assert env.best_return(seeds[1]) == -1.0
    env.reset(seed=0, options={"task": 1})
    assert env.show_state(env.state).splitlines()[:4] == ["######", "#@$.##", "######", "######"]
    assert env.step(env.parse("right"))[2]


def test_boxoban_folders_are_read_in_order(tmp_path):
    level = "##########\n" + "#        #\n" * 7 + "#  @$.   #\n##########\n"
    for name, count in (("000.txt", 3), ("001.txt", 2)):
        text = "\n".join(f"; {k}\n{level}" for k in range(count))
        (tmp_path / name).write_text(text)
    (tmp_path / "README.md").write_text("# a heading")
    env = Sokoban(file=str(tmp_path))
    assert env.definition.tasks == 5
    assert env.definition.max_episode_steps == 120
    env.reset(seed=0)
    assert env.show_state(env.state) == level.strip()
    assert env.best_return(0) == -1.0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nothing", "no levels"),
        ("#####\n#@$ #\n#####", "as many boxes"),
        ("#####\n#$. #\n#####", "one player"),
        ("#####\n#@* #\n#####", "not on one"),
        ("#####\n#@$.\n#####", "enclose"),
        ("#### ####\n#@$.##$.#\n#### ####", "inside"),
    ],
)
def test_broken_levels_are_refused(tmp_path, text, problem):
    file = tmp_path / "levels.txt"
    file.write_text(text)
    with pytest.raises(InvalidArgumentError, match=problem):
        Sokoban(file=str(file))
    with pytest.raises(InvalidArgumentError, match="cannot be read"):
        Sokoban(file=str(tmp_path / "none.txt"))


@pytest.mark.parametrize(
    "arguments",
    [
        {"size": 4},
        {"size": 7.0},
        {"boxes": 0},
        {"boxes": 13},
        {"min_pushes": 0},
        {"min_pushes": 500, "size": 6, "boxes": 2},
        {"levels": True},
        {"levels_seed": -1},
        {"observation": "rgb"},
        {"reward": "none"},
        {"file": "levels.txt", "size": 8},
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgumentError, match=next(iter(arguments))):
        Sokoban(**{"levels": 2, **arguments} if "file" not in arguments else arguments)
