"""RestlessBandit: arms that change whether or not they are activated, a few active at a time."""

import functools
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import InvalidArgumentError, Kernels, StateLayout, kernel, rng
from ..kernel.feasible_sets import Budget
from ..kernel.render import Canvas
from .core import counted, read_integer
from .relaxation import Arms, Bound, relaxed_value
from .subsets import SubsetEnv
from .whittle import whittle_indices

Array = np.ndarray[Any, Any]


class Params(NamedTuple):
    """Fixed for the life of the environment."""

    horizon: int
    cumulative: np.ndarray[Any, np.dtype[np.float64]]  # (arms, 2, states, states), along the last
    rewards: np.ndarray[Any, np.dtype[np.float64]]  # (arms, 2, states)


@kernel
def reset(state, params):
    """Every arm starts in a state drawn uniformly."""
    for arm in range(state.places.shape[0]):
        state.places[arm] = rng.integer(state, params.rewards.shape[2])
        state.chosen[arm] = 0


@kernel
def step(state, action, params):
    """Every arm pays for the state it is in and what is done to it, and moves on."""
    reward, last = 0.0, params.rewards.shape[2] - 1
    for arm in range(state.places.shape[0]):
        active, place = int(action[arm]), int(state.places[arm])
        reward += params.rewards[arm, active, place]
        draw, following = rng.uniform(state), 0
        while following < last and draw >= params.cumulative[arm, active, place, following]:
            following += 1
        state.places[arm] = following
        state.chosen[arm] = active
    return reward, state.step_count >= params.horizon


@kernel
def observe(state, params, obs):
    """One row an arm, with a 1 in the column of its state, and the share of the horizon over."""
    gone = int(state.step_count) / params.horizon
    for arm in range(obs.shape[0]):
        for place in range(obs.shape[1] - 1):
            obs[arm, place] = 1.0 if int(state.places[arm]) == place else 0.0
        obs[arm, obs.shape[1] - 1] = gone


