"""Train for some updates and save what came of it; `test_distributed.py` starts it by torchrun."""

import json
import sys
from typing import Any

import numpy as np
import torch

from spelunk.agents.core.distributed import World, leave_world
from spelunk.agents.core.trainer import Task
from spelunk.agents.llm.training.config import Config
from spelunk.agents.llm.training.lanes import Lanes, Played, joined, make_lanes
from spelunk.agents.llm.training.trainer import LanguageModelTrainer

TASK = Task("spelunk/BernoulliBandit-v0", 10**5, 16, {"arms": 3, "horizon": 4}, seed=3)
UPDATES = 5
SETTINGS: dict[str, dict[str, Any]] = {
    # Means, quantiles and draws over minibatches and rollouts, with a little memory.
    "entropy": {
        "advantage": "lite",
        "regularisers": (
            "kl(coefficient=0.1)",
            "clip_cov(share=0.1, low=0.0)",
            "siren",
            "epo",
            "steer",
        ),
        "transforms": ("verl(stride=2)", "empg(minimum=4)"),
        "bonuses": ("adaptive_kl_in_reward(target=0.1)",),
        "share_updates": 1,
        "starts": "learnability(success=2.0)",
    },
    # Fewer sequences than processes in some minibatches, more episodes, and a critic.
    "critic": {
        "advantage": "gae",
        "transforms": ("whiten",),
        "filters": ("zero_variance",),
        "editors": ("aepo(target=9.0, most=3)",),
        "aggregation": "sequence_mean",
        "num_minibatches": 16,
        "epochs": 2,
        "context": "state",
    },
}


class InParts(LanguageModelTrainer):
    """Learns in one process from what two would have played."""

    def _parts(self) -> list[Lanes]:
        worlds = [World(rank, 2) for rank in (0, 1)]
        return [Lanes(make_lanes(TASK, w), TASK, self.config, self.model, w) for w in worlds]

    def _play(self, agent: Any, groups_of: int) -> Any:
        starts = self._unused(TASK.num_envs)
        parts = [Played(lanes.play(agent, starts, starts[0])) for lanes in self._parts()]
        return self._count(joined(parts))

    def _explore(self) -> Any:
        request = self._request()
        return request, joined([lanes.explore(request) for lanes in self._parts()])


def learn(trainer_class: type[LanguageModelTrainer], name: str) -> dict[str, Any]:
    """Everything that a training leaves, as arrays."""
    config = {"hidden_size": 16, "layers": 1, "heads": 2, "group_size": 4, "num_minibatches": 2,
              "sft_updates": 2, "learning_rate": 3e-4}  # fmt: skip
    trainer = trainer_class(TASK, Config(**{**config, **SETTINGS[name]}))
    metrics = [trainer.step() for _ in range(UPDATES)]
    arrays, meta = trainer.state()
    figures = {
        f"metric.{i}.{k}": np.array(v) for i, row in enumerate(metrics) for k, v in row.items()
    }
    return {**arrays, **figures, "meta": np.array(json.dumps(meta))}


def main(path: str) -> None:
    torch.set_num_threads(1)
    found = {name: learn(LanguageModelTrainer, name) for name in SETTINGS}
    if torch.distributed.get_rank() == 0:
        np.savez(path, **{f"{n}/{k}": v for n, each in found.items() for k, v in each.items()})
    leave_world()


if __name__ == "__main__":
    main(*sys.argv[1:])
