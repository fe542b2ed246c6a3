import copy
import pickle
import subprocess
import sys
import types
import warnings

import gymnasium
import numpy as np
import pytest
from pettingzoo.utils.conversions import (
    parallel_to_aec_wrapper,
    turn_based_aec_to_parallel_wrapper,
)

import spelunk
from spelunk.envs.gridworld.pressure_plates import PressurePlates
from spelunk.envs.kernel import InvalidActionError, InvalidArgumentError, UnsupportedFaceError
from spelunk.envs.kernel.conformance import CHECKS, Subject
from spelunk.envs.kernel.subject import same
from spelunk.envs.kernel.team import AECFace, ParallelFace
from tests.envs.kernel import games
from tests.envs.kernel.games import Countdown, Tug

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # They import an example that is deprecated.
    from pettingzoo.test import max_cycles_test
    from pettingzoo.test.state_test import state_test

games.register()


@pytest.mark.parametrize("subject", [Subject("Countdown-v0"), Subject("Tug-v0", {"top": 2})])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check, subject):
    """Agents that leave early, masks of many, composite observations, actions of any number."""
    check(subject)


# --- all at once ---------------------------------------------------------------------------------


def test_parallel_plays_what_the_joint_environment_plays():
    env, joint, rng = ParallelFace(Countdown()), Countdown(), np.random.default_rng(0)
    for seed in range(20):
        observations, infos = env.reset(seed=seed)
        expected, info = joint.reset(seed=seed)
        terminated = np.zeros(3, bool)
        while env.agents:
            playing = [i for i, over in enumerate(terminated) if not over]
            assert env.agents == [f"count_{i}" for i in playing]
            for i in playing:
                agent = f"count_{i}"
                assert same(observations[agent], expected[i])
                assert same(infos[agent]["action_mask"], info["action_mask"][i])
                assert same(env.action_mask(agent), info["action_mask"][i])
                assert same(infos[agent]["left"], joint.state["left"])
            action = joint.sample_action(rng)
            outcome = env.step({f"count_{i}": action[i] for i in playing})
            observations, rewards, terminations, truncations, infos = outcome
            expected, reward, terminated, truncated, info = joint.step(action)
            for part in outcome:
                assert list(part) == [f"count_{i}" for i in playing], "not over who acted"
            assert list(rewards.values()) == reward[playing].tolist()
            assert list(terminations.values()) == terminated[playing].tolist()
            assert set(truncations.values()) == {truncated}
            assert {type(reward) for reward in rewards.values()} == {float}
            flags = *terminations.values(), *truncations.values()
            assert {type(flag) for flag in flags} == {bool}
        assert terminated.all()


def test_all_leave_when_time_is_up():
    env = ParallelFace(Countdown(top=90, max_episode_steps=2))
    env.reset(seed=1)
    for expected in (False, True):
        *_, terminations, truncations, _ = env.step(dict.fromkeys(env.agents, 0))
        assert set(truncations.values()) == {expected}
        assert not any(terminations.values())
    assert env.agents == []
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step({})


def until_one_has_left(env, seed=0):
    """Play until the first agent is out and others are not; the index of the agent."""
    env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    while True:
        terminated = env.step(env.sample_action(rng))[2]
        assert not terminated.all()
        if terminated.any():
            return int(terminated.argmax())


@pytest.mark.parametrize("nonsense", [-1, 2, 99, -(2**40)])
def test_what_is_given_for_agents_that_cannot_act_is_ignored(nonsense):
    env = Countdown(top=20)
    gone = until_one_has_left(env)
    snapshot, action = env.snapshot(), env.sample_action(np.random.default_rng(1))
    batch = gymnasium.make_vec("Countdown-v0", num_envs=2, top=20)
    batch.reset(seed=0)
    batch.restore(np.repeat(snapshot[None], 2))
    expected = env.step(action)
    action[gone] = nonsense
    env.restore(snapshot)
    found = env.step(action)
    assert same(found[:4], expected[:4])
    assert env.state["heard"][gone] == 0
    rewards = batch.step(np.stack([action, action]))[1]
    assert same(rewards[1], expected[1])
    assert (batch.states["heard"][:, gone] == 0).all()
    after = env.model.step(snapshot[None], action[None])[0]
    assert after["heard"][0, gone] == 0


