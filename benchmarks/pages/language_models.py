"""The table of the page of the benchmarks that is about the speed of language models."""

from pages.figures import read, table

PARTS = ("sampling", "environment", "tokenizing", "learning")


def speed_table():
    """Tokens a second beside bare loops and `generate`, and what an update consists of."""
    rows = []
    for row in read("small_lm_speed")["rows"]:
        rates, ratios, spent = row["tokens_per_second"], row["ratios"], dict(row["update_ms"])
        whole = spent.pop("all")
        parts = {**{part: spent[part] for part in PARTS}, "the rest": whole - sum(spent.values())}
        rows.append(
            (
                f"{row['bed']}, {row['lanes']} episodes",
                f"{rates['rollout']:,.0f}",
                f"{ratios['rollout_over_bare_rollout']:.2f}",
                f"{ratios['rollout_over_generate']:.2f}",
                f"{rates['learning']:,.0f}",
                f"{ratios['learning_over_bare_learning']:.2f}",
                f"{whole:.0f}",
                ", ".join(f"{part} {ms / whole:.0%}" for part, ms in parts.items()),
                f"{row['overlap_ms']['gain']:.2f}" if "overlap_ms" in row else "",
            )
        )
    head = (
        "bed", "tokens generated a second", "over a bare loop", "over `generate`",
        "tokens learned from a second", "over a bare loop", "ms an update", "of which",
        "faster in the background",
    )  # fmt: skip
    return table(head, rows)
