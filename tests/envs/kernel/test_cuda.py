"""CUDA without a GPU: its machine code, and two ways round the hardware to run its kernels."""

import importlib
import importlib.util
import itertools
import math
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from spelunk.envs.kernel import (
    InvalidActionError,
    InvalidArgumentError,
    KernelEnv,
    Kernels,
    StateLayout,
    UnsupportedFaceError,
    kernel,
    rng,
)
from spelunk.envs.registry import ENTRIES

from .. import cuda_replay

needs_compiler = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None, reason="the package numba-cuda is missing"
)
ROWS = [row for row in ENTRIES if "cuda" in row.faces]
KERNELS = ("reset", "view", "step", "restart", "settle", "key")


@pytest.fixture
def on_host(monkeypatch):
    cuda_on_host = pytest.importorskip("spelunk.tests.envs.cuda_on_host")
    cuda_on_host.on_host(monkeypatch)


# --- machine code --------------------------------------------------------------------------------


@needs_compiler
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_ptx_without_contraction(on_host, row):
    """Every kernel compiles for both architectures, and each float operation is rounded as IEEE
    754 says: no fused multiply-add, no approximation, no flushing of small numbers.

    An operation without `.rn` could still be contracted by the assembler. Presets are compiled by
    the tests of equality.
    """
    from spelunk.envs.kernel import cuda_codegen, device

    env = gymnasium.make_vec(row.id, num_envs=4, device="cuda")
    module = cuda_codegen.load(env.definition.kernels, env.definition.shape)
    for name in KERNELS:
        arguments = env.arguments(name)
        for capability in ((8, 0), (9, 0)):
            signature = device.signature_of(arguments)
            text = device.ptx(module, name, signature, capability)
            assert set(_float_operations(text)) <= _EXACT
            assert _parameters(text) == [_SIZES[type(w)] for w in device.arguments_of(arguments)]
            assert device.machine_code(module, name, signature, capability)[:4] == b"\x7fELF"


_SIZES = {bool: 8, int: 64, float: 64}
_EXACT = {
    f"{operation}.f{bits}"
    for operation in ("add.rn", "sub.rn", "mul.rn", "div.rn", "rcp.rn", "sqrt.rn")
    for bits in (32, 64)
} | {f"{operation}.f{bits}" for operation in ("neg", "abs", "min", "max") for bits in (32, 64)}
_MOVES = ("mov", "ld", "st", "cvt", "setp", "selp", "set", "atom", "copysign", "testp")


def _float_operations(text: str) -> list[str]:
    """The instructions on floats that compute something."""
    found = re.findall(r"^\s*(?:@!?%p\d+\s+)?([a-z][\w.]*\.f(?:16|32|64))\s", text, flags=re.M)
    return [name for name in found if name.split(".")[0] not in _MOVES]


def _parameters(text: str) -> list[int]:
    """The sizes of a kernel's parameters in bits."""
    head = text[text.index(".visible .entry") : text.index("{", text.index(".visible .entry"))]
    return [int(bits) for bits in re.findall(r"\.param \.[a-z]+(\d+)", head)]


@needs_compiler
def test_ptx_would_be_contracted_otherwise():
    from numba import float64, void

    from spelunk.envs.kernel import device

    cuda: Any = importlib.import_module("numba.cuda")

    def fused(a):
        a[0] = a[0] * a[1] + math.sqrt(a[2]) / a[3]

    class Module:
        kernel = cuda.jit(fused)

    signature = (float64[::1],)
    ours = device.ptx(Module, "kernel", signature, (9, 0))
    assert _float_operations(ours) == ["mul.rn.f64", "sqrt.rn.f64", "div.rn.f64", "add.rn.f64"]
    theirs, _ = cuda.compile_ptx(fused, void(*signature), cc=(9, 0))
    assert "fma.rn.f64" in theirs


# --- equality with the CPU -----------------------------------------------------------------------


@needs_compiler
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_same_bits_from_code_for_a_gpu(on_host, row):
    for mode in cuda_replay.MODES:
        kwargs = {"max_episode_steps": 11, **row.preset}
        cuda_replay.replay(cuda_replay.record(row.id, kwargs, mode))


