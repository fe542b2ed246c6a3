"""What a recipe's trainings looked like."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

#: What is drawn over the updates, by the name in the logs.
_SHOWN = {"return_mean": "return", "sampled_entropy": "entropy, nats a token"}
#: Updates that a curve is averaged over.
_SMOOTH = 20


def draw_curves(folders: Mapping[str, Sequence[Path]], path: Path) -> None:
    """Draw return and entropy over the updates, the mean over the seeds of each arm.

    Args:
        folders: the run folders of each arm; those that are not here are left out. Where none is,
            nothing is drawn.
        path: where the picture goes, PNG or SVG.
    """
    from matplotlib.figure import Figure

    found = {arm: [run for run in runs if run.exists()] for arm, runs in folders.items()}
    here = {arm: runs for arm, runs in found.items() if runs}
    if not here:
        return
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes: Any = figure.subplots(1, len(_SHOWN))
    for ax, (name, label) in zip(axes, _SHOWN.items(), strict=True):
        for arm, runs in here.items():
            rows = [_column(run / "metrics.jsonl", name) for run in runs]
            length = min(map(len, rows))
            mean = np.mean([row[:length] for row in rows], axis=0)
            width = min(_SMOOTH, length)
            ax.plot(np.convolve(mean, np.full(width, 1 / width), "valid"), label=arm)
        ax.set_xlabel("update")
        ax.set_ylabel(label)
    axes[0].legend(frameon=False)
    figure.savefig(path)


def _column(log: Path, name: str) -> list[float]:
    rows = map(json.loads, log.read_text().splitlines())
    return [row[name] for row in rows if name in row]
