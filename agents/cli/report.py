"""What `spelunk report` prints."""

from typing import Any

from ..core.page import interval


def group_table(figures: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The head and the rows of a table of what `write_report` returned."""
    head = ("environment", "agent", "finished", "return", "normalised score (IQM)")
    rows = [
        (
            group["environment"],
            group["agent"],
            f"{group['finished']} of {len(group['seeds'])}",
            interval(group["return_mean"], group["return_interval"]),
            interval(group["normalized_score"], group["normalized_interval"]),
        )
        for group in figures["groups"]
    ]
    return head, rows
