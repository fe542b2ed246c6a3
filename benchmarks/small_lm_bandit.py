"""A small language model on a bandit: what reinforcement learning adds to imitation.

For each seed a fresh model imitates Thompson sampling in words for a fixed number of updates, is
measured, goes on by group-relative policy gradient, and is measured again on the same fresh
episodes. Scripted bandit algorithms play those episodes too; UCB1's exploration is tuned on
episodes that nobody else plays.

    python benchmarks/small_lm_bandit.py --seeds 3
"""

import argparse
import dataclasses
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch
from common import write_result
from numba.core import config as numba_config

from spelunk.agents.bandit.thompson import ThompsonSampling
from spelunk.agents.bandit.ucb1 import UCB1
from spelunk.agents.core.agent import Agent, RandomAgent, interact
from spelunk.agents.core.evaluation import EVALUATION_SEEDS, mean_interval
from spelunk.agents.core.trainer import Task
from spelunk.agents.llm.training.trainer import Config, LanguageModelTrainer

ID = "spelunk/BernoulliBandit-v0"
ENV: dict[str, Any] = {"arms": 5, "horizon": 30}
EPISODES, LANES = 2048, 256
#: What is multiplied under UCB1's root: those that are tried.
EXPLORATIONS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
TUNING_SEEDS = EVALUATION_SEEDS + 2**20
#: The mean regret wanted, in those of tuned UCB1.
GOAL = 1.1


class PosteriorMean(Agent):
    """Pulls the arm with the highest posterior mean under a uniform prior."""

    def act(self, observations: Any, infos: dict[str, Any]) -> np.ndarray:
        pulls = observations[..., 0].astype(np.float64) * ENV["horizon"]
        return ((observations[..., 1] * pulls + 1) / (pulls + 2)).argmax(axis=1)


def interval(values: np.ndarray) -> dict[str, Any]:
    """Mean and 95% interval."""
    return {"mean": float(values.mean()), "interval": list(mean_interval(values))}


def regrets(agent: Agent, first: int = EVALUATION_SEEDS) -> np.ndarray:
    """The pseudo-regret of each of `EPISODES` episodes, the same ones for every agent."""
    found = []
    for seed in range(first, first + EPISODES, LANES):
        env: Any = gymnasium.make_vec(ID, num_envs=LANES, autoreset_mode="SAME_STEP", **ENV)
        for step in interact(agent, env, env.reset(seed=seed), seed):
            # All episodes are of one length.
            if step.ended.all():
                found.append(step.infos["final_info"]["pseudo_regret"])
                break
        env.close()
    return np.concatenate(found)


def tuned_exploration() -> float:
    """UCB1's exploration with the least regret."""
    return min(EXPLORATIONS, key=lambda c: regrets(UCB1(exploration=c), TUNING_SEEDS).mean())


def train(seed: int, config: Config, rl_updates: int, num_envs: int) -> dict[str, Any]:
    """Train one model; regrets before and after reinforcement learning."""
    steps = (config.sft_updates + rl_updates) * num_envs * ENV["horizon"]
    trainer = LanguageModelTrainer(Task(ID, steps, num_envs, ENV, seed), config)
    begin = time.process_time()
    for _ in range(config.sft_updates):
        metrics = trainer.step()
    imitated = time.process_time()
    before = regrets(trainer.agent())
    measured = time.process_time()
    for _ in range(rl_updates):
        metrics = trainer.step()
    end = time.process_time()
    agent = trainer.agent()
    after = regrets(agent)
    return {
        "seed": seed,
        "after_sft": interval(before),
        "after_rl": interval(after),
        "saved": interval(before - after),
        "unparsed": agent.unparsed / agent.answers,
        "sft_seconds": imitated - begin,
        "rl_seconds": end - measured,
        "env_steps": trainer.env_steps,
        "parameters": sum(p.numel() for p in trainer.model.network.parameters()),
        "last_update": metrics,
    }


def main() -> None:
    """Measure, print and write `results/small_lm_bandit.json`."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rl-updates", type=int, default=120)
    parser.add_argument("--num-envs", type=int, default=LanguageModelTrainer.default_num_envs)
    arguments = parser.parse_args()
    # The matrices are too small to share; threads of the environment's would become torch's too.
    torch.set_num_threads(1)
    numba_config.NUMBA_NUM_THREADS = 1  # pyright: ignore[reportAttributeAccessIssue]
    exploration = tuned_exploration()
    tuned = f"ucb1, exploration {exploration:g}"
    baselines: dict[str, Callable[[], Agent]] = {
        "random": RandomAgent,
        "ucb1": UCB1,
        "thompson": ThompsonSampling,
        tuned: lambda: UCB1(exploration=exploration),
        "posterior mean": PosteriorMean,
    }
    table = {name: interval(regrets(make())) for name, make in baselines.items()}
    for name, figures in table.items():
        print(f"{name:>22}: {figures['mean']:.2f}")
    config = Config(learning_rate=5e-4)
    runs = []
    for seed in range(arguments.seeds):
        runs.append(train(seed, config, arguments.rl_updates, arguments.num_envs))
        run = runs[-1]
        print(
            f"seed {seed}: {run['after_sft']['mean']:.2f} after imitation "
            f"({run['sft_seconds']:.0f} s), {run['after_rl']['mean']:.2f} after reinforcement "
            f"learning ({run['rl_seconds']:.0f} s)",
            flush=True,
        )
    ratios = interval(np.array([run["after_rl"]["mean"] / table[tuned]["mean"] for run in runs]))
    print("regret in those of tuned UCB1: {:.2f}".format(ratios["mean"]))
    write_result(
        "small_lm_bandit",
        {
            "id": ID,
            "env_kwargs": ENV,
            "episodes": EPISODES,
            "threads": torch.get_num_threads(),
            "rl_updates": arguments.rl_updates,
            "config": dataclasses.asdict(config),
            "baselines": table,
            "tuned": tuned,
            "runs": runs,
            "over_tuned": ratios,
            "goal": GOAL,
            "passed": ratios["mean"] <= GOAL,
        },
    )


if __name__ == "__main__":
    main()
