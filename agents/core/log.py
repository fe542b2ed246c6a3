"""What a run writes while it trains: metrics, TensorBoard events, checkpoints, a progress bar."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .checkpoint import read_checkpoint, write_checkpoint
from .trainer import Trainer

CHECKPOINT_SECONDS = 60


class Log:
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
            self._updates = 0
        self._file = metrics.open("a")

    def __enter__(self) -> "Log":
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
def progress_bar(
    name: str, total: int, first: int, shown: bool
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
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task(name, total=total, speed=0.0, score=float("nan"))

        def show(latest: dict[str, float]) -> None:
            elapsed = bar.tasks[task].elapsed or 1e-9
            bar.update(
                task,
                completed=latest["env_steps"],
                speed=(latest["env_steps"] - first) / elapsed,
                score=latest.get("return_mean", bar.tasks[task].fields["score"]),
            )

        yield show
