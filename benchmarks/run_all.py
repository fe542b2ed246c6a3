"""Run every benchmark, one after the other, and write the README's tables."""

import subprocess
import sys
from pathlib import Path

NAMES = (
    "throughput", "peers", "games", "startup", "searchers", "ppo_door_key", "training_speed",
    "against_sb3", "curves", "novelty_maze", "small_lm_bandit", "exact_distances", "korf",
    "planner_speed", "q_star", "mcts", "generators", "sequential_parallel", "regret",
    "bandit_speed", "bandit_claims", "coupled", "knowledge_world",
    "render",
)  # fmt: skip


def main():
    """Run them all; stops at the first that fails."""
    for name in NAMES:
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, Path(__file__).parent / f"{name}.py"], check=True)


if __name__ == "__main__":
    main()
