"""`KernelVectorEnv`: thousands of environments in one compiled call."""

from typing import Any

import numpy as np

from .batch import BatchEnv
from .definition import KernelDefinition
from .threads import threads_for


class KernelVectorEnv(BatchEnv):
    """A batch of one compiled environment, stepped by one loop; see `BatchEnv`."""

    definition: KernelDefinition

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
        b = self.buffers
        self._run(
            "step",
            self.threads,
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
