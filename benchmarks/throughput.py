"""Steps a second of every environment: alone and in batches, on one thread and on all.

Actions are drawn beforehand, or, where not every action is always legal, between the steps and off
the clock. Each figure is the median of slices that take turns with those of all other sizes. Beside
it stand the bytes that a step must move at the least, and what share that is of the bandwidth of
the memory, which a plain copy of large arrays measures in the same minutes.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import gymnasium
import numba
import numpy as np
from common import write_result
from rich.console import Console
from rich.progress import track

import spelunk
from spelunk.envs.registry import ENTRIES

SIZES = (64, 1024, 4096, 16384, 65536)
TURNS = 5
SLICE = 0.1  # seconds
TOO_SLOW = 1.0  # seconds a step, beyond which larger batches are left out

FIRST_STEP = """
import time
begin = time.perf_counter()
import gymnasium, numpy, spelunk
env = gymnasium.make_vec({id!r}, num_envs=1024)
env.reset(seed=0)
env.step(env.sample_actions(numpy.random.default_rng(0)))
print(time.perf_counter() - begin)
"""


class Player:
    """A batch, or one environment, with the actions it will play."""

    def __init__(self, env: Any, num_envs: int):
        self.env, self.num_envs = env, num_envs
        self.rng = np.random.default_rng(0)
        env.reset(seed=0)
        self.draws = self._draw()
        self.masked = (env if num_envs else env.unwrapped).definition.masked
        self.rates: list[float] = []

    def play(self) -> float:
        """Steps a second over a slice."""
        spent, steps = 0.0, 0
        while spent < SLICE:
            actions = self._draw() if self.masked else self.draws
            begin = time.perf_counter()
            self._step(actions)
            spent += time.perf_counter() - begin
            steps += max(self.num_envs, 1)
        return steps / spent

    def _draw(self) -> Any:
        if self.num_envs:
            return self.env.sample_actions(self.rng)
        return self.env.unwrapped.sample_action(self.rng)

    def _step(self, actions: Any) -> None:
        _, _, terminated, truncated, _ = self.env.step(actions)
        if not self.num_envs and (terminated or truncated):
            self.env.reset()


def players(id: str) -> dict[str, Player]:
    """The single environment, and batches of each size on one thread and on all."""
    found = {"single": Player(gymnasium.make(id), 0)} if "single" in faces(id) else {}
    for size in SIZES:
        for threads, name in ((1, "one"), (None, "all")):
            env: Any = gymnasium.make_vec(id, num_envs=size, num_threads=threads)
            player = Player(env, size)
            player.play()
            if name == "one" or env.threads > 1:
                found[f"{size} {name}"] = player
        if player.play() < size / TOO_SLOW:
            break
    return found


def faces(id: str) -> tuple[str, ...]:
    """How an environment can be used."""
    return next(row.faces for row in ENTRIES if row.id == id)


def step_bytes(env: Any) -> dict[str, int]:
    """The least that a step of one environment reads and writes, and what it keeps."""
    seen = env.buffers.observations
    parts = seen if isinstance(seen, tuple) else (seen,)
    record = env.states.itemsize
    row = sum(part[0].nbytes for part in parts if not part.dtype.hasobject)
    mask = env.buffers.mask[0].nbytes if env.definition.masked else 0
    action = env._actions[:1].nbytes
    flags = env.buffers.rewards[:1].nbytes + 2 * env.buffers.terminated[:1].nbytes + 2
    return {
        "record": record,
        "observation": row,
        # The record is read and written. The observation, the mask and what is returned beside
        # them are written, read and written again as copies; actions are copied and read.
        "moved": 2 * record + 3 * (row + mask + flags) + 3 * action,
        "kept": record + row + mask + flags + action,
    }


@numba.njit(parallel=True)
def _copy_parallel(source, target):
    for i in numba.prange(len(source)):
        target[i] = source[i]


@numba.njit
def _copy(source, target):
    for i in range(len(source)):
        target[i] = source[i]


def bandwidth() -> dict[str, float]:
    """Bytes a second that a copy of arrays larger than any cache moves."""
    source, target = np.ones(2**25), np.zeros(2**25)
    found = {}
    for name, copy in (("one", _copy), ("all", _copy_parallel)):
        times = []
        for _ in range(TURNS + 1):
            begin = time.perf_counter()
            copy(source, target)
            times.append(time.perf_counter() - begin)
        found[name] = 2 * source.nbytes / float(np.median(times[1:]))
    return found


def first_steps(id: str) -> dict[str, float]:
    """Seconds from the start of a process to a batch's first step, compiling and from the cache."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = [
            float(
                subprocess.run(
                    [sys.executable, "-c", FIRST_STEP.format(id=id)],
                    env={**os.environ, "SPELUNK_CACHE_DIR": folder},
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout
            )
            for _ in range(4)
        ]
    return {"cold": seconds[0], "warm": float(np.median(seconds[1:]))}


def caches() -> dict[str, int]:
    """The sizes of the processor's caches in bytes, as the operating system tells them."""
    found = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        kind = (folder / "type").read_text().strip()
        if kind != "Instruction":
            size = (folder / "size").read_text().strip()
            found[f"L{(folder / 'level').read_text().strip()}"] = int(size[:-1]) * 1024
    return found


def flat_up_to(rates: dict[str, float], kept: int) -> dict[str, Any]:
    """The largest batch that is, on one thread, at most 20% slower than one of 1,024."""
    largest = 1024
    for n in SIZES[1:]:
        if rates.get(f"{n} one", 0.0) < 0.8 * rates["1024 one"]:
            break
        largest = n
    return {"environments": largest, "bytes": largest * kept}


def main():
    """Measure every environment and write `results/throughput.json`."""
    gymnasium.register_envs(spelunk)
    figures, limits = {}, bandwidth()
    for row in track(ENTRIES, "environments", console=Console(stderr=True)):
        found = players(row.id)
        for _ in range(TURNS):
            for player in found.values():
                player.rates.append(player.play())
        rates = {name: float(np.median(player.rates)) for name, player in found.items()}
        size = step_bytes(found["64 one"].env)
        figures[row.id] = {
            "steps_per_second": rates,
            "all": {name: player.rates for name, player in found.items()},
            "bytes": size,
            "bandwidth_share": {
                name: rate * size["moved"] / limits[name.split()[-1]]
                for name, rate in rates.items()
                if name != "single"
            },
            "flat_up_to": flat_up_to(rates, size["kept"]),
            "first_step_seconds": first_steps(row.id),
        }
        print(row.id, json.dumps(rates), file=sys.stderr)
    threads = numba.get_num_threads()
    payload = {"environments": figures, "bandwidth": limits, "caches": caches(), "threads": threads}
    print(write_result("throughput", payload))


if __name__ == "__main__":
    main()
