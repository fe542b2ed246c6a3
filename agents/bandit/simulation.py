"""Thousands of runs of a bandit algorithm at once, and the regret they leave."""

import inspect
import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from rich.console import Console
from rich.progress import Progress

from ...envs import registry
from ...envs.kernel.env import KernelEnv
from ...envs.kernel.errors import InvalidArgumentError
from ...envs.kernel.threads import threads_for
from ..core.agent import Agent, interact
from .agent import UNSEEN, BanditAgent

Array = np.ndarray[Any, Any]

_RUNS = 2048  # simulated together at most, between reports
_MEMORY = 1 << 28  # bytes of what algorithms remember at once


class Runs(NamedTuple):
    """What runs left behind.

    Attributes:
        times: (points,) rounds played when regret was noted, increasing; the last is the horizon.
        regret: (runs, points) pseudo-regret: the expected rewards of the best action, summed,
            minus those of the actions taken. Its mean is the regret, with less spread than rewards
            would give.
        rewards: (runs,) rewards, summed.
        last_best: (runs,) the last round, from 0, in which the best action was taken; −1 for none.
        actions: (runs, rounds) the actions of the first rounds, as many as were asked for.
        paid: (runs, rounds) their rewards.
        seconds: of wall-clock time, without compiling.
    """

    times: Array
    regret: Array
    rewards: Array
    last_best: Array
    actions: Array
    paid: Array
    seconds: float


def simulate(
    agent: Agent,
    id: str,
    *,
    horizon: int,
    runs: int,
    seed: int = 0,
    points: int = 100,
    recorded: int = 0,
    progress: bool = False,
    **env_kwargs: Any,
) -> Runs:
    """Play as many runs as are asked for; run i is that of the seed `seed + i`.

    Algorithms that are a `BanditAgent` are simulated in one compiled loop; other agents act in a
    batch of all runs.

    Args:
        agent: the algorithm, which starts anew in each run.
        id: a bandit environment; of one whose episodes are shorter, episodes follow one another
            while the algorithm goes on learning.
        horizon: rounds of a run; also the environment's argument `horizon`, where it has one that
            is not given.
        runs: how many.
        seed: of the first run.
        points: how often regret is noted, at times that are evenly spread on a logarithmic scale.
        recorded: rounds whose actions and rewards are kept.
        progress: whether to show a progress bar.
        env_kwargs: the environment's arguments.

    Raises:
        InvalidArgumentError: the environment is no bandit, or a number is not positive.
        UnsupportedFaceError: the algorithm does not fit the environment.
    """
    for name, value in (("horizon", horizon), ("runs", runs), ("points", points)):
        if value < 1:
            raise InvalidArgumentError(f"{name} must be at least 1; got {value!r}")
    env_class = registry.entry(id).load()
    if "horizon" in inspect.signature(env_class).parameters:
        env_kwargs = {"horizon": horizon, **env_kwargs}
    env = env_class(**env_kwargs)
    if "pseudo_regret" not in env.definition.metrics:
        raise InvalidArgumentError(f"{id} is no bandit: its infos hold no pseudo_regret")
    times = np.unique(np.geomspace(1, horizon, points).round().astype(np.int64))
    seeds = range(seed, seed + runs)
    if not isinstance(agent, BanditAgent):
        return _interact(agent, id, env_kwargs, times, seeds, recorded)
    return _simulate(agent, env, times, seeds, min(recorded, horizon), progress)


def _simulate(
    agent: BanditAgent, env: KernelEnv, times: Array, seeds: range, recorded: int, progress: bool
) -> Runs:
    """Runs in compiled loops, so many at once that what they remember fits memory."""
    problem = agent.problem(env, int(times[-1]))
    play, params = agent.module(env.definition).play, agent.params(problem)

    def play_some(some: range, times: Array, recorded: int) -> tuple[Array, ...]:
        memories = agent.remember(problem, some)
        obs = env.definition.allocate_observations(len(some)) if agent.observes else UNSEEN
        return _play(env, play, memories, params, obs, times, some, recorded)

    play_some(seeds[:1], times[:1], 0)  # compiles
    together = max(1, min(_RUNS, _MEMORY // agent.remember(problem, seeds[:1]).nbytes))
    done = []
    begin = time.perf_counter()
    with Progress(console=Console(stderr=True), disable=not progress, transient=True) as bar:
        task = bar.add_task("simulating", total=len(seeds))
        for first in range(0, len(seeds), together):
            some = seeds[first : first + together]
            done.append(play_some(some, times, recorded))
            bar.advance(task, len(some))
    seconds = time.perf_counter() - begin
    regret, rewards, last, actions, paid = map(np.concatenate, zip(*done, strict=True))
    return Runs(times, regret, rewards, last, actions, paid, seconds)


def _play(
    env: KernelEnv,
    play: Any,
    memories: Array,
    params: Any,
    obs: Any,
    times: Array,
    seeds: range,
    recorded: int,
) -> tuple[Array, ...]:
    d, n = env.definition, len(seeds)
    states = env.model.reset(seeds)
    buffers = d.allocate_mask(n), d.allocate_actions(n), np.zeros(n, np.float32), np.zeros(n, bool)
    found = (
        np.zeros((n, len(times))), np.zeros(n), np.zeros(n, np.int64),
        np.zeros((n, recorded), np.int32), np.zeros((n, recorded), np.float32),
    )  # fmt: skip
    arguments = states, memories, times, d.params, params, obs, *buffers, *found
    # The loop runs without the interpreter's lock; compiled for Numba's threads it would take
    # longer to compile.
    edges = np.linspace(0, n, threads_for(n * int(times[-1]), None) + 1).astype(int).tolist()
    with ThreadPoolExecutor(len(edges)) as pool:
        list(pool.map(lambda part: play(*part, *arguments), itertools.pairwise(edges)))
    return found


def _interact(
    agent: Agent,
    id: str,
    env_kwargs: dict[str, Any],
    times: Array,
    seeds: range,
    recorded: int,
) -> Runs:
    """The same with an agent that acts in a batch."""
    n, horizon = len(seeds), int(times[-1])
    batch: Any = gymnasium.make_vec(
        id, num_envs=n, autoreset_mode="SAME_STEP", copy=False, **env_kwargs
    )
    seen = batch.reset(seed=seeds.start)
    regret, rewards, last = np.zeros((n, horizon)), np.zeros(n), np.full(n, -1)
    actions, paid = np.zeros((n, recorded), np.int32), np.zeros((n, recorded), np.float32)
    begin = time.perf_counter()
    steps = zip(range(horizon), interact(agent, batch, seen, seeds.start), strict=False)
    for t, step in steps:
        gap = step.infos["regret"].copy()
        if step.ended.any():
            gap[step.ended] = step.infos["final_info"]["regret"][step.ended]
        regret[:, t] = gap
        rewards += step.rewards
        last[gap < 1e-12] = t
        if t < recorded:
            actions[:, t], paid[:, t] = step.actions, step.rewards
    batch.close()
    curves = regret.cumsum(axis=1)[:, times - 1]
    return Runs(times, curves, rewards, last, actions, paid, time.perf_counter() - begin)
