"""The fewest turns of a cube that is nearly solved, by search from both ends."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..kernel import Model

Array = np.ndarray[Any, Any]

#: States that need up to this many turns are listed: of the 3×3×3 some 600,000 in half turns.
_RADIUS = 5
#: The most turns that can be asked for: three more, which are looked for from the other end.
MOST_TURNS = _RADIUS + 3


class NearSolved:
    """All states within a few turns of the solved cube.

    Args:
        model: of an environment whose actions are single turns.
    """

    def __init__(self, model: Model):
        self._model = model
        levels = itertools.islice(_levels(model, model.goal_states()), _RADIUS + 1)
        keys = [found for _, found in levels]
        order = np.argsort(np.concatenate(keys))
        self._keys = np.concatenate(keys)[order]
        self._turns = np.repeat(np.arange(len(keys)), [len(found) for found in keys])[order]

    def fewest_turns(self, states: Array) -> int:
        """The fewest turns that solve a state, (1,) records, which needs up to `MOST_TURNS`."""
        return next(
            turns + int(known.min())
            for turns, (_, keys) in enumerate(_levels(self._model, states))
            if len(known := self._known(keys))
        )

    def _known(self, keys: Array) -> Array:
        """The turns of those states that are listed."""
        places = np.searchsorted(self._keys, keys).clip(max=len(self._keys) - 1)
        return self._turns[places[self._keys[places] == keys]]


def _levels(model: Model, states: Array) -> Iterator[tuple[Array, Array]]:
    """The states that need 0, 1, 2 … turns from a given one, and their sorted keys.

    Half of a key is enough: of a million states two share it with a chance of one to 10⁷.
    """
    keys, before = model.key(states)[:, 0], np.empty(0, np.uint64)
    while True:
        yield states, keys
        children = model.successors(states).states.ravel()
        found, first = np.unique(model.key(children)[:, 0], return_index=True)
        # Turns can be taken back, so that what is not new is no more than two levels behind.
        fresh = ~(np.isin(found, keys) | np.isin(found, before))
        states, keys, before = children[first[fresh]], found[fresh], keys
