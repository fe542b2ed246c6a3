"""The rules of `ContextualBandit`: linear rewards of two kinds, and rows of a table."""

import math
from typing import Any, NamedTuple

import numpy as np

from ..kernel import kernel, rng
from .core import charge, open_account
from .features import draw_direction, product

Array = np.ndarray[Any, Any]


class Params(NamedTuple):
    """Fixed for the life of a synthetic environment."""

    horizon: int
    noise: float
    scale: float  # features lie between −scale and scale
    theta: Array  # (arms or 1, dimension), or empty where each episode draws its own


class TableParams(NamedTuple):
    """Fixed for the life of an environment over a table; see `Table`."""

    horizon: int
    rows: Array
    labels: Array


@kernel
def reset(state, params):
    """Take the given parameters, or draw them on the unit sphere."""
    for k in range(state.theta.shape[0]):
        if len(params.theta) > 0:
            for i in range(state.theta.shape[1]):
                state.theta[k, i] = params.theta[k, i]
        else:
            draw_direction(state, state.theta[k])
    state.chosen = -1
    state.paid = 0.0
    open_account(state)


@kernel
def reset_shared(state, params):
    """Draw the parameters and the first round."""
    reset(state, params)
    draw_features_of_arms(state, params)


@kernel
def reset_disjoint(state, params):
    """Draw the parameters and the first round."""
    reset(state, params)
    draw_context(state, params)


@kernel
def draw_features_of_arms(state, params):
    """A new round: fresh features for each arm."""
    best = -math.inf
    theta = state.theta[0]
    for arm in range(state.means.shape[0]):
        row = state.features[arm]
        for i in range(len(row)):
            row[i] = params.scale * (2.0 * rng.uniform(state) - 1.0)
        mean = product(row, theta)
        state.means[arm] = mean
        best = max(best, mean)
    state.best_mean = best


@kernel
def draw_context(state, params):
    """A new round: a fresh context, which all arms share."""
    row = state.features
    for i in range(len(row)):
        row[i] = params.scale * (2.0 * rng.uniform(state) - 1.0)
    best = -math.inf
    for arm in range(state.means.shape[0]):
        mean = product(row, state.theta[arm])
        state.means[arm] = mean
        best = max(best, mean)
    state.best_mean = best


@kernel
def pull(state, action, params):
    """What an arm pays in this round."""
    mean = float(state.means[action])
    reward = mean + params.noise * rng.normal(state)
    state.chosen = action
    state.paid = reward
    charge(state, float(state.best_mean) - mean)
    return reward


@kernel
def step_shared(state, action, params):
    """Pull an arm; the next round brings other features."""
    reward = pull(state, action, params)
    draw_features_of_arms(state, params)
    return reward, state.step_count >= params.horizon


@kernel
def step_disjoint(state, action, params):
    """Pull an arm; the next round brings another context."""
    reward = pull(state, action, params)
    draw_context(state, params)
    return reward, state.step_count >= params.horizon


@kernel
def observe_shared(state, params, obs):
    """The features of each arm."""
    for arm in range(obs.shape[0]):
        for i in range(obs.shape[1]):
            obs[arm, i] = state.features[arm, i]


@kernel
def observe_disjoint(state, params, obs):
    """The context."""
    for i in range(obs.shape[0]):
        obs[i] = state.features[i]


@kernel
def reset_table(state, params):
    """Draw a row."""
    state.row = rng.integer(state, params.rows.shape[0])
    state.chosen = -1
    state.paid = 0.0
    open_account(state)


@kernel
def step_table(state, action, params):
    """1 for the right class of the row; then draw another."""
    right = int(params.labels[int(state.row)])
    reward = 1.0 if action == right else 0.0
    state.chosen = action
    state.paid = reward
    charge(state, 1.0 - reward)
    state.row = rng.integer(state, params.rows.shape[0])
    return reward, state.step_count >= params.horizon


@kernel
def observe_table(state, params, obs):
    """The row."""
    row = int(state.row)
    for i in range(obs.shape[0]):
        obs[i] = params.rows[row, i]
