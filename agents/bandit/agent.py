"""`BanditAgent`: an algorithm written as kernels, for batches and for compiled simulations.

An algorithm remembers what it has seen in a record. Its kernels run in two places that give the
same: in `act`, beside any vector environment of the suite, and in `simulation`, in one loop with
the environment's own kernels.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from ...envs.kernel.definition import KernelDefinition
from ...envs.kernel.errors import UnsupportedFaceError
from ...envs.kernel.seeds import keys_from_seeds
from ..core.agent import Agent

Array = np.ndarray[Any, Any]
Field = tuple[str, Any] | tuple[str, Any, tuple[int, ...]]

#: The observation of algorithms that do not look.
UNSEEN = np.zeros((1, 1), np.float32)

#: Added to the seeds of runs, so that agents do not draw what their environments draw.
_AGENT_SEEDS = 2**40

_TEXT = """
@inlined
def choose_action(i, memories, obs, policy, actions):
    {choose}

@lane
def decide(memories, fresh, actions, rewards, obs, policy):
    for i in range(len(memories)):
        if fresh[i]:
            start(memories[i], policy)
        else:
            learn(memories[i], actions[i], rewards[i], {seen}, policy)
        choose_action(i, memories, obs, policy, actions)

@inlined
def play_run(
    i, states, memories, times, params, policy, obs, mask, actions, reward, terminated, curves,
    gains, last_best, taken, paid,
):
    state, memory = states[i], memories[i]
    start(memory, policy)
    {view}
    total = gain = 0.0
    last, time = -1, 0
    for point in range(len(times)):
        while time < times[point]:
            choose_action(i, memories, obs, policy, actions)
            advance(i, state, actions[i], params, reward, terminated)
            {revise}
            learn(memory, actions[i], reward[i], {seen}, policy)
            total += state.regret
            gain += reward[i]
            if state.regret < 1e-12:
                last = time
            if time < taken.shape[1]:
                taken[i, time] = {taken}
                paid[i, time] = reward[i]
            if state.done != 0:
                reset_lane(state, params)
                {view}
            time += 1
        curves[i, point] = total
    gains[i] = gain
    last_best[i] = last

@lane
def play(
    first, last, states, memories, times, params, policy, obs, mask, actions, reward, terminated,
    curves, gains, last_best, taken, paid,
):
    for i in range(first, last):
        play_run(
            i, states, memories, times, params, policy, obs, mask, actions, reward, terminated,
            curves, gains, last_best, taken, paid,
        )
