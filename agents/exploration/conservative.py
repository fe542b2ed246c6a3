"""Exploration that is never worse than it may be: StepMix and EpsMix for tabular problems.

After Li, Huang, Shen & Yang, "Near-optimal conservative exploration in reinforcement learning under
episode-wise constraints" (ICML 2023): a baseline policy is known, and in every episode
the value of the policy that is run must reach a threshold. Each episode plans optimistically
(UCBVI with a Bernstein bonus; Azar, Osband & Munos 2017), and then mixes the plan with the baseline
as far as pessimistic estimates of their values demand.
"""

import math
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ...envs.kernel import InvalidArgumentError
from ...envs.kernel.compile import compiled_with_arrays

Array = np.ndarray[Any, Any]


class TabularMDP(NamedTuple):
    """An episodic problem of few states.

    Attributes:
        transitions: (states, actions, states) `float64`, probabilities of the next state.
        rewards: (states, actions) `float64`, in [0, 1]; the agent knows them.
        start: (states,) `float64`, probabilities of the first state.
        horizon: steps of an episode.
    """

    transitions: Array
    rewards: Array
    start: Array
    horizon: int


class Episodes(NamedTuple):
    """What was run.

    Attributes:
        values: (episodes,) exact values of the policies run; of a mixture its mean.
        switches: (episodes,) the step from which on the episode followed the optimistic policy;
            the horizon where it followed the baseline throughout.
    """

    values: Array
    switches: Array


def random_mdp(states: int, actions: int, horizon: int, *, seed: int) -> TabularMDP:
    """Transitions drawn uniformly from the simplex, rewards from [0, 1], and one start."""
    rng = np.random.default_rng(seed)
    transitions = rng.dirichlet(np.ones(states), size=(states, actions))
    return TabularMDP(transitions, rng.random((states, actions)), np.eye(states)[0], horizon)


def optimal_values(mdp: TabularMDP) -> Array:
    """The best values of actions by backward induction, (horizon, states, actions)."""
    values = np.zeros((mdp.horizon + 1, *mdp.rewards.shape))
    for h in reversed(range(mdp.horizon)):
        values[h] = mdp.rewards + mdp.transitions @ values[h + 1].max(axis=1)
    return values[:-1]


def softmax_policy(mdp: TabularMDP, temperature: float) -> Array:
    """A policy that prefers the better actions, (horizon, states, actions): a known baseline."""
    scores = optimal_values(mdp) / temperature
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    return weights / weights.sum(axis=2, keepdims=True)


def policy_value(mdp: TabularMDP, policy: Array) -> float:
    """The exact value of a policy (horizon, states, actions) from the start."""
    values = _evaluate(mdp.transitions, mdp.rewards, policy, np.empty((0, 0)), (0.0, 0.0))
    return float(mdp.start @ values)


class UCBVI:
    """Optimistic planning without regard to any threshold.

    Args:
        bonus: the factor of the Bernstein bonus, whose constants are those of the theory with 1;
            with it thousands of episodes pass before anything but the baseline is run.
        failure: the probability δ with which bounds may fail.
    """

    conservative: ClassVar[bool] = False

    def __init__(self, bonus: float = 0.1, failure: float = 0.1):
        self.bonus = bonus
        self.failure = failure

    def run(
        self, mdp: TabularMDP, baseline: Array, threshold: float, episodes: int, *, seed: int = 0
    ) -> Episodes:
        """Learn for some episodes.

        Args:
            mdp: the problem, from which episodes are drawn.
            baseline: (horizon, states, actions), the known policy.
            threshold: what the value of every episode's policy must reach.
            episodes: how many.
            seed: of the episodes and the mixtures.

        Raises:
            InvalidArgumentError: the baseline's own value is below the threshold.
        """
        if policy_value(mdp, baseline) < threshold:
            raise InvalidArgumentError(
                f"the baseline's value {policy_value(mdp, baseline):.4f} is below the threshold "
                f"{threshold:.4f}"
            )
        states, actions = mdp.rewards.shape
        log_term = math.log(states * actions * mdp.horizon * episodes / self.failure)
        switches = self.switches(mdp.horizon)
        limit = threshold if self.conservative else -math.inf
        values, taken = _run(*mdp[:3], baseline, switches, limit, self.bonus, log_term, episodes,
                             seed)  # fmt: skip
        return Episodes(values, taken)

    def switches(self, horizon: int) -> Array:
        """The steps at which an episode may pass from the baseline to the optimistic policy."""
        return np.array([0, horizon])


class EpsMix(UCBVI):
    """Runs the optimistic policy or the baseline for a whole episode.

    The former with the largest probability at which the pessimistic value of the mixture still
    reaches the threshold.
    """

    conservative = True


