"""Actions that choose several things at once, in words."""

from typing import Any

import numpy as np

from ..kernel import KernelEnv, UnparseableActionError


class SubsetEnv(KernelEnv):
    """An environment whose actions are rows of a `FeasibleSpace`: how they are said and read.

    A subclass sets `labels`, the names of the variables of a row, without blanks and commas.
    """

    labels: list[str]

    def action_words(self, action: Any) -> str:
        chosen = [self.labels[i] for i in np.flatnonzero(action)]
        return f"choose {', '.join(chosen) or 'nothing'}"

    def parse(self, text: str) -> np.ndarray[Any, np.dtype[np.int8]]:
        """The row a text names, feasible or not: `step` refuses what is not.

        Raises:
            UnparseableActionError: the text is not `choose` and labels, or `choose nothing`.
        """
        verb, *named = text.lower().replace(",", " ").split() or [""]
        known = {label: i for i, label in enumerate(self.labels)}
        right = all(name in known for name in named) or named == ["nothing"]
        if verb != "choose" or not named or not right:
            example = f"choose {self.labels[0]}, {self.labels[-1]}"
            raise UnparseableActionError(f"{text!r} names no action; say for example {example!r}")
        row = np.zeros(len(self.labels), np.int8)
        row[[known[name] for name in named if name in known]] = 1
        return row
