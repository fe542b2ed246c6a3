"""AdversarialBandit: rewards chosen by an adversary, in advance or against the agent."""

import math
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import InvalidArgumentError, Kernels, StateLayout, kernel, rng
from .core import (
    ACCOUNT,
    METRICS,
    charge,
    draw_arms,
    open_account,
    read_integer,
    read_number,
)
from .tally import (
    TallyEnv,
    clear_tally,
    mean_paid,
    note,
    observe_tally,
    tally_fields,
    tally_space,
    update_tally,
)

_GROWTH = 1.6  # how much longer each phase of the constrained adversary is than the one before


class Params(NamedTuple):
    """Fixed for the life of the environment."""

    horizon: int
    gap: float
    bonuses: np.ndarray[Any, np.dtype[np.float64]]  # [time]: √(2 ln time), of UCB1


@kernel
def reset(state, params):
    """Draw which arm is favoured; no arm has offered anything."""
    arms = state.offered.shape[0]
    for arm in range(arms):
        state.offered[arm] = 0.0
    state.favoured = rng.integer(state, arms)
    state.high = 0
    state.phase_length = 1.0
    state.phase_end = 1
    state.paid = 0.0
    clear_tally(state)
    open_account(state)


@kernel
def settle(state, action, reward, params):
    """Pay the agent; its regret is against the arm that has offered most so far."""
    note(state, action, reward)
    state.paid += reward
    best = 0.0
    for arm in range(state.offered.shape[0]):
        best = max(best, float(state.offered[arm]))
    charge(state, best - float(state.paid) - float(state.pseudo_regret))
    return reward, state.step_count >= params.horizon


@kernel
def step_constrained(state, action, params):
    """All arms are good or bad by turns, and the favoured one always a little better."""
    if state.step_count > state.phase_end:
        state.high = 1 - int(state.high)
        state.phase_length = float(state.phase_length) * _GROWTH
        state.phase_end += int(math.floor(float(state.phase_length)))
    base = 1.0 - params.gap if state.high == 1 else 0.0
    reward = 0.0
    for arm in range(state.offered.shape[0]):
        mean = base + params.gap if arm == state.favoured else base
        if rng.uniform(state) < mean:
            state.offered[arm] += 1.0
            if arm == action:
                reward = 1.0
    return settle(state, action, reward, params)


@kernel
def step_alternating(state, action, params):
    """One arm after the other pays, in turn."""
    arms = state.offered.shape[0]
    paying = (int(state.favoured) + int(state.step_count)) % arms
    state.offered[paying] += 1.0
    return settle(state, action, 1.0 if action == paying else 0.0, params)


@kernel
def step_anti_ucb(state, action, params):
    """Every arm pays but the one that UCB1 would pull."""
    return pay_all_but(state, action, ucb1_choice(state, params), params)


@kernel
def step_anti_greedy(state, action, params):
    """Every arm pays but the one that has paid the agent best on average."""
    return pay_all_but(state, action, greedy_choice(state), params)


@kernel
def pay_all_but(state, action, expected, params):
    """Every arm pays but the one that the adversary expects to be pulled."""
    for arm in range(state.offered.shape[0]):
        if arm != expected:
            state.offered[arm] += 1.0
    return settle(state, action, 0.0 if action == expected else 1.0, params)


@kernel
def ucb1_choice(state, params):
    """What UCB1 would pull now: the first arm not pulled yet, or that of the largest bound."""
    bonus = params.bonuses[min(int(state.step_count), params.horizon) - 1]
    choice, largest = 0, -math.inf
    for arm in range(state.pulls.shape[0]):
        pulls = int(state.pulls[arm])
        if pulls == 0:
            return arm
        bound = float(state.totals[arm]) / pulls + bonus * (1.0 / math.sqrt(pulls))
        if bound > largest:
            choice, largest = arm, bound
    return choice


@kernel
def greedy_choice(state):
    """The first arm not pulled yet, or that of the largest average."""
    choice, largest = 0, -math.inf
    for arm in range(state.pulls.shape[0]):
        pulls = int(state.pulls[arm])
        if pulls == 0:
            return arm
        average = float(state.totals[arm]) / pulls
        if average > largest:
            choice, largest = arm, average
    return choice


OBLIVIOUS = {"constrained": step_constrained, "alternating": step_alternating}
ADAPTIVE = {"anti_ucb": step_anti_ucb, "anti_greedy": step_anti_greedy}


