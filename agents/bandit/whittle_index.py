"""Whittle's index policy for restless arms that are known, few of which may be active at once."""

from typing import Any

import numpy as np

from ...envs.bandit.restless import RestlessBandit
from ...envs.kernel import UnsupportedFaceError
from ..core.agent import Agent

Array = np.ndarray[Any, Any]


class IndexPolicy(Agent):
    """Activates the arms whose present states have the largest indices, positive ones only.

    Args:
        indices: (arms, states).
    """

    indices: Array

    def __init__(self, indices: Array):
        self.indices = indices

    def start(self, env: Any, seed: int) -> None:
        """Get ready; see `Agent`.

        Raises:
            UnsupportedFaceError: the environment is not a `RestlessBandit`.
        """
        super().start(env, seed)
        check_restless(self, env)

    def act(self, observations: Any, infos: dict[str, Any]) -> Array:
        places = places_of(observations)
        values = self.indices[np.arange(places.shape[1]), places]
        return np.array([self.env.single_action_space.maximise(row) for row in values])


class WhittleIndexPolicy(IndexPolicy):
    """Knows the arms, and computes their indices exactly.

    From Whittle, "Restless bandits: activity allocation in a changing world", Journal of Applied
    Probability 25A (1988). Nearly optimal where there are many arms (Weber & Weiss 1990). An arm
    that is not indexable is left alone.

    Args:
        gamma: the discount of the indices, below 1.
    """

    def __init__(self, gamma: float = 0.99):
        self.gamma = gamma

    def start(self, env: Any, seed: int) -> None:
        super().start(env, seed)
        self.indices = env.prototype.whittle(self.gamma)


def check_restless(agent: Any, env: Any) -> None:
    """See that there are restless arms.

    Raises:
        UnsupportedFaceError: the vector environment is not of `RestlessBandit`.
    """
    if not isinstance(env.prototype, RestlessBandit):
        raise UnsupportedFaceError(
            f"{type(agent).__name__} plays RestlessBandit; got {env.prototype!r}"
        )


def places_of(observations: Array) -> Array:
    """The states of the arms, (n, arms), that observations (n, arms, states + 1) show."""
    return observations[..., :-1].argmax(axis=-1)
