"""A script's side of the protocol: a line on stdin asks for a slice, a line on stdout answers.

The first line of stdout says what the script can play. `benchmarks/peers.py` starts the scripts,
with this folder on their path and their own left out (`python -P`): `minigrid.py` must not be taken
for the package `minigrid`.
"""

import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

SECONDS = 1.5

# The answers have stdout for themselves; what libraries print goes to stderr.
_answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)

Play = Callable[[], int]


class Game(NamedTuple):
    """One game that a package has.

    Attributes:
        ways: how it is played, by a label. Each is a function that sets the game up and returns
            another, which plays on for some milliseconds and returns how many environment steps
            that were.
        target: how many times faster spelunk is to be; None for spelunk itself.
        differs: in what the game is not spelunk's.
    """

    ways: Mapping[str, Callable[[], Play]]
    target: float | None = None
    differs: str = ""


def serve(package: str, games: Mapping[str, Game]) -> None:
    """Say what there is, then play slices until stdin ends.

    Args:
        package: the distribution whose version is told.
        games: by the name that `ours.py` has for the same game.
    """
    about = {name: {**game._asdict(), "ways": list(game.ways)} for name, game in games.items()}
    _answer({"version": importlib.metadata.version(package), "games": about})
    playing: dict[tuple[str, str], Play] = {}
    for line in sys.stdin:
        name, way = json.loads(line)
        if (name, way) not in playing:
            playing[name, way] = games[name].ways[way]()
        _answer(_rate(playing[name, way]))


def _rate(play: Play) -> float:
    """Environment steps a second in one slice."""
    play()  # other processes had the caches since the last slice
    steps, begin = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begin) < SECONDS:
        steps += play()
    return steps / elapsed


def _answer(value: object) -> None:
    print(json.dumps(value), file=_answers)
