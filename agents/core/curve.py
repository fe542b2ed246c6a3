"""The learning curve of a run folder."""

import json
from pathlib import Path

from ...envs.reference import reference


def draw_curve(folder: Path) -> None:
    """Draw `curve.png` from a run's `metrics.jsonl`: the mean return over environment steps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    points = [(line["env_steps"], line["return_mean"]) for line in lines if "return_mean" in line]
    task = json.loads((folder / "config.json").read_text())["task"]
    yardstick = reference(task["env_id"], **task["env_kwargs"])
    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    if points:
        axes.plot(*zip(*points, strict=True), color="#4e84e0", label="this agent")
    axes.axhline(yardstick.random, color="#7a808c", linestyle=":", label="random policy")
    if yardstick.best is not None:
        axes.axhline(yardstick.best, color="#5cb86c", linestyle="--", label="best known")
    axes.set(xlabel="environment steps", ylabel="mean return", title=task["env_id"])
    axes.xaxis.set_major_formatter(lambda x, _: f"{x / 1e6:g} M" if x >= 1e6 else f"{x / 1e3:g} k")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(folder / "curve.png", dpi=120)
