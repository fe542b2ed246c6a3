"""The tables of the page of the benchmarks that are about bandits."""

import math

from pages.figures import read, table


def _interval(row, key="interval"):
    low, high = row[key]
    return f"{low:,.1f} to {high:,.1f}"


def speed_table():
    """Rounds a second beside the peers."""
    rows = [
        (
            row["algorithm"],
            f"{row['peer']} {row['version']}",
            *(f"{row[key]:,.0f}" for key in ("per_second", "peer_per_second", "ratio", "target")),
        )
        for row in read("bandit_speed")["rows"]
    ]
    head = ("algorithm", "peer", "ours, rounds a second", "the peer's", "ratio", "goal")
    return table(head, rows)


def share_of_bound(row):
    """Regret in units of the constant of Lai and Robbins times ln T."""
    return row["regret"] / (row["constant"] * math.log(read("regret")["horizon"]))


def lower_bound_table():
    """Regret, and its growth, against the constant of Lai and Robbins."""
    rows = [
        (
            row["instance"],
            f"`{row['algorithm']}`",
            f"{row['regret']:.1f}",
            _interval(row),
            f"{share_of_bound(row):.2f}",
            f"{row['ratio']:.2f}",
            f"{row['suffix_failure']:.1%}",
        )
        for row in read("regret")["lower_bounds"]
    ]
    head = (
        "arms", "algorithm", "regret", "95% interval", "regret / (c ln T)", "last growth / c",
        "suffix failure",
    )  # fmt: skip
    return table(head, rows)


def theorem_table():
    """Bounds of theorems."""
    rows = [
        (
            f"`{row['algorithm']}`",
            row["instance"],
            f"{row['regret']:,.1f}",
            "" if row["bound"] is None else f"{row['bound']:,.1f}",
        )
        for row in read("regret")["theorems"]
    ]
    return table(("algorithm", "arms", "regret", "bound of its theorem"), rows)


def slope_table():
    """Orders of growth."""
    rows = [
        (
            f"`{row['algorithm']}`",
            row["gap"],
            ", ".join(f"{horizon:,}" for horizon in row["horizons"]),
            ", ".join(f"{value:.1f}" for value in row["regret"]),
            f"{row['slope']:.2f}",
            "{} to {}".format(*row["within"]) if row["within"] else "",
        )
        for row in read("regret")["slopes"]
    ]
    heads = ("algorithm", "gap", "horizons T", "regret", "log-log slope", "expected")
    return table(heads, rows)


def failure_table():
    """Mean regret and failure for good."""
    rows = [
        (
            f"`{row['algorithm']}`",
            f"{row['regret']:.1f}",
            _interval(row),
            f"{row['suffix_failure']:.1%}",
            f"{row['min_fraction']:.2f}",
            f"{row['greedy_fraction']:.2f}",
        )
        for row in read("regret")["failures"]
    ]
    head = (
        "algorithm", "regret", "95% interval", "suffix failure", "K · MinFrac", "GreedyFrac",
    )  # fmt: skip
    return table(head, rows)
