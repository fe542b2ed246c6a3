"""The cache of compiled kernels: found again, renewed after an edit, and done without."""

import os
import stat
import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
import sys
sys.path.insert(0, {folder!r})
import gymnasium, numpy as np
from toy import Toy
env = Toy()
env.reset(seed=0)
print(env.step(0)[1])
from spelunk.envs.kernel import cache
print(cache.cache_folder())
loop = env.definition.loops.module.step_one
print(sum(loop.stats.cache_hits[s] for s in loop.signatures))
"""

TOY = """
import numpy as np
from gymnasium import spaces
from spelunk.envs.kernel import KernelEnv, Kernels, StateLayout, kernel
import helper

@kernel
def reset(state, params):
    state.x = 0

@kernel
def step(state, action, params):
    return helper.reward(state), False

@kernel
def observe(state, params, obs):
    obs[0] = state.x

class Toy(KernelEnv):
    def __init__(self):
        super().__init__(
            kernels=Kernels(reset, step, observe),
            layout=StateLayout([], [("x", np.int32)]),
            params=(),
            observation_space=spaces.Box(0, 1, (1,), np.float32),
            action_space=spaces.Discrete(1),
            max_episode_steps=9,
        )
"""

HELPER = """
from spelunk.envs.kernel import kernel
REWARD = {reward}

@kernel
def reward(state):
    return REWARD
"""


@pytest.fixture
def toy(tmp_path):
    (tmp_path / "toy.py").write_text(TOY)
    (tmp_path / "helper.py").write_text(HELPER.format(reward=1.0))
    return tmp_path


def run(folder, cache=None, **environment):
    env = {k: v for k, v in os.environ.items() if k not in ("SPELUNK_CACHE_DIR", "NUMBA_CACHE_DIR")}
    env |= {"SPELUNK_CACHE_DIR": str(cache)} if cache else {}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM).format(folder=str(folder))],
        capture_output=True, text=True, env=env | environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    reward, cache_folder, hits = done.stdout.split()
    return float(reward), cache_folder, int(hits), done.stderr


def test_a_second_process_finds_the_cache(toy, tmp_path):
    cache = tmp_path / "cache"
    assert run(toy, cache)[:3] == (1.0, str(cache / "kernels"), 0)
    assert run(toy, cache)[:3] == (1.0, str(cache / "kernels"), 1)
    assert stat.S_IMODE((cache / "kernels").stat().st_mode) == 0o700


def test_an_edit_in_another_file_is_noticed(toy, tmp_path):
    cache = tmp_path / "cache"
    assert run(toy, cache)[0] == 1.0
    (toy / "helper.py").write_text(HELPER.format(reward=2.0))
    assert run(toy, cache)[0] == 2.0


def test_a_folder_others_can_write_to_is_not_used(toy, tmp_path):
    cache = tmp_path / "cache"
    (cache / "kernels").mkdir(parents=True)
    (cache / "kernels").chmod(0o777)
    home = tmp_path / "home"
    _, folder, _, _ = run(toy, cache, HOME=str(home), XDG_CACHE_HOME=str(home))
    assert folder == str(home / "spelunk" / "kernels")


def test_without_any_folder_there_is_one_warning(toy, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    places = {"HOME": str(blocked), "XDG_CACHE_HOME": str(blocked), "TMPDIR": str(blocked)}
    # Python itself needs a temporary folder only when asked for one.
    program = f"import tempfile; tempfile.tempdir = {str(blocked)!r}\n"
    env = {**os.environ, **places, "SPELUNK_CACHE_DIR": str(blocked)}
    done = subprocess.run(
        [sys.executable, "-c", program + PROGRAM.format(folder=str(toy))],
        capture_output=True, text=True, env=env, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == ["1.0", "None"]
    assert done.stderr.count("SPELUNK_CACHE_DIR") == 1


def test_composite_observations_are_found_again(tmp_path):
    """A named tuple made at run time must be one that another process can look up by name."""
    program = (
        "import gymnasium, spelunk\n"
        "env = gymnasium.make('spelunk/TSP-v0').unwrapped\n"
        "env.reset(seed=0)\n"
        "env.step(1)\n"
        "print(sum(env.definition.loops.module.step_one.stats.cache_hits.values()))\n"
    )
    env = {**os.environ, "SPELUNK_CACHE_DIR": str(tmp_path)}
    for hits in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, env=env, check=True
        )
        assert done.stdout.split() == [hits]


def test_many_threads_run_the_code_of_one(tmp_path):
    """All faces share one compiled signature of what happens to a lane."""
    program = (
        "import gymnasium, numpy as np, spelunk\n"
        "single = gymnasium.make('spelunk/SlidingTile-v0').unwrapped\n"
        "single.reset(seed=0)\n"
        "single.step(single.sample_action(np.random.default_rng(0)))\n"
        "for threads in (1, 2):\n"
        "    batch = gymnasium.make_vec('spelunk/SlidingTile-v0', 8, num_threads=threads)\n"
        "    batch.reset(seed=0)\n"
        "    batch.step(batch.unwrapped.sample_actions(np.random.default_rng(0)))\n"
        "module = batch.unwrapped.definition.loops.module\n"
        "names = ('step_parallel', 'step', 'step_one', 'advance', 'revise_lane')\n"
        "print(*(len(getattr(module, name).signatures) for name in names))\n"
    )
    env = {**os.environ, "SPELUNK_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1"] * 5
