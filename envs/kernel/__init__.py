"""The engine: dynamics written once as scalar kernels, every face of an environment from them."""

from . import rng
from .compile import kernel
from .env import KernelEnv
from .errors import (
    InvalidActionError,
    InvalidArgumentError,
    SpelunkError,
    UnparseableActionError,
    UnsupportedFaceError,
)
from .face import Env, restore
from .game import Game
from .host import HostEnv, HostVectorEnv
from .lanes import Kernels
from .model import Model, Outcomes, Successors
from .spaces import Unicode
from .state import StateLayout, pack_states, unpack_states
from .vector import KernelVectorEnv

__all__ = [
    "Env",
    "Game",
    "HostEnv",
    "HostVectorEnv",
    "InvalidActionError",
    "InvalidArgumentError",
    "KernelEnv",
    "KernelVectorEnv",
    "Kernels",
    "Model",
    "Outcomes",
    "SpelunkError",
    "StateLayout",
    "Successors",
    "Unicode",
    "UnparseableActionError",
    "UnsupportedFaceError",
    "kernel",
    "pack_states",
    "restore",
    "rng",
    "unpack_states",
]