class StepMix(UCBVI):
    """Follows the baseline for some steps and the optimistic policy from then on.

    With L(h) the pessimistic value of passing over at step h, and i the least step with L(i) at or
    above the threshold γ, it passes over at i − 1 with probability (L(i) − γ) / (L(i) − L(i − 1)),
    otherwise at i; at 0 if that suffices, and never if nothing does.
    """

    conservative = True

    def switches(self, horizon: int) -> Array:
        return np.arange(horizon + 1)


@compiled_with_arrays
def _evaluate(transitions, rewards, policy, counts, scale):
    """Values of the states at the first step under a policy, (states,).

    With `counts` (states, actions) they are pessimistic: each step pays a Bernstein bonus less.
    """
    horizon, states, actions = policy.shape
    values = np.zeros(states)
    for h in range(horizon - 1, -1, -1):
        new = np.zeros(states)
        for s in range(states):
            for a in range(actions):
                if policy[h, s, a] == 0.0:
                    continue
                value = rewards[s, a] + (transitions[s, a] * values).sum()
                if counts.size > 0:
                    left = horizon - h - 1.0
                    value -= _bonus(transitions[s, a], values, counts[s, a], left, scale)
                new[s] += policy[h, s, a] * max(value, 0.0)
        values = new
    return values


@compiled_with_arrays
def _bonus(chances, values, count, left, scale):
    """Bernstein's bound on the error of an estimated next value, at most all that is left."""
    if count == 0:
        return left
    mean = (chances * values).sum()
    variance = max((chances * values * values).sum() - mean * mean, 0.0)
    factor, log_term = scale
    return min(
        left,
        factor
        * (math.sqrt(8.0 * variance * log_term / count) + 14.0 / 3.0 * left * log_term / count),
    )


@compiled_with_arrays
def _plan(transitions, rewards, counts, horizon, scale):
    """The greedy policy of optimistic backward induction, (horizon, states, actions)."""
    states, actions = rewards.shape
    policy, values = np.zeros((horizon, states, actions)), np.zeros(states)
    for h in range(horizon - 1, -1, -1):
        new, left = np.zeros(states), horizon - h - 1.0
        for s in range(states):
            best, largest = 0, -1.0
            for a in range(actions):
                value = rewards[s, a] + (transitions[s, a] * values).sum()
                value += _bonus(transitions[s, a], values, counts[s, a], left, scale)
                if value > largest:
                    best, largest = a, value
            policy[h, s, best] = 1.0
            new[s] = min(largest, left + 1.0)
        values = new
    return policy


@compiled_with_arrays
def _draw(chances):
    """An index drawn with these probabilities."""
    point = np.random.random()
    for i in range(len(chances)):
        point -= chances[i]
        if point < 0.0:
            return i
    return len(chances) - 1


@compiled_with_arrays
def _run(
    transitions, rewards, start, baseline, switches, threshold, factor, log_term, episodes, seed
):
    """Plan, mix, run an episode and learn from it; see `Episodes`."""
    np.random.seed(seed)
    horizon, states, actions = baseline.shape
    scale, n = (factor, log_term), len(switches)
    visits, counts = np.zeros((states, actions, states)), np.zeros((states, actions))
    model = np.full((states, actions, states), 1.0 / states)
    values, taken = np.zeros(episodes), np.zeros(episodes, np.int64)
    no_counts, no_scale = np.zeros((0, 0)), (0.0, 0.0)
    for k in range(episodes):
        plan = _plan(model, rewards, counts, horizon, scale)
        # The first candidate that is safe, and how likely the bolder one before it is run.
        i, chance, lower, before = n - 1, 0.0, 0.0, 0.0
        for j in range(n):
            mixed = _mix(baseline, plan, switches[j])
            lower = (start * _evaluate(model, rewards, mixed, counts, scale)).sum()
            if lower >= threshold:
                i = j
                if j > 0:
                    chance = (lower - threshold) / (lower - before)
                break
            before = lower
        value = 0.0
        if chance < 1.0:
            mixed = _mix(baseline, plan, switches[i])
            value += (1.0 - chance) * (
                start * _evaluate(transitions, rewards, mixed, no_counts, no_scale)
            ).sum()
        if chance > 0.0:
            mixed = _mix(baseline, plan, switches[i - 1])
            value += (
                chance * (start * _evaluate(transitions, rewards, mixed, no_counts, no_scale)).sum()
            )
        if np.random.random() < chance:
            i -= 1
        values[k], taken[k] = value, switches[i]
        s = _draw(start)
        for h in range(horizon):
            policy = baseline if h < switches[i] else plan
            a = _draw(policy[h, s])
            following = _draw(transitions[s, a])
            visits[s, a, following] += 1.0
            counts[s, a] += 1.0
            for other in range(states):
                model[s, a, other] = visits[s, a, other] / counts[s, a]
            s = following
    return values, taken


@compiled_with_arrays
def _mix(baseline, plan, switch):
    """The baseline before a step, the plan from it on."""
    mixed = plan.copy()
    for h in range(switch):
        mixed[h] = baseline[h]
    return mixed
