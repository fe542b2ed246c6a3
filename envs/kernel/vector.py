"""`KernelVectorEnv`: thousands of environments in one compiled call."""

import functools
from typing import Any

import numba
import numpy as np

from . import codegen
from .batch import BatchEnv
from .definition import KernelDefinition
from .threads import threads_for


class KernelVectorEnv(BatchEnv):
    """A batch of one compiled environment, stepped by one loop; see `BatchEnv`."""

    definition: KernelDefinition

    @functools.cached_property
    def _bound(self) -> dict[str, Any]:
        """Machine code by the name of its loop."""
        return {}

    @property
    def threads(self) -> int:
        return threads_for(self.num_envs, self.num_threads)

    def _begin(self, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
        d = self.definition
        d.loops.reset_batch(self.states, chosen, d.params, self._observations, self._mask)

    def _first_illegal(self) -> int:
        return self._call("first_illegal", self.states, self._actions, self._mask, self._mode)

    def _advance(self) -> None:
        threads = self.threads
        if threads > 1:
            numba.set_num_threads(threads)
        self._call(
            "step_parallel" if threads > 1 else "step_batch",
            self.states,
            self._actions,
            self.definition.params,
            self._mode,
            self._observations,
            self._mask,
            self._rewards,
            self._terminated,
            self._truncated,
            self.final_states,
            self._final_observations,
            self._final_mask,
        )

    def _look(self) -> None:
        d = self.definition
        d.loops.view_batch(self.states, d.params, self._observations, self._mask)

    def _call(self, loop: str, *arguments: Any) -> Any:
        """Run a compiled loop over this batch's own buffers, whose types never change."""
        if loop not in self._bound:
            self._bound[loop] = codegen.bind(getattr(self.definition.loops, loop), *arguments)
        return self._bound[loop](*arguments)
