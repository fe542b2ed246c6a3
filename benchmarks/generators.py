"""Puzzles made per second, beside reasoning-gym's, after `make peers`.

Both sides make boards of Sudoku with 30 to 50 empty cells and instances of Countdown with 4 to 6
numbers up to 100 and targets from 100 to 999, which are reasoning-gym's defaults. They take turns,
slice by slice, so that they see the same minutes of the machine; the figures are medians.
"""

import os
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from common import write_result
from peers import VENVS, start_peer
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from spelunk.envs.search.countdown import Countdown
from spelunk.envs.search.sudoku_boards import make_boards
from spelunk.envs.search.sudoku_solver import ANY

PEER = "reasoning_gym"
TURNS = 5
SECONDS = 1.5  # as in `peers/shared/slices.py`
TARGET = 100


def sudoku() -> Callable[[int], int]:
    """Boards with each number of empty cells equally often, over all cores."""

    def make(turn: int) -> int:
        made = 0
        for empties in range(30, 51):
            words = np.random.default_rng([turn, empties]).integers(0, 2**64, 256, np.uint64)
            boards = make_boards(3, (empties, 0, ANY), words, os.cpu_count() or 1)
            made += len(boards.puzzles)
        return made

    return make


def countdown() -> Callable[[int], int]:
    """Instances with 4, 5 and 6 numbers equally often, on all threads."""
    models = [Countdown(n, target=(100, 999), use_all=True).model for n in (4, 5, 6)]

    def make(turn: int) -> int:
        return sum(len(model.reset(range(turn, turn + 10_000))) for model in models)

    return make


GENERATORS = {"Sudoku": sudoku, "Countdown": countdown}


def rate(make: Callable[[int], int], turn: int) -> float:
    """Instances a second in one slice."""
    made, begin = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begin) < SECONDS:
        made += make(turn * 1_000_000 + made)
    return made / elapsed


def measure() -> tuple[str, list[dict[str, Any]]]:
    """The peer's version, and a row for each puzzle."""
    VENVS.mkdir(exist_ok=True)
    theirs = start_peer(PEER)
    makers = {name: build() for name, build in GENERATORS.items()}
    ours: dict[str, list[float]] = {name: [] for name in makers}
    turns = [(turn, name) for turn in range(TURNS + 1) for name in makers]
    for turn, name in track(turns, "measuring", console=Console(stderr=True)):
        [way] = theirs.rates[name]
        rates = rate(makers[name], turn), theirs.play(name, way)
        if turn:  # the first turn compiles and warms up
            ours[name].append(rates[0])
            theirs.rates[name][way].append(rates[1])
    rows = []
    for name, own in ours.items():
        [(way, peer)] = theirs.medians(name).items()
        rows.append(
            {
                "puzzle": name,
                "per_second": median(own),
                "peer_per_second": peer,
                "ratio": median(own) / peer,
                "target": TARGET,
                "differs": theirs.games[name]["differs"],
                "all": {"spelunk": own, PEER: theirs.rates[name][way]},
            }
        )
    return theirs.version, rows


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table."""
    table = Table(box=box.SIMPLE)
    for heading in ("puzzle", "spelunk/s", f"{PEER}/s", "ratio", "target"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        rates = [f"{row[name]:,.0f}" for name in ("per_second", "peer_per_second", "ratio")]
        table.add_row(row["puzzle"], *rates, f"{row['target']}")
    Console().print(table)


def main():
    """Measure and write `results/generators.json`."""
    version, rows = measure()
    write_result("generators", {PEER: version, "puzzles": rows})
    show(rows)


if __name__ == "__main__":
    main()
