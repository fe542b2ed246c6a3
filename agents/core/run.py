"""Run folders: training with a log, checkpoints and a summary; loading and resuming it."""

import dataclasses
import importlib.metadata
import json
import os
import platform
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ...envs.kernel.errors import SpelunkError
from ...envs.kernel.files import write_json
from ...envs.registry import entry as env_entry
from .. import registry
from .agent import Agent
from .checkpoint import read_checkpoint
from .curve import draw_curve
from .distributed import leave_world
from .evaluation import evaluate
from .extras import require
from .log import Log, progress_bar
from .trainer import Task, Trainer

_LOCK = ".lock"


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
    wandb: str | None = None,
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
        wandb: the project on Weights & Biases to log to as well; None for none. See `Log`.

    Returns:
        The summary; where the training was interrupted `{"interrupted": True, …}`; nothing in a
        process that `torchrun` started, other than the first.

    Raises:
        RunError: the folder holds a run already, or none to resume, or another process trains
            there; or several processes are to train an agent that learns in one.
        CheckpointError: the checkpoint to resume from is damaged.
    """
    begin = time.perf_counter()  # Compiling belongs to the time that training takes.
    if wandb:
        require("wandb", "wandb")
    trainer = _start(run)
    if trainer.world.rank:
        _follow(trainer, run.task.total_steps, folder if resume else None)
        return {}
    if not resume:
        _claim(folder)
    with _held(folder):
        if not resume:
            run.write(folder)
        project = {"project": wandb, "config": dataclasses.asdict(run)} if wandb else None
        log = Log(folder, trainer, resume, begin, project)
        _train(run, trainer, log, progress)
        figures = _figures(run, trainer.env_steps, log.seconds)
        if trainer.env_steps < run.task.total_steps:
            return {**figures, "interrupted": True}
        score = evaluate(
            trainer.agent(), run.task.env_id, episodes=evaluation_episodes, seed=run.task.seed,
            progress=progress, **run.task.env_kwargs,
        )  # fmt: skip
        summary = {**figures, **score.summary(), "versions": versions()}
        write_json(folder / "summary.json", summary)
    return summary


def go_on(run: RunConfig, folder: Path, **arguments: Any) -> dict[str, Any]:
    """`train` from the folder's checkpoint where it has one, and from the start otherwise.

    What lies there without a checkpoint, of a process that died before its first, is removed.
    """
    resume = (folder / "checkpoint.safetensors").exists()
    if not resume and folder.exists():
        with _held(folder):
            shutil.rmtree(folder, ignore_errors=True)
    return train(run, folder, resume=resume, **arguments)


def _train(run: RunConfig, trainer: Trainer, log: Log, progress: bool) -> None:
    """Train until all steps are done, or the process is told to stop."""
    name = f"{run.agent} on {env_entry(run.task.env_id).name}"
    bar = progress_bar(name, run.task.total_steps, trainer.env_steps, progress)
    with _interruptible() as interrupted, bar as show, log:
        while _goes_on(trainer, run.task.total_steps, interrupted()):
            log.write(trainer.step())
            show(log.latest)
            if trainer.world.agree(log.due):
                log.save()
    leave_world()
    draw_curve(log.folder)


def _figures(run: RunConfig, env_steps: int, seconds: float) -> dict[str, Any]:
    """What a summary says of the training itself."""
    return {
        "agent": run.agent,
        "env_id": run.task.env_id,
        "env_kwargs": run.task.env_kwargs,
        "seed": run.task.seed,
        "env_steps": env_steps,
        "steps_per_second": env_steps / seconds if seconds else None,
        "wall_seconds": seconds,
        "peak_memory_bytes": _peak_memory(),
    }


def _peak_memory() -> int | None:
    """The most memory that this process has held, in bytes; None where nobody knows."""
    try:
        import resource
    except ImportError:  # Windows has no such module.
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


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


def _start(run: RunConfig) -> Trainer:
    """The trainer, in as many processes as `torchrun` has started."""
    _be_deterministic()
    trainer = run.trainer()
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes > trainer.world.size:
        raise RunError(
            f"{run.agent} trains in one process; torchrun has started {processes} (ppo, "
            "a2c and llm share their environments out)"
        )
    return trainer


def _be_deterministic() -> None:
    """Have torch choose algorithms that give the same bits each time, and warn where it has none.

    So a resumed run goes on as it would have without the interruption.
    """
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    # What is not written yet is not read either: no need to fill it.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore


def _follow(trainer: Trainer, total_steps: int, resumed: Path | None) -> None:
    """Train together with the process that keeps the log, and take part in its checkpoints."""
    if resumed is not None:
        arrays, meta = read_checkpoint(resumed / "checkpoint.safetensors")
        trainer.load_state(arrays, meta["trainer"])
    with _interruptible() as interrupted:
        while _goes_on(trainer, total_steps, interrupted()):
            trainer.step()
            if trainer.world.agree(False):
                trainer.state()
    trainer.state()
    leave_world()


def _goes_on(trainer: Trainer, total_steps: int, interrupted: bool) -> bool:
    """Whether there is something left to do, and no process has been interrupted."""
    return trainer.env_steps < total_steps and not trainer.world.agree(interrupted)


def _claim(folder: Path) -> None:
    """Make a run folder, or take an empty one."""
    if folder.exists() and {path.name for path in folder.iterdir()} - {_LOCK}:
        raise RunError(f"{folder} is not empty; name another folder, or resume the run")
    folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Keeps other processes from writing into a run folder; the lock ends with this process."""
    if not folder.is_dir():
        raise RunError(f"{folder} is no run folder: there is no such folder")
    lock = FileLock(folder / _LOCK, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise RunError(f"{folder} is in use: another process trains there") from None
    try:
        yield
    finally:
        lock.release()


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
