"""Reports: many run folders compared on one page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...envs.kernel.files import write_whole
from .page import render
from .run import RunError
from .run_groups import compare, find_runs, group_runs, teams


def write_report(folders: Sequence[Path], path: Path) -> dict[str, Any]:
    """Compare runs on one HTML page that needs nothing but itself.

    Args:
        folders: run folders, or folders that have run folders somewhere below them.
        path: the page.

    Returns:
        The figures as plain data: `path`; `groups`, of the runs that differ in their seeds alone;
        and `comparisons`, of the agents that have at least two seeds on the same environments.

    Raises:
        RunError: a folder holds no run, or a damaged one; the page cannot be written there.
        MissingPackageError: a group has several seeds and `spelunk[report]` is not installed.
    """
    if path.is_dir():
        raise RunError(f"{path} is a folder; name the file to write")
    groups = group_runs(find_runs(folders))
    figures = {
        "path": str(path),
        "groups": [group.figures() for group in groups],
        "comparisons": [compare(team) for team in teams(groups)],
    }
    page = render(groups, figures)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, page.encode())
    return figures