class AdversarialBandit(TallyEnv):
    """
    ## Description
    Nothing is assumed of what the arms pay: an adversary decides, for every arm and every pull.
    An oblivious adversary fixes its sequence in advance; an adaptive one watches the agent. The
    agent is compared with the best single arm in hindsight (Auer, Cesa-Bianchi, Freund & Schapire
    2002, "The nonstochastic multiarmed bandit problem"). Against an adaptive adversary every agent
    that chooses without chance can be made to lose almost everything.

    ## Observation Space
    `Box(0, 1, (arms, 2), float32)`: for each arm the number of its pulls divided by the horizon,
    and what it paid on average (0 before the first pull). From one observation to the next it
    tells which arm was pulled and what it paid; what the others would have paid is never shown.

    ## Action Space
    `Discrete(arms)`: the arm to pull. Every action is always legal.

    ## Rewards
    0 or 1, as the adversary says:

    - `"constrained"` (oblivious): each arm pays 1 with a probability, which is `gap` higher for
      one favoured arm. The others have 0 and 1 − `gap` by turns, in phases each 1.6 times as long
      as the one before: the stochastically constrained adversary of Zimmert & Seldin 2021
      ("Tsallis-INF: an optimal algorithm for stochastic and adversarial bandits"), which misleads
      agents that trust averages.
    - `"alternating"` (oblivious): the arms pay in turn, one at each pull.
    - `"anti_ucb"` (adaptive): the arm that UCB1 would pull, given what the agent was paid so far,
      pays 0; all others pay 1. UCB1 is that of Auer, Cesa-Bianchi & Fischer 2002: each arm once in
      order, then the largest mean + √(2 ln t / pulls), the first of equal ones.
    - `"anti_greedy"` (adaptive): the same against the arm that has paid best on average.

    The infos hold `pseudo_regret`, what the best single arm would have paid so far minus what the
    agent was paid, and `regret`, how much the last pull changed it, which can be negative. The sums
    are those of the rewards themselves, since the adversary has no means to compare with.

    ## Starting State
    The favoured arm, or the one that pays first, is drawn uniformly. The adaptive adversaries draw
    nothing, so that seeds do not matter.

    ## Episode End
    Terminated after `horizon` pulls: the horizon belongs to the problem. There is no other time
    limit by default.

    ## Arguments
    - `arms`: the number of arms, ≥ 2 (default 5).
    - `adversary`: `"constrained"` (default), `"alternating"`, `"anti_ucb"` or `"anti_greedy"`.
    - `gap`: of the constrained adversary, in [0, 1] (default 0.25).
    - `horizon`: the number of pulls, ≥ 1 (default 100).
    - `max_episode_steps`: a time limit besides the horizon (default −1: none).

    ## Reference Scores
    `spelunk.reference("spelunk/AdversarialBandit-v0")`: the random policy, and for oblivious
    adversaries the best single arm in hindsight, exact for each seed. Against adaptive ones it is
    the agent that knows the adversary and is paid at every pull.

    ## Version History
    - v0: first version.
    """

    def __init__(
        self,
        arms: int = 5,
        adversary: str = "constrained",
        gap: float = 0.25,
        horizon: int = 100,
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        self.arms, self.horizon = read_integer("arms", arms, 2), read_integer("horizon", horizon, 1)
        steps = OBLIVIOUS | ADAPTIVE
        if adversary not in steps:
            raise InvalidArgumentError(f"adversary must be one of {list(steps)}; got {adversary!r}")
        self.adaptive = adversary in ADAPTIVE
        self.best_source = (
            "the agent that knows the adversary and is paid at every pull"
            if self.adaptive
            else "the best single arm in hindsight"
        )
        times = range(1, self.horizon) if adversary == "anti_ucb" else ()
        bonuses = [0.0, *(math.sqrt(2.0 * math.log(time)) for time in times)]
        super().__init__(
            kernels=Kernels(reset, steps[adversary], observe_tally, update=update_tally),
            layout=StateLayout(
                [("favoured", np.int32)],
                [
                    *tally_fields(self.arms),
                    ("offered", np.float64, (self.arms,)),
                    ("paid", np.float64),
                    ("high", np.int8),
                    ("phase_length", np.float64),
                    ("phase_end", np.int64),
                ],
                ACCOUNT,
            ),
            params=Params(self.horizon, read_number("gap", gap, 0.0, 1.0), np.array(bonuses)),
            observation_space=tally_space(self.arms, 0.0, 1.0),
            action_space=spaces.Discrete(self.arms),
            max_episode_steps=max_episode_steps,
            metrics=METRICS,
            stochastic=adversary == "constrained",
            render_mode=render_mode,
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Columns of what the agent was paid; the lines are what each arm would have paid."""
        return draw_arms(
            pulls=state["pulls"],
            values=mean_paid(state),
            means=state["offered"] / max(int(state["step_count"]), 1),
            left=self.pulls_left(state),
            regret=float(state["pseudo_regret"]),
        )

    def best_return(self, seed: int) -> float | None:
        if self.adaptive:
            return float(self.horizon)
        d, state = self.definition, self.model.reset([seed])[0]
        for time in range(1, self.horizon + 1):
            state["step_count"] = time
            d.kernels.step(state, 0, d.params)
        return float(state["offered"].max())
