"""Scores that can be trusted: fresh seeds, whole episodes, intervals, a yardstick beside them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from rich.console import Console
from rich.progress import Progress
from scipy.special import stdtrit

from ...envs.reference import reference
from .agent import Agent, interact
from .kept_episodes import KeptEpisodes

#: Training draws its seeds below this number and evaluation above it, so that they never meet.
EVALUATION_SEEDS = 2**40
_LANES = 512


@dataclass(frozen=True)
class Evaluation:
    """What an agent scored.

    Attributes:
        returns: (episodes,) the return of each episode.
        lengths: (episodes,) the number of steps of each.
        normalized_score: the mean return on the scale of `spelunk.reference`; None where no best
            is known.
    """

    returns: np.ndarray[Any, np.dtype[np.float64]]
    lengths: np.ndarray[Any, np.dtype[np.int64]]
    normalized_score: float | None

    @property
    def return_mean(self) -> float:
        """The mean return."""
        return float(self.returns.mean())

    @property
    def return_interval(self) -> tuple[float, float]:
        """The 95% confidence interval of the mean return."""
        return mean_interval(self.returns)

    def summary(self) -> dict[str, Any]:
        """The figures that `summary.json` and `eval --json` hold."""
        return {
            "episodes": len(self.returns),
            "return_mean": self.return_mean,
            "return_interval": list(self.return_interval),
            "normalized_score": self.normalized_score,
            "length_mean": float(self.lengths.mean()),
        }


def mean_interval(values: np.ndarray[Any, Any]) -> tuple[float, float]:
    """The 95% confidence interval of the mean of n independent values, n ≥ 2 (Student's t)."""
    n = len(values)
    half = stdtrit(n - 1, 0.975) * values.std(ddof=1) / np.sqrt(n)
    return float(values.mean() - half), float(values.mean() + half)


def evaluate(
    agent: Agent,
    id: str,
    *,
    episodes: int = 256,
    seed: int = 0,
    progress: bool = False,
    kept: str | Path | None = None,
    **env_kwargs: Any,
) -> Evaluation:
    """Play whole episodes from seeds that training never uses.

    Args:
        agent: the agent.
        id: the environment.
        episodes: how many; each starts from a seed of its own, at least 2.
        seed: evaluations with different seeds share no episode.
        progress: whether to show a progress bar.
        kept: a file of the same agent's episodes, which need not exist. Each is added as it ends,
            and what the file has is not played again, so that an evaluation that was broken off,
            be it by a service that failed, goes on.
        env_kwargs: the environment's arguments.

    Raises:
        InvalidArgumentError: `kept` holds something else.
    """
    first = EVALUATION_SEEDS + seed * 2**20
    file = None if kept is None else KeptEpisodes(kept, id, env_kwargs)
    found: dict[int, tuple[float, int]] = {} if file is None else file.found
    note = found.__setitem__ if file is None else file.add
    left = [s for s in range(first, first + episodes) if s not in found]
    with Progress(console=Console(stderr=True), disable=not progress, transient=True) as bar:
        task = bar.add_task("evaluating", total=episodes, completed=episodes - len(left))
        for begin in range(0, len(left), _LANES):
            seeds = left[begin : begin + _LANES]
            env: Any = gymnasium.make_vec(
                id, num_envs=len(seeds), autoreset_mode="SAME_STEP", **env_kwargs
            )
            for number, figures in _play(agent, env, seeds):
                note(number, figures)
                bar.advance(task)
            env.close()
    played = [found[s] for s in range(first, first + episodes)]
    returns = np.array([episode_return for episode_return, _ in played])
    lengths = np.array([length for _, length in played], np.int64)
    score = reference(id, **env_kwargs).normalize(float(returns.mean()))
    return Evaluation(returns, lengths, score)


def _play(agent: Agent, env: Any, seeds: Sequence[int]) -> Iterator[tuple[int, tuple[float, int]]]:
    """Seed, and return and length, of each lane's first episode; later ones favour short ones."""
    running = np.ones(env.num_envs, bool)
    for step in interact(agent, env, env.reset(seed=list(seeds)), seeds[0]):
        first = np.flatnonzero(running & step.ended)
        running &= ~step.ended
        agent.retired = ~running
        for lane in first.tolist():
            # The yardstick of a game is its first agent's return.
            score = step.infos["episode"]["r"].reshape(env.num_envs, -1)[lane, 0]
            yield seeds[lane], (float(score), int(step.infos["episode"]["l"][lane]))
        if not running.any():
            break
