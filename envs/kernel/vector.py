"""`KernelVectorEnv`: thousands of environments in one compiled call."""

import functools
import time
from typing import Any

import numpy as np

from .batch import BatchEnv
from .definition import KernelDefinition
from .threads import Pace, threads_for


class KernelVectorEnv(BatchEnv):
    """A batch of one compiled environment, stepped by one loop; see `BatchEnv`."""

    definition: KernelDefinition

    @functools.cached_property
    def _pace(self) -> Pace:
        return Pace()

    @property
    def threads(self) -> int:
        return threads_for(self.num_envs, self.num_threads)

    def _begin(self, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
        self._run("reset", 1, self.states, chosen, self.definition.params)

    def _first_illegal(self) -> int:
        return self._run(
            "first_illegal", 1, self.states, self._actions, self.buffers.mask, self._mode
        )

    def _advance(self) -> None:
        threads = self.threads
        if threads == 1 or self.num_threads is not None:
            self._run("step", threads, *self._step_arguments())
            return
        begin = time.perf_counter()
        threads = 1 if self._pace.alone else threads
        self.definition.loops.spread("step", threads, *self._step_arguments())
        self._pace.note(time.perf_counter() - begin)

    def _step_arguments(self) -> tuple[Any, ...]:
        b = self.buffers
        return (
            self.states,
            self._actions,
            self.definition.params,
            self._mode,
            b.rows,
            b.rows is not b.observations,
            b.observations,
            b.mask,
            b.rewards,
            b.terminated,
            b.truncated,
            b.ended,
            b.returns,
            b.lengths,
            b.final_states,
            b.final_observations,
            b.final_mask,
        )

    def _look(self) -> None:
        b = self.buffers
        self._run("view", 1, self.states, self.definition.params, b.rows, b.mask)
        b.show_rows()

    def _run(self, loop: str, threads: int, *arguments: Any) -> Any:
        return self.definition.loops.run(loop, threads, *arguments)