def test_agents_that_cannot_act_need_no_action():
    env, other = ParallelFace(Countdown()), ParallelFace(Countdown())
    env.reset(seed=0)
    other.reset(seed=0)
    assert not env.action_mask("count_0").any()
    found = env.step({"count_1": 0, "count_2": 0})
    assert same(found, other.step({"count_0": None, "count_1": 0, "count_2": 0}))
    assert found[1] == {"count_0": 0.0, "count_1": 1.0, "count_2": 1.0}
    assert env.agents == ["count_0", "count_1", "count_2"]
    assert env.action_mask("count_0").any()


def test_of_those_who_can_act_illegal_actions_are_found():
    env = Countdown(top=20)
    gone = until_one_has_left(env)
    env.state["left"][(gone + 1) % 3] = 1
    env.restore(env.snapshot())
    action = np.zeros(3, int)
    action[(gone + 1) % 3] = 1
    with pytest.raises(InvalidActionError, match=r"count_0: .*; count_1: .*; count_2"):
        env.step(action)
    with pytest.raises(InvalidActionError, match="none"):
        env.step(action)


# --- one after the other -------------------------------------------------------------------------


def asked(env, seed, steps=200):
    """What a random walk through an AEC environment gets to see."""
    env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    for agent in env.agent_iter(steps):
        observation, reward, terminated, truncated, info = env.last()
        yield agent, observation, reward, terminated, truncated, dict(info)
        mask = info.get("action_mask", np.ones(5))
        idle = terminated or truncated or not mask.any()
        env.step(None if idle else int(rng.choice(np.flatnonzero(mask))))


@pytest.mark.parametrize("make", [Countdown, PressurePlates])
def test_agents_are_asked_in_the_order_of_pettingzoos_own_conversion(make):
    for seed in range(10):
        ours = asked(AECFace(make(max_episode_steps=9)), seed)
        theirs = asked(parallel_to_aec_wrapper(ParallelFace(make(max_episode_steps=9))), seed)
        assert same(list(ours), list(theirs))


def test_a_game_in_turns_can_be_converted_by_pettingzoo():
    env = turn_based_aec_to_parallel_wrapper(spelunk.aec_env("spelunk/TicTacToe-v0"))
    env.reset(seed=0)
    total = dict.fromkeys(env.agents, 0.0)
    for action in (0, 3, 1, 4, 2):
        _, rewards, *_ = env.step(dict.fromkeys(env.agents, action))
        total = {agent: total[agent] + rewards[agent] for agent in total}
    assert env.agents == []
    assert total == {"x": 1.0, "o": -1.0}


def test_whose_turn_it_is_not_has_no_legal_action():
    env = spelunk.aec_env("spelunk/TicTacToe-v0")
    env.reset(seed=0)
    for agent, other, action in (("x", "o", 4), ("o", "x", 0), ("x", "o", 8)):
        assert env.agent_selection == agent
        assert env.infos[agent]["action_mask"][action] == 1
        assert env.infos[agent]["action_mask"].sum() == (env.state()[0] == 0).all(-1).sum()
        assert not env.infos[other]["action_mask"].any()
        env.step(action)


@pytest.mark.parametrize("make", [Countdown, lambda: spelunk.aec_env("spelunk/TicTacToe-v0").joint])
@pytest.mark.parametrize("moves", [0, 1, 2, 4])
def test_aec_snapshots_and_copies_go_on_alike(make, moves):
    def future(env):
        seen = []
        for agent in env.agent_iter(100):
            *_, terminated, truncated, info = env.last()
            seen.append((agent, *env.last()))
            idle = terminated or truncated or not info["action_mask"].any()
            env.step(None if idle else int(np.flatnonzero(info["action_mask"])[-1]))
        return seen

    env = AECFace(make())
    env.reset(seed=3)
    for _ in range(moves):
        env.step(int(env.last()[4]["action_mask"].argmax()))
    snapshot = pickle.loads(pickle.dumps(env.snapshot()))
    twins = [copy.deepcopy(env), pickle.loads(pickle.dumps(env)), AECFace(make())]
    twins[2].restore(snapshot)  # without a reset before
    expected = future(env)
    assert len(expected) > 3
    env.restore(snapshot)
    for twin in (env, *twins):
        assert same(future(twin), expected)
    for twin in (env, *twins):
        assert twin.agents == [], "a restored snapshot is not a copy"