class RestlessBandit(SubsetEnv):
    """
    ## Description
    Each arm is a small Markov chain with two laws of motion, one for when it is active and one for
    when it is passive, and pays by its state. In each step the agent may activate a few of many
    (Whittle 1988, "Restless bandits: activity allocation in a changing world"). To find the best
    policy is intractable (Papadimitriou & Tsitsiklis 1999); to activate the arms of the largest
    Whittle indices is nearly optimal for many arms (Weber & Weiss 1990).

    ## Observation Space
    `Box(0, 1, (arms, states + 1), float32)`: for each arm its state, one-hot, and the share of the
    horizon that is over.

    ## Action Space
    A `FeasibleSpace`: rows (arms,) of zeros and ones, `int8`, with at most `k` ones: the arms to
    activate. Other rows are refused with an `InvalidActionError`.

    ## Rewards
    The sum over the arms of what each pays for the state it is in and what is done to it.

    ## Starting State
    Every arm is in a state drawn uniformly. The chains are the same in every episode: those given,
    or those of the argument `instance`.

    ## Episode End
    Terminated after `horizon` steps: the horizon belongs to the problem. There is no other time
    limit by default.

    ## Arguments
    - `arms`: the number of arms, ≥ 2 (default 10, or as many as `transitions` has).
    - `states`: the states of an arm, ≥ 2 (default 3, or as many as `transitions` has).
    - `k`: how many may be active at once, 1 … arms (default 3, or fewer for fewer arms).
    - `transitions`: (arms, 2, states, states) probabilities, first those of the passive action;
      None (default) to draw each row uniformly from the simplex, by `instance`.
    - `rewards`: (arms, 2, states); None (default) to draw what an active arm pays in each state
      uniformly from [0, 1] by `instance`; passive arms pay nothing.
    - `horizon`: the number of steps, ≥ 1 (default 50).
    - `instance`: the seed of what is drawn, ≥ 0 (default 0).
    - `max_episode_steps`: a time limit besides the horizon (default −1: none).

    ## Reference Scores
    `spelunk.reference("spelunk/RestlessBandit-v0")`: the random policy, and Whittle's upper bound:
    a linear programme in which `k` arms are active on average. What the best policy gets is less.

    ## Version History
    - v0: first version.
    """

    best_source = "an upper bound: Whittle's relaxation, in which k arms are active on average"

    def __init__(
        self,
        arms: int | None = None,
        states: int | None = None,
        k: int | None = None,
        transitions: Any = None,
        rewards: Any = None,
        horizon: int = 50,
        instance: int = 0,
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        chains = np.empty((0, 2, 0, 0)) if transitions is None else _read(transitions)
        given = chains.shape if len(chains) else (10, 2, 3, 3)
        self.arms = read_integer("arms", given[0] if arms is None else arms, 2)
        self.states = read_integer("states", given[2] if states is None else states, 2)
        if len(chains) and given != (self.arms, 2, self.states, self.states):
            raise InvalidArgumentError(
                f"transitions has the shape {given} for arms={self.arms}, states={self.states}"
            )
        self.k = read_integer("k", min(3, self.arms) if k is None else k, 1)
        self.horizon = read_integer("horizon", horizon, 1)
        draw = np.random.default_rng(read_integer("instance", instance, 0))
        shape = (self.arms, 2, self.states)
        drawn = draw.dirichlet(np.ones(self.states), shape)
        pays = draw.random(shape) * np.array([0.0, 1.0])[:, None]
        #: (arms, 2, states, states) and (arms, 2, states), first those of the passive action.
        self.transitions = chains if len(chains) else drawn
        self.rewards = pays if rewards is None else np.array(rewards, float)
        if self.rewards.shape != shape or not np.isfinite(self.rewards).all():
            raise InvalidArgumentError(f"rewards must be numbers of the shape {shape}")
        self.labels = [str(arm + 1) for arm in range(self.arms)]
        super().__init__(
            kernels=Kernels(reset, step, observe),
            layout=StateLayout(
                [], [("places", np.int32, (self.arms,))], [("chosen", np.int32, (self.arms,))]
            ),
            params=Params(self.horizon, self.transitions.cumsum(axis=-1), self.rewards),
            observation_space=spaces.Box(0, 1, (self.arms, self.states + 1), np.float32),
            action_space=Budget(self.arms, self.k),
            max_episode_steps=max_episode_steps,
            stochastic=True,
            render_mode=render_mode,
        )

    @functools.cached_property
    def bound(self) -> Bound:
        """What no policy exceeds, by starting states."""
        chains = Arms(np.arange(self.arms)[:, None], self.transitions, self.rewards)
        return relaxed_value(chains, Budget(self.arms, self.k).constraints(), self.horizon)

    def whittle(self, gamma: float = 0.99) -> Array:
        """The Whittle index of every arm in every state, (arms, states); see `whittle_indices`."""
        return np.array(
            [
                whittle_indices(moves, pays, gamma)
                for moves, pays in zip(self.transitions, self.rewards, strict=True)
            ]
        )

    def best_return(self, seed: int) -> float | None:
        return self.bound.at(self.model.reset([seed])["places"][0])

    def describe_state(self, state: Any) -> str:
        places = ", ".join(
            f"{label}: {place + 1}"
            for label, place in zip(self.labels, state["places"], strict=True)
        )
        return (
            f"There are {self.arms} arms with {self.states} states each; activate at most "
            f"{self.k}. States: {places}. {counted(self._left(state), 'step')} left."
        )

    def show_state(self, state: Any) -> str:
        lines = ["arm  state  pays if active"]
        lines += [
            f"{label:>3s}  {place + 1:5d}  {self.rewards[arm, 1, place]:14.2f}"
            f"{'  was active' if state['chosen'][arm] else ''}"
            for arm, (label, place) in enumerate(zip(self.labels, state["places"], strict=True))
        ]
        return "\n".join([*lines, f"{counted(self._left(state), 'step')} left"])

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """A column an arm: a bar for what each state pays if active; the present one is blue."""
        column = max(8.0, min(56.0, 1008 / self.arms))
        right, row = max(16 + round(self.arms * column), 240), 26
        canvas = Canvas(right + 16, 84 + row * self.states, "paper")
        most = max(float(np.abs(self.rewards[:, 1]).max()), 1e-9)
        for arm in range(self.arms):
            x = 16 + arm * column
            for place in range(self.states):
                y = 40 + row * place
                here = int(state["places"][arm]) == place
                share = abs(float(self.rewards[arm, 1, place])) / most
                canvas.rectangle(x + 2, y, column - 4, row - 4, "blue" if here else "sand")
                canvas.rectangle(x + 2, y + row - 9, (column - 4) * share, 5, "ink")
            if state["chosen"][arm]:
                canvas.rectangle(x + 2, 44 + row * self.states, column - 4, 26, "green")
            if column > 24:
                canvas.text(x + column / 2, 57 + row * self.states, self.labels[arm], "ink", 13)
        canvas.text(16, 20, f"{counted(self._left(state), 'step')} left", "ink", 13, "lm")
        canvas.text(right, 20, f"paid {float(state['episode_return']):.1f}", "stone", 13, "rm")
        return canvas.pixels()

    def _left(self, state: Any) -> int:
        return self.horizon - int(state["step_count"])


def _read(transitions: Any) -> Array:
    try:
        chains: Array = np.array(transitions, float)
    except (TypeError, ValueError):
        chains = np.empty(0)
    right = chains.ndim == 4 and chains.shape[1] == 2 and chains.shape[2] == chains.shape[3]
    if not right or not ((chains >= 0).all() and np.allclose(chains.sum(axis=-1), 1.0)):
        raise InvalidArgumentError(
            "transitions must be (arms, 2, states, states) probabilities whose rows sum to 1"
        )
    return chains
