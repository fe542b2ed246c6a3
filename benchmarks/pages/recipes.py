"""The tables of the page of the benchmarks that are about recipes."""

import numpy as np

from pages.figures import read, table
from spelunk.agents.llm.measuring.measure import bootstrap_mean
from spelunk.agents.recipes.registry import MODULES, recipe

#: Figures of the table of entropy terms, with their headings.
FIGURES = {"pass_1": "pass@1", "pass_16": "pass@16", "maj_16": "maj@16"}


def claims_table():
    """What each paper claims, and the first condition of each recipe's gate as it was measured."""
    rows, found = [], read("recipes")["recipes"]
    for name in MODULES:
        if name not in found:
            continue
        first, passed = found[name]["checks"][0], [c["passed"] for c in found[name]["checks"]]
        low, high = first["interval"]
        rows.append(
            (
                f"`{name}`",
                recipe(name).claim,
                f"{first['words']}: {first['measured']:.3f}"
                + (f" and {first['baseline']:.3f}" if np.isfinite(first["baseline"]) else "")
                + f" ({low:.3f} to {high:.3f})",
                f"{sum(passed)} of {len(passed)}",
            )
        )
    return table(("recipe", "the paper claims", "measured here", "conditions passed"), rows)


def gates_table():
    """What has become of each recipe's gate, in the order of the registry."""
    rows = []
    found = read("recipes")["recipes"]
    for name in MODULES:
        for check in found.get(name, {"checks": []})["checks"]:
            low, high = check["interval"]
            rows.append(
                (
                    f"`{name}`",
                    check["words"],
                    f"{check['measured']:.3f}",
                    f"{check['baseline']:.3f}" if np.isfinite(check["baseline"]) else "",
                    f"{low:.3f} to {high:.3f}",
                    found[name]["seeds"],
                    "passed" if check["passed"] else "failed",
                )
            )
    head = ("recipe", "condition", "measured", "baseline", "interval", "seeds", "verdict")
    return table(head, rows)


def entropy_table():
    """Each arm of the table of entropy terms: means, and paired gains over plain GRPO."""
    arms = read("recipes")["recipes"]["entropy-table"]["table"]
    base = {name: _column(arms["grpo"], name) for name in FIGURES}
    start = {name: arms["grpo"][0][f"start_{name}"] for name in FIGURES}
    rows = [("starting model", *(f"{start[name]:.3f}" for name in FIGURES), "1.00", "")]
    for arm, figures in arms.items():
        cells = []
        for name in FIGURES:
            values = _column(figures, name)
            cell = f"{values.mean():.3f}"
            if arm != "grpo":
                gain = bootstrap_mean(values - base[name])
                cell += f" ({gain.low:+.3f} to {gain.high:+.3f})"
            cells.append(cell)
        kept, seconds = (_column(figures, name) for name in ("entropy_kept", "seconds"))
        rows.append((f"`{arm}`", *cells, f"{kept.mean():.2f}", f"{seconds.mean():.0f}"))
    return table(("arm", *FIGURES.values(), "entropy kept", "seconds"), rows)


def law_table():
    """The law of entropy and reward in each arm of the table of entropy terms."""
    rows = []
    for arm, figures in read("recipes")["recipes"]["entropy-table"]["table"].items():
        a, b, fit, foretold, actual, error = (
            _column(figures, f"law_{name}")
            for name in ("a", "b", "r_squared", "predicted", "actual", "error")
        )
        rows.append(
            (
                f"`{arm}`",
                f"{a.mean():.3f}",
                f"{b.mean():.3f}",
                f"{fit.mean():.2f} ({fit.min():.2f} to {fit.max():.2f})",
                f"{actual.mean():.3f}",
                f"{foretold.mean():.3f}",
                f"{error.mean():.3f}",
            )
        )
    head = ("arm", "a", "b", "R²", "reward at the end", "foretold", "mean error")
    return table(head, rows)


def _column(figures, name):
    return np.array([row[name] for row in figures])
