"""CoupledRestlessBandit: restless arms, and combinatorial constraints on what acts on them."""

import functools
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import InvalidArgumentError, Kernels, StateLayout, kernel, rng
from ..kernel.feasible_searches import Packing, Schedule, Tour
from ..kernel.render import Canvas
from .core import counted, read_integer
from .coupled_instances import FAMILIES, LEVELS, make_instance
from .relaxation import Arms, Bound, relaxed_value
from .subsets import SubsetEnv

Array = np.ndarray[Any, Any]


class Params(NamedTuple):
    """Fixed for the life of the environment; see `Instance`."""

    horizon: int
    rewards: np.ndarray[Any, np.dtype[np.float64]]
    variables: np.ndarray[Any, np.dtype[np.int64]]
    chances: np.ndarray[Any, np.dtype[np.float64]]


@kernel
def reset(state, params):
    """Every arm starts at a level drawn uniformly."""
    for arm in range(state.levels.shape[0]):
        state.levels[arm] = rng.integer(state, params.rewards.shape[1])
        state.chosen[arm] = 0


@kernel
def step(state, action, params):
    """Every arm rises or falls by a level, and pays by the level it comes to."""
    reward, top = 0.0, params.rewards.shape[1] - 1
    for arm in range(state.levels.shape[0]):
        code = 0
        for i in range(params.variables.shape[1]):
            code += int(action[params.variables[arm, i]]) << i
        level = int(state.levels[arm])
        if rng.uniform(state) < params.chances[arm, code]:
            level = min(level + 1, top)
        else:
            level = max(level - 1, 0)
        state.levels[arm] = level
        state.chosen[arm] = action[arm]
        reward += params.rewards[arm, level]
    return reward, state.step_count >= params.horizon


@kernel
def observe(state, params, obs):
    """Levels as shares of the highest, and the share of the horizon that is over."""
    arms, top = state.levels.shape[0], params.rewards.shape[1] - 1
    for arm in range(arms):
        obs[arm] = int(state.levels[arm]) / top
    obs[arms] = int(state.step_count) / params.horizon


