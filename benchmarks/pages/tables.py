"""The tables of the page of the benchmarks."""

from pages.figures import rate, read, table


def throughput_table():
    """Steps a second of every environment by the size of the batch."""
    found = read("throughput")["environments"]
    sizes = ["single", *dict.fromkeys(n.split()[0] for f in found.values() for n in _names(f))]
    rows = []
    for id, figures in found.items():
        rates = figures["steps_per_second"]
        cells = []
        for size in sizes:
            each = [rates.get(size), rates.get(f"{size} one"), rates.get(f"{size} all")]
            cells.append(" / ".join(f"{rate / 1e6:.3g}" for rate in each if rate is not None))
        rows.append((f"`{id}`", *cells))
    head = ["single" if size == "single" else f"{int(size):,}" for size in sizes]
    return table(("M steps/s, one thread / all", *head), rows)


def _names(figures):
    return [name for name in figures["steps_per_second"] if name != "single"]


def bytes_table():
    """What a step moves, and how far from the memory's limit that is."""
    rows = []
    for id, figures in read("throughput")["environments"].items():
        size, flat, first = (
            figures["bytes"],
            figures["flat_up_to"],
            figures["first_step_seconds"],
        )
        shares = [share for name, share in figures["bandwidth_share"].items() if "one" in name]
        rows.append(
            (
                f"`{id}`",
                size["record"],
                size["observation"],
                size["moved"],
                f"{max(shares):.0%}",
                f"{flat['environments']:,} ({flat['bytes'] / 2**20:.1f} MiB)",
                f"{first['cold']:.1f} / {first['warm']:.2f}",
            )
        )
    return table(
        (
            "bytes",
            "record",
            "observation",
            "moved by a step",
            "of the bandwidth of one thread, at most",
            "cost is flat up to",
            "first step, cold / warm (s)",
        ),
        rows,
    )


def peers_table():
    """Every peer's figures, and why some have none."""
    found = read("peers")
    rows = [
        (
            row["game"],
            f"{row['peer']} {row['version']}",
            row["played"],
            rate(row["steps_per_second"]),
            rate(row["spelunk"]),
            f"{row['ratio']:,.1f}",
            f"{row['ratio_without_copies']:,.1f}",
            f"{row['target']:,}",
            row["differs"],
        )
        for row in found["peers"]
    ]
    rows += [("", name, reason, *[""] * 6) for name, reason in found["failed"].items()]
    head = (
        "game", "peer", "played", "peer's rate", "ours", "ratio", "without copies", "goal",
        "what differs",
    )  # fmt: skip
    return table(head, rows)


def games_table():
    """Hand-written C beside kernels."""
    rows = [
        (
            row["game"],
            f"{row['environments']:,}",
            *(f"{rate / 1e6:.1f}" for rate in row["pufferlib"].values()),
            *(f"{rate / 1e6:.1f}" for rate in row["spelunk"].values()),
            f"{row['ratio']:.2f}",
        )
        for row in read("games")["games"]
    ]
    head = (
        "game, one thread, M steps/s", "environments", "C through its Python class",
        "C, the loop alone", "ours, copy=False", "ours, copies", "ratio",
    )  # fmt: skip
    return table(head, rows)


def training_table():
    """Steps a second of every trainer."""
    found = read("training_speed")["steps"]
    names = list(dict.fromkeys(name for row in found for name in row["rates"]))
    rows = [
        (
            f"{row['envs']} × {row['steps']}, minibatch {row['minibatch']:,}",
            row["threads"],
            *(f"{row['rates'][name]:,.0f}" if name in row["rates"] else "" for name in names),
        )
        for row in found
    ]
    return table(("environments × steps", "threads", *names), rows)


def sb3_table():
    """Scores of both by task."""
    rows = []
    for name in ("ppo", "dqn"):
        for row in read(f"against_sb3_{name}")["tasks"]:
            cells = [
                f"{row[who]['mean']:.3f} ({row[who]['interval'][0]:.3f} to "
                f"{row[who]['interval'][1]:.3f})"
                for who in ("spelunk", "SB3")
            ]
            low, high = row["difference"]["interval"]
            better = row["probability_of_improvement"]
            rows.append(
                (
                    name.upper(),
                    row["task"],
                    f"{row['steps']:,}",
                    *cells,
                    f"{row['difference']['mean']:+.3f} ({low:+.3f} to {high:+.3f})",
                    f"{better['point']:.2f} ({better['low']:.2f} to {better['high']:.2f})",
                )
            )
    head = ("learner", "task", "steps", "ours", "SB3's", "difference", "P(ours is better)")
    return table(head, rows)


def curves_table():
    """What every training ended with."""
    rows = []
    for name, found in read("curves")["tasks"].items():
        scores = ", ".join(
            "–" if run["normalized_score"] is None else f"{run['normalized_score']:.3f}"
            for run in found["runs"]
        )
        returns = ", ".join(f"{run['return_mean']:.3g}" for run in found["runs"])
        rows.append((name, f"{found['runs'][0]['env_steps']:,}", returns, scores))
    return table(("task", "steps", "mean return of each seed", "normalised score"), rows)
