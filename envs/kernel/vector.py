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
        b = self.buffers
        self._run("reset", self.states, chosen, self.definition.params, b.observations, b.mask)

    def _first_illegal(self) -> int:
        arguments = self.states, self._actions, self.buffers.mask, self._mode
        return self.definition.loops.run("first_illegal", 1, *arguments)

    def _advance(self) -> int:
        b = self.buffers
        return self._run(
            "step",
            self.states,
            self._actions,
            self.definition.params,
            self._mode,
            b.anew,
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
        self._run("view", self.states, self.definition.params, b.observations, b.mask)

    def _run(self, loop: str, *arguments: Any) -> Any:
        return self.definition.loops.run(loop, self.threads, *arguments)
