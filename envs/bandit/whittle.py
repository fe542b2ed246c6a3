"""Whittle indices of restless arms with few states, computed exactly.

Whittle 1988, "Restless bandits: activity allocation in a changing world". The index of a state is
the least subsidy for passivity at which being passive there is as good as being active.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_NEAR = 1e-9


def whittle_indices(transitions: Array, rewards: Array, gamma: float) -> Array:
    """The Whittle index of every state of one arm.

    With the subsidy λ lowered from infinity, where every state is passive, states turn active one
    after the other, each at its index: under the policy that is optimal just above, the advantage
    of being passive is linear in λ, and the next index is the largest root. The arm is indexable
    where no state turns passive again.

    Args:
        transitions: (2, states, states) probabilities; first those of the passive action.
        rewards: (2, states) expected rewards of a step.
        gamma: the discount, below 1.

    Returns:
        (states,) indices; NaN in every state where the arm is not indexable.
    """
    n = rewards.shape[1]
    active = np.zeros(n, bool)
    indices = np.full(n, np.nan)
    level = np.inf
    while not active.all():
        fixed, slope = advantages(transitions, rewards, gamma, active)
        # Active states whose advantage of being passive turns positive again as λ falls.
        root = np.divide(-fixed, slope, out=np.full(n, -np.inf), where=np.abs(slope) > _NEAR)
        wrong = active & (slope < -_NEAR) & (root < level - _NEAR)
        ready = ~active & (slope > _NEAR)
        if not ready.any():
            return np.full(n, np.nan)
        best = np.where(ready, root, -np.inf).max()
        if best > level + _NEAR * max(1.0, abs(level)) or (wrong & (root > best)).any():
            return np.full(n, np.nan)
        turning = ready & (root >= best - _NEAR * max(1.0, abs(best)))
        indices[turning] = best
        active |= turning
        level = best
    return indices


def advantages(
    transitions: Array, rewards: Array, gamma: float, active: Array
) -> tuple[Array, Array]:
    """What being passive is worth more than being active, in every state: `fixed + slope · λ`.

    Args:
        transitions, rewards, gamma: as in `whittle_indices`.
        active: (states,) where the policy is active ever after.

    Returns:
        `fixed` and `slope`, (states,) each, of the subsidy λ.
    """
    n = len(active)
    chosen = active.astype(np.int64)
    moves = transitions[chosen, np.arange(n)]
    right = np.stack([rewards[chosen, np.arange(n)], 1.0 - chosen], axis=1)
    value, subsidised = np.linalg.solve(np.eye(n) - gamma * moves, right).T
    gap = transitions[0] - transitions[1]
    fixed = rewards[0] - rewards[1] + gamma * gap @ value
    return fixed, 1.0 + gamma * gap @ subsidised
