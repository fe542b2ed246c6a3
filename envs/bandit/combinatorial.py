"""CombinatorialBandit: several base arms at once, each of which shows what it paid."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import InvalidArgumentError, Kernels, StateLayout, kernel, rng
from ..kernel.feasible import FeasibleSpace
from ..kernel.feasible_sets import Budget, Matching, Path, lattice
from ..kernel.render import Canvas
from .core import ACCOUNT, METRICS, charge, counted, open_account, read_integer, read_means
from .optima import best_matching, best_path, best_top_k, matching_fields, path_fields
from .subsets import SubsetEnv


class Params(NamedTuple):
    """Fixed for the life of the environment."""

    horizon: int
    size: int
    k: int
    means: np.ndarray[Any, np.dtype[np.float64]]  # empty where each episode draws its own
    edges: np.ndarray[Any, np.dtype[np.int64]]  # (arms, 2) of a lattice, or empty


@kernel
def set_out(state, params):
    """Take the given means, or draw them uniformly; nothing has been chosen."""
    for arm in range(state.means.shape[0]):
        mean = params.means[arm] if len(params.means) > 0 else rng.uniform(state)
        state.means[arm] = mean
        state.pulls[arm] = 0
        state.totals[arm] = 0.0
        state.chosen[arm] = 0
        state.feedback[arm] = 0.0
    open_account(state)


@kernel
def reset_top_k(state, params):
    """The best choice is the k best arms."""
    set_out(state, params)
    state.best_mean = best_top_k(state, params.k)


@kernel
def reset_matching(state, params):
    """The best choice is the best matching."""
    set_out(state, params)
    state.best_mean = best_matching(state, params.size)


@kernel
def reset_path(state, params):
    """The best choice is the best path."""
    set_out(state, params)
    state.best_mean = best_path(state, params.edges)


@kernel
def note(state, arm, chosen, paid):
    """Note whether a base arm was chosen, and what it paid."""
    state.chosen[arm] = chosen
    state.feedback[arm] = paid
    state.pulls[arm] += chosen
    state.totals[arm] += paid


@kernel
def close(state, mean, params):
    """Charge a choice of this mean; whether it was the last."""
    charge(state, max(0.0, float(state.best_mean) - mean))
    return state.step_count >= params.horizon


@kernel
def step_bernoulli(state, action, params):
    """Each chosen arm pays 1 with the probability that is its mean."""
    reward, mean = 0.0, 0.0
    for arm in range(state.means.shape[0]):
        chosen, paid = int(action[arm]), 0.0
        if chosen == 1:
            paid = 1.0 if rng.uniform(state) < float(state.means[arm]) else 0.0
            mean += float(state.means[arm])
        note(state, arm, chosen, paid)
        reward += paid
    return reward, close(state, mean, params)


@kernel
def step_gaussian(state, action, params):
    """Each chosen arm pays its mean and standard normal noise."""
    reward, mean = 0.0, 0.0
    for arm in range(state.means.shape[0]):
        chosen, paid = int(action[arm]), 0.0
        if chosen == 1:
            paid = float(state.means[arm]) + rng.normal(state)
            mean += float(state.means[arm])
        note(state, arm, chosen, paid)
        reward += paid
    return reward, close(state, mean, params)


@kernel
def observe(state, params, obs):
    """Each arm's share of the horizon, mean pay, and the latest choice and pay."""
    for arm in range(obs.shape[0]):
        pulls = int(state.pulls[arm])
        obs[arm, 0] = pulls / params.horizon
        obs[arm, 1] = float(state.totals[arm]) / pulls if pulls > 0 else 0.0
        obs[arm, 2] = state.chosen[arm]
        obs[arm, 3] = state.feedback[arm]


RESETS = {"top-k": reset_top_k, "matching": reset_matching, "path": reset_path}
STEPS = {"bernoulli": step_bernoulli, "gaussian": step_gaussian}


