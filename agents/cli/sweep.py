"""`spelunk sweep`: every combination of hyperparameters and seeds, as trials spread out by Ray.

A trial is an ordinary run, in a folder of its own. One whose worker dies is tried again from its
checkpoint, and one that has its summary is not run again, so a sweep may be interrupted and started
anew at any time. Configurations are ranked by the interquartile mean over their seeds (Agarwal et
al. 2021, "Deep reinforcement learning at the edge of the statistical precipice").
"""

import dataclasses
import itertools
import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ...envs.kernel.errors import InvalidArgumentError, SpelunkError
from ...envs.kernel.files import write_json
from ...envs.registry import entry as env_entry
from .. import registry
from ..core.extras import require
from ..core.run import RunConfig, go_on
from ..core.trainer import Task
from .overrides import read_dataclass
from .sweep_options import SweepOptions

#: How often a trial is tried again whose worker died.
_RETRIES = 3


class SweepError(SpelunkError, ValueError):
    """A sweep whose folder holds something else."""


class TrialInterrupted(SpelunkError):
    """A trial whose worker was asked to stop; its checkpoint is written."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """One run of a sweep.

    Attributes:
        number: of its configuration.
        arguments: the hyperparameters that the sweep names, with this configuration's values.
        run: what is trained.
        folder: where.
    """

    number: int
    arguments: dict[str, Any]
    run: RunConfig
    folder: Path

    @property
    def summary(self) -> dict[str, Any] | None:
        """What the finished trial scored; None before."""
        path = self.folder / "summary.json"
        return json.loads(path.read_text()) if path.exists() else None

    def check_folder(self) -> None:
        """Make sure that the folder is this trial's, or free.

        Raises:
            SweepError: it holds something else.
        """
        if self.folder.exists() and any(self.folder.iterdir()):
            there = RunConfig.read(self.folder)
            if _plain(there) != _plain(self.run):
                raise SweepError(
                    f"{self.folder} holds another run than this sweep's; name another --out"
                )


def read_grid(config_class: type[Any], words: Sequence[str]) -> list[tuple[dict[str, Any], Any]]:
    """Every combination of the values that a command line lists.

    Args:
        config_class: the agent's hyperparameters.
        words: such as `--learning-rate 1e-3 3e-4 --hidden 64,64 128,128 --anneal True False`: each
            word after a name is one value, the parts of a tuple parted by commas.

    Returns:
        The values of the names listed, and the whole configuration, of each combination; the last
        name varies fastest.

    Raises:
        InvalidArgumentError: a name or a value that the agent does not have.
    """
    options: list[tuple[str, list[list[str]]]] = []
    for word in words:
        if word.startswith("--"):
            name, _, word = word.partition("=")
            options.append((name, []))
        if word:
            name, choices = options[-1]
            choices.append(_as_arguments(name, word))
    names = [name.removeprefix("--").replace("-", "_") for name, _ in options]
    if len(set(names)) < len(names):
        raise InvalidArgumentError(
            f"list all values of a hyperparameter after one --agent.NAME; got {list(words)}"
        )
    grid = []
    for chosen in itertools.product(*(choices or [[name]] for name, choices in options)):
        config = read_dataclass(config_class, [word for part in chosen for word in part], "agent")
        values = dataclasses.asdict(config)
        listed = {k: v for k, v in values.items() if k in names or f"no_{k}" in names}
        grid.append((listed, config))
    return grid


def plan(
    agent: registry.Entry,
    env_id: str,
    env_kwargs: dict[str, Any],
    words: Sequence[str],
    options: SweepOptions,
) -> list[Trial]:
    """The trials of a sweep: each configuration with each seed, in a folder `NUMBER-sSEED`.

    Args:
        agent: who learns.
        env_id, env_kwargs: the environment.
        words: the values of hyperparameters; see `read_grid`.
        options: the rest.

    Raises:
        InvalidArgumentError: no seeds, or one twice; and as `read_grid`.
        SweepError: a trial's folder holds something else.
    """
    seeds = options.seeds
    if not seeds or len(set(seeds)) < len(seeds):
        raise InvalidArgumentError(f"seeds must be different integers; got {list(seeds)}")
    out = options.out or Path("runs") / f"sweep-{agent.name}-{env_entry(env_id).name}"
    lanes = options.num_envs or agent.load().default_num_envs
    device = "cuda" if options.gpus_per_trial else "cpu"
    trials = []
    for number, (arguments, config) in enumerate(read_grid(agent.config_class(), words)):
        for seed in seeds:
            task = Task(env_id, options.total_steps, lanes, env_kwargs, seed, device)
            run = RunConfig(agent.name, task, dataclasses.asdict(config))
            trials.append(Trial(number, arguments, run, out.resolve() / f"{number:03d}-s{seed}"))
    for trial in trials:
        trial.check_folder()
    return trials


def run_trial(run: RunConfig, folder: Path) -> None:
    """Train one trial, on a worker: from its checkpoint where it has one.

    Raises:
        TrialInterrupted: the worker was asked to stop.
    """
    if go_on(run, folder, progress=False).get("interrupted"):
        raise TrialInterrupted(f"{folder} was interrupted")


def sweep(trials: Sequence[Trial], options: SweepOptions) -> dict[str, Any]:
    """Run the trials that are not finished, and rank all.

    `sweep.json`, beside the trials' folders, is written anew whenever one has ended. On a cluster
    they must lie on a file system that all machines share.

    Args:
        trials: see `plan`.
        options: where to run them.

    Returns:
        What `sweep.json` holds.

    Raises:
        MissingPackageError: Ray is not installed.
        InvalidArgumentError: there are not cores and GPUs enough for one trial.
    """
    errors: dict[Path, str] = {}
    todo = [trial for trial in trials if trial.summary is None]
    if todo:
        out = trials[0].folder.parent
        columns = (TextColumn("sweep"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        bar = Progress(*columns, console=Console(stderr=True))
        with _ray(options) as ray, bar:
            out.mkdir(parents=True, exist_ok=True)
            shown = bar.add_task("", total=len(trials), completed=len(trials) - len(todo))
            task = _task(ray, options)
            running = {task.remote(trial.run, trial.folder): trial for trial in todo}
            while running:
                (done,), _ = ray.wait(list(running), num_returns=1)
                trial = running.pop(done)
                try:
                    ray.get(done)
                except ray.exceptions.RayError as error:
                    # One trial that fails is no reason to lose the others.
                    errors[trial.folder] = reason = str(error).strip().splitlines()[-1]
                    failure = f"{trial.folder.name} failed: {reason}"
                    bar.console.print(failure, markup=False, soft_wrap=True)
                bar.advance(shown)
                write_json(out / "sweep.json", report(trials, errors))
    return report(trials, errors)


def report(trials: Sequence[Trial], errors: dict[Path, str]) -> dict[str, Any]:
    """What `sweep.json` holds: the trials' scores, and their configurations, best first.

    Scores are normalized ones, or returns where the environment knows no best.
    """
    from scipy.stats import trim_mean

    figures = ("return_mean", "normalized_score", "env_steps", "wall_seconds")
    rows, scores = [], {}
    for trial in trials:
        summary = trial.summary or {}
        normalized = summary.get("normalized_score")
        score = summary.get("return_mean") if normalized is None else normalized
        rows.append(
            {
                "folder": trial.folder.name,
                "arguments": trial.arguments,
                "seed": trial.run.task.seed,
                "error": errors.get(trial.folder),
                **{name: summary.get(name) for name in figures},
            }
        )
        seen = scores.setdefault(trial.number, {"arguments": trial.arguments, "scores": []})
        if score is not None:
            seen["scores"].append(score)
    ranking = [
        {"number": number, **kept, "iqm": float(trim_mean(kept["scores"], 0.25))}
        if kept["scores"]
        else {"number": number, **kept, "iqm": None}
        for number, kept in scores.items()
    ]
    ranking.sort(key=lambda row: (row["iqm"] is None, -(row["iqm"] or 0)))
    task = dataclasses.asdict(trials[0].run.task)
    del task["seed"]
    return {"agent": trials[0].run.agent, "task": task, "ranking": ranking, "trials": rows}


def ranking_table(found: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The head and the rows of the table that shows what `sweep` found."""
    rows = []
    for row in found["ranking"]:
        iqm = "–" if row["iqm"] is None else f"{row['iqm']:.4g}"
        arguments = " ".join(f"{name}={value}" for name, value in row["arguments"].items())
        rows.append((f"{row['number']:03d}", iqm, str(len(row["scores"])), arguments))
    return ("", "score", "seeds", "arguments"), rows