"""


class BanditKernels(NamedTuple):
    """A bandit algorithm, as functions under `@kernel`.

    Args:
        start: `start(memory, params)` writes every field of the record but `rng`, which draws
            through `spelunk.envs.kernel.rng`.
        choose: `choose(memory, obs, params) -> int`, the arm. Where actions are rows of numbers,
            `choose(memory, obs, params, action)` writes one.
        learn: `learn(memory, action, reward, obs, params)`; `obs` shows what came of the action,
            and the next context.
    """

    start: Callable[..., Any]
    choose: Callable[..., Any]
    learn: Callable[..., Any]


class Problem(NamedTuple):
    """What a bandit algorithm is told before it begins.

    Attributes:
        arms: the number of actions, or of entries of an action that is a row.
        horizon: how many rounds there will be.
        observation: the shape of an observation.
        env: the environment, for what else its algorithm must know.
    """

    arms: int
    horizon: int
    observation: tuple[int, ...]
    env: Any


class BanditAgent(Agent):
    """Learns in each run afresh which actions pay.

    A subclass names its `kernels`, the fields of its memory and its parameters.

    Attributes:
        kernels: the algorithm.
        observes: whether it reads observations; otherwise it is given an empty one.
        masked: whether it knows by itself which actions are legal.
    """

    kernels: BanditKernels
    observes: bool = False
    masked: bool = False

    def check(self, problem: Problem) -> None:
        """See whether the algorithm fits the problem.

        Raises:
            UnsupportedFaceError: it does not.
        """

    @abstractmethod
    def fields(self, problem: Problem) -> Sequence[Field]:
        """The fields of the record in which a run is remembered."""

    @abstractmethod
    def params(self, problem: Problem) -> Any:
        """A named tuple of scalars and arrays that the kernels read."""

    def module(self, definition: KernelDefinition) -> ModuleType:
        """The compiled loops of the algorithm over the environment of a definition.

        Raises:
            UnsupportedFaceError: the algorithm's actions are not the environment's, or they do not
                fit otherwise.
        """
        if definition.agents or (definition.masked and not self.masked):
            raise UnsupportedFaceError(
                f"{type(self).__name__} plays bandits, whose every action is always legal"
            )
        seen = "obs[i]" if self.observes else "obs[0]"
        if self.observes and definition.parts is not None:
            seen = f"Observation({', '.join(f'obs.{part}[i]' for part in definition.parts)})"
        if definition.discrete:
            choose = f"actions[i] = choose(memories[i], {seen}, policy)"
        else:
            choose = f"choose(memories[i], {seen}, policy, actions[i])"
        text = _TEXT.format(
            choose=choose,
            seen=seen,
            view="view_lane(i, state, params, obs, mask)" if self.observes else "pass",
            revise="revise_lane(i, state, params, obs, mask)" if self.observes else "pass",
            taken="actions[i]" if definition.discrete else "0",
        )
        return definition.generate(text, **self.kernels._asdict())

    def problem(self, env: Any, horizon: int) -> Problem:
        """What the algorithm is told of an environment.

        Args:
            env: one environment.
            horizon: of the runs.

        Raises:
            UnsupportedFaceError: the algorithm does not fit the environment.
        """
        definition = env.definition
        arms = definition.n_actions
        if not definition.discrete:
            arms = int(np.prod(env.action_space.shape))
        shape = () if definition.parts is not None else tuple(env.observation_space.shape)
        problem = Problem(arms, horizon, shape, env)
        self.check(problem)
        return problem

    def remember(self, problem: Problem, seeds: Sequence[int]) -> Array:
        """Records for as many runs as there are seeds, (n,)."""
        fields = [*self.fields(problem), ("rng", np.uint64)]
        memories = np.zeros(len(seeds), np.dtype((np.record, np.dtype(fields, align=True))))
        memories["rng"] = keys_from_seeds([seed + _AGENT_SEEDS for seed in seeds])
        return memories

    def start(self, env: Any, seed: int) -> None:
        """Get ready; see `Agent`.

        Raises:
            UnsupportedFaceError: the environment is no bandit, or another than the algorithm's.
        """
        super().start(env, seed)
        one, n = env.prototype, env.num_envs
        rounds = getattr(one, "horizon", None) or getattr(one, "budget", None)
        if rounds is None:
            raise UnsupportedFaceError(
                f"{type(self).__name__} plays bandits, which say how many rounds there are; "
                f"{one!r} does not"
            )
        problem = self.problem(one, rounds)
        self._module, self._params = self.module(one.definition), self.params(problem)
        self._memories = self.remember(problem, range(seed, seed + n))
        self._actions, self._rewards = one.definition.allocate_actions(n), np.zeros(n, np.float32)
        self._fresh = np.ones(n, bool)
        self._rows = type(one.definition.allocate_observations(1))

    def act(self, observations: Any, infos: dict[str, Any]) -> Array:
        obs = observations if self.observes else UNSEEN
        if isinstance(obs, dict):
            obs = self._rows(**obs)
        self._module.decide(
            self._memories, self._fresh, self._actions, self._rewards, obs, self._params
        )
        return self._actions

    def update(self, actions: Any, rewards: Array, ended: Array) -> None:
        self._rewards[:] = rewards
        self._fresh[:] = ended
