"""Run folders: training with a log, checkpoints and a summary; loading and resuming it."""

import dataclasses
import importlib.metadata
import json
import platform
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ...envs.kernel.errors import SpelunkError
from ...envs.kernel.files import write_json
from ...envs.registry import entry as env_entry
from .. import registry
from .agent import Agent
from .checkpoint import read_checkpoint, write_checkpoint
from .curve import draw_curve
from .evaluation import evaluate
from .trainer import Task, Trainer

CHECKPOINT_SECONDS = 60


class RunError(SpelunkError, ValueError):
    """A run folder that cannot be read, or must not be written to."""


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """What `config.json` holds: all that a run depends on.

    Attributes:
        agent: the agent's name in the registry.
        task: what is learned.
        config: the agent's hyperparameters by name.
    """

    agent: str
    task: Task
    config: dict[str, Any]

    def trainer(self) -> Trainer:
        """The trainer, at its first step."""
        row = registry.entry(self.agent)
        try:
            config = row.config_class()(**self.config)
        except TypeError as error:
            raise RunError(f"the configuration of {self.agent} does not fit: {error}") from None
        return row.load()(self.task, config)

    def write(self, folder: Path) -> None:
        """Write `config.json`."""
        write_json(folder / "config.json", {**dataclasses.asdict(self), "versions": versions()})

    @classmethod
    def read(cls, folder: Path) -> "RunConfig":
        """Read `config.json`.

        Raises:
            RunError: the folder holds no readable one.
        """
        try:
            kept = json.loads((folder / "config.json").read_text())
            task = Task(**kept["task"])
            # JSON has lists only; hyperparameters have tuples only.
            config = {k: tuple(v) if isinstance(v, list) else v for k, v in kept["config"].items()}
            return cls(kept["agent"], task, config)
        except OSError:
            raise RunError(f"{folder} is no run folder: it has no readable config.json") from None
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise RunError(f"{folder}/config.json is damaged: {error}") from None


def train(
    run: RunConfig,
    folder: Path,
    *,
    resume: bool = False,
    progress: bool = True,
    evaluation_episodes: int = 256,
) -> dict[str, Any]:
    """Train an agent into a run folder, and evaluate it.

    Ctrl-C or SIGTERM ends the training after the update in progress and leaves a checkpoint.

    Args:
        run: what to train.
        folder: gets `config.json`, `metrics.jsonl`, TensorBoard events, `checkpoint.safetensors`,
            `curve.png` and `summary.json`.
        resume: go on from the folder's checkpoint.
        progress: whether to show a progress bar.
        evaluation_episodes: episodes of the final evaluation.

    Returns:
        The summary, or where the training was interrupted `{"interrupted": True, …}`.

    Raises:
        RunError: the folder holds a run already, or none to resume.
        CheckpointError: the checkpoint to resume from is damaged.
    """
    begin = time.perf_counter()  # Compiling belongs to the time that training takes.
    trainer = run.trainer()
    log = _Log(folder, trainer, resume, begin)
    if not resume:
        run.write(folder)
    with _interruptible() as interrupted, _bar(run, trainer, progress) as show, log:
        while trainer.env_steps < run.task.total_steps and not interrupted():
            log.write(trainer.step())
            show(log.latest)
    seconds = log.seconds
    figures: dict[str, Any] = {
        "agent": run.agent,
        "env_id": run.task.env_id,
        "env_kwargs": run.task.env_kwargs,
        "seed": run.task.seed,
        "env_steps": trainer.env_steps,
        "steps_per_second": trainer.env_steps / seconds if seconds else None,
        "wall_seconds": seconds,
    }
    draw_curve(folder)
    if trainer.env_steps < run.task.total_steps:
        return {**figures, "interrupted": True}
    score = evaluate(
        trainer.agent(), run.task.env_id, episodes=evaluation_episodes, seed=run.task.seed,
        progress=progress, **run.task.env_kwargs,
    )  # fmt: skip
    summary = {**figures, **score.summary(), "versions": versions()}
    write_json(folder / "summary.json", summary)
    return summary