@pytest.mark.slow
def test_the_same_bits_in_the_simulator(tmp_path):
    recorded = [
        cuda_replay.record(row.id, {"max_episode_steps": 11, **row.preset}, mode)
        for row, mode in zip(ROWS, itertools.cycle(cuda_replay.MODES), strict=False)
    ]
    file = tmp_path / "episodes"
    file.write_bytes(pickle.dumps(recorded))
    done = subprocess.run(
        [sys.executable, "-W", "error", Path(cuda_replay.__file__), file],
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# --- behaviour -----------------------------------------------------------------------------------


def make(name: str = "SlidingTile", **kwargs: Any) -> Any:
    return gymnasium.make_vec(f"spelunk/{name}-v0", **{"num_envs": 4, "device": "cuda"} | kwargs)


@needs_compiler
def test_refused_actions_leave_their_lanes_alone(on_host):
    env = make(size=2)
    env.reset(seed=0)
    twin = make(size=2)
    twin.reset(seed=0)
    legal = twin.buffers.mask.argmax(-1)
    wrong = legal.clone()
    wrong[1], wrong[3] = 7, -1
    before = env.snapshot()
    observations, rewards, *_ = env.step(wrong)
    expected, *_ = twin.step(legal)
    assert rewards.tolist() == [-1, 0, -1, 0]
    assert torch.equal(observations[::2], expected[::2])
    assert torch.equal(env.states[1::2], before[1::2])
    env.step(env.sample_actions())
    with pytest.raises(InvalidActionError, match="environment 1: action 7 is illegal") as caught:
        env.check()
    assert caught.value.__notes__ == ["2 actions were refused since the last check."]
    env.check()
    env.step(wrong)
    with pytest.raises(InvalidActionError):
        env.reset()
    env.reset()
    env.step(wrong)
    with pytest.raises(InvalidActionError):
        env.close()


@needs_compiler
def test_the_first_of_many_refused_actions_is_named(on_host):
    env = make(size=2, num_envs=6)
    env.reset(seed=0)
    for refused in ([5], [0, 2], [1]):
        actions = env.sample_actions()
        actions[refused] = 4 + refused[0]
        env.step(actions)
    with pytest.raises(InvalidActionError, match="environment 5: action 9"):
        env.check()


@needs_compiler
def test_debugging_raises_at_once(on_host):
    env = make(size=2, debug=True)
    env.reset(seed=0)
    with pytest.raises(InvalidActionError, match="environment 0"):
        env.step(torch.full((4,), 9))
    maze = make("PointMaze", debug=True)
    maze.reset(seed=0)
    actions = torch.zeros(4, 2)
    actions[2, 1] = math.nan
    with pytest.raises(InvalidActionError, match="environment 2"):
        maze.step(actions)


@needs_compiler
def test_actions_are_clipped_as_on_the_cpu(on_host):
    env, twin = make("PointMaze"), make("PointMaze", device="cpu")
    env.reset(seed=0)
    twin.reset(seed=0)
    actions = np.linspace(-3, 3, 8).reshape(4, 2)
    assert torch.equal(env.step(actions)[0], torch.from_numpy(twin.step(actions)[0]))


@needs_compiler
@pytest.mark.parametrize(
    "actions", [torch.zeros(3, dtype=torch.int64), torch.zeros(4), torch.zeros(4, dtype=torch.bool)]
)
def test_wrong_actions(on_host, actions):
    env = make()
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(actions)
    env.reset(seed=0)
    with pytest.raises(InvalidActionError, match="fit"):
        env.step(actions)


@needs_compiler
def test_ended_episodes_wait_for_a_reset_where_resets_are_disabled(on_host):
    env = make("DoorKey", autoreset_mode="disabled", max_episode_steps=2)
    env.reset(seed=0)
    for _ in range(2):
        *_, truncated, _ = env.step(torch.zeros(4, dtype=torch.int64))
    assert truncated.all()
    env.reset(options={"reset_mask": torch.tensor([False, True, True, True])})
    env.step(torch.zeros(4, dtype=torch.int64))
    with pytest.raises(gymnasium.error.ResetNeeded, match="environment 0"):
        env.check()
    env.reset(options={"reset_mask": torch.zeros(4, dtype=torch.bool)})


@needs_compiler
def test_snapshots(on_host):
    env, twin = make(), make(device="cpu")
    env.reset(seed=3)
    twin.reset(seed=5)
    snapshot = env.snapshot()
    actions = env.sample_actions()
    after = env.step(actions)
    env.restore(snapshot)
    again = env.step(actions)
    assert all(torch.equal(a, b) for a, b in zip(after[:4], again[:4], strict=True))
    env.restore(twin.snapshot())
    assert (env.records() == twin.records()).all()
    assert torch.equal(env.present()[0], torch.from_numpy(twin.present()[0]))
    twin.restore(env.records())
    with pytest.raises(InvalidArgumentError):
        env.restore(snapshot[:2])
    assert env.describe(1) == twin.describe(1)


@needs_compiler
def test_copies(on_host):
    env = make()
    env.reset(seed=3)
    twin = pickle.loads(pickle.dumps(env))
    for _ in range(5):
        actions = env.sample_actions()
        found, expected = twin.step(actions), env.step(actions)
        assert all(torch.equal(a, b) for a, b in zip(found[:4], expected[:4], strict=True))


@needs_compiler
def test_tensors_of_the_callers(on_host):
    env, twin = make("PressurePlates"), make("PressurePlates")
    env.reset(seed=0)
    twin.reset(seed=0)
    storage = torch.full((5, 4, *env.single_observation_space.shape), 9, dtype=torch.uint8)
    rewards = torch.zeros(5, 4, 2)
    for t in range(5):
        env.write_into(observations=storage[t], rewards=rewards[t])
        actions = twin.sample_actions()
        found, expected = env.step(actions), twin.step(actions)
        assert found[0].data_ptr() == storage[t].data_ptr()
        assert all(torch.equal(a, b) for a, b in zip(found[:4], expected[:4], strict=True))
    with pytest.raises(InvalidArgumentError, match="contiguous"):
        env.write_into(observations=storage[0].float())


@needs_compiler
def test_without_copies_the_tensors_are_the_same_each_time(on_host):
    env = make("TSP", copy=False)
    first, _ = env.reset(seed=0)
    second, *_ = env.step(env.sample_actions())
    assert all(first[name] is second[name] for name in first)


@needs_compiler
def test_options(on_host):
    env, twin = make("DoorKey", size=5), make("DoorKey", size=5, device="cpu")
    layout = twin.prototype.show_state(twin.prototype.model.reset([1])[0])
    for mask in ([True] * 4, [False, True, False, True]):
        options = {"layout": layout, "reset_mask": np.array(mask)}
        found, _ = env.reset(seed=0, options=options)
        expected, _ = twin.reset(seed=0, options=options)
        assert torch.equal(found, torch.from_numpy(expected))
    plates = make("PressurePlates")
    plates.reset(options={"task": np.array([3, 1, 2, 0])})
    assert plates.records()["level"].tolist() == [3, 1, 2, 0]


def test_what_there_is_no_gpu_for():
    with pytest.raises(InvalidArgumentError, match="device"):
        make(device="tpu")
    with pytest.raises(UnsupportedFaceError, match="KnowledgeSearch"):
        make("KnowledgeSearch")
    if not torch.cuda.is_available():
        with pytest.raises(UnsupportedFaceError):
            make()


# --- rows of choices -----------------------------------------------------------------------------


class Params(NamedTuple):
    """Nothing."""

    unused: int


@kernel
def reset(state, params):
    state.total = rng.integer(state, 10)


@kernel
def step(state, action, params):
    for k in range(action.shape[0]):
        state.total = 10 * int(state.total) + int(action[k])
    return float(state.total % 7), False


@kernel
def observe(state, params, obs):
    obs[0] = state.total % 251


class Choices(KernelEnv):
    def __init__(self):
        super().__init__(
            kernels=Kernels(reset, step, observe),
            layout=StateLayout([], [("total", np.int64)]),
            params=Params(0),
            observation_space=spaces.Box(0, 255, (1,), np.uint8),
            action_space=spaces.MultiDiscrete([2, 3]),
            max_episode_steps=5,
        )

    def describe_state(self, state):
        return str(state["total"])

    def draw_state(self, state):
        return np.zeros((1, 1, 3), np.uint8)

    def show_state(self, state):
        return str(state["total"])


@needs_compiler
def test_rows_of_choices(on_host):
    from spelunk.envs.kernel import KernelVectorEnv
    from spelunk.envs.kernel.cuda import CudaVectorEnv

    env, twin = CudaVectorEnv(Choices, 3), KernelVectorEnv(Choices, 3)
    env.reset(seed=0)
    twin.reset(seed=0)
    for _ in range(7):
        actions = env.sample_actions()
        assert ((actions >= 0) & (actions < torch.tensor([2, 3]))).all()
        found, expected = env.step(actions), twin.step(actions.numpy())
        assert all(
            torch.equal(a, torch.from_numpy(b))
            for a, b in zip(found[:4], expected[:4], strict=True)
        )
    env.step(torch.tensor([[1, 2], [1, 3], [0, 0]]))
    with pytest.raises(InvalidActionError, match=r"environment 1: action \[1 3\]"):
        env.check()
