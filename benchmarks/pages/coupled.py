"""The table of coupled restless bandits."""

from pages.figures import read, table


def coupled_table():
    """Mean returns over the seeds, and what SEQUOIA gains."""
    found = read("coupled")
    names = [*found["rows"][0]["returns"]]
    rows = []
    for row in found["rows"]:
        gains = []
        for other in ("beside_paper", "beside_all"):
            low, high = row[other]["interval"]
            relative = row[other]["relative_gain"]
            gains.append(f"{row[other]['gain']:+.1f} ({low:+.1f} to {high:+.1f}), {relative:+.1%}")
        rows.append((row["family"], *(f"{row['returns'][n]:.1f}" for n in names), *gains))
    means = [
        f"{sum(row[other]['relative_gain'] for row in found['rows']) / len(found['rows']):+.1%}"
        for other in ("beside_paper", "beside_all")
    ]
    rows.append(("mean", *("" for _ in names), *means))
    head = ("constraints", *names, "gain over the paper's baselines", "gain over all")
    return table(head, rows)
