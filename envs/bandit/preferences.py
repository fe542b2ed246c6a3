"""Preferences between arms: how they are drawn, and which arm is the best by them."""

from typing import Any

import numpy as np

from ..kernel import InvalidArgumentError, kernel, rng
from .core import open_account


@kernel
def reset_given(state, params):
    """The given preferences."""
    arms = state.gaps.shape[0]
    for first in range(arms):
        for second in range(arms):
            state.preferences[first, second] = params.preferences[first, second]
    begin(state)


@kernel
def reset_bradley_terry(state, params):
    """Each arm has a strength, and wins in proportion to it."""
    arms = state.gaps.shape[0]
    for arm in range(arms):
        state.gaps[arm] = 1.0 - rng.uniform(state)
    for first in range(arms):
        for second in range(arms):
            strength = float(state.gaps[first])
            state.preferences[first, second] = strength / (strength + float(state.gaps[second]))
    begin(state)


@kernel
def reset_cyclic(state, params):
    """Each arm is beaten by the one before it in a circle, so that none beats all others."""
    arms = state.gaps.shape[0]
    for arm in range(arms):
        state.gaps[arm] = arm  # its place in the circle
    rng.shuffle(state, state.gaps)
    for first in range(arms):
        state.preferences[first, first] = 0.5
        for second in range(first):
            ahead = int(state.gaps[second] - state.gaps[first]) % arms
            lead = 0.5 * rng.uniform(state)
            wins = 2 * ahead < arms or (2 * ahead == arms and rng.integer(state, 2) == 0)
            preference = 0.5 + lead if wins else 0.5 - lead
            state.preferences[first, second] = preference
            state.preferences[second, first] = 1.0 - preference
    begin(state)


@kernel
def begin(state):
    """Measure how far each arm is from the best; nothing has been played."""
    arms = state.gaps.shape[0]
    state.best, state.condorcet, state.sharpest = 0, 0, 0.0
    largest = -1.0
    for first in range(arms):
        beats_all, score = 1, 0.0
        for second in range(arms):
            preference = float(state.preferences[first, second])
            state.sharpest = max(float(state.sharpest), preference)
            state.wins[first, second] = 0
            score += preference
            if second != first and preference <= 0.5:
                beats_all = 0
        state.gaps[first] = score / arms
        # A Condorcet winner need not have the largest Borda score; where there is one, it counts.
        if beats_all == 1 or (state.condorcet == 0 and score > largest):
            state.best, state.condorcet, largest = first, beats_all, score
    best = int(state.best)
    highest = float(state.gaps[best])
    for arm in range(arms):
        if state.condorcet == 1:
            state.gaps[arm] = float(state.preferences[best, arm]) - 0.5
        else:
            state.gaps[arm] = highest - float(state.gaps[arm])
    state.first = 0
    state.second = 0
    open_account(state)


RESETS = {"bradley_terry": reset_bradley_terry, "cyclic": reset_cyclic}


def read_matrix(preferences: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Given preferences, (arms, arms).

    Raises:
        InvalidArgumentError: they are no such matrix, nor a name of `RESETS`.
    """
    try:
        values = np.array(preferences, np.float64)
    except (TypeError, ValueError):  # a word, or rows of different lengths
        values = np.empty(0)
    square = values.ndim == 2 and values.shape == (len(values), len(values)) and len(values) >= 2
    if not (square and ((values >= 0) & (values <= 1)).all() and np.allclose(values + values.T, 1)):
        raise InvalidArgumentError(
            f"preferences must be one of {list(RESETS)}, or a square matrix of at least two rows "
            f"whose entries [k, l] and [l, k] add up to 1; got {preferences!r}"
        )
    return values
