"""A small language model on a bandit: what reinforcement learning adds to imitation.

For each seed a fresh model imitates Thompson sampling in words for a fixed number of updates, is
evaluated, goes on by group-relative policy gradient, and is evaluated again on the same fresh
episodes. Scripted bandit algorithms play those episodes too.

    python benchmarks/small_lm_bandit.py --seeds 3
"""

import argparse
import dataclasses
import time
from typing import Any

import numpy as np
import torch
from common import write_result
from numba.core import config as numba_config

from spelunk.agents.bandit.thompson import ThompsonSampling
from spelunk.agents.bandit.ucb1 import UCB1
from spelunk.agents.core.agent import Agent, RandomAgent
from spelunk.agents.core.evaluation import evaluate, mean_interval
from spelunk.agents.core.trainer import Task
from spelunk.agents.llm.trainer import Config, LanguageModelTrainer

ID = "spelunk/BernoulliBandit-v0"
ENV = {"arms": 5, "horizon": 30}
EPISODES = 2048


class PosteriorMean(Agent):
    """Pulls the arm with the highest posterior mean under a uniform prior."""

    def act(self, observations: Any, infos: dict[str, Any]) -> np.ndarray:
        pulls = observations[..., 0].astype(np.float64) * ENV["horizon"]
        return ((observations[..., 1] * pulls + 1) / (pulls + 2)).argmax(axis=1)


BASELINES = {
    "random": RandomAgent,
    "ucb1": UCB1,
    "thompson": ThompsonSampling,
    "ucb1, exploration 0.2": lambda: UCB1(exploration=0.2),
    "posterior mean": PosteriorMean,
}


def interval(values: np.ndarray) -> dict[str, Any]:
    """Mean and 95% interval."""
    return {"mean": float(values.mean()), "interval": list(mean_interval(values))}


def returns(agent: Agent) -> np.ndarray:
    """The returns of the evaluation episodes, the same ones for every agent."""
    return evaluate(agent, ID, episodes=EPISODES, **ENV).returns


def train(seed: int, config: Config, rl_updates: int, num_envs: int) -> dict[str, Any]:
    """Train one model; scores before and after reinforcement learning."""
    trainer = LanguageModelTrainer(Task(ID, 0, num_envs, env_kwargs=ENV, seed=seed), config)
    begin = time.perf_counter()
    for _ in range(config.sft_updates):
        metrics = trainer.step()
    imitated = time.perf_counter()
    before = returns(trainer.agent())
    evaluated = time.perf_counter()
    for _ in range(rl_updates):
        metrics = trainer.step()
    end = time.perf_counter()
    agent = trainer.agent()
    after = returns(agent)
    return {
        "seed": seed,
        "after_sft": interval(before),
        "after_rl": interval(after),
        "gain": interval(after - before),
        "unparsed": agent.unparsed / agent.answers,
        "sft_seconds": imitated - begin,
        "rl_seconds": end - evaluated,
        "env_steps": trainer.env_steps,
        "parameters": sum(p.numel() for p in trainer.model.network.parameters()),
        "last_update": metrics,
    }


def main() -> None:
    """Measure, print and write `results/small_lm_bandit.json`."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rl-updates", type=int, default=60)
    parser.add_argument("--num-envs", type=int, default=LanguageModelTrainer.default_num_envs)
    arguments = parser.parse_args()
    # The matrices are too small to share; threads of the environment's would become torch's too.
    torch.set_num_threads(1)
    numba_config.NUMBA_NUM_THREADS = 1  # pyright: ignore[reportAttributeAccessIssue]
    config = Config()
    scores = {name: returns(make()) for name, make in BASELINES.items()}
    baselines = {name: interval(score) for name, score in scores.items()}
    for name, figures in baselines.items():
        print(f"{name:>22}: {figures['mean']:.2f}")
    runs = []
    for seed in range(arguments.seeds):
        runs.append(train(seed, config, arguments.rl_updates, arguments.num_envs))
        run = runs[-1]
        low, high = run["gain"]["interval"]
        print(
            f"seed {seed}: {run['after_sft']['mean']:.2f} after imitation "
            f"({run['sft_seconds']:.0f} s), {run['after_rl']['mean']:.2f} after reinforcement "
            f"learning ({run['rl_seconds']:.0f} s), gain {low:.2f} to {high:.2f}",
            flush=True,
        )
    gains = interval(np.array([run["gain"]["mean"] for run in runs]))
    print("gain over seeds: {:.2f} to {:.2f}".format(*gains["interval"]))
    write_result(
        "small_lm_bandit",
        {
            "id": ID,
            "env_kwargs": ENV,
            "episodes": EPISODES,
            "threads": torch.get_num_threads(),
            "rl_updates": arguments.rl_updates,
            "config": dataclasses.asdict(config),
            "baselines": baselines,
            "runs": runs,
            "gain_over_seeds": gains,
        },
    )


if __name__ == "__main__":
    main()
