"""Search with a network that knows the costs to go."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...envs.kernel.model import Model, States
from ..core.features import flatten_observations
from .best_first import best_first
from .plan_agent import PlanAgent
from .problem import ModelProblem
from .q_star import q_star
from .search import UNLIMITED, Limits


def observed_rows(model: Model, states: States) -> Tensor:
    """What networks read of states, (n, width)."""
    observations = model.observe(states)
    if isinstance(observations, tuple):
        observations = observations._asdict()  # pyright: ignore[reportAttributeAccessIssue]
    return flatten_observations(observations)


class LearnedCosts:
    """Costs to go by a network: a heuristic from (n,) states to (n,) costs, 0 at goals.

    Args:
        model: the environment's dynamics.
        network: observation rows (n, width) to (n, 1) costs to go, or (n, actions) costs of the
            actions and what follows them; its second argument is `n_actions`.
        device: where it is.
        n_actions: how many of the actions count, the first ones; None for all.
    """

    _ROWS = 8192  # that the network is given at a time

    def __init__(
        self, model: Model, network: nn.Module, device: str = "cpu", n_actions: int | None = None
    ):
        self._model, self._network, self._device = model, network, device
        self._n_actions = n_actions

    def of_actions(self, states: States) -> np.ndarray[Any, Any]:
        """(n, actions): the cost of each action and of what follows; infinite where illegal."""
        return self._outputs(states).numpy()

    def __call__(self, states: States) -> np.ndarray[Any, Any]:
        found = self._outputs(states).amin(1).clamp_(min=0.0).numpy()
        found[self._model.is_goal(states)] = 0.0
        return found

    @torch.inference_mode()
    def _outputs(self, states: States) -> Tensor:
        found = []
        for begin in range(0, len(states), self._ROWS):
            some = states[begin : begin + self._ROWS]
            rows = observed_rows(self._model, some)
            outputs = self._network(rows.to(self._device), self._n_actions).cpu()
            if self._model.definition.masked and outputs.shape[1] > 1:
                illegal = torch.as_tensor(self._model.legal(some)) == 0
                outputs = outputs.masked_fill(illegal, np.inf)
            found.append(outputs)
        return found[0] if len(found) == 1 else torch.cat(found)


class LearnedSearchAgent(PlanAgent):
    """Plans each episode by weighted A* with a learned heuristic, or by Q* search.

    Args:
        network: see `LearnedCosts`.
        of_actions: whether it gives the costs of actions: then the search is Q*.
        weight: of the cost so far.
        batch_size: states expanded together, or edges followed.
        limits: of the search in each episode.
    """

    def __init__(
        self,
        network: nn.Module,
        of_actions: bool,
        weight: float = 0.8,
        batch_size: int = 100,
        limits: Limits = UNLIMITED,
    ):
        self.network, self.weight, self.batch_size = network, weight, batch_size
        self.of_actions, self.limits = of_actions, limits

    def costs(self, model: Model) -> LearnedCosts:
        """The heuristic."""
        device = str(next(self.network.parameters()).device)
        return LearnedCosts(model, self.network, device)

    def plan(self, state: States) -> Sequence[int] | None:
        model: Model = self.env.prototype.model
        costs = self.costs(model)
        problem = ModelProblem(model, state, costs)
        options: Any = {
            "weight": self.weight, "batch_size": self.batch_size, "limits": self.limits
        }  # fmt: skip
        if self.of_actions:
            self._result = q_star(problem, costs.of_actions, **options)
        else:
            self._result = best_first(problem, **options)
        return None if self._result.plan is None else self._result.plan.tolist()

    def figures(self) -> dict[str, Any]:
        return self._result.figures()
