"""CUCB: upper confidence bounds for sets of arms (Chen, Wang & Yuan 2013)."""

from typing import Any

import numpy as np

from ...envs.kernel import UnsupportedFaceError
from ...envs.kernel.feasible import FeasibleSpace
from ..core.agent import Agent

Array = np.ndarray[Any, Any]


class CombinatorialUCB(Agent):
    """Chooses the feasible set of base arms whose upper confidence bounds sum up to most.

    The bound of a base arm is `mean + sqrt(exploration · ln t / n)` after n times it was chosen;
    what has not been chosen comes first. The set is found by the action space's own `maximise`.
    From Chen, Wang & Yuan, "Combinatorial multi-armed bandit: general framework and applications",
    ICML 2013, algorithm 1.

    Args:
        exploration: the factor under the root; 1.5 in the paper.
    """

    def __init__(self, exploration: float = 1.5):
        self.exploration = exploration

    def start(self, env: Any, seed: int) -> None:
        super().start(env, seed)
        space = env.single_action_space
        if not isinstance(space, FeasibleSpace) or not hasattr(env.prototype, "horizon"):
            raise UnsupportedFaceError(
                f"CombinatorialUCB plays CombinatorialBandit; got {env.prototype!r}"
            )
        self._space, self._horizon = space, env.prototype.horizon

    def act(self, observations: Any, infos: dict[str, Any]) -> Array:
        pulls = np.rint(observations[..., 0].astype(np.float64) * self._horizon)
        time = self.env.states["step_count"][:, None]
        widths = np.sqrt(self.exploration * np.log(time + 1.0) / np.maximum(pulls, 1.0))
        bounds = np.where(pulls > 0, observations[..., 1] + widths, 1e3)
        return np.array([self._space.maximise(row) for row in bounds])
