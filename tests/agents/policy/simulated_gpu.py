"""PPO on a simulated GPU's environment and on the CPU's; `test_ppo_gpu.py` starts it."""

import sys

import gymnasium
import torch

from spelunk.agents.core.trainer import Task
from spelunk.agents.policy import ppo
from spelunk.agents.policy.ppo import PPO, Config


def make_simulated(task, world):
    return gymnasium.make_vec(
        task.env_id, num_envs=task.num_envs, autoreset_mode=task.autoreset_mode, device="cuda",
        **task.env_kwargs,
    )  # fmt: skip


def main(env_id: str, mode: str, memory: str) -> None:
    task = Task(env_id, 10**4, 6, {"max_episode_steps": 5}, autoreset_mode=mode)
    config = Config(num_steps=8, num_minibatches=2, memory=memory, memory_size=16)
    real = PPO(task, config)
    ppo.make_batch = make_simulated
    simulated = PPO(task, config)
    for _ in range(2):
        expected, found = real.step(), simulated.step()
        assert found.keys() == expected.keys()
        assert torch.equal(real.rollout.actions, simulated.rollout.actions)
        assert torch.allclose(real.rollout.beyond, simulated.rollout.beyond, atol=1e-6)
        assert real.rollout.beyond.any(), "no episode was cut off"
        for name, value in expected.items():
            assert abs(found[name] - value) < 1e-4, (name, found[name], value)
    resumed = PPO(task, config)
    resumed.load_state(*simulated.state())
    metrics = simulated.step()
    for name, value in resumed.step().items():
        assert abs(metrics[name] - value) < 1e-6, name


if __name__ == "__main__":
    main(*sys.argv[1:])
