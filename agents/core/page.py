"""The page of a report: HTML with its pictures inside, which needs no other file and no network."""

import base64
import io
import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any

import numpy as np

from ...envs.reference import reference
from .evaluation import mean_interval
from .run_groups import Group

_COLOURS = ("#4e84e0", "#dd7d35", "#3fa66b", "#b16ad6", "#d9566f", "#25a5b3", "#a58a20", "#8f7768")
_DASHES = ("solid", "dashed", "dotted")
_RANDOM, _BEST = ("#7a808c", "dotted"), ("#5cb86c", "dashed")
_INK = "#010203"  # stands for the colour of the page's text, which is black or white
_GRID = 200  # points of a mean curve
_STYLE = """
:root { color-scheme: light dark; --ink: #1d2129; --paper: #fff; --soft: #68707d; --line: #d9dde3 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7ec; --paper: #14171c; --soft: #98a1ae; --line: #353b45 }
}
body { margin: 0 auto; padding: 1rem; max-width: 60rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem } h2 { font-size: 1.25rem; margin-top: 2.5rem; overflow-wrap: anywhere }
p, figcaption, .legend { color: var(--soft); font-size: .9rem }
figure { margin: 1rem 0 } figure svg { display: block; width: 100%; max-width: 42rem; height: auto }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .5rem 0; padding: 0 }
.legend li { list-style: none }
.swatch { display: inline-block; width: 1.6em; margin-right: .5em; vertical-align: middle;
  border-top: 3px }
.films { display: flex; flex-wrap: wrap; gap: 1rem } .films figure { margin: 0; max-width: 18rem }
.films img { width: 100% }
"""


class _Html(str):
    """Text that is HTML already; all other text is escaped."""


