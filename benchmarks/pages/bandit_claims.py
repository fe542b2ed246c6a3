"""The tables of the page of the benchmarks that hold statements about bandits against figures."""

from pages.figures import read, table

_VERDICTS = {True: "yes", False: "**no**", None: ""}


def _rows(part):
    return read("bandit_claims")[part]


def _interval(row, key="interval", form=".2f"):
    low, high = row[key]
    return f"{low:{form}} to {high:{form}}"


def sparse_table():
    """How far the arm that is named is from the best."""
    rows = [
        (
            row["errors"],
            row["dimension"],
            row["algorithm"],
            f"{row['gap']:.3f}",
            _interval(row),
            row["within_two_epsilon"],
            f"{row['queries']:,.0f}",
            row["expected"] or "",
            _VERDICTS[row["passed"]],
        )
        for row in _rows("sparse")
    ]
    head = (
        "errors", "dimensions", "algorithm", "short of the best", "95% interval",
        "within 2ε, of 20", "samples", "expected", "came true",
    )  # fmt: skip
    return table(head, rows)


def conservative_table():
    """Regret and violations."""
    rows = [
        (
            row["algorithm"],
            row["bonus"],
            f"{row['regret']:,.0f}",
            _interval(row, form=",.0f"),
            f"{row['ratio']:.2f} ({row['largest_ratio']:.2f})",
            f"{row['violations']:.2f}",
            _interval(row, "violations_interval", ".1f"),
            row["violating_runs"],
            f"{row['late_baseline']:.1%}",
            row["expected"],
            _VERDICTS[row["passed"]],
        )
        for row in _rows("conservative")
    ]
    head = (
        "algorithm", "bonus", "regret", "95% interval", "× UCBVI's (most)", "violations a run",
        "95% interval", "runs with one, of 20", "baseline in the last fifth, at most",
        "expected in each run", "came true",
    )  # fmt: skip
    return table(head, rows)


def off_policy_table():
    """Bias, variance and error of the estimators, beside theory's."""
    belief = {True: "right", False: "wrong", None: ""}
    rows = [
        (
            row["problem"],
            f"`{row['estimator']}`",
            belief[row["model"]],
            belief[row["propensities"]],
            f"{row['bias']:+.4f} ± {row['bias_reach'] / 4 * 1.96:.4f}",
            f"{row['bias_expected']:+.4f}".replace("-0.0000", "+0.0000"),
            f"{1e3 * row['variance']:.3f}",
            f"{1e3 * row['variance_expected']:.3f}",
            f"{1e3 * row['mse']:.3f}",
            f"{1e3 * row['mse_expected']:.3f}",
            f"{row['coverage']:.1%}",
            _VERDICTS[row["passed"]],
        )
        for row in _rows("off_policy")
    ]
    head = (
        "problem", "estimator", "model", "propensities", "bias", "theory", "variance · 1000",
        "theory", "MSE · 1000", "theory", "coverage of 95%", "as theory says",
    )  # fmt: skip
    return table(head, rows)


def gittins_table():
    """Gittins indices beside published ones."""
    rows = [
        (
            *(row[key] for key in ("discount", "wins", "losses")),
            f"{row['index']:.5f}",
            f"{row['published']:.4f}",
            row["source"],
            _VERDICTS[row["passed"]],
        )
        for row in _rows("indices")["gittins"]
    ]
    head = ("discount", "wins", "losses", "ours", "published", "source", "within 0.0001")
    return table(head, rows)


def whittle_table():
    """Whittle indices beside closed forms."""
    rows = [
        (
            row["arm"],
            ", ".join(f"{value:.4f}" for value in row["indices"]),
            ", ".join(f"{value:.4f}" for value in row["closed_form"]),
            f"{row['error']:.0e}",
            f"{row['tolerance']:.0e}",
            _VERDICTS[row["passed"]],
        )
        for row in _rows("indices")["whittle"]
    ]
    head = ("arm", "ours", "closed form", "largest relative error", "allowed", "came true")
    return table(head, rows)


def argmax_table():
    """The integer programme beside enumeration."""
    rows = [
        (
            row["family"],
            f"{row['rows']:.0f}",
            row["pairs"],
            row["mismatches"],
            f"{row['largest_difference']:.0e}",
            f"{row['seconds']:.3f} ({row['most_seconds']:.2f})",
            f"{row['greedy_short']:.1%}",
            f"{row['swap_short']:.1%}",
            _VERDICTS[row["passed"]],
        )
        for row in _rows("argmax")
    ]
    head = (
        "constraints", "feasible rows", "pairs", "mismatches", "largest difference",
        "seconds a solve (most)", "greedy falls short", "local search falls short", "came true",
    )  # fmt: skip
    return table(head, rows)