def _as_arguments(name: str, value: str) -> list[str]:
    """One value of a hyperparameter as the words that set it."""
    if value in ("True", "False"):
        return [name if value == "True" else name.replace("--", "--no-")]
    return [name, *value.split(",")]


def _plain(run: RunConfig) -> str:
    return json.dumps(dataclasses.asdict(run), sort_keys=True)


@contextmanager
def _ray(options: SweepOptions) -> Iterator[Any]:
    """Ray, started on this machine or connected to a cluster, with enough for one trial."""
    ray = require("ray", "ray")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report to its makers.
    ray.init(options.ray_address or "local", logging_level=logging.ERROR, log_to_driver=False)
    try:
        there = ray.cluster_resources()
        cores, devices = there.get("CPU", 0), there.get("GPU", 0)
        if options.cpus_per_trial > cores or options.gpus_per_trial > devices:
            raise InvalidArgumentError(
                f"a trial is to have {options.cpus_per_trial} cores and "
                f"{options.gpus_per_trial:g} GPUs; there are {cores:g} and {devices:g}"
            )
        yield ray
    finally:
        ray.shutdown()


def _task(ray: Any, options: SweepOptions) -> Any:
    """`run_trial` as a Ray task."""
    threads = str(options.cpus_per_trial)
    variables = {f"{library}_NUM_THREADS": threads for library in ("OMP", "MKL", "NUMBA")}
    return ray.remote(run_trial).options(
        num_cpus=options.cpus_per_trial,
        num_gpus=options.gpus_per_trial,
        max_retries=_RETRIES,
        retry_exceptions=[TrialInterrupted],
        runtime_env={"env_vars": variables},
    )
