"""Many run folders, grouped by what was trained and compared."""

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .compare import aggregate, performance_profile, probability_of_improvement
from .evaluation import mean_interval
from .run import RunConfig, RunError

_THRESHOLDS = 51  # of a performance profile


@dataclass(frozen=True)
class Run:
    """What a run folder tells.

    Attributes:
        folder: where it is.
        config: what was trained.
        env_steps: how many environment steps are in the log.
        curve: (n, 2) `float64`, environment steps and the mean return there.
        summary: what `summary.json` holds; None where the run is not finished.
    """

    folder: Path
    config: RunConfig
    env_steps: int
    curve: np.ndarray[Any, np.dtype[np.float64]]
    summary: dict[str, Any] | None

    @classmethod
    def read(cls, folder: Path) -> "Run":
        """Read a run folder.

        Raises:
            RunError: one of its files is damaged.
        """
        config = RunConfig.read(folder)
        # A run in progress may not have written all of its last line.
        lines = (folder / "metrics.jsonl").read_text().rpartition("\n")[0].splitlines()
        try:
            log = [json.loads(line) for line in lines]
            points = [(line["env_steps"], line.get("return_mean", np.nan)) for line in log]
            path = folder / "summary.json"
            summary = json.loads(path.read_text()) if path.exists() else None
        except (json.JSONDecodeError, KeyError) as error:
            raise RunError(f"the log or the summary in {folder} is damaged: {error}") from None
        curve = np.array(points, np.float64).reshape(-1, 2)
        steps = int(curve[-1, 0]) if len(curve) else 0
        return cls(folder, config, steps, curve[np.isfinite(curve[:, 1])], summary)

    @property
    def environment(self) -> str:
        """The environment and its arguments."""
        task = self.config.task
        return " ".join([task.env_id, *(f"{k}={v}" for k, v in task.env_kwargs.items())])

    @property
    def settings(self) -> dict[str, Any]:
        """The hyperparameters, and for how long and in how many environments it learns."""
        task = self.config.task
        return {
            "total_steps": task.total_steps, "num_envs": task.num_envs, **self.config.config
        }  # fmt: skip


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but their seeds.

    Attributes:
        environment: it and its arguments.
        agent: its name, and the hyperparameters in which agents of the name differ.
        runs: in the order of their seeds.
    """

    environment: str
    agent: str
    runs: tuple[Run, ...]

    @cached_property
    def finished(self) -> list[dict[str, Any]]:
        """The summaries of the finished runs."""
        return [run.summary for run in self.runs if run.summary is not None]

    @cached_property
    def scores(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """(finished runs,) their normalised scores; (0,) where there is no such scale."""
        scores = [summary["normalized_score"] for summary in self.finished]
        return np.array([score for score in scores if score is not None], np.float64)

    def figures(self) -> dict[str, Any]:
        """What the runs scored and what they cost, as plain data; means over the seeds."""
        task = self.runs[0].config.task
        returns = np.array([summary["return_mean"] for summary in self.finished])
        several = len(returns) > 1
        memory = [s["peak_memory_bytes"] for s in self.finished if "peak_memory_bytes" in s]
        score, interval = None, None
        if len(self.scores) > 1:
            score, *interval = aggregate({self.agent: self.scores[:, None]})[self.agent]["iqm"]
        elif len(self.scores):
            score = float(self.scores[0])
        return {
            "environment": self.environment,
            "env_id": task.env_id,
            "env_kwargs": task.env_kwargs,
            "agent": self.agent,
            "seeds": [run.config.task.seed for run in self.runs],
            "finished": len(self.finished),
            "return_mean": float(returns.mean()) if len(returns) else None,
            "return_interval": list(mean_interval(returns)) if several else None,
            "normalized_score": score,
            "normalized_interval": interval,
            "steps_per_second": _mean(s["steps_per_second"] for s in self.finished),
            "wall_seconds": _mean(s["wall_seconds"] for s in self.finished),
            "peak_memory_bytes": max(memory, default=None),
            "settings": self.runs[0].settings,
        }


def find_runs(folders: Sequence[Path]) -> list[Run]:
    """The runs in these folders or below them, each once.

    Raises:
        RunError: a folder holds none, or a damaged one.
    """
    if not folders:
        raise RunError("name a run folder, or a folder that has run folders in it")
    found: dict[Path, Path] = {}
    for folder in folders:
        inside = sorted(path.parent for path in folder.rglob("config.json"))
        places = [p for p in ([folder] if _is_run(folder) else inside) if _is_run(p)]
        if not places:
            raise RunError(
                f"{folder} holds no run: neither it nor a folder in it has config.json and "
                "metrics.jsonl"
            )
        for place in places:
            found.setdefault(place.resolve(), place)
    return [Run.read(place) for place in found.values()]


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Put the runs together that differ in nothing but their seeds.

    An agent is named with the hyperparameters in which its runs on one environment differ; what was
    chosen for each environment as a whole belongs to the agent.
    """
    differing = {
        name: _differing([run for run in runs if run.config.agent == name])
        for name in {run.config.agent for run in runs}
    }
    members: dict[tuple[str, str], list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.config.task.seed):
        name = run.config.agent
        own = [f"{key}={run.settings.get(key)}" for key in differing[name]]
        members.setdefault((run.environment, " ".join([name, *own])), []).append(run)
    return [Group(*key, tuple(members[key])) for key in sorted(members)]


