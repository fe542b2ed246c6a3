"""The examples of the documentation run as they stand."""

import re
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import spelunk

ROOT = Path(__file__).parents[1]


def examples():
    for page in (
        "README.md",
        "docs/engine.md",
        "docs/training.md",
        "docs/planning.md",
        "docs/bandits.md",
        "docs/knowledge.md",
        "docs/language_models.md",
    ):
        for i, block in enumerate(
            re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.S)
        ):
            # A GPU is not everywhere, and training takes a while; both have tests of their own.
            if "cuda" not in block and ".learn(" not in block:
                yield pytest.param(block, id=f"{page}-{i}")


@pytest.mark.parametrize("example", [*examples()])
def test_example(example, tmp_path):
    length = 3
    env = gymnasium.make_vec("spelunk/DoorKey-v0", num_envs=8)
    observations, _ = env.reset(seed=0)
    if "model" in example:
        env = gymnasium.make("spelunk/SlidingTile-v0")
    names = {
        "env": env,
        "gymnasium": gymnasium,
        "spelunk": spelunk,
        "length": length,
        "storage": np.zeros((length + 1, *observations.shape), observations.dtype),
        "rewards": np.zeros((length, 8), np.float32),
        "terminated": np.zeros((length, 8), bool),
        "actions": np.zeros(8, int),
    }
    page = tmp_path / "example.py"  # Kernels are compiled from their source.
    page.write_text(example)
    exec(compile(example, str(page), "exec"), names)
