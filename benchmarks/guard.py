"""A guard against losing speed unnoticed: part of CI.

The cost of a step is compared with that of a reference loop in the same process and the same
minutes, never with an absolute time, and the ratio with the one that was stored. Each is the least
of several slices in turns, which a busy machine disturbs the least.

    python benchmarks/guard.py            fails where a ratio has doubled
    python benchmarks/guard.py --store    writes the present ratios to `results/guard.json`
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numba
import numpy as np
from common import RESULTS, write_result

import spelunk
from spelunk.envs.kernel.rng import mix64
from spelunk.envs.registry import ENTRIES

LANES, TURNS, SLICE, TOLERANCE = 1024, 15, 0.03, 2.0


@numba.njit
def reference_loop(words, rows):
    """Arithmetic on a few words of each lane, and a row of bytes to write: what a step is like."""
    for i in range(len(words)):
        for j in range(words.shape[1]):
            words[i, j] = mix64(words[i, j])
        for j in range(rows.shape[1]):
            rows[i, j] = np.uint8(words[i, j & 15] >> np.uint64(j & 31))


def players() -> dict[str, Callable[[], object]]:
    """A step of every compiled environment, and the reference loop, by name."""
    words = np.arange(LANES * 16, dtype=np.uint64).reshape(LANES, 16)
    rows = np.zeros((LANES, 128), np.uint8)
    found: dict[str, Callable[[], object]] = {"reference": lambda: reference_loop(words, rows)}
    rng = np.random.default_rng(0)
    for row in ENTRIES:
        if "model" not in row.faces:
            continue
        env: Any = gymnasium.make_vec(row.id, num_envs=LANES, num_threads=1)
        env.reset(seed=0)
        found[row.id] = lambda env=env: env.step(env.sample_actions(rng))
    return found


def ratios() -> dict[str, float]:
    """Seconds a step, in units of the reference loop."""
    found = players()
    least = dict.fromkeys(found, np.inf)
    for _ in range(TURNS):
        for name, play in found.items():
            begin, calls = time.perf_counter(), 0
            while calls == 0 or time.perf_counter() - begin < SLICE:
                play()
                calls += 1
            least[name] = min(least[name], (time.perf_counter() - begin) / calls)
    reference = least.pop("reference")
    return {name: seconds / reference for name, seconds in least.items()}


def main() -> None:
    """Compare with the stored ratios, or store them."""
    gymnasium.register_envs(spelunk)
    found = ratios()
    if sys.argv[1:] == ["--store"]:
        print(write_result("guard", {"ratios": found}))
        return
    stored = json.loads((RESULTS / "guard.json").read_text())["ratios"]
    slow = []
    for name, ratio in found.items():
        print(f"{name}: {ratio:.2f} reference loops a step; stored {stored[name]:.2f}")
        if ratio > TOLERANCE * stored[name]:
            slow.append(name)
    if slow:
        sys.exit(f"slower than before: {', '.join(slow)}")


if __name__ == "__main__":
    main()