def compare(team: Sequence[Group]) -> dict[str, Any]:
    """Compare agents over the environments that they share, as plain data.

    Args:
        team: the groups, each agent on each environment, with at least two scores each. Of an
            agent that has more seeds on some environments the first are taken.
    """
    environments = sorted({group.environment for group in team})
    scores = {}
    for agent in sorted({group.agent for group in team}):
        own = [group.scores for group in team if group.agent == agent]
        seeds = min(len(column) for column in own)
        scores[agent] = np.column_stack([column[:seeds] for column in own])
    low = min(0, *(runs.min() for runs in scores.values()))
    high = max(1, *(runs.max() for runs in scores.values()))
    thresholds = np.linspace(low, high, _THRESHOLDS)
    profiles = performance_profile(scores, thresholds)
    return {
        "environments": environments,
        "seeds": {agent: len(runs) for agent, runs in scores.items()},
        "aggregates": {
            agent: {measure: estimate._asdict() for measure, estimate in measures.items()}
            for agent, measures in aggregate(scores).items()
        },
        "thresholds": thresholds.tolist(),
        "profiles": {
            agent: {name: values.tolist() for name, values in profile._asdict().items()}
            for agent, profile in profiles.items()
        },
        "improvement": [
            {"x": x, "y": y, **probability_of_improvement(scores[x], scores[y])._asdict()}
            for x, y in itertools.combinations(scores, 2)
        ],
    }


def teams(groups: Sequence[Group]) -> list[list[Group]]:
    """Each set of agents that meets on some environment, on all environments they share."""
    rated = [group for group in groups if len(group.scores) > 1]
    agents: dict[str, set[str]] = {}
    for group in rated:
        agents.setdefault(group.environment, set()).add(group.agent)
    teams = dict.fromkeys(frozenset(team) for team in agents.values() if len(team) > 1)
    return [
        [g for g in rated if g.agent in team and team <= agents[g.environment]] for team in teams
    ]


def _differing(runs: Sequence[Run]) -> list[str]:
    """The settings in which runs of one agent differ on the same environment."""
    keys = dict.fromkeys(key for run in runs for key in run.settings)
    environments = {run.environment for run in runs}
    return [
        key
        for key in keys
        if any(
            len({repr(run.settings.get(key)) for run in runs if run.environment == e}) > 1
            for e in environments
        )
    ]


def _is_run(folder: Path) -> bool:
    return (folder / "config.json").is_file() and (folder / "metrics.jsonl").is_file()


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
