"""CartPole: balance a pole on a cart, in single precision as in PufferLib's game."""

import math

import numpy as np
from gymnasium import spaces

from spelunk.envs.kernel import KernelEnv, Kernels, StateLayout, kernel, rng

GRAVITY = np.float32(9.8)
POLE_MASS = np.float32(0.1)
TOTAL_MASS = np.float32(1.0) + POLE_MASS
HALF_LENGTH = np.float32(0.5)
POLE_MOMENT = POLE_MASS * HALF_LENGTH
FORCE = np.float32(10.0)
SECONDS = np.float32(0.02)
FOUR_THIRDS = np.float32(4.0) / np.float32(3.0)
START = np.float32(0.04)
FARTHEST = np.float32(2.4)
STEEPEST = 12 * 2 * math.pi / 360
HORIZON = 200


@kernel
def near_zero(state):
    """A number drawn uniformly from −0.04 … 0.04."""
    return np.float32(rng.uniform(state)) * (START + START) - START


@kernel
def reset(state, params):
    """Everything starts near zero."""
    state.x = near_zero(state)
    state.x_speed = near_zero(state)
    state.angle = near_zero(state)
    state.angle_speed = near_zero(state)


@kernel
def step(state, action, params):
    """Barto, Sutton & Anderson (1983), by Euler's method."""
    force = FORCE if action == 1 else -FORCE
    angle, angle_speed = np.float32(state.angle), np.float32(state.angle_speed)
    cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    push = (force + POLE_MOMENT * angle_speed * angle_speed * sin) / TOTAL_MASS
    angle_acceleration = (GRAVITY * sin - cos * push) / (
        HALF_LENGTH * (FOUR_THIRDS - POLE_MASS * cos * cos / TOTAL_MASS)
    )
    acceleration = push - POLE_MOMENT * angle_acceleration * cos / TOTAL_MASS
    x = np.float32(state.x) + SECONDS * np.float32(state.x_speed)
    angle = angle + SECONDS * angle_speed
    state.x = x
    state.x_speed = np.float32(state.x_speed) + SECONDS * acceleration
    state.angle = angle
    state.angle_speed = angle_speed + SECONDS * angle_acceleration
    fallen = (abs(x) > FARTHEST) | (abs(float(angle)) > STEEPEST)
    return (0.0 if fallen or state.step_count >= HORIZON else 1.0), bool(fallen)


@kernel
def observe(state, params, obs):
    """Where the cart and the pole are and how fast they move."""
    obs[0] = state.x
    obs[1] = state.x_speed
    obs[2] = state.angle
    obs[3] = state.angle_speed


class CartPole(KernelEnv):
    """
    ## Description
    A pole stands on a cart that is pushed left or right. Rules, observation, rewards and ends are
    those of `cartpole` in PufferLib 3.0, rounded to single precision at each operation as there.

    ## Observation Space
    `Box(-inf, inf, (4,), float32)`: position, its speed, angle, its speed.

    ## Action Space
    `Discrete(2)`: 0 push left, 1 push right.

    ## Rewards
    1 a step, 0 in the step that ends the episode.

    ## Episode End
    Terminated beyond ±2.4 or ±12°; truncated after 200 steps.
    """

    def __init__(self, render_mode: str | None = None):
        fields = ("x", "x_speed", "angle", "angle_speed")
        super().__init__(
            kernels=Kernels(reset, step, observe),
            layout=StateLayout([], [(name, np.float32) for name in fields]),
            params=(),
            observation_space=spaces.Box(-np.inf, np.inf, (4,), np.float32),
            action_space=spaces.Discrete(2),
            max_episode_steps=HORIZON,
            render_mode=render_mode,
        )
