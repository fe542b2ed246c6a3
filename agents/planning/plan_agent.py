"""`PlanAgent`: plans at the start of each episode, and then carries the plan out."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...envs.kernel import KernelVectorEnv, UnsupportedFaceError
from ..core.agent import Agent
from .problem import States


class PlanAgent(Agent):
    """Base class of agents that need only the first state of a deterministic episode.

    Where no plan was found, legal actions are drawn uniformly.
    """

    def start(self, env: Any, seed: int) -> None:
        """Get ready; see `Agent`.

        Raises:
            UnsupportedFaceError: the environment has no model face.
        """
        if not isinstance(env, KernelVectorEnv):
            raise UnsupportedFaceError(
                f"{type(self).__name__} needs an environment with a model face"
            )
        super().start(env, seed)
        self._plans: list[Sequence[int] | None] = [None] * env.num_envs
        self._done = np.zeros(env.num_envs, np.int64)
        self._fresh = np.ones(env.num_envs, bool)

    @abstractmethod
    def plan(self, state: States) -> Sequence[int] | None:
        """The actions for an episode that starts from a state, (1,); None where none are known."""

    def figures(self) -> dict[str, Any]:
        """What the latest plan took to find, by name; empty where the planner does not count."""
        return {}

    def act(self, observations: Any, infos: dict[str, Any]) -> np.ndarray:
        for lane in np.flatnonzero(self._fresh):
            self._plans[lane] = self.plan(self.env.states[lane : lane + 1].copy())
            self._done[lane] = 0
        self._fresh[:] = False
        actions = np.array(self.env.sample_actions(self.rng))
        for lane, plan in enumerate(self._plans):
            if plan is not None and self._done[lane] < len(plan):
                actions[lane] = plan[self._done[lane]]
        self._done += 1
        return actions

    def update(self, actions: Any, rewards: np.ndarray, ended: np.ndarray) -> None:
        self._fresh |= ended