class CoupledRestlessBandit(SubsetEnv):
    """
    ## Description
    Arms are patients, sites or animals whose condition rises and falls whether or not they are
    acted on. In each step the agent acts on several at once, and what it can do at once is coupled:
    by interventions that each act on several arms, by a route that must visit them, by workers who
    must meet, or by workers' capacities. The agent knows the problem but cannot solve it: the
    joint states and the joint actions are both too many (Xu et al. 2025, "Reinforcement learning
    with combinatorial actions for coupled restless bandits").

    An arm pays little at any level but the highest. So acting where the next reward is largest is
    short-sighted: arms must be lifted over several steps before they pay.

    ## Observation Space
    `Box(0, 1, (arms + 1,), float32)`: the level of each arm divided by 3, and the share of the
    horizon that is over.

    ## Action Space
    A `FeasibleSpace`: rows (arms,) of zeros and ones, `int8`. Infeasible rows are refused with an
    `InvalidActionError`. With `family`

    - `"interventions"`: a row chooses at most `budget` of as many interventions as there are arms.
      Three of them act on each arm, one of them that of its own number;
    - `"path"`: a row chooses at most `budget` arms that lie on one closed walk of at most
      `2 · budget` edges from the source, through a graph whose nodes are the arms;
    - `"matching"`: every chosen arm is seen by two workers who are free in a slot that suits the
      arm; there are `2 · budget` workers, free in 3 of 5 slots each, who work once; an arm can be
      seen in 2 slots;
    - `"capacity"`: every chosen arm is done by one of `budget` workers; arms cost 2–6, and a
      worker has a capacity of 2–7.

    ## Rewards
    The sum of what the arms pay at the levels they come to. The highest of the four levels pays
    4–6 for `budget` good arms and 1–3 for the others, a lower level 0.1–0.2.

    A step lifts an arm by a level, or drops it by one if it is not lifted, between the lowest and
    the highest. The chance to be lifted is drawn from [0, 0.2] for an arm left alone and from
    [0.7, 0.9] for one acted on; with interventions it is a sigmoid of the sum of the weights of
    those that act on the arm, of which two about make up the difference between these two chances.

    ## Starting State
    Every arm is at a level drawn uniformly. Rewards, chances and constraints are the same in every
    episode: those of the argument `instance`.

    ## Episode End
    Terminated after `horizon` steps: the horizon belongs to the problem. There is no other time
    limit by default.

    ## Arguments
    - `family`: what couples the arms, see above (default `"interventions"`).
    - `arms`: the number of arms, ≥ 2 (default 10).
    - `budget`: how much can be done at once, from 1 to `arms`; at most 12 for `"path"` (default 3).
    - `horizon`: the number of steps, ≥ 1 (default 20).
    - `instance`: the seed of the instance, ≥ 0 (default 0).
    - `max_episode_steps`: a time limit besides the horizon (default −1: none).

    ## Reference Scores
    `spelunk.reference("spelunk/CoupledRestlessBandit-v0")`: the random policy, and an upper bound:
    a linear programme that keeps the constraints in expectation only. What the best policy gets is
    not known, and is less.

    ## Version History
    - v0: first version.
    """

    best_source = "an upper bound: the linear programme that couples the arms in expectation only"

    def __init__(
        self,
        family: str = "interventions",
        arms: int = 10,
        budget: int = 3,
        horizon: int = 20,
        instance: int = 0,
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        if family not in FAMILIES:
            raise InvalidArgumentError(f"family must be in {list(FAMILIES)}; got {family!r}")
        self.family = family
        self.arms, self.budget = read_integer("arms", arms, 2), read_integer("budget", budget, 1)
        most = min(self.arms, 12 if family == "path" else self.arms)
        if self.budget > most:
            raise InvalidArgumentError(f"budget must be at most {most} here; got {budget!r}")
        self.horizon = read_integer("horizon", horizon, 1)
        #: Rewards, chances and the feasible actions.
        self.instance = make_instance(
            family, self.arms, self.budget, read_integer("instance", instance, 0)
        )
        self.labels = [str(arm + 1) for arm in range(self.arms)]
        space, rewards, variables, chances = self.instance
        super().__init__(
            kernels=Kernels(reset, step, observe),
            layout=StateLayout(
                [], [("levels", np.int32, (self.arms,))], [("chosen", np.int32, (self.arms,))]
            ),
            params=Params(self.horizon, rewards, variables, chances),
            observation_space=spaces.Box(0, 1, (self.arms + 1,), np.float32),
            action_space=space,
            max_episode_steps=max_episode_steps,
            stochastic=True,
            render_mode=render_mode,
        )

    # --- the problem, for agents that know it ---

    def levels(self, observations: Array) -> Array:
        """The levels (n, arms) `int64` that observations (n, arms + 1) show."""
        return np.rint(observations[:, : self.arms] * (LEVELS - 1)).astype(np.int64)

    def rise_chances(self, actions: Array) -> Array:
        """The chance of each arm to rise, (n, arms), under actions (n, arms)."""
        _, _, variables, chances = self.instance
        codes = (actions[:, variables].astype(np.int64) << np.arange(variables.shape[1])).sum(-1)
        return chances[np.arange(self.arms), codes]

    def pays(self, levels: Array) -> tuple[Array, Array]:
        """What each arm pays next if it falls, and if it rises, twice (n, arms)."""
        arm, rewards = np.arange(self.arms), self.instance.rewards
        return (
            rewards[arm, np.maximum(levels - 1, 0)],
            rewards[arm, np.minimum(levels + 1, LEVELS - 1)],
        )

    def expected_rewards(self, levels: Array, actions: Array) -> Array:
        """The mean reward (n,) of actions (n, arms) at levels (n, arms)."""
        falls, rises = self.pays(levels)
        return (falls + self.rise_chances(actions) * (rises - falls)).sum(axis=1)

    def chains(self) -> Arms:
        """The arms as Markov chains."""
        _, rewards, variables, chances = self.instance
        transitions = np.zeros((*chances.shape, LEVELS, LEVELS))
        for level in range(LEVELS):
            transitions[:, :, level, max(level - 1, 0)] += 1 - chances
            transitions[:, :, level, min(level + 1, LEVELS - 1)] += chances
        return Arms(variables, transitions, np.einsum("acst,at->acs", transitions, rewards))

    @functools.cached_property
    def bound(self) -> Bound:
        """What no policy exceeds, by starting levels."""
        return relaxed_value(self.chains(), self.instance.space.constraints(), self.horizon)

    def best_return(self, seed: int) -> float | None:
        return self.bound.at(self.model.reset([seed])["levels"][0])

    # --- words and pictures ---

    def describe_state(self, state: Any) -> str:
        levels = ", ".join(
            f"{label}: {level}" for label, level in zip(self.labels, state["levels"], strict=True)
        )
        return (
            f"There are {self.arms} arms at levels 0 to {LEVELS - 1}; the highest level pays. "
            f"{self._rules} Levels: {levels}. {counted(self._left(state), 'step')} left."
        )

    @functools.cached_property
    def _rules(self) -> str:
        space = self.instance.space
        if isinstance(space, Tour):
            edges = np.argwhere(np.triu(space.adjacent)) + 1
            ways = ", ".join(f"{i}-{j}" for i, j in edges)
            return (
                f"Choose at most {self.budget} arms on a closed walk of at most {space.length} "
                f"edges from arm {space.source + 1}; the edges are {ways}."
            )
        if isinstance(space, Schedule):
            jobs, workers = (
                ", ".join(f"{i + 1}: {_numbers(row)}" for i, row in enumerate(rows))
                for rows in (space.job_slots, space.worker_slots)
            )
            return (
                "Choose arms that two free workers each can see in one slot, each worker working "
                f"once; the slots of arms are {jobs}; the slots of workers are {workers}."
            )
        if isinstance(space, Packing):
            costs, capacities = (", ".join(map(str, v)) for v in (space.costs, space.capacities))
            return (
                "Choose arms that the workers can do, each within a capacity; the arms cost "
                f"{costs}; the capacities are {capacities}."
            )
        acting = "; ".join(
            f"{label}: {', '.join(str(i + 1) for i in row)}"
            for label, row in zip(self.labels, self.instance.variables, strict=True)
        )
        return f"Choose at most {self.budget} interventions; on each arm act these: {acting}."

    def show_state(self, state: Any) -> str:
        lines = ["arm  level  pays at most"]
        lines += [
            f"{label:>3s}  {'#' * int(level):<{LEVELS - 1}s}    {pays[-1]:.1f}"
            f"{'  chosen' if chosen else ''}"
            for label, level, pays, chosen in zip(
                self.labels, state["levels"], self.instance.rewards, state["chosen"], strict=True
            )
        ]
        return "\n".join([*lines, f"{counted(self._left(state), 'step')} left"])

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Arms as columns of levels; what was chosen last is marked green below."""
        column = max(8.0, min(56.0, 1008 / self.arms))
        right = max(16 + round(self.arms * column), 240)
        canvas = Canvas(right + 16, 264, "paper")
        most = self.instance.rewards.max()
        for arm in range(self.arms):
            x, level = 16 + arm * column, int(state["levels"][arm])
            for step_up in range(LEVELS):
                y = 176 - 44 * step_up
                pays = self.instance.rewards[arm, step_up] / most
                fill = "sand"
                if step_up <= level:
                    fill = "yellow" if step_up == LEVELS - 1 else "blue"
                canvas.rectangle(x + column * 0.1, y, column * 0.8, 38, fill)
                if step_up == LEVELS - 1:
                    canvas.rectangle(x + column * 0.1, y, column * 0.8 * pays, 6, "ink")
            if state["chosen"][arm]:
                canvas.rectangle(x + column * 0.1, 222, column * 0.8, 26, "green")
            if column > 24:
                canvas.text(x + column / 2, 235, self.labels[arm], "ink", 13)
        canvas.text(16, 20, f"{self.family}: {counted(self._left(state), 'step')} left", "ink", 13,
                    "lm")  # fmt: skip
        canvas.text(right, 20, f"paid {float(state['episode_return']):.1f}", "stone", 13, "rm")
        return canvas.pixels()

    def _left(self, state: Any) -> int:
        return self.horizon - int(state["step_count"])


def _numbers(flags: Array) -> str:
    return "/".join(str(i + 1) for i in np.flatnonzero(flags))
