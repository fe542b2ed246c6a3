"""What a run writes while it trains: metrics, TensorBoard events, checkpoints, a progress bar.

Weights & Biases too, where asked for.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ...envs.kernel.errors import SpelunkError
from ...envs.kernel.files import write_json
from .checkpoint import read_checkpoint, write_checkpoint
from .extras import require
from .journal import Journal
from .trainer import Trainer

CHECKPOINT_SECONDS = 60


class LogError(SpelunkError, RuntimeError):
    """A log that cannot be kept where it was asked for."""


class Log:
    """`metrics.jsonl`, TensorBoard, Weights & Biases and checkpoints of a run; a context manager.

    Args:
        folder: the run folder.
        trainer: what is trained; where the run is resumed, it is set back to the checkpoint.
        resume: go on from the folder's checkpoint.
        begin: when the run began, on the clock of `time.perf_counter`.
        wandb: the `project` on Weights & Biases, and the `config` to show there; None for none. A
            resumed run goes on there in any case, under the id that `wandb.json` keeps. W&B's own
            environment variables hold, such as `WANDB_MODE=offline`.

    Attributes:
        latest: what was logged last.
        seconds: that the run has taken, in all its parts.

    Raises:
        CheckpointError: the checkpoint to resume from is missing or damaged.
        MissingPackageError: W&B is asked for and `spelunk[wandb]` not installed.
        LogError: W&B does not start, on entering the context.
    """

    def __init__(
        self,
        folder: Path,
        trainer: Trainer,
        resume: bool,
        begin: float,
        wandb: dict[str, Any] | None = None,
    ):
        self._wandb_file = folder / "wandb.json"
        kept = json.loads(self._wandb_file.read_text()) if self._wandb_file.exists() else {}
        self._wandb_settings = {**kept, **(wandb or {})}
        self._wandb_run: Any = None
        if self._wandb_settings:
            require("wandb", "wandb")
        self._clock = self._saved = begin
        self.folder, self.trainer = folder, trainer
        self.latest: dict[str, float] = {}
        self.seconds = 0.0
        self._metrics = folder / "metrics.jsonl"
        self._journal = Journal(folder, [])
        if resume:
            arrays, meta = read_checkpoint(folder / "checkpoint.safetensors")
            self._journal = Journal(folder, meta.get("replay", []))
            trainer.load_state({**arrays, **self._journal.read()}, meta["trainer"])
            self._journal.prune()
            self.seconds = meta["seconds"]
            lines = self._metrics.read_text().splitlines(keepends=True)
            # Whatever was logged after the checkpoint will be done again.
            self._metrics.write_text("".join(lines[: meta["updates"]]))
            self._updates = meta["updates"]
        else:
            self._updates = 0

    def __enter__(self) -> "Log":
        from torch.utils.tensorboard.writer import SummaryWriter

        if self._wandb_settings:
            self._start_wandb()
        self._board = SummaryWriter(str(self.folder), purge_step=self.trainer.env_steps)
        self._file = self._metrics.open("a")
        return self

    def __exit__(self, error: type[BaseException] | None, *_: Any) -> None:
        # An update cut short by an error has left the trainer between two states.
        if error is None:
            self.save()
        self._file.close()
        self._board.close()
        if self._wandb_run:
            self._wandb_run.finish(exit_code=int(error is not None))

    def write(self, metrics: dict[str, float]) -> None:
        """Log the metrics of an update."""
        now = time.perf_counter()
        self.seconds += now - self._clock
        self._clock = now
        steps = self.trainer.env_steps
        self.latest = {"env_steps": steps, "seconds": round(self.seconds, 3), **metrics}
        self._file.write(json.dumps(self.latest) + "\n")
        self._updates += 1
        for name, value in metrics.items():
            self._board.add_scalar(name, value, steps)
        if self._wandb_run:
            # W&B drops steps that it has already, which a resumed run repeats bit for bit.
            self._wandb_run.log(metrics, step=steps)

    @property
    def due(self) -> bool:
        """Whether the last checkpoint is old enough for the next."""
        return time.perf_counter() - self._saved > CHECKPOINT_SECONDS

    def save(self) -> None:
        """Save a checkpoint that holds the trainer as it is now."""
        self._file.flush()
        arrays, meta = self.trainer.state()
        self._journal.append(self.trainer)
        meta = {
            "trainer": meta, "seconds": self.seconds, "updates": self._updates,
            "replay": self._journal.chunks,
        }  # fmt: skip
        write_checkpoint(self.folder / "checkpoint.safetensors", arrays, meta)
        self._journal.prune()
        self._saved = time.perf_counter()

    def _start_wandb(self) -> None:
        import wandb

        try:
            self._wandb_run = wandb.init(
                dir=self.folder,
                resume="allow",
                settings=wandb.Settings(console="off"),  # It would log the progress bar.
                **self._wandb_settings,
            )
        except wandb.Error as error:
            raise LogError(
                f"Weights & Biases did not start: {error} (without its server: WANDB_MODE=offline)"
            ) from None
        kept = {"project": self._wandb_settings["project"], "id": self._wandb_run.id}
        write_json(self._wandb_file, kept)


@contextmanager
def progress_bar(
    name: str, total: int, first: int, shown: bool
) -> Iterator[Callable[[dict[str, float]], None]]:
    """A progress bar on standard error: steps/s, return or else loss, time taken and time left.

    Args:
        name: what is trained.
        total: environment steps of the whole run.
        first: those taken already, which do not count for the speed.
        shown: whether there is a bar at all.

    Yields:
        What moves the bar; it takes `Log.latest`.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[speed]:>9,.0f} steps/s"),
        TextColumn("{task.fields[score]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task(name, total=total, speed=0.0, score="")

        def show(latest: dict[str, float]) -> None:
            elapsed = bar.tasks[task].elapsed or 1e-9
            bar.update(
                task,
                completed=latest["env_steps"],
                speed=(latest["env_steps"] - first) / elapsed,
                score=_score(latest) or bar.tasks[task].fields["score"],
            )

        yield show


def _score(latest: dict[str, float]) -> str:
    """How well the training goes, in a few characters."""
    shown = (("return_mean", "return"), ("loss", "loss"))
    return next((f"{name} {latest[key]:>7.3f}" for key, name in shown if key in latest), "")
