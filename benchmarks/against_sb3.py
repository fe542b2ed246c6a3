"""PPO and DQN beside Stable-Baselines3's: same hyperparameters, networks, environments and steps.

Each trains with ten seeds on each task; final policies play fresh episodes. Where every action is
not always legal, PPO is compared with the MaskablePPO of sb3-contrib. SB3's DQN knows no masks: for
it the 3-puzzle takes a move off the board as a lost turn, for both.

    python benchmarks/against_sb3.py [ppo] [dqn]
"""

import functools
import sys
import time
from typing import Any

import gymnasium
import numpy as np
import sb3_contrib
import stable_baselines3
import torch
from common import write_result
from gymnasium import spaces
from rich.progress import track

import spelunk
from spelunk.agents.core import compare
from spelunk.agents.core.agent import Agent, interact
from spelunk.agents.core.evaluation import EVALUATION_SEEDS, mean_interval
from spelunk.agents.core.trainer import Task
from spelunk.agents.policy import ppo
from spelunk.agents.value import dqn
from spelunk.envs.kernel import KernelEnv, Kernels, KernelVectorEnv, kernel
from spelunk.envs.search import sliding_tile

SEEDS = range(10)
EPISODES = 256


@kernel
def step_freely(state, action, params):
    """Move the gap, or lose a turn."""
    if sliding_tile._can_move(state, action, params.size):
        return sliding_tile.step(state, action, params)
    return -1.0, False


class FreeTile(sliding_tile.SlidingTile):
    """The 3-puzzle in which every move may be tried."""

    def __init__(self, render_mode=None):
        super().__init__(size=2)
        d = self.definition
        KernelEnv.__init__(
            self,
            kernels=Kernels(
                sliding_tile.reset_uniform, step_freely, sliding_tile.observe,
                None, sliding_tile.goal,
            ),
            layout=d.layout, params=d.params, observation_space=d.observation_space,
            action_space=spaces.Discrete(4), max_episode_steps=100,
        )  # fmt: skip


gymnasium.register(
    "bench/FreeTile-v0",
    FreeTile,  # pyright: ignore[reportArgumentType]
    vector_entry_point=functools.partial(KernelVectorEnv, FreeTile),
)

BANDIT, MAZE = "spelunk/BernoulliBandit-v0", "spelunk/PointMaze-v0"
DOOR, TILE = "spelunk/DoorKey-v0", "spelunk/SlidingTile-v0"
#: Environment, arguments and steps; what its scores are measured by, where that is another.
PPO_TASKS = {
    "DoorKey 5×5": (DOOR, {"size": 5}, 100_000, None),
    "BernoulliBandit": (BANDIT, {}, 100_000, None),
    "PointMaze": (MAZE, {}, 200_000, None),
    "SlidingTile 2×2, masked": (TILE, {"size": 2}, 50_000, None),
}
DQN_TASKS = {
    "BernoulliBandit": (BANDIT, {}, 40_000, None),
    "BernoulliBandit, two arms": (BANDIT, {"means": [0.2, 0.8], "horizon": 20}, 20_000, None),
    "SlidingTile 2×2, unmasked": ("bench/FreeTile-v0", {}, 60_000, (TILE, {"size": 2})),
    "DoorKey 5×5": (DOOR, {"size": 5}, 60_000, None),
}
SHARED_PPO: dict[str, Any] = {"learning_rate": 7e-4, "gamma": 0.99}
SHARED_DQN: dict[str, Any] = {
    "learning_rate": 5e-4,
    "gamma": 0.99,
    "batch_size": 64,
    "learning_starts": 1_000,
}


def make(id, kwargs, lanes) -> Any:
    """A batch."""
    return gymnasium.make_vec(id, num_envs=lanes, autoreset_mode="SAME_STEP", **kwargs)


class TheirAgent(Agent):
    """Acts by a model of Stable-Baselines3's."""

    def __init__(self, model, deterministic):
        self.model, self.deterministic = model, deterministic

    def act(self, observations, infos):
        """Predict actions."""
        masks = {"action_masks": infos["action_mask"]} if "action_mask" in infos else {}
        return self.model.predict(observations, deterministic=self.deterministic, **masks)[0]


def our_ppo(id, kwargs, steps, seed):
    """Train ours."""
    config = ppo.Config(
        num_steps=128, epochs=4, num_minibatches=4, anneal_learning_rate=False, lam=0.95,
        clip=0.2, entropy_coef=0.01, value_coef=1.0, max_grad_norm=0.5, network="flat",
        hidden=(64, 64), shared=False, **SHARED_PPO,
    )  # fmt: skip
    return train(ppo.PPO(Task(id, steps, 8, kwargs, seed), config), steps)


