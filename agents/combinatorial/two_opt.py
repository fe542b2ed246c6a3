"""Nearest neighbour and 2-opt: the classical first answer to the travelling salesman problem."""

from collections.abc import Sequence
from typing import Any

from ...envs.combinatorial.local_search import nearest_neighbour, two_opt
from ...envs.combinatorial.tsp import TSP
from ...envs.kernel import UnsupportedFaceError
from ..planning.plan_agent import PlanAgent
from ..planning.problem import States


class TwoOptAgent(PlanAgent):
    """Starts from the nearest-neighbour tour and exchanges pairs of edges until none is worth it.

    The exchanges are those of Croes, "A method for solving traveling-salesman problems",
    Operations Research 6 (1958).
    """

    def start(self, env: Any, seed: int) -> None:
        """Get ready; see `Agent`.

        Raises:
            UnsupportedFaceError: the environment is not a `TSP`.
        """
        super().start(env, seed)
        if not isinstance(env.prototype, TSP):
            raise UnsupportedFaceError("2-opt plans tours: it plays spelunk/TSP-v0 only")
        self._salesman = env.prototype

    def plan(self, state: States) -> Sequence[int] | None:
        distances = self._salesman.distances(state[0])
        tour = nearest_neighbour(distances)
        two_opt(distances, tour)
        return tour[1:].tolist()
