"""Train a run folder with a checkpoint after each update; `test_kill.py` kills it on the way."""

import dataclasses
import importlib
import json
import sys
from pathlib import Path

import torch

from spelunk.agents.core import log
from spelunk.agents.core.run import RunConfig, train
from spelunk.agents.core.trainer import Task


def main(folder: str, agent: str, module: str, total_steps: str, changes: str) -> None:
    torch.set_num_threads(1)
    log.CHECKPOINT_SECONDS = 0
    config = importlib.import_module(module).Config(**json.loads(changes))
    # The learning rate follows the share that is done: it must not depend on where a run ends.
    task = Task("spelunk/DoorKey-v0", int(total_steps), 8, {"size": 5, "max_episode_steps": 40})
    path = Path(folder)
    resume = path.exists()
    run = RunConfig.read(path) if resume else RunConfig(agent, task, dataclasses.asdict(config))
    train(run, path, resume=resume, progress=False, evaluation_episodes=4)


if __name__ == "__main__":
    main(*sys.argv[1:])
