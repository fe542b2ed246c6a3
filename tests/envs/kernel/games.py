"""Two small games for the tests of what many agents need, with all that the suite's own lack."""

from typing import NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces

from spelunk.envs.kernel import KernelEnv, Kernels, KernelVectorEnv, StateLayout, kernel, rng
from spelunk.envs.kernel.render import Canvas


class Params(NamedTuple):
    top: int


@kernel
def countdown_reset(state, params):
    for agent in range(3):
        state.left[agent] = 2 + rng.integer(state, params.top)
        state.heard[agent] = 0
    state.clock = 0


@kernel
def countdown_rests(state, agent):
    """As long as all play, one after the other rests for a step, and then nobody does."""
    return agent == state.clock % 4 and min(state.left[0], state.left[1], state.left[2]) > 0


@kernel
def countdown_step(state, actions, params, rewards, terminated):
    resting = -1
    for agent in range(3):
        if countdown_rests(state, agent):
            resting = agent
    for agent in range(3):
        state.heard[agent] = actions[agent]
        if state.left[agent] > 0 and agent != resting:
            state.left[agent] -= 1 + actions[agent]
            rewards[agent] = 1 + actions[agent]
        terminated[agent] = state.left[agent] == 0
    state.clock += 1


@kernel
def countdown_legal(state, params, mask):
    for agent in range(3):
        for action in range(3):
            mask[agent, action] = state.left[agent] > action and not countdown_rests(state, agent)


@kernel
def countdown_observe(state, params, obs):
    for agent in range(3):
        for k in range(3):
            obs[agent, k] = state.left[(agent + k) % 3]


class Countdown(KernelEnv):
    """Each of three agents counts down to 0 by steps of 1 to 3, and then leaves the game.

    Before the first has left, one of them rests in most steps.
    """

    def __init__(self, top: int = 6, max_episode_steps: int = -1, render_mode: str | None = None):
        super().__init__(
            kernels=Kernels(countdown_reset, countdown_step, countdown_observe, countdown_legal),
            layout=StateLayout(
                [], [("left", np.int16, (3,)), ("clock", np.int16)], [("heard", np.int16, (3,))]
            ),
            params=Params(top),
            observation_space=spaces.Box(0, 99, (3,), np.int16),
            action_space=spaces.Discrete(3),
            max_episode_steps=max_episode_steps,
            metrics=("left",),
            agents=("count_0", "count_1", "count_2"),
            render_mode=render_mode,
        )

    def describe_state(self, state):
        return f"left are {state['left'].tolist()}"

    show_state = describe_state

    def draw_state(self, state):
        return picture(state["left"])

    def action_words(self, action):
        return " ".join(map(str, action))

    def parse(self, text):
        return numbers(text, int, 3)


@kernel
def tug_reset(state, params):
    state.place = rng.uniform(state) - 0.5


@kernel
def tug_step(state, actions, params, rewards, terminated):
    state.place += float(actions[0, 0]) - float(actions[1, 0])
    rewards[0] = state.place
    rewards[1] = -state.place
    terminated[:] = abs(state.place) > params.top


@kernel
def tug_observe(state, params, obs):
    for agent in range(2):
        obs.place[agent, 0] = state.place if agent == 0 else -state.place
        obs.time[agent, 0] = state.step_count


class Tug(KernelEnv):
    """Two agents pull at a rope, as hard as they please; it is seen in two parts."""

    def __init__(self, top: int = 1, max_episode_steps: int = 30, render_mode: str | None = None):
        super().__init__(
            kernels=Kernels(tug_reset, tug_step, tug_observe),
            layout=StateLayout([], [("place", np.float64)]),
            params=Params(top),
            observation_space=spaces.Dict(
                {
                    "place": spaces.Box(-9, 9, (1,), np.float32),
                    "time": spaces.Box(0, 99, (1,), np.int32),
                }
            ),
            action_space=spaces.Box(0, 1, (1,), np.float32),
            max_episode_steps=max_episode_steps,
            agents=("pull_0", "pull_1"),
            render_mode=render_mode,
        )

    def describe_state(self, state):
        return f"the rope is at {state['place']:.2f}"

    show_state = describe_state

    def draw_state(self, state):
        return picture([10, 20])

    def action_words(self, action):
        return " ".join(f"{x:.3f}" for x in np.ravel(action))

    def parse(self, text):
        return numbers(text, np.float32, 2)[:, None]


def picture(heights):
    canvas = Canvas(30, 30, "paper")
    for i, height in enumerate(heights):
        canvas.rectangle(10 * i, 0, 10, int(height) + 1, ("red", "green", "blue")[i])
    return canvas.pixels()


def numbers(text, dtype, n):
    from spelunk.envs.kernel import UnparseableActionError

    try:
        return np.array(text.split(), float).astype(dtype).reshape(n)
    except ValueError:
        raise UnparseableActionError(f"{text!r} is not {n} numbers") from None


def register():
    """Make the games known to Gymnasium, once."""
    for game in (Countdown, Tug):
        if f"{game.__name__}-v0" not in gymnasium.registry:
            gymnasium.register(
                f"{game.__name__}-v0",
                vector_entry_point=lambda game=game, **kwargs: KernelVectorEnv(game, **kwargs),
            )
