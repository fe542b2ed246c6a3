"""Rounds a second of bandit algorithms, beside SMPyBandits and MABWiser, after `make peers`.

UCB1 pulls ten Bernoulli arms, and LinUCB ten arms with ten features and parameters of their own;
environment and algorithm are timed together. Spelunk simulates thousands of runs at once, the peers
play one run a round at a time, which is all they can. They take turns, slice by slice, so that all
see the same minutes of the machine; the figures are medians.
"""

from statistics import median
from typing import Any

from common import write_result
from peers import VENVS, PeerError, Side, start_peer
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from spelunk.agents.bandit.lin_ucb import LinUCB
from spelunk.agents.bandit.simulation import Runs, simulate
from spelunk.agents.bandit.ucb1 import UCB1

PEERS = ("smpybandits", "mabwiser")
TURNS = 7
MEANS = [(k + 0.5) / 10 for k in range(10)]


def ucb1() -> Runs:
    """2,000 runs of 10,000 rounds."""
    return simulate(UCB1(), "spelunk/BernoulliBandit-v0", horizon=10_000, runs=2000, means=MEANS)


def lin_ucb() -> Runs:
    """1,000 runs of 1,000 rounds."""
    contexts = {"arms": 10, "dimension": 10, "model": "disjoint"}
    return simulate(LinUCB(), "spelunk/ContextualBandit-v0", horizon=1000, runs=1000, **contexts)


OURS = {"UCB1": ucb1, "LinUCB": lin_ucb}


def rate(name: str) -> float:
    """Rounds a second of one slice."""
    runs = OURS[name]()
    return len(runs.regret) * int(runs.times[-1]) / runs.seconds


def measure(sides: list[Side]) -> list[dict[str, Any]]:
    """A row for each algorithm and peer."""
    ours: dict[str, list[float]] = {name: [] for name in OURS}
    turns = [(turn, name) for turn in range(TURNS + 1) for name in OURS]
    for turn, name in track(turns, "measuring", console=Console(stderr=True)):
        own = rate(name)
        theirs = [(side, side.play(name, "online")) for side in sides if name in side.games]
        if turn:  # the first turn compiles and warms up
            ours[name].append(own)
            for side, rounds in theirs:
                side.rates[name]["online"].append(rounds)
    return [
        {
            "algorithm": name,
            "peer": side.name,
            "version": side.version,
            "per_second": median(ours[name]),
            "peer_per_second": side.medians(name)["online"],
            "ratio": median(ours[name]) / side.medians(name)["online"],
            "target": side.games[name]["target"],
            "all": {"spelunk": ours[name], side.name: side.rates[name]["online"]},
        }
        for name in OURS
        for side in sides
        if name in side.games
    ]


def main():
    """Measure and write `results/bandit_speed.json`."""
    VENVS.mkdir(exist_ok=True)
    sides, failed = [], {}
    for name in PEERS:
        try:
            sides.append(start_peer(name))
        except PeerError as error:
            failed[name] = str(error)
    rows = measure(sides)
    write_result("bandit_speed", {"rows": rows, "failed": failed})
    table = Table(box=box.SIMPLE)
    for heading in ("algorithm", "peer", "spelunk/s", "peer/s", "ratio", "target"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        rates = [f"{row[key]:,.0f}" for key in ("per_second", "peer_per_second", "ratio")]
        table.add_row(row["algorithm"], row["peer"], *rates, f"{row['target']}")
    Console().print(table)


if __name__ == "__main__":
    main()
