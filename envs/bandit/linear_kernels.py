"""The rules of `LinearBandit`: parameters, arms and errors are drawn, and arms are pulled."""

import math
from typing import Any, NamedTuple

import numpy as np

from ..kernel import kernel, rng
from .core import charge, open_account
from .features import draw_direction, product

Array = np.ndarray[Any, Any]

ERRORS = ("random", "truncate", "adversarial")
_RANDOM, _TRUNCATE, _ADVERSARIAL, GIVEN = range(4)


class Params(NamedTuple):
    """Fixed for the life of the environment.

    Attributes:
        features: (arms, dimension) `float32`; without arms where each episode draws its own.
        theta: (dimension,) `float64`; empty where each episode draws its own.
        errors: (arms,) `float64`, given errors of the linear model; empty where there are none.
        error: which kind of errors there is, an index of `ERRORS`, or 3 for given ones.
    """

    horizon: int
    noise: float
    sparsity: int
    misspecification: float
    error: int
    features: Array
    theta: Array
    errors: Array


@kernel
def draw_theta(state, params):
    """Take the given parameters, or draw a unit vector of so many entries other than 0."""
    dimension = state.theta.shape[0]
    if len(params.theta) > 0:
        for i in range(dimension):
            state.theta[i] = params.theta[i]
        return
    wanted, squares = params.sparsity, 0.0
    for i in range(dimension):
        # Each set of entries is equally likely (Knuth's algorithm S).
        value = 0.0
        if rng.uniform(state) * (dimension - i) < wanted:
            value = rng.normal(state)
            wanted -= 1
        state.theta[i] = value
        squares += value * value
    length = math.sqrt(squares)
    for i in range(dimension):
        state.theta[i] = float(state.theta[i]) / length


@kernel
def draw_signs(state):
    """Draw the hidden signs that adversarial errors follow."""
    for i in range(state.signs.shape[0]):
        state.signs[i] = 1.0 if rng.uniform(state) < 0.5 else -1.0


@kernel
def measure(state, arm, features, params):
    """Set the mean of an arm: its linear part, and the error."""
    linear, size = product(features, state.theta), params.misspecification
    if params.error == _RANDOM:
        error = size * (2.0 * rng.uniform(state) - 1.0)
    elif params.error == _TRUNCATE:
        error = -min(max(linear, -size), size)
    elif params.error == _ADVERSARIAL:
        error = min(max(size * product(features, state.signs), -size), size)
    else:
        error = params.errors[arm]
    mean = linear + error
    state.means[arm] = mean
    state.best_mean = max(float(state.best_mean), mean)
    state.pulls[arm] = 0
    state.sums[arm] = 0.0


@kernel
def begin(state, params):
    """Draw what all arms share."""
    draw_theta(state, params)
    draw_signs(state)
    state.best_mean = -math.inf
    state.pulled = -1
    open_account(state)


@kernel
def reset_drawn(state, params):
    """Draw the arms on the unit sphere."""
    begin(state, params)
    for arm in range(state.means.shape[0]):
        draw_direction(state, state.features[arm])
        measure(state, arm, state.features[arm], params)


@kernel
def reset_given(state, params):
    """Take the given arms."""
    begin(state, params)
    for arm in range(state.means.shape[0]):
        measure(state, arm, params.features[arm], params)


@kernel
def step(state, action, params):
    """Pull an arm; the last pull of the horizon ends the episode."""
    mean = float(state.means[action])
    reward = mean + params.noise * rng.normal(state)
    state.pulled = action
    state.pulls[action] += 1
    state.sums[action] += reward
    charge(state, float(state.best_mean) - mean)
    return reward, state.step_count >= params.horizon


@kernel
def observe_drawn(state, params, obs):
    """The features and the statistics of each arm."""
    for arm in range(obs.shape[0]):
        for i in range(state.features.shape[1]):
            obs[arm, i] = state.features[arm, i]
        observe_arm(state, params, obs, arm)


@kernel
def observe_given(state, params, obs):
    """The features and the statistics of each arm."""
    for arm in range(obs.shape[0]):
        for i in range(params.features.shape[1]):
            obs[arm, i] = params.features[arm, i]
        observe_arm(state, params, obs, arm)


@kernel
def observe_arm(state, params, obs, arm):
    """The statistics of one arm."""
    dimension, pulls = obs.shape[1] - 2, int(state.pulls[arm])
    obs[arm, dimension] = pulls / params.horizon
    obs[arm, dimension + 1] = float(state.sums[arm]) / pulls if pulls > 0 else 0.0


@kernel
def update(state, params, obs):
    """A pull changes the statistics of one arm."""
    observe_arm(state, params, obs, int(state.pulled))
