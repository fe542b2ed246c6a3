"""Scores that can be trusted: fresh seeds, whole episodes, intervals, a yardstick beside them."""

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from rich.console import Console
from rich.progress import Progress
from scipy.special import stdtrit

from ...envs.reference import reference
from .agent import Agent, interact

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
    **env_kwargs: Any,
) -> Evaluation:
    """Play whole episodes from seeds that training never uses.

    Args:
        agent: the agent.
        id: the environment.
        episodes: how many; each starts from a seed of its own, at least 2.
        seed: evaluations with different seeds share no episode.
        progress: whether to show a progress bar.
        env_kwargs: the environment's arguments.
    """
    first = EVALUATION_SEEDS + seed * 2**20
    batches = [min(_LANES, episodes - done) for done in range(0, episodes, _LANES)]
    returns, lengths = [], []
    with Progress(console=Console(stderr=True), disable=not progress, transient=True) as bar:
        task = bar.add_task("evaluating", total=episodes)
        for size in batches:
            env: Any = gymnasium.make_vec(
                id, num_envs=size, autoreset_mode="SAME_STEP", **env_kwargs
            )
            played = _play(agent, env, first, lambda n: bar.advance(task, n))
            env.close()
            returns.append(played[0])
            lengths.append(played[1])
            first += size
    all_returns = np.concatenate(returns)
    score = reference(id, **env_kwargs).normalize(float(all_returns.mean()))
    return Evaluation(all_returns, np.concatenate(lengths), score)


def _play(agent: Agent, env: Any, seed: int, advance: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return and length of each lane's first episode: later ones would favour short episodes."""
    returns, lengths = np.zeros(env.num_envs), np.zeros(env.num_envs, np.int64)
    running = np.ones(env.num_envs, bool)
    for step in interact(agent, env, env.reset(seed=seed), seed):
        first = running & step.ended
        if first.any():
            # The yardstick of a game is its first agent's return.
            returns[first] = step.infos["episode"]["r"].reshape(env.num_envs, -1)[first, 0]
            lengths[first] = step.infos["episode"]["l"][first]
            running &= ~step.ended
            agent.retired = ~running
            advance(int(first.sum()))
        if not running.any():
            break
    return returns, lengths
