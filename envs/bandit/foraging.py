"""InformationForaging: patches that run dry, and when to leave them."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import InvalidArgumentError, KernelEnv, Kernels, StateLayout, kernel, rng
from ..kernel.render import Canvas
from .core import ACCOUNT, METRICS, charge, counted, open_account, read_integer, read_number

STAY, LEAVE = 0, 1
ACTION_WORDS = ("stay", "leave")
_LARGEST_TABLE = 20_000_000


class Params(NamedTuple):
    """Fixed for the life of the environment; see `values` for the table."""

    horizon: int
    travel: int
    decay: float
    richness: np.ndarray[Any, np.dtype[np.float64]]
    values: np.ndarray[Any, np.dtype[np.float64]]


@kernel
def reset(state, params):
    """All the time is left, in a first patch."""
    state.left = params.horizon
    state.gains = 0
    state.patches = 0
    enter(state, params)
    state.gained = 0
    open_account(state)


@kernel
def enter(state, params):
    """Arrive in a patch of a kind drawn uniformly."""
    state.kind = rng.integer(state, len(params.richness))
    state.rate = params.richness[int(state.kind)]
    state.stays = 0
    state.found = 0
    state.patches += 1


@kernel
def step(state, action, params):
    """Forage for one unit of time, or travel; the end of the time ends the episode."""
    left, kind, stays = int(state.left), int(state.kind), int(state.stays)
    rate = float(state.rate)
    # A planner may go on where no time is left: there nothing has a value.
    stay = rate + value(params, left - 1, kind, stays + 1)
    leave = arrival(params, left - params.travel)
    chosen = stay if action == STAY else leave
    charge(state, max(stay, leave) - chosen)
    state.gained = 0
    if action == STAY:
        state.left = left - 1
        state.stays = stays + 1
        state.gained = 1 if rng.uniform(state) < rate else 0
        state.rate = rate * params.decay
        state.found += state.gained
        state.gains += state.gained
    else:
        state.left = max(left - params.travel, 0)
        enter(state, params)
    return float(state.gained), state.left <= 0


@kernel
def value(params, left, kind, stays):
    """What the optimal policy still gains in a patch, on average."""
    if left <= 0:
        return 0.0
    return params.values[left, kind, stays]


@kernel
def arrival(params, left):
    """What the optimal policy still gains from its arrival in a new patch, on average."""
    if left <= 0:
        return 0.0
    total = 0.0
    for kind in range(len(params.richness)):
        total += params.values[left, kind, 0]
    return total / len(params.richness)


@kernel
def observe(state, params, obs):
    """The time left, the time and the gains in this patch, and what the last step gained."""
    obs[0] = int(state.left) / params.horizon
    obs[1] = int(state.stays) / params.horizon
    obs[2] = int(state.found) / params.horizon
    obs[3] = state.gained


class InformationForaging(KernelEnv):
    """
    ## Description
    Patches hold finds, and the longer the agent stays in one the rarer they get. It can leave for
    a fresh patch at any time, but the way there takes time in which nothing is found. When to
    leave is the question of optimal foraging, whose answer is the marginal value theorem: leave
    when the patch yields less than the average of all (Charnov 1976, "Optimal foraging, the
    marginal value theorem"). People search for information by the same rule, from page to page and
    from site to site (Pirolli & Card 1999, "Information foraging").

    ## Observation Space
    `Box(0, 1, (4,), float32)`: the time left, the time spent in this patch and the finds made
    there, each divided by the horizon, and 1 if the last step found something. How rich the patch
    is and how fast it runs dry is not shown.

    ## Action Space
    `Discrete(2)`: 0 stays in the patch for one unit of time, 1 leaves it, which takes `travel`
    units. Both are always legal.

    ## Rewards
    1 for a find, 0 otherwise. In a patch of richness r the n-th unit of time (from 0) finds
    something with probability r · `decay`ⁿ; travelling finds nothing.

    The infos hold `regret`, how much less the action is worth than the better one, in expected
    finds until the end under optimal decisions that know the richness of the patch they are in, and
    `pseudo_regret`, its sum. In expectation the sum is what the episode lost against that policy.

    ## Starting State
    At the beginning of a fresh patch. The richness of every patch is drawn uniformly among the
    values of `richness`.

    ## Episode End
    Terminated when the time is up. A way that would take longer ends with it.

    ## Arguments
    - `richness`: the chances of a find in fresh patches, each in [0, 1] (default 0.9, 0.6, 0.3).
    - `decay`: what the chance is multiplied with at each stay, in [0, 1] (default 0.9).
    - `travel`: how many units of time it takes to reach the next patch, ≥ 1 (default 4).
    - `horizon`: the units of time, ≥ 1 (default 100).
    - `max_episode_steps`: a limit of the steps besides the horizon (default −1: none).

    ## Reference Scores
    `spelunk.reference("spelunk/InformationForaging-v0")`: the random policy, and the optimal
    policy that knows `decay` and the richness of the patch it is in, exact by dynamic programming,
    in expectation from the first patch on.

    ## Version History
    - v0: first version.
    """

    best_source = "dynamic programming, with the richness of the present patch known"

    def __init__(
        self,
        richness: Sequence[float] = (0.9, 0.6, 0.3),
        decay: float = 0.9,
        travel: int = 4,
        horizon: int = 100,
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        if isinstance(richness, str) or not isinstance(richness, Sequence) or not richness:
            raise InvalidArgumentError(f"richness must be numbers from 0 to 1; got {richness!r}")
        kinds = np.array([read_number("richness", each, 0.0, 1.0) for each in richness])
        decay, travel = read_number("decay", decay, 0.0, 1.0), read_integer("travel", travel, 1)
        self.horizon = read_integer("horizon", horizon, 1)
        if len(kinds) * (self.horizon + 1) * (self.horizon + 2) > _LARGEST_TABLE:
            raise InvalidArgumentError(
                f"horizon={horizon} with {len(kinds)} kinds of patches asks for a table of more "
                f"than {_LARGEST_TABLE:,} values; give a shorter horizon"
            )
        self.values = optimal_values(kinds, decay, travel, self.horizon)
        super().__init__(
            kernels=Kernels(reset, step, observe),
            layout=StateLayout(
                [],
                [
                    ("left", np.int32),
                    ("kind", np.int32),
                    ("stays", np.int32),
                    ("rate", np.float64),
                    ("found", np.int32),
                    ("gained", np.int8),
                ],
                [*ACCOUNT, ("gains", np.int32), ("patches", np.int32)],
            ),
            params=Params(self.horizon, travel, decay, kinds, self.values),
            observation_space=spaces.Box(0, 1, (4,), np.float32),
            action_space=spaces.Discrete(2),
            max_episode_steps=max_episode_steps,
            metrics=METRICS,
            stochastic=True,
            render_mode=render_mode,
        )

    def describe_state(self, state: Any) -> str:
        here = f"{counted(int(state['found']), 'find')} in {counted(int(state['stays']), 'unit')}"
        travel = counted(self.definition.params.travel, "unit")
        return (
            f"You forage in a patch: {here} of time here. Leaving for the next one takes {travel}. "
            f"{counted(int(state['left']), 'unit')} of time left, "
            f"{counted(int(state['gains']), 'find')} in all."
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """A disc as large as the chance of a find, in one of a certain find; below it the time."""
        canvas = Canvas(320, 288, "paper")
        canvas.text(16, 20, counted(int(state["gains"]), "find"), "ink", 13, "lm")
        canvas.text(304, 20, f"regret {state['pseudo_regret']:.2f}", "stone", 13, "rm")
        canvas.circle(160, 136, 84, "sand")
        canvas.circle(160, 136, 84 * math.sqrt(float(state["rate"])), "green")
        if state["gained"]:
            canvas.circle(160, 136, 9, "yellow", "ink", 2)
        words = f"patch {state['patches']}: {state['found']} in {state['stays']}"
        canvas.text(160, 240, words, "ink", 13)
        canvas.rectangle(16, 260, 288, 12, "sand")
        if left := int(state["left"]):
            canvas.rectangle(16, 260, 288 * left / self.horizon, 12, "blue")
        return canvas.pixels()

    def show_state(self, state: Any) -> str:
        return (
            f"patch {state['patches']}: {state['found']} found in {state['stays']}; "
            f"{state['gains']} in all, {counted(int(state['left']), 'unit')} of time left"
        )

    def action_words(self, action: Any) -> str:
        return ACTION_WORDS[int(action)]

    def best_return(self, seed: int) -> float | None:
        return float(self.values[self.horizon, self.model.reset([seed])["kind"][0], 0])


def optimal_values(
    richness: np.ndarray[Any, Any], decay: float, travel: int, horizon: int
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Expected finds of the optimal policy, [time left, kind of patch, time spent in it].

    Args:
        richness: (kinds,) chances of a find in fresh patches.
        decay: what the chance is multiplied with at each stay.
        travel: how long the way to another patch takes.
        horizon: the longest time.

    Returns:
        (horizon + 1, kinds, horizon + 2) values, of which those with more time spent and left
        together than the horizon has are of no use.
    """
    stays = horizon + 2
    values = np.zeros((horizon + 1, len(richness), stays))
    rates = richness[:, None] * decay ** np.arange(stays)
    for left in range(1, horizon + 1):
        values[left] = rates
        values[left, :, :-1] += values[left - 1, :, 1:]
        arrival = values[max(left - travel, 0), :, 0].mean()
        values[left] = np.maximum(values[left], arrival)
    return values