class CombinatorialBandit(SubsetEnv):
    """
    ## Description
    Each round the agent chooses a set of base arms that must obey a structure, is paid the sum of
    what they pay, and sees what each of them paid: combinatorial semi-bandits (Chen, Wang & Yuan
    2013, "Combinatorial multi-armed bandit: general framework and applications"; György et al.
    2007 for paths, Gai, Krishnamachari & Jain 2012 for matchings). There are far more choices than
    base arms, so that the agent must learn of the arms and optimise over the structure.

    ## Observation Space
    `Box((arms, 4), float32)`: for each base arm the number of rounds it was chosen in divided by
    the horizon, what it paid on average (0 before the first time), whether it was chosen in the
    latest round, and what it paid then (0 where it was not).

    ## Action Space
    A `FeasibleSpace`: rows (arms,) of zeros and ones, `int8`. Rows that break the structure are
    refused with an `InvalidActionError`; `action_space.maximise(values)` finds the best row for
    given values of the arms. With `structure`

    - `"top-k"`, exactly `k` of `size` arms;
    - `"matching"`, pairs of `size` workers and `size` slots, no two with the same worker or slot;
      arm `worker · size + slot` is a pair;
    - `"path"`, the edges of a path through a lattice of `size` × `size` nodes, which leads right
      and down from the top left corner to the bottom right one.

    ## Rewards
    The sum of what the chosen arms pay: 1 or 0 each (`noise="bernoulli"`), or their means with
    standard normal noise (`noise="gaussian"`).

    The infos hold `regret`, the best choice's mean minus the mean of the one made, and
    `pseudo_regret`, its sum over the episode, neither of which depends on the noise.

    ## Starting State
    The means are drawn uniformly from [0, 1] for each episode, or are those of `means`.

    ## Episode End
    Terminated after `horizon` rounds: the horizon belongs to the problem. There is no other time
    limit by default.

    ## Arguments
    - `structure`: `"top-k"` (default), `"matching"` or `"path"`.
    - `size`: how many arms there are to choose from, or the side of the structure, ≥ 2 (default
      10 for `"top-k"`, otherwise 4).
    - `k`: how many arms are chosen, 1 … size (default 3); with `"top-k"` only.
    - `noise`: `"bernoulli"` (default) or `"gaussian"`.
    - `means`: the base arms' means; None (default) to draw them. From 0 to 1 with Bernoulli noise.
    - `horizon`: the number of rounds, ≥ 1 (default 100).
    - `max_episode_steps`: a time limit besides the horizon (default −1: none).

    ## Reference Scores
    `spelunk.reference("spelunk/CombinatorialBandit-v0")`: the random policy, and the oracle that
    knows the means and makes the best choice every time (found by sorting, the Hungarian method or
    dynamic programming). No policy without that knowledge reaches the oracle's score.

    ## Version History
    - v0: first version.
    """

    best_source = "the oracle that knows the means: horizon × best feasible sum of means"

    def __init__(
        self,
        structure: str = "top-k",
        size: int | None = None,
        k: int | None = None,
        noise: str = "bernoulli",
        means: Sequence[float] | None = None,
        horizon: int = 100,
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        if structure not in RESETS:
            raise InvalidArgumentError(
                f"structure must be one of {list(RESETS)}; got {structure!r}"
            )
        if noise not in STEPS:
            raise InvalidArgumentError(f"noise must be one of {list(STEPS)}; got {noise!r}")
        if k is not None and structure != "top-k":
            raise InvalidArgumentError(f'k goes with structure="top-k"; got {structure!r}')
        self.structure, self.noise = structure, noise
        default = 10 if structure == "top-k" else 4
        self.size = size = read_integer("size", default if size is None else size, 2)
        k = read_integer("k", min(3, size) if k is None else k, 1)
        space, scratch = self._make_space(k)
        low, high = (0.0, 1.0) if noise == "bernoulli" else (-np.inf, np.inf)
        given = read_means(means, low, high)
        if len(given) not in (0, space.n):
            raise InvalidArgumentError(f"means has {len(given)} entries for {space.n} arms")
        self.arms, self.horizon = space.n, read_integer("horizon", horizon, 1)
        edges = space.edges if isinstance(space, Path) else np.empty((0, 2), np.int64)
        arms = (space.n,)
        super().__init__(
            kernels=Kernels(RESETS[structure], STEPS[noise], observe),
            layout=StateLayout(
                [("means", np.float64, arms), ("best_mean", np.float64)],
                [
                    ("pulls", np.int32, arms),
                    ("totals", np.float64, arms),
                    ("chosen", np.int8, arms),
                    ("feedback", np.float64, arms),
                ],
                [*ACCOUNT, *scratch],
            ),
            params=Params(self.horizon, size, k, given, edges),
            observation_space=spaces.Box(
                np.tile(np.array([0, low, 0, low], np.float32), (space.n, 1)),
                np.tile(np.array([1, high, 1, high], np.float32), (space.n, 1)),
                dtype=np.float32,
            ),
            action_space=space,
            max_episode_steps=max_episode_steps,
            metrics=METRICS,
            stochastic=True,
            render_mode=render_mode,
        )

    def _make_space(self, k: int) -> tuple[FeasibleSpace, list[Any]]:
        """The choices there are, and what the kernel of the best one needs; names the arms."""
        numbers = range(1, self.size + 1)
        if self.structure == "matching":
            self.labels = [f"{worker}-{slot}" for worker in numbers for slot in numbers]
            return Matching(self.size, self.size), matching_fields(self.size)
        if self.structure == "path":
            space = Path(lattice(self.size))
            self.labels = [f"{tail + 1}-{head + 1}" for tail, head in space.edges]
            return space, path_fields(space.nodes)
        self.labels = [str(arm) for arm in numbers]
        return Budget(self.size, k, exact=True), []

    def describe_state(self, state: Any) -> str:
        paid = mean_paid(state)
        tried = [
            f"{self.labels[arm]} {counted(int(state['pulls'][arm]), 'time')} for {paid[arm]:.2f} "
            "on average"
            for arm in np.flatnonzero(state["pulls"])
        ]
        rule = {
            "top-k": f"Choose {self.definition.params.k} of {self.arms} arms.",
            "matching": f"Pair {self.size} workers with {self.size} slots (worker-slot).",
            "path": f"Choose the edges of a path from node 1 to node {self.size**2}, right or down "
            f"through a lattice of {self.size} × {self.size} nodes.",
        }[self.structure]
        past = f"You have chosen: {'; '.join(tried)}." if tried else "You have chosen nothing yet."
        return f"{rule} {past} {counted(self._left(state), 'round')} left."

    def show_state(self, state: Any) -> str:
        lines = ["  arm  pulls   mean  last"]
        for arm, (label, paid) in enumerate(zip(self.labels, mean_paid(state), strict=True)):
            last = f"{state['feedback'][arm]:5.2f}" if state["chosen"][arm] else "    ·"
            lines.append(f"{label:>5s}  {state['pulls'][arm]:5d}  {paid:5.2f} {last}")
        return "\n".join([*lines, f"{counted(self._left(state), 'round')} left"])

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Arms in the shade of what they paid on average; the latest choice is green."""
        draw = {"top-k": draw_row, "matching": draw_pairs, "path": draw_lattice}[self.structure]
        side = self.size * (56 if self.structure == "top-k" else 72) + 32
        canvas = Canvas(max(side, 240), 168 if self.structure == "top-k" else side + 32, "paper")
        paid = mean_paid(state)
        low, high = (0.0, 1.0) if self.noise == "bernoulli" else (paid.min(), paid.max() + 1e-9)
        shades = [shade(t) for t in np.clip((paid - low) / (high - low), 0, 1)]
        draw(canvas, self, state, shades)
        canvas.text(16, 16, f"{counted(self._left(state), 'round')} left", "ink", 13, "lm")
        regret = f"regret {float(state['pseudo_regret']):.2f}"
        canvas.text(max(side, 240) - 16, 16, regret, "stone", 13, "rm")
        return canvas.pixels()

    def best_return(self, seed: int) -> float | None:
        return self.horizon * float(self.model.reset([seed])["best_mean"][0])

    def _left(self, state: Any) -> int:
        return self.horizon - int(state["step_count"])


def mean_paid(state: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What each base arm has paid on average, (arms,); 0 for those never chosen."""
    return state["totals"] / np.maximum(state["pulls"], 1)


def shade(share: float) -> tuple[int, int, int]:
    """A colour between light grey (0) and blue (1)."""
    r, g, b = (
        round(light + (dark - light) * float(share))
        for light, dark in ((224, 52), (228, 96), (236, 190))
    )
    return r, g, b


def draw_row(canvas: Canvas, env: CombinatorialBandit, state: Any, shades: list[Any]) -> None:
    """Arms side by side, with their pulls below."""
    for arm, colour in enumerate(shades):
        x = 16 + 56 * arm
        if state["chosen"][arm]:
            canvas.rectangle(x, 48, 52, 52, "green")
        canvas.rectangle(x + 4, 52, 44, 44, colour)
        canvas.text(x + 26, 116, env.labels[arm], "ink", 13)
        canvas.text(x + 26, 136, f"{state['pulls'][arm]}x", "stone", 12)


def draw_pairs(canvas: Canvas, env: CombinatorialBandit, state: Any, shades: list[Any]) -> None:
    """Workers as rows and slots as columns."""
    for arm, colour in enumerate(shades):
        worker, slot = divmod(arm, env.size)
        x, y = 16 + 72 * slot, 40 + 72 * worker
        if state["chosen"][arm]:
            canvas.rectangle(x, y, 68, 68, "green")
        canvas.rectangle(x + 5, y + 5, 58, 58, colour)
        canvas.text(x + 34, y + 34, f"{state['pulls'][arm]}x", "ink", 13)


def draw_lattice(canvas: Canvas, env: CombinatorialBandit, state: Any, shades: list[Any]) -> None:
    """Nodes and edges."""

    def place(node: int) -> tuple[float, float]:
        row, column = divmod(int(node), env.size)
        return 52 + 72 * column, 76 + 72 * row

    for arm, (tail, head) in enumerate(env.definition.params.edges):
        ends = [place(tail), place(head)]
        if state["chosen"][arm]:
            canvas.line(ends, "green", 16)
        canvas.line(ends, shades[arm], 8)
    for node in range(env.size**2):
        canvas.circle(*place(node), 13, "white", "ink", 2)
        canvas.text(*place(node), str(node + 1), "ink", 12)
