"""Plain-Python environments: the single and the vector face, against each other and Gymnasium."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

from spelunk.envs.kernel import (
    HostEnv,
    HostVectorEnv,
    InvalidActionError,
    InvalidArgumentError,
    StateLayout,
    Unicode,
    restore,
    rng,
)
from spelunk.envs.kernel.host import integer


class Countdown(HostEnv):
    """Take 1 to 3 from a drawn number, never more than is left; taking the last one pays 1."""

    reset_options = ("left",)

    def __init__(
        self, actions: str = "index", observation: str = "array", max_episode_steps: int = 6,
        render_mode: str | None = None,
    ):  # fmt: skip
        self.index, self.observation = actions == "index", observation
        number = spaces.Box(0, 20, (1,), np.float32)
        seen = {"array": number, "dict": spaces.Dict({"left": number}), "text": Unicode(20)}
        super().__init__(
            layout=StateLayout([], [("left", np.int32), ("chance", np.int32)]),
            observation_space=seen[observation],
            action_space=spaces.Discrete(3) if self.index else Unicode(5),
            max_episode_steps=max_episode_steps,
            metrics=("left",),
            masked=self.index,
            render_mode=render_mode,
        )

    def reset_state(self, state):
        state["left"] = 5 + integer(state, 10)
        state["chance"] = 0

    def step_state(self, state, action):
        taken = action + 1 if self.index else len(action)
        state["left"] -= min(taken, int(state["left"]))
        state["chance"] = integer(state, 1000)
        return (1.0, True) if state["left"] == 0 else (-0.1, False)

    def observe_states(self, states):
        left = states["left"].astype(np.float32)[:, None]
        if self.observation == "text":
            return [f"{n} left" for n in states["left"]]
        return left if self.observation == "array" else {"left": left}

    def legal_states(self, states):
        return (states["left"][:, None] > np.arange(3)).astype(np.int8)

    def sample_state(self, state, rng):
        return "x" * int(rng.integers(4))

    def apply_options(self, state, options):
        state["left"] = options["left"]

    def describe_state(self, state):
        return f"{state['left']} left"

    def draw_state(self, state):
        return np.full((4, 4, 3), state["left"], np.uint8)

    def show_state(self, state):
        return "o" * int(state["left"])


KINDS = [("index", "array"), ("index", "dict"), ("text", "array"), ("text", "text")]


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    return bool(np.array_equal(a, b))


def lane(values: Any, i: int) -> Any:
    if isinstance(values, dict):
        return {name: lane(part, i) for name, part in values.items()}
    return values[i]


@pytest.mark.parametrize("mode", ["NEXT_STEP", "SAME_STEP", "DISABLED"])
@pytest.mark.parametrize(("actions", "observation"), KINDS)
def test_lanes_play_what_single_environments_play(actions, observation, mode):
    n = 7
    chance = np.random.default_rng(3)
    env = HostVectorEnv(Countdown, n, autoreset_mode=mode, actions=actions, observation=observation)
    singles = [Countdown(actions, observation) for _ in range(n)]
    observations, infos = env.reset(seed=40)
    assert observations in env.observation_space
    assert isinstance(observations, tuple) == (observation == "text")
    alone = [single.reset(seed=40 + i) for i, single in enumerate(singles)]
    over, endings = np.zeros(n, bool), 0
    for _ in range(300):
        for i, (observation_i, info_i) in enumerate(alone):
            assert equal(lane(observations, i), observation_i)
            assert infos["left"][i] == info_i["left"]
            assert ("action_mask" in infos) == ("action_mask" in info_i) == (actions == "index")
            assert equal(env.snapshot()[i], singles[i].snapshot())
            if actions == "index":
                assert equal(infos["action_mask"][i], info_i["action_mask"])
        if mode == "DISABLED" and over.any():
            with pytest.raises(gymnasium.error.ResetNeeded, match=str(np.flatnonzero(over)[0])):
                env.step(env.sample_actions(chance))
            observations, infos = env.reset(options={"reset_mask": over})
            for i in np.flatnonzero(over):
                alone[i] = singles[i].reset()
            over[:] = False
            continue
        chosen = env.sample_actions(chance)
        observations, rewards, terminated, truncated, infos = env.step(chosen)
        assert rewards.dtype == np.float32
        was_over, alone = over.copy(), []
        for i, single in enumerate(singles):
            if mode == "NEXT_STEP" and was_over[i]:
                alone.append(single.reset())
                assert (rewards[i], terminated[i], truncated[i]) == (0, False, False)
                over[i] = False
                continue
            seen, reward, term, trunc, info = single.step(chosen[i])
            assert (type(reward), type(term), type(trunc)) == (float, bool, bool)
            # Both faces give what a float32 can hold.
            assert (rewards[i].item(), terminated[i], truncated[i]) == (reward, term, trunc)
            over[i] = term or trunc
            if over[i]:
                endings += 1
                assert infos["_episode"][i]
                assert infos["episode"]["l"][i] == single.state["step_count"]
                assert infos["episode"]["r"][i] == pytest.approx(single.state["episode_return"])
            if over[i] and mode == "SAME_STEP":
                assert equal(lane(infos["final_obs"], i), seen)
                assert infos["_final_obs"][i]
                assert infos["final_info"]["left"][i] == info["left"]
                if actions == "index":
                    assert equal(infos["final_info"]["action_mask"][i], info["action_mask"])
                alone.append(single.reset())
                over[i] = False
            else:
                alone.append((seen, info))
    assert endings > 100


def test_plain_python_draws_the_numbers_of_the_kernels():
    states = StateLayout([], []).empty(2)
    states["rng"] = 12345
    for n in (1, 2, 10, 1000, 2**31):
        for _ in range(50):
            with np.errstate(over="ignore"):  # where kernels are plain Python too
                assert integer(states[0], n) == rng.integer(states[1], n)
    assert states["rng"][0] == states["rng"][1]


@pytest.mark.parametrize(("actions", "observation"), [("text", "array"), ("text", "text")])
def test_gymnasium_accepts_the_single_face(actions, observation):
    check_env(Countdown(actions, observation), skip_render_check=True)


def test_illegal_actions_are_named_before_any_lane_moves():
    env = HostVectorEnv(Countdown, 3)
    env.reset(seed=0)
    env.states["left"][1] = 2
    env.restore(env.snapshot())
    before = env.snapshot()
    for wrong, message in [([0, 2, 0], "environment 1: action 2 .* allowed were 0, 1$"),
                           ([0, 0, 3], "environment 2: action 3"),
                           ([-1, 0, 0], "environment 0: action -1")]:  # fmt: skip
        with pytest.raises(InvalidActionError, match=message):
            env.step(np.array(wrong))
    for wrong in ([0, 0], [0.5, 0, 0], [True, False, True], "012"):
        with pytest.raises(InvalidActionError):
            env.step(wrong)
    assert equal(before, env.snapshot())


def test_illegal_actions_of_the_single_face():
    env = Countdown()
    env.reset(seed=0, options={"left": 1})
    before = env.snapshot()
    for wrong in (1, 3, -1, 0.5, None, True, "0"):
        with pytest.raises(InvalidActionError):
            env.step(wrong)
    assert equal(before, env.snapshot())


def test_texts_out_of_the_space_are_illegal():
    env = HostVectorEnv(Countdown, 2, actions="text")
    env.reset(seed=0)
    for wrong in (("x", "x" * 6), ("x", 3), ("x",), "xx", None):
        with pytest.raises(InvalidActionError):
            env.step(wrong)
    with pytest.raises(InvalidActionError, match=r"environment 1.*Unicode"):
        env.step(("x", "x" * 6))


def test_ended_and_unstarted_episodes_need_a_reset():
    env = Countdown()
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(0)
    with pytest.raises(gymnasium.error.ResetNeeded):
        HostVectorEnv(Countdown, 2).step([0, 0])
    env.reset(seed=0, options={"left": 1})
    assert env.step(0)[1:4] == (1.0, True, False)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(0)


def test_snapshots_carry_chance_and_time_limit():
    env = gymnasium.wrappers.TimeLimit(Countdown(), 6)
    env.reset(seed=1)
    env.step(0)
    env.step(0)
    kept = env.unwrapped.snapshot()
    future = [env.step(0)[1:4] for _ in range(4)]
    chance = env.unwrapped.state["chance"]
    assert future[-1][2], "the time limit was not reached"
    restore(env, kept)
    assert [env.step(0)[1:4] for _ in range(4)] == future
    assert env.unwrapped.state["chance"] == chance
    with pytest.raises(InvalidArgumentError):
        env.unwrapped.restore(np.zeros(1, [("left", np.int32)])[0])


def test_vector_snapshots_bring_the_buffers_along():
    env = HostVectorEnv(Countdown, 4)
    env.reset(seed=0)
    kept, (seen, infos) = env.snapshot(), env.present()
    for _ in range(3):
        env.step(env.sample_actions(np.random.default_rng(0)))
    env.restore(kept)
    assert equal(env.present()[0], seen)
    assert equal(env.action_mask, infos["action_mask"])
    assert env.describe(2) == f"{kept['left'][2]} left"


def test_words_follow_the_lane():
    env = HostVectorEnv(Countdown, 2)
    env.reset(seed=0)
    assert env.action_words(1, 2) == "2"
    assert env.parse(0, "1") == 1
    assert equal(env.prototype.state, env.states[0])


def test_reset_options_and_masks():
    env = HostVectorEnv(Countdown, 3)
    with pytest.raises(InvalidArgumentError, match="first reset"):
        env.reset(options={"reset_mask": np.array([True, False, True])})
    env.reset(seed=0)
    others = env.snapshot()[1]
    seen, _ = env.reset(
        seed=[5, None, 6], options={"reset_mask": np.array([True, False, True]), "left": 9}
    )
    assert seen.ravel().tolist() == [9, others["left"], 9]
    assert equal(env.snapshot()[1], others)
    with pytest.raises(InvalidArgumentError, match="wrong"):
        env.reset(options={"wrong": 1})


@pytest.mark.parametrize(
    ("arguments", "error"),
    [({"num_envs": 0}, InvalidArgumentError), ({"num_envs": 2.0}, InvalidArgumentError),
     ({"autoreset_mode": "never"}, InvalidArgumentError), ({"colour": 1}, InvalidArgumentError),
     ({"max_episode_steps": 0}, InvalidArgumentError)],
)  # fmt: skip
def test_wrong_arguments(arguments, error):
    with pytest.raises(error):
        HostVectorEnv(Countdown, **arguments)


def test_buffers_are_copies_unless_asked_otherwise():
    for copy in (True, False):
        env = HostVectorEnv(Countdown, 2, copy=copy)
        first, _ = env.reset(seed=0)
        kept = first.copy()
        env.step([0, 0])
        assert equal(first, kept) == copy