def render(groups: Sequence[Group], figures: dict[str, Any]) -> str:
    """The page.

    Args:
        groups: the runs.
        figures: what `write_report` returns about them.
    """
    agents = dict.fromkeys(group.agent for group in groups)
    styles = {
        agent: (_COLOURS[i % len(_COLOURS)], _DASHES[i // len(_COLOURS) % len(_DASHES)])
        for i, agent in enumerate(agents)
    }
    runs = sum(len(group.runs) for group in groups)
    unfinished = runs - sum(len(group.finished) for group in groups)
    note = f", of which {unfinished} unfinished" if unfinished else ""
    parts = [
        "<h1>Runs compared</h1>",
        f"<p>Runs: {runs}{note}. Returns and normalised scores are those of the final evaluation "
        "on fresh seeds; 0 is the random policy and 1 the best known. Brackets and bands are 95% "
        "intervals over training seeds.</p>",
    ]
    for environment in dict.fromkeys(group.environment for group in groups):
        ours = [group for group in groups if group.environment == environment]
        rows = [row for row in figures["groups"] if row["environment"] == environment]
        parts += [f"<h2>{escape(environment)}</h2>", _curves(ours, styles), _scores(rows, styles)]
    for comparison in figures["comparisons"]:
        parts += _comparison(comparison, styles)
    parts += [_films(groups), *_hyperparameters(groups, figures["groups"]), _runs(groups)]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>spelunk report</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def number(value: float | None) -> str:
    """A number with as many digits as are of use."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def interval(point: float | None, bounds: Sequence[float] | None) -> str:
    """A number, with its interval where there is one."""
    if bounds is None:
        return number(point)
    return f"{number(point)} [{number(bounds[0])}, {number(bounds[1])}]"


def _curves(groups: Sequence[Group], styles: dict[str, tuple[str, str]]) -> str:
    """The learning curves on one environment."""
    task = groups[0].runs[0].config.task
    yardstick = reference(task.env_id, **task.env_kwargs)
    legend = {group.agent: styles[group.agent] for group in groups}

    def draw(axes: Any) -> None:
        for group in groups:
            _draw_group(axes, group, *styles[group.agent])
        lines = ((yardstick.random, _RANDOM), (yardstick.best, _BEST))
        for level, (colour, dash) in lines:
            if level is not None:
                axes.axhline(level, color=colour, linestyle=dash)
        axes.set(xlabel="environment steps", ylabel="mean return")
        axes.xaxis.set_major_formatter("{x:,.0f}")

    legend["random policy"] = _RANDOM
    if yardstick.best is not None:
        legend["best known"] = _BEST
    return _figure(
        f"learning curves on {groups[0].environment}",
        draw,
        legend,
        "Mean return while training, over the finished runs; thin lines are unfinished ones.",
    )


def _draw_group(axes: Any, group: Group, colour: str, dash: str) -> None:
    curves = [run.curve for run in group.runs if run.summary is not None and len(run.curve)]
    single = [run.curve for run in group.runs if run.summary is None]
    first = max((curve[0, 0] for curve in curves), default=0)
    last = min((curve[-1, 0] for curve in curves), default=0)
    if len(curves) == 1:
        axes.plot(*curves[0].T, color=colour, linestyle=dash)
    elif first < last:
        grid = np.linspace(first, last, _GRID)
        values = np.stack([np.interp(grid, *curve.T) for curve in curves])
        axes.plot(grid, values.mean(axis=0), color=colour, linestyle=dash)
        axes.fill_between(grid, *zip(*map(mean_interval, values.T), strict=True),
                          color=colour, alpha=0.2, linewidth=0)  # fmt: skip
    for curve in single:
        axes.plot(*curve.T, color=colour, linestyle=dash, linewidth=0.7)


def _scores(rows: Sequence[dict[str, Any]], styles: dict[str, tuple[str, str]]) -> str:
    """What the agents scored on one environment."""
    head = ["agent", "seeds", "return", "normalised score (IQM)", "steps/s", "seconds"]
    memory = any(row["peak_memory_bytes"] is not None for row in rows)
    body = []
    for row in rows:
        seeds = ", ".join(map(str, row["seeds"]))
        missing = len(row["seeds"]) - row["finished"]
        cells = [
            _Html(_swatch(*styles[row["agent"]]) + escape(row["agent"])),
            f"{seeds} ({missing} unfinished)" if missing else seeds,
            interval(row["return_mean"], row["return_interval"]),
            interval(row["normalized_score"], row["normalized_interval"]),
            number(row["steps_per_second"]),
            number(row["wall_seconds"]),
        ]
        if memory:
            peak = row["peak_memory_bytes"]
            cells.append("–" if peak is None else f"{peak / 2**20:,.0f} MiB")
        body.append(cells)
    return _table([*head, "peak memory"] if memory else head, body)


def _comparison(found: dict[str, Any], styles: dict[str, tuple[str, str]]) -> list[str]:
    """Several agents over the environments that they share."""
    own = {agent: styles[agent] for agent in found["seeds"]}
    where = ", ".join(found["environments"])

    def draw(axes: Any) -> None:
        for agent, (colour, dash) in own.items():
            profile = found["profiles"][agent]
            axes.plot(found["thresholds"], profile["point"], color=colour, linestyle=dash)
            axes.fill_between(found["thresholds"], profile["low"], profile["high"], color=colour,
                              alpha=0.2, linewidth=0)  # fmt: skip
        axes.set(xlabel="normalised score τ", ylabel="fraction of runs above τ", ylim=(-0.02, 1.02))

    def words(estimate: dict[str, Any]) -> str:
        return interval(estimate["point"], (estimate["low"], estimate["high"]))

    measures = ("iqm", "mean", "median", "optimality_gap")
    return [
        "<h2>Agents compared</h2>",
        f"<p>On {escape(where)}; after Agarwal et al. (2021), with "
        "stratified bootstrap intervals. IQM is the mean of the middle half of all runs; the "
        "optimality gap is what the runs lack to a score of 1.</p>",
        _figure(
            f"performance profiles of {', '.join(own)} on {where}",
            draw,
            own,
            "Performance profiles.",
        ),
        _table(
            ["agent", "seeds", "IQM", "mean", "median", "optimality gap"],
            [
                [agent, found["seeds"][agent], *(words(estimates[m]) for m in measures)]
                for agent, estimates in found["aggregates"].items()
            ],
        ),
        "<p>The probability that a run of X scores more than a run of Y.</p>",
        _table(["X", "Y", "P(X > Y)"], [[e["x"], e["y"], words(e)] for e in found["improvement"]]),
    ]


def _films(groups: Sequence[Group]) -> str:
    """The recorded episodes of each group's first run."""
    films = []
    for group in groups:
        path = group.runs[0].folder / "agent.gif"
        if path.exists():
            data = base64.b64encode(path.read_bytes()).decode()
            caption = escape(f"{group.agent} on {group.environment}")
            films.append(
                f'<figure><img src="data:image/gif;base64,{data}" alt="episodes of {caption}">'
                f"<figcaption>{caption}</figcaption></figure>"
            )
    return f'<h2>Episodes</h2><div class="films">{"".join(films)}</div>' if films else ""


def _hyperparameters(groups: Sequence[Group], rows: Sequence[dict[str, Any]]) -> list[str]:
    """A table for each agent, with a column for each of its groups."""
    parts = ["<h2>Hyperparameters</h2>"]
    names = [group.runs[0].config.agent for group in groups]
    for name in dict.fromkeys(names):
        own = [row for row, other in zip(rows, names, strict=True) if other == name]
        keys = dict.fromkeys(key for row in own for key in row["settings"])
        head = [name, *(f"{row['agent']} on {row['environment']}" for row in own)]
        body = [[key, *(row["settings"].get(key, "–") for row in own)] for key in keys]
        parts.append(_table(head, body))
    return parts


def _runs(groups: Sequence[Group]) -> str:
    body = []
    for group in groups:
        for run in group.runs:
            task = run.config.task
            steps = f"{run.env_steps:,}"
            state = "finished" if run.summary else f"unfinished ({task.total_steps:,} steps wanted)"
            score = number(run.summary["return_mean"]) if run.summary else "–"
            body.append(
                [run.folder, group.environment, group.agent, task.seed, steps, score, state]
            )
    head = ["folder", "environment", "agent", "seed", "environment steps", "return", "state"]
    return "<h2>Runs</h2>" + _table(head, body)


def _table(head: Iterable[Any], body: Iterable[Iterable[Any]]) -> str:
    def row(cells: Iterable[Any], tag: str) -> str:
        texts = (cell if isinstance(cell, _Html) else escape(str(cell)) for cell in cells)
        return "<tr>" + "".join(f"<{tag}>{text}</{tag}>" for text in texts) + "</tr>"

    rows = "".join(row(cells, "td") for cells in body)
    return f'<div class="scroll"><table>{row(head, "th")}{rows}</table></div>'


def _swatch(colour: str, dash: str) -> str:
    return f'<span class="swatch" style="border-top-style:{dash};border-top-color:{colour}"></span>'


def _figure(
    name: str, draw: Callable[[Any], None], legend: dict[str, tuple[str, str]], caption: str
) -> str:
    """A plot as SVG, with a legend that wraps on narrow screens."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    inked = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    options: dict[Any, Any] = {
        **dict.fromkeys(inked, _INK),
        "svg.fonttype": "none",
        "svg.hashsalt": name,
    }
    with matplotlib.rc_context(options), io.StringIO() as text:
        figure = Figure(figsize=(5.5, 3.4), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        draw(axes)
        axes.spines[["top", "right"]].set_visible(False)
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", transparent=True, metadata=nothing)
        svg = text.getvalue()
    # Groups are numbered within a plot; on a page with several the ids would not be unique.
    svg = re.sub('<g id="[^"]*"', "<g", svg[svg.index("<svg") :]).replace(_INK, "currentColor")
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{escape(name)}"', 1)
    items = "".join(f"<li>{_swatch(*style)}{escape(text)}</li>" for text, style in legend.items())
    return (
        f'<figure>{svg}<ul class="legend">{items}</ul><figcaption>{escape(caption)}</figcaption>'
        "</figure>"
    )