def load_agent(folder: Path) -> tuple[Agent, RunConfig]:
    """The agent of a run folder, and what it was trained on.

    Raises:
        RunError: there is no run in the folder.
        CheckpointError: its checkpoint is missing or damaged.
    """
    run = RunConfig.read(folder)
    arrays, meta = read_checkpoint(folder / "checkpoint.safetensors")
    trainer = run.trainer()
    trainer.load_state(arrays, meta["trainer"])
    return trainer.agent(), run


def versions() -> dict[str, str]:
    """The versions that figures depend on."""
    packages = ("gymnasium", "numba", "numpy", "torch")
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"spelunk": importlib.metadata.version("spelunk"), **found,
            "python": platform.python_version()}  # fmt: skip


class _Log:
    """`metrics.jsonl`, TensorBoard and checkpoints of a run."""

    def __init__(self, folder: Path, trainer: Trainer, resume: bool, begin: float):
        self._clock = self._saved = begin
        self.folder, self.trainer = folder, trainer
        self.latest: dict[str, float] = {}
        self.seconds = 0.0
        metrics = folder / "metrics.jsonl"
        if resume:
            arrays, meta = read_checkpoint(folder / "checkpoint.safetensors")
            trainer.load_state(arrays, meta["trainer"])
            self.seconds = meta["seconds"]
            lines = metrics.read_text().splitlines(keepends=True)
            # Whatever was logged after the checkpoint will be done again.
            metrics.write_text("".join(lines[: meta["updates"]]))
            self._updates = meta["updates"]
        else:
            if folder.exists() and any(folder.iterdir()):
                raise RunError(f"{folder} is not empty; name another folder, or resume the run")
            folder.mkdir(parents=True, exist_ok=True)
            self._updates = 0
        self._file = metrics.open("a")

    def __enter__(self) -> "_Log":
        from torch.utils.tensorboard.writer import SummaryWriter

        self._board = SummaryWriter(str(self.folder), purge_step=self.trainer.env_steps)
        return self

    def __exit__(self, error: type[BaseException] | None, *_: Any) -> None:
        # An update cut short by an error has left the trainer between two states.
        if error is None:
            self.save()
        self._file.close()
        self._board.close()

    def write(self, metrics: dict[str, float]) -> None:
        now = time.perf_counter()
        self.seconds += now - self._clock
        self._clock = now
        steps = self.trainer.env_steps
        self.latest = {"env_steps": steps, "seconds": round(self.seconds, 3), **metrics}
        self._file.write(json.dumps(self.latest) + "\n")
        self._updates += 1
        for name, value in metrics.items():
            self._board.add_scalar(name, value, steps)
        if now - self._saved > CHECKPOINT_SECONDS:
            self.save()

    def save(self) -> None:
        self._file.flush()
        arrays, meta = self.trainer.state()
        meta = {"trainer": meta, "seconds": self.seconds, "updates": self._updates}
        write_checkpoint(self.folder / "checkpoint.safetensors", arrays, meta)
        self._saved = time.perf_counter()


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Turns the first Ctrl-C or SIGTERM into a flag, so that an update is never cut in half."""
    caught: list[int] = []

    def note(signum: int, _: Any) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(signum)

    old = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(caught)
    finally:
        for signum, handler in old.items():
            signal.signal(signum, handler)


@contextmanager
def _bar(
    run: RunConfig, trainer: Trainer, progress: bool
) -> Iterator[Callable[[dict[str, float]], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[speed]:>9,.0f} steps/s"),
        TextColumn("return {task.fields[score]:>7.3f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not progress) as bar:
        name = f"{run.agent} on {env_entry(run.task.env_id).name}"
        task = bar.add_task(name, total=run.task.total_steps, speed=0.0, score=float("nan"))
        first = trainer.env_steps

        def show(latest: dict[str, float]) -> None:
            elapsed = bar.tasks[task].elapsed or 1e-9
            bar.update(
                task,
                completed=latest["env_steps"],
                speed=(latest["env_steps"] - first) / elapsed,
                score=latest.get("return_mean", bar.tasks[task].fields["score"]),
            )

        yield show
