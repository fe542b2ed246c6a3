"""Levin tree search: best-first search guided by a policy, with a bound on its effort."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...envs.kernel import InvalidArgumentError, Model
from .batched import BatchedSearch
from .plan_agent import SearchAgent
from .problem import Expansion, ModelProblem, SearchProblem, States
from .search import UNLIMITED, Limits, SearchResult, Watch, solved_already

Array = np.ndarray[Any, Any]

#: From (n,) states and their children to (n, actions) weights, not negative. The probability of an
#: action is its share in the weights of those that lead on.
Policy = Callable[[States, Expansion], Array]


def uniform(states: States, children: Expansion) -> Array:
    """All actions alike."""
    return np.ones(children.costs.shape)


@dataclasses.dataclass
class GreedyPolicy:
    """A softmax of what the heuristic says of the children: exp(−(cost + h) / temperature).

    Args:
        problem: the problem, with its heuristic.
        temperature: high for nearly uniform, low for nearly greedy.
    """

    problem: SearchProblem
    temperature: float = 1.0

    def __call__(self, states: States, children: Expansion) -> Array:
        flat = children.states.reshape(-1, *children.states.shape[2:])
        h = self.problem.heuristic(flat).reshape(children.costs.shape)
        to_go = children.costs + np.where(children.goals, 0.0, h)
        least = to_go.min(axis=1, keepdims=True)
        return np.exp((np.where(np.isfinite(least), least, 0.0) - to_go) / self.temperature)


class TrainedPolicy:
    """The policy of a run.

    Args:
        folder: of the run.
        model: of the environment that it is to act in.

    Raises:
        InvalidArgumentError: the run has trained no policy without memory.
    """

    def __init__(self, folder: Path, model: Model):
        from ..core.run import load_agent
        from ..policy.actor_critic import PolicyAgent

        agent, run = load_agent(folder)
        if not isinstance(agent, PolicyAgent) or agent.network.memory is not None:
            raise InvalidArgumentError(
                f"{folder} is a run of {run.agent} without a policy that needs no memory"
            )
        self._network, self._model = agent.network, model

    def __call__(self, states: States, children: Expansion) -> Array:
        import torch

        from .learned import observed_rows

        with torch.inference_mode():
            device = self._network.critic.weight.device
            outputs, _ = self._network(observed_rows(self._model, states).to(device))
            mask = torch.as_tensor(np.isfinite(children.costs)).to(device)
            return torch.softmax(outputs.masked_fill(~mask, -1e30), dim=1).double().cpu().numpy()


def levin_search(
    problem: SearchProblem,
    policy: Policy = uniform,
    *,
    batch_size: int | None = None,
    limits: Limits = UNLIMITED,
) -> SearchResult:
    """Search for a way from the root to a goal that the policy would be likely to take.

    States are expanded in the order of d / π, where π is the probability that the policy takes the
    way to the state and d the number of states on it (Orseau, Lelis, Lattimore & Weber 2018,
    "Single-agent policy tree search with guarantees"). One at a time no more than d / π of the goal
    found are expanded (theorem 3 there), and where each state has only one way to it no other goal
    has a lower d / π. Of several ways to a state the likeliest counts. The cost of the plan is the
    problem's, and plays no part in the search.

    Args:
        problem: the problem; its heuristic is not used.
        policy: see `Policy`.
        batch_size: how many states are expanded together; None for a sixteenth of those expanded so
            far, from 64 to 1,024.
        limits: of the search.

    Raises:
        InvalidArgumentError: `batch_size` is not positive.
    """
    if batch_size is not None and batch_size < 1:
        raise InvalidArgumentError(f"batch_size must be positive; got {batch_size!r}")
    if problem.is_goal(problem.root)[0]:
        return solved_already()
    with Watch(limits) as watch:
        search = BatchedSearch(_Surprise(problem, policy), _log_effort, limits)
        result = search.run(batch_size, watch)
    if result.plan is None:
        return result
    return dataclasses.replace(result, cost=_cost(problem, result.plan))


def _log_effort(surprise: Array, h: Array, depth: Array) -> Array:
    return surprise + np.log(depth + 1)


@dataclasses.dataclass
class _Surprise:
    """A problem in which an action costs minus the logarithm of its probability."""

    problem: SearchProblem
    policy: Policy

    def __post_init__(self) -> None:
        self.root = self.problem.root

    def expand(self, states: States) -> Expansion:
        children = self.problem.expand(states)
        weights = np.where(np.isfinite(children.costs), self.policy(states, children), 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(weights) - np.log(weights.sum(axis=1, keepdims=True))
        # Rounding may take a probability just above 1.
        surprise = np.where(weights > 0, np.maximum(-logs, 0.0), np.inf)
        return Expansion(children.states, surprise, children.goals)

    def is_goal(self, states: States) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return self.problem.is_goal(states)

    def heuristic(self, states: States) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.zeros(len(states))

    def key(self, states: States) -> np.ndarray[Any, np.dtype[np.uint64]]:
        return self.problem.key(states)


def _cost(problem: SearchProblem, plan: Sequence[int] | Array) -> float:
    """What it costs to carry a plan out."""
    state, cost = problem.root, 0.0
    for action in plan:
        children = problem.expand(state)
        state, cost = children.states[:, action], cost + float(children.costs[0, action])
    return cost


class LevinAgent(SearchAgent):
    """Plans each episode by Levin tree search; see `levin_search`.

    Args:
        policy: `"uniform"` over the legal actions, `"greedy"` for a softmax of the heuristic, or
            the folder of a run that has trained one.
        temperature: of the softmax.
        batch_size: how many states are expanded together.
        heuristic, unit_costs, limits: see `SearchAgent`.
    """

    def __init__(
        self,
        policy: str = "uniform",
        temperature: float = 1.0,
        batch_size: int | None = None,
        heuristic: str | None = None,
        unit_costs: bool | None = None,
        limits: Limits = UNLIMITED,
    ):
        super().__init__(heuristic, unit_costs, limits)
        self.policy, self.temperature, self.batch_size = policy, temperature, batch_size

    def start(self, env: Any, seed: int) -> None:
        super().start(env, seed)
        self._trained = None
        if self.policy not in ("uniform", "greedy"):
            if not Path(self.policy).is_dir():
                raise InvalidArgumentError(
                    "policy must be 'uniform', 'greedy' or the folder of a run; "
                    f"got {self.policy!r}"
                )
            self._trained = TrainedPolicy(Path(self.policy), env.prototype.model)

    def search(self, problem: ModelProblem) -> SearchResult:
        greedy = GreedyPolicy(problem, self.temperature)
        policy = self._trained or (greedy if self.policy == "greedy" else uniform)
        return levin_search(problem, policy, batch_size=self.batch_size, limits=self.limits)
