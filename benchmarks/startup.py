"""How long a newcomer waits: importing, and the first step of a new process with a warm cache."""

import json
import subprocess
import sys

import numpy as np
from common import write_result

PROCESSES = 7

PROGRAM = """
import json, time
begin = time.perf_counter()
import spelunk
imported = time.perf_counter()
import gymnasium
env = gymnasium.make({id!r})
env.reset(seed=0)
env.step(env.action_space.sample())
print(json.dumps([imported - begin, time.perf_counter() - imported]))
"""


def measure(id):
    """Seconds to import spelunk and seconds from there to the first step: medians."""
    program = PROGRAM.format(id=id)
    runs = []
    for _ in range(PROCESSES + 1):
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        runs.append(json.loads(done.stdout))
    # The first process may have had to compile.
    return np.median(runs[1:], axis=0).tolist()


def main():
    """Measure every environment and write `results/startup.json`."""
    from spelunk.envs.registry import ENTRIES

    figures = {}
    for row in ENTRIES:
        if "single" not in row.faces:
            continue
        imported, first_step = measure(row.id)
        figures[row.id] = {"import_seconds": imported, "first_step_seconds": first_step}
        print(f"{row.id}: import {imported:.2f} s, first step {first_step:.2f} s")
    write_result("startup", {"environments": figures})


if __name__ == "__main__":
    main()
