"""PPO on DoorKey-8×8 from scratch, as `make demo` trains it: the score and how long it takes."""

import dataclasses
import json
import tempfile
from pathlib import Path

from common import write_result

from spelunk.agents.core.run import RunConfig, train
from spelunk.agents.core.trainer import Task
from spelunk.agents.policy.ppo import PPO, Config
from spelunk.envs.reference import reference

SEEDS = range(5)
TOTAL_STEPS = 4_000_000
GOAL = 0.9


def seconds_to_goal(folder, yardstick):
    """Training time until the mean return of finished episodes reaches the goal; None if never."""
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        found = json.loads(line)
        if yardstick.normalize(found.get("return_mean", yardstick.random)) >= GOAL:
            return found["seconds"]
    return None


def main():
    """Train with every seed and write `results/ppo_door_key.json`."""
    yardstick = reference("spelunk/DoorKey-v0")
    runs = []
    for seed in SEEDS:
        task = Task("spelunk/DoorKey-v0", TOTAL_STEPS, PPO.default_num_envs, seed=seed)
        run = RunConfig("ppo", task, dataclasses.asdict(Config()))
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "run"
            summary = train(run, folder)
            summary["seconds_to_0.9"] = seconds_to_goal(folder, yardstick)
        del summary["versions"]
        runs.append(summary)
        print(seed, summary["normalized_score"], summary["wall_seconds"])
    write_result("ppo_door_key", {"goal": GOAL, "runs": runs})


if __name__ == "__main__":
    main()