def test_parallel_snapshots_and_copies_go_on_alike():
    env = ParallelFace(Countdown(top=20))
    env.reset(seed=0)
    while len(env.agents) == 3:
        env.step(dict.fromkeys(env.agents, 0))
    snapshot = env.snapshot()
    twins = [copy.deepcopy(env), pickle.loads(pickle.dumps(env)), ParallelFace(Countdown(top=20))]
    twins[2].restore(snapshot)
    expected = env.step(dict.fromkeys(env.agents, 0))
    assert 0 < len(expected[0]) < 3
    env.restore(snapshot)
    for twin in (env, *twins):
        assert same(twin.step(dict.fromkeys(twin.agents, 0)), expected)


def test_what_was_handed_out_stays_as_it_was():
    env = spelunk.aec_env("spelunk/TicTacToe-v0")
    env.reset(seed=0)
    seen = env.observe("x")
    seen[:] = 7
    assert not env.observe("x").any()
    before = env.observe("x")
    env.step(4)
    assert not before.any()


# --- spaces and options --------------------------------------------------------------------------


def test_samples_of_an_action_space_are_legal_and_seeded_apart():
    env = ParallelFace(Countdown())
    for seed in range(30):
        env.reset(seed=seed)
        while env.agents:
            env.step({agent: env.action_space(agent).sample() for agent in env.agents})
    spaces = [env.action_space(agent) for agent in env.possible_agents]
    assert spaces[0] == spaces[1] == gymnasium.spaces.Discrete(3)
    assert len({id(space) for space in spaces}) == 3


def test_unknown_options_warn_and_known_ones_count():
    env = spelunk.parallel_env("spelunk/PressurePlates-v0", size=5)
    with pytest.warns(UserWarning, match=r"\['colour'\] are unknown; accepted are \['task'\]"):
        env.reset(seed=0, options={"colour": "red"})
    env.reset(options={"task": 7})
    assert env.joint.state["level"] == 7
    with pytest.raises(InvalidArgumentError, match="task"):
        env.reset(options={"task": 10**6})


def test_time_limits_as_pettingzoo_tests_them():
    def parallel_env(max_cycles):
        return spelunk.parallel_env("spelunk/PressurePlates-v0", max_episode_steps=max_cycles)

    def env(max_cycles):
        return spelunk.aec_env("spelunk/PressurePlates-v0", max_episode_steps=max_cycles)

    max_cycles_test(types.SimpleNamespace(parallel_env=parallel_env, env=env))


@pytest.mark.filterwarnings("ignore:.*more than 3 dimensions")
def test_the_state_of_all_agents():
    id = "spelunk/PressurePlates-v0"
    state_test(spelunk.aec_env(id), spelunk.parallel_env(id))


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [0, -1, 9, 2**40, 0.5, "left", None, [1]])
def test_an_illegal_action_names_agent_action_and_what_was_allowed(action):
    env = spelunk.aec_env("spelunk/TicTacToe-v0")
    env.reset(seed=0)
    env.step(0)
    before = env.joint.snapshot()
    with pytest.raises(InvalidActionError, match=r"agent 'o'.*allowed were 1, 2, 3, 4, 5, 6, 7, 8"):
        env.step(action)
    assert env.joint.snapshot() == before
    assert env.agent_selection == "o"
    env.step(1)


def test_an_illegal_answer_is_found_when_it_is_given():
    env = spelunk.aec_env("spelunk/PressurePlates-v0", size=5)
    env.reset(seed=0)
    with pytest.raises(InvalidActionError, match=r"agent 'agent_0': action 5 .*Discrete\(5\)"):
        env.step(5)
    env.step(0)
    assert env.agent_selection == "agent_1"


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ({"agent_0": 0}, "agent 'agent_1': action None"),
        ({"agent_0": 0, "agent_1": 9}, "agent 'agent_1': action 9"),
        ({"agent_0": 0, "agent_1": 0, "agent_2": 0}, r"\['agent_2'\] do not play"),
    ],
)
def test_wrong_dicts_of_actions(actions, message):
    env = spelunk.parallel_env("spelunk/PressurePlates-v0", size=5)
    env.reset(seed=0)
    before = env.joint.snapshot()
    with pytest.raises(InvalidActionError, match=message):
        env.step(actions)
    assert env.joint.snapshot() == before


