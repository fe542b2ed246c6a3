"""PufferLib's hand-written C and the same games as kernels, after `make peers`.

How far is an environment of ours from what a machine can do at all? One thread each, actions drawn
beforehand. Both sides take turns, slice by slice, so that they see the same minutes of the machine;
the figures are medians of the turns. PufferLib counts with the faster of its two ways to step: its
Python class, or just the loop in C. Ours resets as it does, in the step that ends an episode.
"""

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from common import write_result
from games.cartpole import CartPole
from games.squared import Squared
from games.triple_triad import TripleTriad
from peers import Side, start_peer
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from spelunk.envs.kernel import KernelVectorEnv

GAMES: dict[str, Any] = {"squared": Squared, "cartpole": CartPole, "tripletriad": TripleTriad}
ENVS = (1024, 4096, 16384)
COPIES = {"copy=False": False, "copy=True": True}
TURNS = 7
SECONDS = 1.5  # as in `peers/shared/slices.py`
TARGET = 0.9


def name(game: str, envs: int) -> str:
    """What the peer's script calls a game of this size."""
    return f"{game}, {envs} environments"


def ready(game: str, envs: int, copy: bool) -> Callable[[], float]:
    """A function that plays a slice of our game and returns the environment steps a second."""
    env = KernelVectorEnv(GAMES[game], envs, num_threads=1, copy=copy, autoreset_mode="SAME_STEP")
    env.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, env.definition.n_actions, (64, envs))

    def play() -> int:
        for drawn in actions:
            env.step(drawn)
        return actions.size

    def rate() -> float:
        play()  # the other side had the caches since the last slice
        steps, begin = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - begin) < SECONDS:
            steps += play()
        return steps / elapsed

    return rate


def measure(theirs: Side) -> dict[str, dict[str, list[float]]]:
    """Let both sides play all games in all sizes in turns; the rates of ours."""
    ours: dict[str, dict[str, list[float]]] = {}
    players: list[tuple[Callable[[], float], list[float]]] = []
    for game in GAMES:
        for envs in ENVS:
            label = name(game, envs)
            for way, rates in theirs.rates[label].items():
                players.append((partial(theirs.play, label, way), rates))
            ours[label] = {way: [] for way in COPIES}
            for way, rates in ours[label].items():
                players.append((ready(game, envs, COPIES[way]), rates))
    turns = [(turn, *player) for turn in range(TURNS + 1) for player in players]
    for turn, play, rates in track(turns, "measuring", console=Console(stderr=True)):
        rate = play()
        if turn:  # the first turn compiles and warms up
            rates.append(rate)
    return ours


def compare(theirs: Side, ours: dict[str, dict[str, list[float]]]) -> list[dict[str, Any]]:
    """A row for each game and size."""
    rows = []
    for game in GAMES:
        for envs in ENVS:
            label = name(game, envs)
            rates, own = theirs.medians(label), {w: median(r) for w, r in ours[label].items()}
            rows.append(
                {
                    "game": game,
                    "environments": envs,
                    "pufferlib": rates,
                    "spelunk": own,
                    "ratio": own["copy=False"] / max(rates.values()),
                    "ratio_with_copies": own["copy=True"] / max(rates.values()),
                    "all": {"pufferlib": theirs.rates[label], "spelunk": ours[label]},
                }
            )
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table, rates in millions of steps a second."""
    table = Table(box=box.SIMPLE)
    for heading in ("game", "envs", "step", "vec_step", *COPIES, "ratio", "target"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        rates = [*row["pufferlib"].values(), *row["spelunk"].values()]
        figures = [*(f"{rate / 1e6:.1f}" for rate in rates), f"{row['ratio']:.2f}", f"{TARGET}"]
        table.add_row(row["game"], f"{row['environments']:,}", *figures)
    Console().print(table)


def main():
    """Measure and write `results/games.json`."""
    theirs = start_peer("pufferlib")
    rows = compare(theirs, measure(theirs))
    write_result("games", {"pufferlib": theirs.version, "target": TARGET, "games": rows})
    show(rows)


if __name__ == "__main__":
    main()
