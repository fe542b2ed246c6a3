"""The learning curve of a run folder."""

import json
from pathlib import Path

from ...envs.reference import reference


def draw_curve(folder: Path) -> None:
    """Draw `curve.png` from a run's `metrics.jsonl`: the mean return over environment steps.

    Of what is learned without episodes, as heuristics are, it shows the loss.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    task = json.loads((folder / "config.json").read_text())["task"]
    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    named = {name for line in lines for name in line}
    name = "loss" if "loss" in named and "return_mean" not in named else "return_mean"
    points = [(line["env_steps"], line[name]) for line in lines if name in line]
    if points:
        axes.plot(*zip(*points, strict=True), color="#4e84e0", label="this agent")
    if name == "return_mean":
        yardstick = reference(task["env_id"], **task["env_kwargs"])
        axes.axhline(yardstick.random, color="#7a808c", linestyle=":", label="random policy")
        if yardstick.best is not None:
            axes.axhline(yardstick.best, color="#5cb86c", linestyle="--", label="best known")
    ylabel = {"return_mean": "mean return", "loss": "loss"}[name]
    axes.set(xlabel="environment steps", ylabel=ylabel, title=task["env_id"])
    axes.xaxis.set_major_formatter(lambda x, _: f"{x / 1e6:g} M" if x >= 1e6 else f"{x / 1e3:g} k")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(folder / "curve.png", dpi=120)
