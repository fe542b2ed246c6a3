"""What `spelunk recipe` shows."""

from typing import Any

from rich.console import Console
from rich.table import Table

from ..recipes.recipe import Recipe


def described(recipe: Recipe) -> dict[str, Any]:
    """A recipe as plain data."""
    return {
        "name": recipe.name,
        "paper": recipe.paper,
        "claim": recipe.claim,
        "differs": recipe.differs,
        "bed": recipe.bed,
        "baseline": recipe.baseline,
        "arms": {arm: dict(changes) for arm, changes in recipe.arms.items()},
        "gate": [condition.words for condition in recipe.gate],
    }


def show(console: Console, recipe: Recipe) -> None:
    """Print what a recipe is made of, what its paper claims, and what it must show here."""
    shown = described(recipe)
    for title in ("paper", "claim", "differs", "bed", "baseline"):
        console.print(f"[bold]{title}[/bold]  {shown[title]}")
    table = Table("arm", "differs from the bed by", box=None, pad_edge=False)
    for arm, changes in shown["arms"].items():
        table.add_row(arm, ", ".join(f"{k}={v!r}" for k, v in changes.items()) or "nothing")
    console.print(table)
    console.print("[bold]gate[/bold]")
    for words in shown["gate"]:
        console.print(f"- {words}", markup=False)


def checks_table(checks: list[dict[str, Any]]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Head and rows of what has become of a gate."""
    rows = [
        (
            check["words"],
            f"{check['measured']:.3f}",
            f"{check['baseline']:.3f}",
            "{:.3f} to {:.3f}".format(*check["interval"]),
            "passed" if check["passed"] else "failed",
        )
        for check in checks
    ]
    return ("condition", "measured", "baseline", "interval", ""), rows
