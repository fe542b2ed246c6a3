"""The tables of the page of the benchmarks that are about planning."""

from pages.figures import read, table


def distances_table():
    """Spaces searched whole."""
    rows = [
        (
            row["space"],
            f"{row['states']:,}",
            len(row["histogram"]) - 1,
            f"{row['mean']:.3f}",
            " ".join(map(str, row["histogram"])),
        )
        for row in read("exact_distances")["spaces"]
    ]
    return table(("space", "states", "longest", "mean", "states by fewest steps, from 0"), rows)


def optimal_table():
    """Planners against those spaces."""
    rows = [
        (
            row["space"],
            planner,
            f"{same:,} of {read('exact_distances')['random_states']:,}",
            f"{1e3 * row['seconds_per_state'][planner]:.2f}",
        )
        for row in read("exact_distances")["spaces"]
        for planner, same in row["optimal"].items()
    ]
    return table(("space", "planner", "optimal", "mean ms"), rows)


def korf_table():
    """Hard 15-puzzles."""
    rows = [
        (
            row["instance"],
            row["moves"],
            row["published"],
            *(
                f"{row[planner]['expanded']:,} in {row[planner]['seconds']:.2f} s"
                for planner in ("IDA*", "A*")
            ),
        )
        for row in read("korf")["instances"]
    ]
    return table(("Korf's instance", "moves", "published", "IDA*", "A*"), rows)


def speed_table():
    """Expansions a second."""
    found = read("planner_speed")["expansions_per_second"]
    rows = [
        (name, f"{figures['median'] / 1e6:.3f}", f"{min(figures['rates']) / 1e6:.3f} to "
         f"{max(figures['rates']) / 1e6:.3f}")
        for name, figures in found.items()
    ]  # fmt: skip
    return table(("planner", "M expansions/s, median", "range"), rows)


def q_star_table():
    """Q* against A* by the number of actions."""
    rows = []
    for row in read("q_star")["rows"]:
        for name in ("astar", "q_star"):
            found = row[name]
            excess = "" if found["excess"] is None else f"{found['excess']:.3f}"
            rows.append(
                (
                    row["case"],
                    row["actions"],
                    row["batch_size"],
                    {"astar": "A*", "q_star": "Q*"}[name],
                    f"{found['solved']:.1%}",
                    f"{found['cost']:.2f}",
                    excess,
                    *(f"{found[k]:,.0f}" for k in ("generated", "expanded", "calls")),
                    f"{found['seconds']:.3f}",
                    f"{row['nodes_ratio']:.1f} / {row['nodes_target']:.1f}"
                    if name == "q_star"
                    else "",
                )
            )
    head = (
        "cube", "actions", "batch", "search", "solved", "mean cost", "above optimal", "nodes made",
        "states given to the network", "network calls", "seconds", "times fewer nodes / wanted",
    )  # fmt: skip
    return table(head, rows)


def generators_table():
    """Puzzles a second."""
    rows = [
        (row["puzzle"], *(f"{row[k]:,.0f}" for k in ("per_second", "peer_per_second", "ratio")))
        for row in read("generators")["puzzles"]
    ]
    return table(("puzzle", "ours, a second", "reasoning-gym's", "ratio"), rows)


def sampling_table():
    """Sequential search against parallel sampling."""
    found = read("sequential_parallel")
    last = found["budgets"][-1]
    rows = []
    for row in found["problems"]:
        gap = row["difference"]
        rows.append(
            (
                row["problem"],
                *(f"{row['area'][who]:.3f}" for who in ("sequential", "parallel")),
                f"{gap['mean']:+.3f} ({gap['low']:+.3f} to {gap['high']:+.3f})",
                *(f"{row['success'][who][-1]:.3f}" for who in ("sequential", "parallel")),
                f"{row['random_episode']:.3f}",
                f"{row['exhaustive']:.1f}",
            )
        )
    head = (
        "problem", "sequential", "parallel", "difference (95% interval)",
        f"sequential at {last:,} steps", f"parallel at {last:,}", "one random episode",
        "exhaustive search",
    )  # fmt: skip
    return table(head, rows)