@pytest.mark.parametrize("wrong", [[np.nan], [0.5, 0.5], 0.5, "hard", None])
def test_wrong_actions_of_a_box(wrong):
    env = ParallelFace(Tug())
    env.reset(seed=0)
    with pytest.raises(InvalidActionError, match=r"agent 'pull_1': .*Box"):
        env.step({"pull_0": [0.5], "pull_1": wrong})


def test_actions_of_a_box_are_clipped():
    env, other = ParallelFace(Tug()), ParallelFace(Tug())
    env.reset(seed=0)
    other.reset(seed=0)
    assert same(
        env.step({"pull_0": [5.0], "pull_1": [-5.0]}), other.step({"pull_0": [1], "pull_1": [0]})
    )


def test_reset_comes_first():
    env = spelunk.aec_env("spelunk/TicTacToe-v0")
    with pytest.raises(gymnasium.error.ResetNeeded, match="reset"):
        env.step(0)
    with pytest.raises(AttributeError, match=r"before reset\(\)"):
        env.last()
    with pytest.raises(AttributeError, match=r"before reset\(\)"):
        next(iter(env.agent_iter()))
    with pytest.raises(gymnasium.error.ResetNeeded, match="reset"):
        spelunk.parallel_env("spelunk/PressurePlates-v0").step({})
    env.reset()
    for action in (0, 3, 1, 4, 2):
        env.step(action)
    with pytest.raises(ValueError, match="None"):
        env.step(5)
    env.step(None)
    env.step(None)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(None)


@pytest.mark.parametrize(
    ("make", "id", "wanted"),
    [
        (spelunk.parallel_env, "spelunk/TicTacToe-v0", "spelunk.aec_env"),
        (spelunk.parallel_env, "spelunk/DoorKey-v0", "gymnasium.make "),
        (spelunk.aec_env, "spelunk/DoorKey-v0", "gymnasium.make "),
        (gymnasium.make, "spelunk/PressurePlates-v0", "spelunk.parallel_env or spelunk.aec_env"),
    ],
)
def test_a_missing_face_is_said_and_what_to_use(make, id, wanted):
    with pytest.raises(UnsupportedFaceError, match=f"{id} has no .* face: make it with .*{wanted}"):
        make(id)


def test_faces_of_environments_made_by_hand():
    from spelunk.envs.gridworld.door_key import DoorKey
    from spelunk.envs.search.tic_tac_toe import TicTacToe

    with pytest.raises(UnsupportedFaceError, match="in turns"):
        ParallelFace(TicTacToe())
    for face in (AECFace, ParallelFace):
        with pytest.raises(UnsupportedFaceError, match="one agent"):
            face(DoorKey())


def test_wrong_ids_and_arguments():
    for make in (spelunk.aec_env, spelunk.parallel_env):
        with pytest.raises(gymnasium.error.UnregisteredEnv, match="spelunk/TicTacToe-v0"):
            make("spelunk/TicTacTo-v0")
    with pytest.raises(InvalidArgumentError, match="accepted"):
        spelunk.aec_env("spelunk/TicTacToe-v0", sise=3)


def test_pettingzoo_is_imported_only_for_its_faces():
    code = (
        "import sys, spelunk, gymnasium\n"
        "gymnasium.make_vec('spelunk/TicTacToe-v0', num_envs=2).reset()\n"
        "spelunk.parallel_env\n"
        "assert 'pettingzoo' not in sys.modules\n"
        "spelunk.aec_env('spelunk/TicTacToe-v0')\n"
        "assert 'pettingzoo' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_batch_has_a_column_for_each_agent():
    env = gymnasium.make_vec("spelunk/PressurePlates-v0", num_envs=4, size=5)
    observations, infos = env.reset(seed=0)
    assert observations.shape == (4, 2, 5, 5, 8)
    assert observations in env.observation_space
    _, rewards, terminated, truncated, infos = env.step(env.action_space.sample())
    assert rewards.shape == terminated.shape == (4, 2)
    assert truncated.shape == infos["success"].shape == (4,)
    turns = gymnasium.make_vec("spelunk/TicTacToe-v0", num_envs=4)
    turns.reset(seed=0)
    _, rewards, terminated, truncated, infos = turns.step(np.arange(4))
    assert rewards.shape == terminated.shape == (4, 2)
    assert infos["action_mask"].sum(axis=1).tolist() == [8, 8, 8, 8]