def their_ppo(id, kwargs, steps, seed):
    """Train theirs; its value loss is ours with a weight of 1."""
    env = make(id, kwargs, 8)
    masked = env.definition.masked
    kind = sb3_contrib.MaskablePPO if masked else stable_baselines3.PPO
    box = isinstance(env.single_action_space, spaces.Box)
    model = kind(
        "MlpPolicy", spelunk.as_sb3_vec_env(env), n_steps=128, batch_size=256, n_epochs=4,
        ent_coef=0.01, gae_lambda=0.95, clip_range=0.2, vf_coef=0.5, seed=seed, device="cpu",
        policy_kwargs={"log_std_init": -0.5} if box else {}, **SHARED_PPO,
    )  # fmt: skip
    return TheirAgent(model.learn(steps), deterministic=False)


def our_dqn(id, kwargs, steps, seed):
    """Train ours."""
    config = dqn.Config(
        num_steps=16, updates_per_step=1, replay_size=50_000, epsilon_end=0.05,
        exploration_fraction=0.2, target_interval=250, double=False, max_grad_norm=10.0,
        network="flat", hidden=(64, 64), **SHARED_DQN,
    )  # fmt: skip
    return train(dqn.DQN(Task(id, steps, 4, kwargs, seed), config), steps)


def their_dqn(id, kwargs, steps, seed):
    """Train theirs; its target interval counts environment steps, of which ours takes four."""
    model = stable_baselines3.DQN(
        "MlpPolicy", spelunk.as_sb3_vec_env(make(id, kwargs, 4)), buffer_size=50_000,
        train_freq=1, gradient_steps=1, target_update_interval=1_000, exploration_fraction=0.2,
        exploration_final_eps=0.05, max_grad_norm=10.0, seed=seed, device="cpu",
        policy_kwargs={"net_arch": [64, 64]}, **SHARED_DQN,
    )  # fmt: skip
    return TheirAgent(model.learn(steps), deterministic=True)


def train(trainer, steps):
    """Train a trainer of ours."""
    while trainer.env_steps < steps:
        trainer.step()
    return trainer.agent()


def play(agent, id, kwargs, seed):
    """The mean return over fresh episodes."""
    env = make(id, kwargs, EPISODES)
    seen = env.reset(seed=EVALUATION_SEEDS + seed * 2**20)
    returns, running = np.zeros(EPISODES), np.ones(EPISODES, bool)
    for step in interact(agent, env, seen, seed):
        first = running & step.ended
        if first.any():
            returns[first] = step.infos["episode"]["r"][first]
        running &= ~step.ended
        if not running.any():
            return float(returns.mean())
    raise AssertionError


def measure(tasks, ours, theirs):
    """Scores of both by task, with what tells them apart."""
    rows, scores = [], {"spelunk": [], "SB3": []}
    for name, (id, kwargs, steps, measured_by) in tasks.items():
        yardstick = measured_by or (id, kwargs)
        reference = spelunk.reference(yardstick[0], **yardstick[1])
        row = {"task": name, "env_id": id, "env_kwargs": kwargs, "steps": steps}
        for who, learn in (("spelunk", ours), ("SB3", theirs)):
            found, begin = [], time.perf_counter()
            for seed in track(SEEDS, f"{name}: {who}"):
                agent = learn(id, kwargs, steps, seed)
                found.append(reference.normalize(play(agent, id, kwargs, seed)))
            scores[who].append(found)
            row[who] = {
                "scores": found,
                "mean": float(np.mean(found)),
                "interval": mean_interval(np.array(found)),
                "seconds": time.perf_counter() - begin,
            }
        better = compare.probability_of_improvement(
            *(np.array(scores[who][-1])[:, None] for who in ("spelunk", "SB3"))
        )
        row["probability_of_improvement"] = better._asdict()
        difference = np.array(scores["spelunk"][-1]) - np.array(scores["SB3"][-1])
        row["difference"] = {
            "mean": float(difference.mean()),
            "interval": mean_interval(difference),
        }
        print(name, row["spelunk"]["mean"], row["SB3"]["mean"], row["difference"], flush=True)
        rows.append(row)
    total = compare.aggregate({who: np.array(found).T for who, found in scores.items()})
    overall = {
        who: {measure: e._asdict() for measure, e in found.items()} for who, found in total.items()
    }
    return {"tasks": rows, "overall": overall}


def main():
    """Measure those named, or both, and write `results/against_sb3_*.json`."""
    torch.set_num_threads(1)
    chosen = sys.argv[1:] or ["ppo", "dqn"]
    contests = {"ppo": (PPO_TASKS, our_ppo, their_ppo), "dqn": (DQN_TASKS, our_dqn, their_dqn)}
    for name in chosen:
        write_result(f"against_sb3_{name}", measure(*contests[name]))


if __name__ == "__main__":
    main()
