"""DoorKey beside Minigrid's own, in one process and the same minutes.

Both play random actions drawn beforehand. Ours steps 4,096 environments at once, Minigrid's runs
in Gymnasium's `SyncVectorEnv` of 64; then one environment of each through `gymnasium.make`. The
two are timed in turns, and the figures are medians of the turns.
"""

import time
import warnings
from typing import Any

import gymnasium
import numpy as np
from common import write_result

import spelunk

TURNS = 7
SECONDS = 1.5


def batch_rate(env, drawn):
    """Environment steps a second of a vector environment."""
    steps, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < SECONDS:
        env.step(drawn[steps % len(drawn)])
        steps += 1
    return steps * env.num_envs / (time.perf_counter() - begin)


def single_rate(env, drawn):
    """Steps a second of one environment, resets included."""
    steps, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < SECONDS:
        for action in drawn:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
        steps += len(drawn)
    return steps / (time.perf_counter() - begin)


def main():
    """Measure and write `results/throughput.json`."""
    gymnasium.register_envs(spelunk)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import minigrid

        theirs = gymnasium.make_vec("MiniGrid-DoorKey-8x8-v0", 64, vectorization_mode="sync")
        their_single = gymnasium.make("MiniGrid-DoorKey-8x8-v0")
    ours: Any = gymnasium.make_vec("spelunk/DoorKey-v0", num_envs=4096)
    one_thread = gymnasium.make_vec("spelunk/DoorKey-v0", num_envs=4096, num_threads=1)
    our_single = gymnasium.make("spelunk/DoorKey-v0")
    rng = np.random.default_rng(0)
    players = {
        "spelunk_4096": (batch_rate, ours, rng.integers(0, 7, (64, 4096))),
        "spelunk_4096_one_thread": (batch_rate, one_thread, rng.integers(0, 7, (64, 4096))),
        "minigrid_sync_64": (batch_rate, theirs, rng.integers(0, 7, (64, 64))),
        "spelunk_single": (single_rate, our_single, rng.integers(0, 7, 500).tolist()),
        "minigrid_single": (single_rate, their_single, rng.integers(0, 7, 500).tolist()),
    }
    rates = {name: [] for name in players}
    for _, env, drawn in players.values():
        env.reset(seed=0)
        env.step(drawn[0])
    for _ in range(TURNS):
        for name, (rate, env, drawn) in players.items():
            rates[name].append(rate(env, drawn))
    medians = {name: float(np.median(values)) for name, values in rates.items()}
    payload = {
        "steps_per_second": medians,
        "all": rates,
        "batch_ratio": medians["spelunk_4096"] / medians["minigrid_sync_64"],
        "single_ratio": medians["spelunk_single"] / medians["minigrid_single"],
        "threads": ours.threads,
        "minigrid": minigrid.__version__,
    }
    path = write_result("throughput", payload)
    print(f"{payload['batch_ratio']:.0f}× batched, {payload['single_ratio']:.0f}× single: {path}")


if __name__ == "__main__":
    main()
