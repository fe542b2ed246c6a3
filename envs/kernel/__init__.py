"""The engine: dynamics written once as scalar kernels, every face of an environment from them."""

from . import rng
from .codegen import Kernels
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
from .model import Model, Successors
from .state import StateLayout
from .vector import KernelVectorEnv

__all__ = [
    "Env",
    "InvalidActionError",
    "InvalidArgumentError",
    "KernelEnv",
    "KernelVectorEnv",
    "Kernels",
    "Model",
    "SpelunkError",
    "StateLayout",
    "Successors",
    "UnparseableActionError",
    "UnsupportedFaceError",
    "kernel",
    "restore",
    "rng",
]
