"""PPO on DoorKey-8×8 from scratch, as `make demo` trains it: the score and how long it takes."""

import dataclasses
import tempfile
from pathlib import Path

from common import write_result

from spelunk.agents.core.run import RunConfig, train
from spelunk.agents.core.trainer import Task
from spelunk.agents.policy.ppo import PPO, Config

SEEDS = range(5)
TOTAL_STEPS = 4_000_000


def main():
    """Train with every seed and write `results/ppo_door_key.json`."""
    runs = []
    for seed in SEEDS:
        task = Task("spelunk/DoorKey-v0", TOTAL_STEPS, PPO.default_num_envs, seed=seed)
        run = RunConfig("ppo", task, dataclasses.asdict(Config()))
        with tempfile.TemporaryDirectory() as place:
            summary = train(run, Path(place) / "run")
        del summary["versions"]
        runs.append(summary)
        print(seed, summary["normalized_score"], summary["wall_seconds"])
    write_result("ppo_door_key", {"runs": runs})


if __name__ == "__main__":
    main()
