"""A process beside the learner that plays with the weights it is sent."""

import pickle
import weakref
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from typing import Any

import torch

from ....envs.kernel.errors import SpelunkError
from ...core.helper_process import begin_helper
from ...core.torch_state import pack_tensors, unpack_tensors
from ...core.trainer import Arrays
from .lanes import Lanes, Played, Request, make_lanes


class RolloutError(SpelunkError, RuntimeError):
    """Episodes that cannot be played any more, as the process that played them is gone."""


@dataclass(frozen=True)
class _Asked:
    """Episodes that were asked for, and the weights that play them."""

    request: Request
    weights: Arrays
    answer: "Future[bytes]"


class Background:
    """Plays episodes, one request after the other, while the learner goes on.

    The process is started with the first request, and ends with this object or with the learner's.

    Args:
        lanes: what is played; the process makes environments of its own, and has a copy of the
            policy.
    """

    def __init__(self, lanes: Lanes):
        self._lanes = lanes
        self._asked: list[_Asked] = []
        self._pool: ProcessPoolExecutor | None = None

    def __len__(self) -> int:
        """How many requests have not been collected."""
        return len(self._asked)

    def ask(self, request: Request) -> None:
        """Have episodes played by the policy as it is now.

        Raises:
            RolloutError: the process is gone.
        """
        weights = pack_tensors("weights", self._lanes.model.trained.state_dict())
        self._submit(request, {name: part.copy() for name, part in weights.items()})

    def collect(self) -> tuple[Request, Played]:
        """The first of what was asked for, once it has been played.

        Raises:
            RolloutError: the process is gone.
        """
        first = self._asked.pop(0)
        try:
            return first.request, pickle.loads(first.answer.result())
        except BrokenProcessPool as error:
            raise _gone() from error

    def state(self) -> tuple[Arrays, list[dict[str, Any]]]:
        """What has not been collected: weights, and requests as plain JSON data."""
        arrays = {
            f"asked.{i}.{name}": part
            for i, asked in enumerate(self._asked)
            for name, part in asked.weights.items()
        }
        return arrays, [asdict(asked.request) for asked in self._asked]

    def load_state(self, arrays: Arrays, requests: list[dict[str, Any]]) -> None:
        """Ask again for what `state` told."""
        self._asked.clear()
        for i, fields in enumerate(requests):
            prefix = f"asked.{i}."
            weights = {
                name.removeprefix(prefix): part.copy()
                for name, part in arrays.items()
                if name.startswith(prefix)
            }
            self._submit(Request(**{**fields, "starts": tuple(fields["starts"])}), weights)

    def _submit(self, request: Request, weights: Arrays) -> None:
        if self._pool is None:
            self._pool = self._start()
        # Pickled here: a pool would share the memory of tensors, and not do it at once.
        message = pickle.dumps((request, weights))
        try:
            self._asked.append(_Asked(request, weights, self._pool.submit(_explore, message)))
        except BrokenProcessPool as error:
            raise _gone() from error

    def _start(self) -> ProcessPoolExecutor:
        lanes = self._lanes
        setup = (
            (lanes.task, lanes.config, lanes.model.frozen_copy(), lanes.world),
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
        )
        pool = ProcessPoolExecutor(1, get_context("spawn"), _begin, (pickle.dumps(setup),))
        weakref.finalize(self, pool.shutdown, wait=False, cancel_futures=True)
        return pool


def _gone() -> RolloutError:
    return RolloutError(
        "the process that plays episodes beside the learner has ended; its last words, if any, are "
        "on the standard error. Resume the run from its last checkpoint, or train with staleness=0"
    )


_lanes: Lanes


def _begin(setup: bytes) -> None:
    """Get the process ready."""
    global _lanes
    begin_helper()
    (task, config, model, world), threads, deterministic = pickle.loads(setup)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    _lanes = Lanes(make_lanes(task, world), task, config, model, world)


def _explore(message: bytes) -> bytes:
    """Play what a message asks for."""
    request, weights = pickle.loads(message)
    _lanes.model.trained.load_state_dict(unpack_tensors("weights", weights))
    return pickle.dumps(_lanes.explore(request))
