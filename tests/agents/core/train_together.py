"""Train for some updates and save what came of it; `test_distributed.py` starts it by torchrun."""

import json
import sys
from typing import Any

import numpy as np
import torch

from spelunk.agents.core.distributed import leave_world
from spelunk.agents.core.trainer import Task
from spelunk.agents.policy.ppo import PPO, Config


def main(path: str, updates: str, config: str, mode: str, resume: str) -> None:
    torch.set_num_threads(1)
    task = Task(
        "spelunk/DoorKey-v0", 10**5, 16, env_kwargs={"size": 5, "max_episode_steps": 29}, seed=3,
        autoreset_mode=mode,
    )  # fmt: skip
    trainer = PPO(task, Config(num_steps=32, **json.loads(config)))
    if resume:
        with np.load(resume) as kept:
            arrays = dict(kept)
        trainer.load_state(arrays, {"env_steps": int(arrays.pop("env_steps"))})
    start = trainer.state()[0]["network.policy.weight"].copy()
    metrics = [trainer.step() for _ in range(int(updates))]
    arrays, meta = trainer.state()
    if trainer.world.rank == 0:
        figures = {f"metric.{k}": np.array([m[k] for m in metrics if k in m]) for k in metrics[-1]}
        kept: dict[str, Any] = {**arrays, **figures}
        np.savez(path, env_steps=meta["env_steps"], start=start, **kept)
    leave_world()


if __name__ == "__main__":
    main(*sys.argv[1:])
