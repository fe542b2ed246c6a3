"""The tables of the page of the benchmarks that hold statements about bandits against figures."""

from pages.figures import read, table

_VERDICTS = {True: "yes", False: "**no**", None: ""}


def _rows(part):
    return read("bandit_claims")[part]


def _show(rows, columns):
    """A table of rows; a column is its heading and how the fields of a row are formatted."""
    shown = [
        row | {"passed": _VERDICTS[row["passed"]], "expected": row.get("expected") or ""}
        for row in rows
    ]
    heads, forms = zip(*columns, strict=True)
    return table(heads, [[form.format(**row) for form in forms] for row in shown])


def sparse_table():
    """How far the arm that is named is from the best."""
    columns = (
        ("errors", "{errors}"),
        ("dimensions", "{dimension}"),
        ("algorithm", "{algorithm}"),
        ("short of the best", "{gap:.3f}"),
        ("95% interval", "{interval[0]:.2f} to {interval[1]:.2f}"),
        ("within 2ε, of 20", "{within_two_epsilon}"),
        ("samples", "{queries:,.0f}"),
        ("expected", "{expected}"),
        ("came true", "{passed}"),
    )
    return _show(_rows("sparse"), columns)


def conservative_table():
    """Regret and violations."""
    columns = (
        ("algorithm", "{algorithm}"),
        ("bonus", "{bonus}"),
        ("regret", "{regret:,.0f}"),
        ("95% interval", "{interval[0]:,.0f} to {interval[1]:,.0f}"),
        ("× UCBVI's (most)", "{ratio:.2f} ({largest_ratio:.2f})"),
        ("violations a run", "{violations:.2f}"),
        ("95% interval", "{violations_interval[0]:.1f} to {violations_interval[1]:.1f}"),
        ("runs with one, of 20", "{violating_runs}"),
        ("baseline in the last fifth, at most", "{late_baseline:.1%}"),
        ("expected in each run", "{expected}"),
        ("came true", "{passed}"),
    )
    return _show(_rows("conservative"), columns)


def off_policy_table():
    """Bias, variance and error of the estimators, beside theory's."""
    belief = {True: "right", False: "wrong", None: ""}
    thousandfold = ("variance", "variance_expected", "mse", "mse_expected")
    rows = [
        row
        | {key: belief[row[key]] for key in ("model", "propensities")}
        | {"reach": row["bias_reach"] / 4 * 1.96, "theory": round(row["bias_expected"], 4) + 0.0}
        | {key: 1e3 * row[key] for key in thousandfold}
        for row in _rows("off_policy")
    ]
    columns = (
        ("problem", "{problem}"),
        ("estimator", "`{estimator}`"),
        ("model", "{model}"),
        ("propensities", "{propensities}"),
        ("bias", "{bias:+.4f} ± {reach:.4f}"),
        ("theory", "{theory:+.4f}"),
        ("variance · 1000", "{variance:.3f}"),
        ("theory", "{variance_expected:.3f}"),
        ("MSE · 1000", "{mse:.3f}"),
        ("theory", "{mse_expected:.3f}"),
        ("coverage of 95%", "{coverage:.1%}"),
        ("as theory says", "{passed}"),
    )
    return _show(rows, columns)


def gittins_table():
    """Gittins indices beside published ones."""
    columns = (
        ("discount", "{discount}"),
        ("wins", "{wins}"),
        ("losses", "{losses}"),
        ("ours", "{index:.5f}"),
        ("published", "{published:.4f}"),
        ("source", "{source}"),
        ("within 0.0001", "{passed}"),
    )
    return _show(_rows("indices")["gittins"], columns)


def whittle_table():
    """Whittle indices beside closed forms."""
    rows = [
        row
        | {
            key: ", ".join(f"{value:.4f}" for value in row[key])
            for key in ("indices", "closed_form")
        }
        for row in _rows("indices")["whittle"]
    ]
    columns = (
        ("arm", "{arm}"),
        ("ours", "{indices}"),
        ("closed form", "{closed_form}"),
        ("largest relative error", "{error:.0e}"),
        ("allowed", "{tolerance:.0e}"),
        ("came true", "{passed}"),
    )
    return _show(rows, columns)


def argmax_table():
    """The integer programme beside enumeration."""
    columns = (
        ("constraints", "{family}"),
        ("feasible rows", "{rows:.0f}"),
        ("pairs", "{pairs}"),
        ("mismatches", "{mismatches}"),
        ("largest difference", "{largest_difference:.0e}"),
        ("seconds a solve (most)", "{seconds:.3f} ({most_seconds:.2f})"),
        ("greedy falls short", "{greedy_short:.1%}"),
        ("local search falls short", "{swap_short:.1%}"),
        ("came true", "{passed}"),
    )
    return _show(_rows("argmax"), columns)


def knapsack_table():
    """Shares of the value of the oracle's programme."""
    columns = (
        ("problem", "{problem}"),
        ("budget", "{budget:,}"),
        ("algorithm", "`{algorithm}`"),
        ("share of the programme's value", "{share:.3f}"),
        ("95% interval", "{interval[0]:.3f} to {interval[1]:.3f}"),
        ("expected", "{expected}"),
        ("came true", "{passed}"),
    )
    return _show(_rows("knapsack"), columns)
