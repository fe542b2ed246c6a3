"""Spelunk beside its peers on the same games, after `make peers`.

Each package plays in a process of its own, which is kept alive and waits while another plays. They
take turns, slice by slice, so that all of them see the same minutes of the machine; the figures are
medians of the turns. Who can be played in several ways counts with the fastest.

A further peer is a `peers/<peer>.txt` with the versions to install and a `peers/<peer>.py` like
those that are there. Its games of other names than those in `peers/ours.py` are not played here.
"""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from common import write_result
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

PEERS = Path(__file__).parent / "peers"
VENVS = Path(__file__).parents[1] / ".venvs"
TURNS = 5


class PeerError(Exception):
    """Why a peer could not be measured."""


class Side:
    """One package's process, and its rates by game and way to play it."""

    def __init__(self, name: str, python: Path | str):
        self.name = name
        self._log = VENVS / f"{name}.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [python, "-P", PEERS / f"{name}.py"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONPATH": str(PEERS / "shared")},
            )
        about = self._answer()
        self.version: str = about["version"]
        self.games: dict[str, Any] = about["games"]
        self.rates: dict[str, dict[str, list[float]]] = {
            game: {way: [] for way in said["ways"]} for game, said in self.games.items()
        }

    def play(self, game: str, way: str) -> float:
        """Environment steps a second in one slice."""
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):  # it has ended, and `_answer` says why
            print(json.dumps([game, way]), file=self._process.stdin, flush=True)
        return self._answer()

    def medians(self, game: str) -> dict[str, float]:
        """The rate of each way to play a game."""
        return {way: median(rates) for way, rates in self.rates[game].items()}

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        code = self._process.wait()
        lines = self._log.read_text().split("\n")
        raise PeerError(next(filter(None, reversed(lines)), f"ended with exit code {code}"))


def start_peer(name: str) -> Side:
    """The process of a peer.

    Raises:
        PeerError: it is not installed, or cannot be imported.
    """
    python = VENVS / name / "bin" / "python"
    if python.exists():
        return Side(name, python)
    failed = VENVS / f"{name}.failed.txt"
    raise PeerError(failed.read_text().strip() if failed.exists() else "run `make peers` first")


def measure(sides: list[Side], failed: dict[str, str]) -> None:
    """Let everyone play the games of the first side, ours, in turns; note why a peer fails."""
    ours = sides[0]
    slices = [
        (game, way, side)
        for game in ours.games  # the sides of one game close together in time
        for side in sides
        for way in side.rates.get(game, ())
    ]
    turns = [(turn, *item) for turn in range(TURNS + 1) for item in slices]
    for turn, game, way, side in track(turns, "measuring", console=Console(stderr=True)):
        if side.name in failed:
            continue
        try:
            rate = side.play(game, way)
        except PeerError as error:
            if side is ours:
                raise
            failed[side.name] = str(error)
            continue
        if turn:  # the first turn compiles and warms up
            side.rates[game][way].append(rate)


def compare(ours: Side, peer: Side, game: str) -> dict[str, Any]:
    """One row: a peer's fastest way to play a game, and how many times faster spelunk is."""
    way, rate = max(peer.medians(game).items(), key=lambda item: item[1])
    own = ours.medians(game)
    without = max(own.values())
    copied, best = max((r, w) for w, r in own.items() if not w.endswith("copy=False"))
    return {
        "game": game,
        "peer": peer.name,
        "version": peer.version,
        "played": way,
        "steps_per_second": rate,
        "spelunk": copied,
        "spelunk_played": best,
        "ratio": copied / rate,
        "ratio_without_copies": without / rate,
        "target": peer.games[game]["target"],
        "differs": peer.games[game]["differs"],
        "all": peer.rates[game],
    }


def show(rows: list[dict[str, Any]], failed: dict[str, str]) -> None:
    """Print the table, and why there is no row of some."""
    table = Table(box=box.SIMPLE)
    for heading in ("game", "peer", "steps/s", "spelunk", "ratio", "no copies", "target"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        rates = [f"{row[name]:,.0f}" for name in ("steps_per_second", "spelunk")]
        ratios = [f"{row[name]:.1f}" for name in ("ratio", "ratio_without_copies")]
        table.add_row(row["game"], row["peer"], *rates, *ratios, f"{row['target']}")
    Console().print(table)
    for name, reason in failed.items():
        print(f"  {name}: {reason}")


def main():
    """Measure everyone and write `results/peers.json`."""
    VENVS.mkdir(exist_ok=True)
    ours = Side("ours", sys.executable)
    sides, failed = [ours], {}
    for name in sorted(requirements.stem for requirements in PEERS.glob("*.txt")):
        try:
            sides.append(start_peer(name))
        except PeerError as error:
            failed[name] = str(error)
    measure(sides, failed)
    measured = [side for side in sides[1:] if side.name not in failed]
    rows = [
        compare(ours, side, game) for game in ours.games for side in measured if game in side.games
    ]
    write_result("peers", {"peers": rows, "failed": failed, "spelunk": ours.rates})
    show(rows, failed)


if __name__ == "__main__":
    main()
